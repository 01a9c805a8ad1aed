package conformance

import "net/http"

// Request is about what the request says (RFC 9111 sections 5.2.1 and 5.4).
func Request() []Story {
	fresh := ok("first", "Cache-Control", "max-age=3600", "Etag", tag)
	aged := ok("first", "Cache-Control", "max-age=1500", "Age", "1000")
	stale := func(directives string) Reply { return ok("first", "Cache-Control", directives) }
	asked := func(name, section, directives string, want How, r Reply) Story {
		next := Step{After: 3 * second, Ask: fields("Cache-Control", directives), How: want, Reply: ok("second")}
		if want == Cached {
			next.WantBody = "first"
		}
		return then(name, section, r, next)
	}
	return append([]Story{
		asked("max-age=0", "9111 5.2.1.1", "max-age=0", Forwarded, fresh),
		asked("max-age=1", "9111 5.2.1.1", "max-age=1", Forwarded, fresh),
		asked("max-age long enough", "9111 5.2.1.1", "max-age=10", Cached, fresh),
		asked("max-age of an aged response", "9111 5.2.1.1", "max-age=600", Forwarded, aged),
		asked("max-age of an aged response, long enough", "9111 5.2.1.1", "max-age=1200", Cached, aged),
		asked("max-age in quotes", "9111 5.2", `max-age="10"`, Cached, fresh),
		asked("max-age that is no number", "9111 5.2.1.1", "max-age=x", Forwarded, fresh),
		asked("max-age twice", "9111 5.2.1.1", "max-age=10, max-age=1", Forwarded, fresh),
		asked("max-age does not make fresh", "9111 5.2.1.1", "max-age=3600", Forwarded, stale("max-age=1")),

		asked("max-stale", "9111 5.2.1.2", "max-stale=1000", Cached, stale("max-age=1")),
		asked("max-stale, just long enough", "9111 5.2.1.2", "max-stale=2", Cached, stale("max-age=1")),
		asked("max-stale, too short", "9111 5.2.1.2", "max-stale=1", Forwarded, stale("max-age=1")),
		asked("max-stale without a number", "9111 5.2.1.2", "max-stale", Cached, stale("max-age=1")),
		asked("max-stale that is no number", "9111 5.2.1.2", "max-stale=x", Forwarded, stale("max-age=1")),
		asked("max-stale of an aged response", "9111 5.2.1.2", "max-stale=1000", Cached, ok("first", "Cache-Control", "max-age=1500", "Age", "2000")),
		asked("max-stale and max-age", "9111 5.2.1.1", "max-stale=1000, max-age=2", Forwarded, stale("max-age=1")),
		asked("max-stale against must-revalidate", "9111 5.2.2.2", "max-stale=1000", Forwarded, stale("max-age=1, must-revalidate")),
		asked("max-stale against proxy-revalidate", "9111 5.2.2.8", "max-stale=1000", Forwarded, stale("max-age=1, proxy-revalidate")),
		asked("max-stale against s-maxage", "9111 5.2.2.10", "max-stale=1000", Forwarded, stale("s-maxage=1")),
		asked("max-stale against no-cache", "9111 5.2.2.4", "max-stale=1000", Forwarded, stale("max-age=60, no-cache")),
		asked("max-stale against no-store", "9111 5.2.2.5", "max-stale=1000", Forwarded, stale("max-age=60, no-store")),

		asked("min-fresh", "9111 5.2.1.3", "min-fresh=4000", Forwarded, fresh),
		asked("min-fresh, fresh enough", "9111 5.2.1.3", "min-fresh=3000", Cached, fresh),
		asked("min-fresh of an aged response", "9111 5.2.1.3", "min-fresh=1000", Forwarded, aged),
		asked("min-fresh that is no number", "9111 5.2.1.3", "min-fresh=x", Cached, fresh),

		asked("no-cache", "9111 5.2.1.4", "no-cache", Forwarded, fresh),
		asked("no-cache in any case", "9111 5.2", "No-Cache", Forwarded, fresh),
		asked("no-cache against max-stale", "9111 5.2.1.4", "max-stale, no-cache", Forwarded, fresh),
		asked("no-store", "9111 5.2.1.5", "no-store", Cached, fresh),
		asked("no-transform", "9111 5.2.1.6", "no-transform", Cached, fresh),
		asked("unknown directive", "9111 5.2.3", "foo=1, bar", Cached, fresh),
		asked("directives of responses", "9111 5.2.1", "s-maxage=0, private, must-revalidate", Cached, fresh),
		then("no-cache validates", "9111 5.2.1.4", fresh,
			Step{Ask: fields("Cache-Control", "no-cache"), How: Validated, Reply: status(304, "Etag", tag), WantBody: "first", Sent: map[string]string{"If-None-Match": tag}}),
		then("max-age=0 validates", "9111 5.2.1.1", fresh,
			Step{Ask: fields("Cache-Control", "max-age=0"), How: Validated, Reply: status(304, "Etag", tag), WantBody: "first", Sent: map[string]string{"If-None-Match": tag}}),
	}, append(onlyIfCached(), append(noStore(), pragma()...)...)...)
}

// onlyIfCached are the stories of RFC 9111 section 5.2.1.7.
func onlyIfCached() []Story {
	const section = "9111 5.2.1.7"
	fresh := ok("0123456789", "Cache-Control", "max-age=3600", "Etag", tag)
	only := func(namesAndValues ...string) http.Header {
		return fields(append([]string{"Cache-Control", "only-if-cached"}, namesAndValues...)...)
	}
	return []Story{
		story("only-if-cached and nothing there", section, Step{Ask: only(), How: Timeout}),
		story("only-if-cached and nothing there, HEAD", section, Step{Method: "HEAD", Ask: only(), How: Timeout}),
		then("only-if-cached", section, fresh, Step{Ask: only(), How: Cached, WantBody: "0123456789"}),
		then("only-if-cached, HEAD", section, fresh, Step{Method: "HEAD", Ask: only(), How: Cached, Status: 200}),
		then("only-if-cached and a condition", section, fresh, Step{Ask: only("If-None-Match", tag), How: Cached, Status: 304}),
		then("only-if-cached and a range", section, fresh, Step{Ask: only("Range", "bytes=1-2"), How: Cached, Status: 206, WantBody: "12"}),
		then("only-if-cached and stale", section, cc("max-age=1"), Step{After: 3 * second, Ask: only(), How: Timeout}),
		then("only-if-cached and stale, but allowed", section, cc("max-age=1"),
			Step{After: 3 * second, Ask: fields("Cache-Control", "only-if-cached, max-stale=60"), How: Cached, WantBody: "first"}),
		then("only-if-cached and to be validated", section, cc("max-age=60, no-cache"), Step{Ask: only(), How: Timeout}),
		then("only-if-cached and no-cache", section, fresh,
			Step{Ask: fields("Cache-Control", "only-if-cached, no-cache"), How: Timeout}),
		story("only-if-cached and another variant", section,
			Step{Ask: fields("Foo", "1"), How: Forwarded, Reply: ok("first", "Cache-Control", "max-age=3600", "Vary", "Foo")},
			Step{Ask: only("Foo", "2"), How: Timeout}),
		story("only-if-cached and only a part there", section,
			Step{Ask: bytesOf("0-4"), How: Forwarded, Reply: part("bytes 0-4/10", "01234", "Etag", tag)},
			Step{Ask: only(), How: Timeout},
			Step{Ask: only("Range", "bytes=3-6"), How: Timeout},
			Step{Ask: only("Range", "bytes=3-4"), How: Cached, Status: 206, WantBody: "34"}),
	}
}

// noStore are the stories of RFC 9111 section 5.2.1.5.
func noStore() []Story {
	const section = "9111 5.2.1.5"
	ask := fields("Cache-Control", "no-store")
	fresh := ok("first", "Cache-Control", "max-age=3600")
	return []Story{
		story("no-store does not store", section,
			Step{Ask: ask, How: Forwarded, Reply: fresh},
			Step{How: Forwarded, Reply: ok("second")}),
		story("no-store leaves what is stored", section,
			Step{How: Forwarded, Reply: cc("max-age=2")},
			Step{After: 3 * second, Ask: ask, How: Forwarded, Reply: ok("second", "Cache-Control", "max-age=3600")},
			Step{How: Stale, WantBody: "first", Reply: down}),
		story("no-store does not freshen what is stored", section,
			Step{How: Forwarded, Reply: ok("first", "Cache-Control", "max-age=2", "Etag", tag)},
			Step{After: 3 * second, Ask: ask, How: Validated, WantBody: "first", Reply: status(304, "Etag", tag, "Cache-Control", "max-age=3600", "A", "1")},
			Step{How: Validated, WantBody: "first", Reply: status(304, "Etag", tag), Want: map[string]string{"A": ""}}),
		story("no-store does not complete what is stored", section,
			Step{Ask: bytesOf("0-4"), How: Forwarded, Reply: part("bytes 0-4/10", "01234", "Etag", tag)},
			Step{Ask: ask, How: Completed, Status: 200, WantBody: digits, Reply: part("bytes 5-9/10", "56789", "Etag", tag)},
			Step{How: Completed, Status: 200, WantBody: digits, Reply: part("bytes 5-9/10", "56789", "Etag", tag)}),
	}
}

// pragma are the stories of RFC 9111 section 5.4.
func pragma() []Story {
	const section = "9111 5.4"
	fresh := ok("first", "Cache-Control", "max-age=3600")
	asked := func(name string, want How, namesAndValues ...string) Story {
		return then(name, section, fresh, Step{Ask: fields(namesAndValues...), How: want, Reply: ok("second")})
	}
	return []Story{
		asked("Pragma", Forwarded, "Pragma", "no-cache"),
		asked("Pragma in any case", Forwarded, "Pragma", "No-Cache"),
		asked("Pragma among others", Forwarded, "Pragma", "foo, no-cache"),
		asked("Pragma with another word", Cached, "Pragma", "unknown"),
		asked("Pragma beside Cache-Control", Cached, "Pragma", "no-cache", "Cache-Control", "max-age=60"),
		story("what Pragma brings is stored", section,
			Step{How: Forwarded, Reply: fresh},
			Step{Ask: fields("Pragma", "no-cache"), How: Forwarded, Reply: ok("second", "Cache-Control", "max-age=3600")},
			Step{How: Cached, WantBody: "second"}),
	}
}
