package conformance

import "time"

// Stales is about stale responses that the origin can't confirm (RFC 9111 sections 4.2.4 and 4.3.3).
func Stales() []Story {
	failing := func(name, section, directives string, want How, r Reply) Story {
		next := Step{After: 3 * second, How: want, Reply: r}
		if want == Stale || want == Cached {
			next.Status, next.WantBody = 200, "first"
		}
		return then(name, section, cc(directives), next)
	}
	return []Story{
		failing("the origin hangs up", "9111 4.2.4", "max-age=2", Stale, down),
		failing("the origin says 500", "9111 4.3.3", "max-age=2", Stale, status(500)),
		failing("the origin says 502", "9111 4.3.3", "max-age=2", Stale, status(502)),
		failing("the origin says 503", "9111 4.3.3", "max-age=2", Stale, status(503)),
		failing("the origin says 504", "9111 4.3.3", "max-age=2", Stale, status(504)),
		failing("the origin says 400", "9111 4.3.3", "max-age=2", Forwarded, status(400)),
		failing("the origin says 403", "9111 4.3.3", "max-age=2", Forwarded, status(403)),
		failing("the origin says 404", "9111 4.3.3", "max-age=2", Forwarded, status(404)),
		failing("the origin says 410", "9111 4.3.3", "max-age=2", Forwarded, status(410)),
		failing("the origin says 429", "9111 4.3.3", "max-age=2", Forwarded, status(429)),
		failing("the origin says 302", "9111 4.3.3", "max-age=2", Forwarded, status(302)),
		failing("must-revalidate", "9111 5.2.2.2", "max-age=2, must-revalidate", Forwarded, down),
		failing("must-revalidate and 503", "9111 5.2.2.2", "max-age=2, must-revalidate", Forwarded, status(503)),
		failing("must-revalidate, fresh", "9111 5.2.2.2", "max-age=20, must-revalidate", Cached, down),
		failing("proxy-revalidate", "9111 5.2.2.8", "max-age=2, proxy-revalidate", Forwarded, down),
		failing("proxy-revalidate, fresh", "9111 5.2.2.8", "max-age=20, proxy-revalidate", Cached, down),
		failing("s-maxage", "9111 5.2.2.10", "max-age=2, s-maxage=2", Forwarded, down),
		failing("s-maxage and 503", "9111 5.2.2.10", "s-maxage=2", Forwarded, status(503)),
		failing("no-cache", "9111 5.2.2.4", "max-age=2, no-cache", Forwarded, down),
		failing("no-cache, fresh", "9111 5.2.2.4", "max-age=20, no-cache", Forwarded, down),
		failing("no-cache and 503", "9111 5.2.2.4", "max-age=20, no-cache", Forwarded, status(503)),
		failing("nothing says how long it is fresh", "9111 4.2.4", "no-transform", Stale, down),

		story("nothing is stored", "9111 4.2.4", Step{How: Forwarded, Reply: down}),
		story("another variant is no substitute", "9111 4.1",
			Step{Ask: fields("Foo", "1"), How: Forwarded, Reply: ok("first", "Cache-Control", "max-age=2", "Vary", "Foo")},
			Step{After: 3 * second, Ask: fields("Foo", "2"), How: Forwarded, Reply: down}),
		then("the age of a stale response is said", "9111 5.1", cc("max-age=2"),
			Step{After: minute, How: Stale, WantBody: "first", Reply: down, Want: map[string]string{"Age": "60"}}),
		story("the origin is asked again each time", "9111 4.2.4",
			Step{How: Forwarded, Reply: ok("first", "Cache-Control", "max-age=2", "Etag", tag)},
			Step{After: 3 * second, How: Stale, WantBody: "first", Reply: down},
			Step{After: second, How: Stale, WantBody: "first", Reply: status(503, "Cache-Control", "max-age=3600")},
			Step{After: second, How: Validated, WantBody: "first", Reply: status(304, "Etag", tag)},
			Step{How: Cached, WantBody: "first"}),
		then("conditions of the client hold for a stale response", "9110 13.2.2", ok("first", "Cache-Control", "max-age=2", "Etag", tag),
			Step{After: 3 * second, Ask: fields("If-None-Match", tag), How: Stale, Status: 304, Reply: down}),
		then("a range of a stale response", "9110 14.2", ok("0123456789", "Cache-Control", "max-age=2", "Etag", tag),
			Step{After: 3 * second, Ask: bytesOf("2-3"), How: Stale, Status: 206, WantBody: "23", Reply: down}),
		then("HEAD", "9111 4.2.4", cc("max-age=2"), Step{After: 3 * second, Method: "HEAD", How: Stale, Status: 200, Reply: down}),
		then("HEAD and must-revalidate", "9111 5.2.2.2", cc("max-age=2, must-revalidate"),
			Step{After: 3 * second, Method: "HEAD", How: Forwarded, Reply: down}),
		then("a fresh response that the client wants confirmed", "9111 5.2.1.4", cc("max-age=3600"),
			Step{Ask: fields("Cache-Control", "no-cache"), How: Stale, WantBody: "first", Reply: down}),
		then("a fresh response that the client wants younger", "9111 5.2.1.1", cc("max-age=3600"),
			Step{After: 3 * second, Ask: fields("Cache-Control", "max-age=1"), How: Stale, WantBody: "first", Reply: status(503)}),
	}
}

// StaleIfError is about RFC 5861 section 4.
func StaleIfError() []Story {
	const section = "5861 4"
	after := func(name, section, directives, asked string, age int, want How, r Reply) Story {
		next := Step{After: time.Duration(age) * second, How: want, Reply: r}
		if asked != "" {
			next.Ask = fields("Cache-Control", asked)
		}
		if want == Stale {
			next.Status, next.WantBody = 200, "first"
		}
		return then(name, section, cc(directives), next)
	}
	const minuteLong = "max-age=2, stale-if-error=60"
	return []Story{
		after("hangs up", section, minuteLong, "", 3, Stale, down),
		after("500", section, minuteLong, "", 3, Stale, status(500)),
		after("502", section, minuteLong, "", 3, Stale, status(502)),
		after("503", section, minuteLong, "", 3, Stale, status(503)),
		after("504", section, minuteLong, "", 3, Stale, status(504)),
		after("404", section, minuteLong, "", 3, Forwarded, status(404)),
		after("503 in the last second", section, minuteLong, "", 61, Stale, status(503)),
		after("run out, 500", section, minuteLong, "", 62, Forwarded, status(500)),
		after("run out, 503", section, minuteLong, "", 62, Forwarded, status(503)),
		after("run out, hangs up", "9111 4.2.4", minuteLong, "", 62, Stale, down),
		after("of the request", section, "max-age=2", "stale-if-error=60", 3, Stale, status(503)),
		after("of the request, run out", section, "max-age=2", "stale-if-error=60", 62, Forwarded, status(503)),
		after("of the request, longer than that of the response", section, "max-age=2, stale-if-error=1", "stale-if-error=60", 30, Stale, status(503)),
		after("against must-revalidate", "9111 5.2.2.2", minuteLong+", must-revalidate", "", 3, Forwarded, status(503)),
		after("against must-revalidate, hangs up", "9111 5.2.2.2", minuteLong+", must-revalidate", "", 3, Forwarded, down),
		after("against no-cache", "9111 5.2.2.4", minuteLong+", no-cache", "", 3, Forwarded, status(503)),
		after("of the request against must-revalidate", "9111 5.2.2.2", "max-age=2, must-revalidate", "stale-if-error=60", 3, Forwarded, down),
	}
}

// StaleWhileRevalidate is about RFC 5861 section 3.
func StaleWhileRevalidate() []Story {
	const section, directives = "5861 3", "max-age=1, stale-while-revalidate=60"
	stale := ok("0123456789", "Cache-Control", directives, "Etag", tag)
	fresh := ok("second", "Cache-Control", "max-age=3600", "Etag", `"b"`)
	refused := func(name, section, directives, asked string) Story {
		next := Step{After: 3 * second, How: Forwarded, Reply: ok("second")}
		if asked != "" {
			next.Ask = fields("Cache-Control", asked)
		}
		return then(name, section, cc(directives), next)
	}
	now := func(next Step) Step {
		next.After, next.How = 3*second, Meanwhile
		return next
	}
	return []Story{
		then("another response comes", section, stale, now(Step{WantBody: "0123456789", Reply: fresh, Sent: map[string]string{"If-None-Match": tag}})).
			and(Step{How: Cached, WantBody: "second"}),
		then("it is confirmed", section, stale, now(Step{WantBody: "0123456789", Reply: status(304, "Etag", tag, "Cache-Control", "max-age=3600")})).
			and(Step{After: minute, How: Cached, WantBody: "0123456789"}),
		then("the origin hangs up", section, stale, now(Step{WantBody: "0123456789", Reply: down})).
			and(now(Step{WantBody: "0123456789", Reply: fresh}), Step{How: Cached, WantBody: "second"}),
		then("the origin says 503", section, stale, now(Step{WantBody: "0123456789", Reply: status(503, "Cache-Control", "max-age=3600")})).
			and(now(Step{WantBody: "0123456789", Reply: fresh}), Step{How: Cached, WantBody: "second"}),
		then("the age is said", "9111 5.1", stale, now(Step{Reply: fresh, Want: map[string]string{"Age": "3"}})),
		then("a condition of the client", section, stale, now(Step{Ask: fields("If-None-Match", tag), Status: 304, Reply: fresh})).
			and(Step{How: Cached, WantBody: "second"}),
		then("another condition of the client", "9111 4.3.1", stale,
			now(Step{Ask: fields("If-None-Match", `"b"`), Status: 200, WantBody: "0123456789", Reply: fresh, Sent: map[string]string{"If-None-Match": tag}})).
			and(Step{How: Cached, WantBody: "second"}),
		then("a range", section, stale, now(Step{Ask: bytesOf("2-3"), Status: 206, WantBody: "23", Reply: fresh, Sent: map[string]string{"Range": ""}})).
			and(Step{How: Cached, WantBody: "second"}),
		then("the last second", section, stale, Step{After: 60 * second, How: Meanwhile, WantBody: "0123456789", Reply: fresh}),
		then("the window is over", section, stale, Step{After: 61 * second, How: Forwarded, Reply: fresh}),
		then("fresh", section, stale, Step{How: Cached, WantBody: "0123456789"}),
		refused("a window that is no number", section, "max-age=1, stale-while-revalidate=x", ""),
		refused("against must-revalidate", "9111 5.2.2.2", directives+", must-revalidate", ""),
		refused("against proxy-revalidate", "9111 5.2.2.8", directives+", proxy-revalidate", ""),
		refused("against s-maxage", "9111 5.2.2.10", "s-maxage=1, stale-while-revalidate=60", ""),
		refused("against no-cache", "9111 5.2.2.4", "no-cache, stale-while-revalidate=60", ""),
		refused("against the request's no-cache", "9111 5.2.1.4", directives, "no-cache"),
		refused("against the request's max-age", "9111 5.2.1.1", directives, "max-age=0"),
		refused("against the request's min-fresh", "9111 5.2.1.3", directives, "min-fresh=10"),
	}
}
