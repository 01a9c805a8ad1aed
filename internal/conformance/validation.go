package conformance

// Validation is about how the origin is asked about a stored response, and what its answer means (RFC
// 9111 sections 4.3.1, 4.3.3 and 4.3.4).
func Validation() []Story {
	modified := Date(-hour)
	stale := func(more ...string) Reply {
		return ok("first", append([]string{"Cache-Control", "max-age=2"}, more...)...)
	}
	asks := func(name string, r, answer Reply, want How, sent map[string]string) Story {
		next := Step{After: 3 * second, Reply: answer, How: want, Sent: sent}
		if want == Validated {
			next.Status, next.WantBody = 200, "first"
		}
		return then(name, "9111 4.3.1", r, next)
	}
	return append([]Story{
		asks("by strong tag", stale("Etag", tag), status(304, "Etag", tag), Validated, map[string]string{"If-None-Match": tag, "If-Modified-Since": ""}),
		asks("by weak tag", stale("Etag", `W/"a"`), status(304, "Etag", `W/"a"`), Validated, map[string]string{"If-None-Match": `W/"a"`}),
		asks("by date", stale("Last-Modified", modified), status(304, "Last-Modified", modified), Validated, map[string]string{"If-Modified-Since": modified, "If-None-Match": ""}),
		asks("by date as it was received", stale("Last-Modified", "Sunday, 01-Mar-26 11:00:00 GMT"), status(304), Validated, map[string]string{"If-Modified-Since": "Sunday, 01-Mar-26 11:00:00 GMT"}),
		asks("by tag and date", stale("Etag", tag, "Last-Modified", modified), status(304, "Etag", tag), Validated, map[string]string{"If-None-Match": tag, "If-Modified-Since": modified}),
		asks("by nothing", stale(), ok("second"), Forwarded, map[string]string{"If-Modified-Since": "", "If-None-Match": ""}),
		asks("not by what is no tag", stale("Etag", "a"), ok("second"), Forwarded, map[string]string{"If-None-Match": ""}),
		asks("not by any tag", stale("Etag", "*"), ok("second"), Forwarded, map[string]string{"If-None-Match": ""}),
		asks("not by several tags", stale("Etag", `"a", "b"`), ok("second"), Forwarded, map[string]string{"If-None-Match": ""}),
		asks("not by what is no date", stale("Last-Modified", "yesterday"), ok("second"), Forwarded, map[string]string{"If-Modified-Since": ""}),
		asks("changed", stale("Etag", tag), ok("second", "Etag", `"b"`), Forwarded, map[string]string{"If-None-Match": tag}),
		asks("gone", stale("Etag", tag), status(410), Forwarded, map[string]string{"If-None-Match": tag}),
		then("no-cache is stored and validated", "9111 5.2.2.4", ok("first", "Cache-Control", "max-age=99, no-cache", "Etag", tag),
			Step{How: Validated, WantBody: "first", Reply: status(304, "Etag", tag), Sent: map[string]string{"If-None-Match": tag}}),
		then("what changed is stored", "9111 4.3.3", stale("Etag", tag),
			Step{After: 3 * second, How: Forwarded, Reply: ok("second", "Cache-Control", "max-age=60", "Etag", `"b"`)}).
			and(Step{How: Cached, WantBody: "second"}),
		then("a range of what is confirmed", "9110 14.2", stale("Etag", tag),
			Step{After: 3 * second, Ask: bytesOf("1-2"), How: Validated, Status: 206, WantBody: "ir", Reply: status(304, "Etag", tag), Want: map[string]string{"Content-Range": "bytes 1-2/5"}}),
		story("selecting fields are sent with conditions", "9111 4.3.1",
			Step{Ask: fields("Abc", "123"), How: Forwarded, Reply: stale("Etag", tag, "Vary", "Abc")},
			Step{After: 3 * second, Ask: fields("Abc", "123"), How: Validated, WantBody: "first", Reply: status(304, "Etag", tag), Sent: map[string]string{"Abc": "123"}}),
		then("fresh again", "9111 4.3.4", ok("first", "Cache-Control", "max-age=10", "Etag", tag),
			Step{After: minute, How: Validated, WantBody: "first", Reply: status(304, "Etag", tag, "Date", Date(minute))}).
			and(Step{After: 9 * second, How: Cached, WantBody: "first"},
				Step{After: second, How: Validated, WantBody: "first", Reply: status(304, "Etag", tag)}),
		then("fresh again without Date", "9110 6.6.1", ok("first", "Cache-Control", "max-age=10", "Etag", tag),
			Step{After: minute, How: Validated, WantBody: "first", Reply: status(304, "Etag", tag)}).
			and(Step{After: 9 * second, How: Cached, WantBody: "first"}),
		then("fresh for longer", "9111 4.3.4", stale("Etag", tag),
			Step{After: 3 * second, How: Validated, WantBody: "first", Reply: status(304, "Etag", tag, "Cache-Control", "max-age=3600")}).
			and(Step{After: 50 * minute, How: Cached, WantBody: "first"}),
		then("private from now on", "9111 5.2.2.7", stale("Etag", tag),
			Step{After: 3 * second, How: Validated, WantBody: "first", Reply: status(304, "Etag", tag, "Cache-Control", "private, max-age=3600")}).
			and(Step{How: Forwarded, Reply: ok("second")}),
		then("no-store from now on", "9111 5.2.2.5", stale("Etag", tag),
			Step{After: 3 * second, How: Validated, WantBody: "first", Reply: status(304, "Etag", tag, "Cache-Control", "no-store, max-age=3600")}).
			and(Step{How: Forwarded, Reply: down}),
	}, append(about(), ownConditions()...)...)
}

// about are the stories of which stored response a 304 is about (RFC 9111 section 4.3.4).
func about() []Story {
	const section = "9111 4.3.4"
	modified := Date(-hour)
	stale := func(more ...string) Reply {
		return ok("first", append([]string{"Cache-Control", "max-age=2"}, more...)...)
	}
	confirms := func(name string, r, notModified Reply) Story {
		return then(name, section, r, Step{After: 3 * second, How: Validated, WantBody: "first", Reply: notModified})
	}
	denies := func(name string, r, notModified Reply) Story {
		return then(name, section, r, Step{After: 3 * second, How: Forwarded, Reply: notModified, Again: []Reply{ok("second")}})
	}
	return []Story{
		confirms("a 304 with the strong tag", stale("Etag", tag), status(304, "Etag", tag)),
		confirms("a 304 with the weak form of the tag", stale("Etag", tag), status(304, "Etag", `W/"a"`)),
		confirms("a 304 with no validator", stale("Etag", tag), status(304)),
		confirms("a 304 with no tag, but the date", stale("Etag", tag, "Last-Modified", modified), status(304, "Last-Modified", modified)),
		confirms("a 304 with the date", stale("Last-Modified", modified), status(304, "Last-Modified", modified)),
		confirms("a 304 with the date in another form", stale("Last-Modified", modified), status(304, "Last-Modified", "Sunday, 01-Mar-26 11:00:00 GMT")),
		denies("a 304 with another tag", stale("Etag", tag), status(304, "Etag", `"b"`)),
		denies("a 304 with a strong tag for a weak one", stale("Etag", `W/"a"`), status(304, "Etag", tag)),
		denies("a 304 with a tag that can't be read", stale("Etag", tag), status(304, "Etag", "a")),
		denies("a 304 with another date", stale("Last-Modified", modified), status(304, "Last-Modified", Date(-minute))),
		denies("a 304 with a tag for what has none", stale("Last-Modified", modified), status(304, "Etag", tag)),
		then("a request is repeated without conditions", section, stale("Etag", tag),
			Step{After: 3 * second, How: Forwarded, Reply: status(304, "Etag", `"b"`), Again: []Reply{ok("second", "Cache-Control", "max-age=60", "Etag", `"b"`)}}).
			and(Step{How: Cached, WantBody: "second"}),
	}
}

// ownConditions are the stories of clients that validate what they have, while the cache validates
// what it has.
func ownConditions() []Story {
	stale := ok("first", "Cache-Control", "max-age=2", "Etag", tag, "Last-Modified", Date(-hour))
	const section = "9111 4.3.1"
	ask := func(name, value string, next Step) Step {
		next.After, next.Ask = 3*second, fields(name, value)
		return next
	}
	return []Story{
		then("the client has it, too", section, stale, ask("If-None-Match", tag,
			Step{How: Validated, Status: 304, Reply: status(304, "Etag", tag), Sent: map[string]string{"If-None-Match": tag}})),
		then("the client has it by its weak tag", section, stale, ask("If-None-Match", `W/"a"`,
			Step{How: Validated, Status: 304, Reply: status(304, "Etag", tag), Sent: map[string]string{"If-None-Match": tag}})),
		then("the client has another, and it did not change", section, stale, ask("If-None-Match", `"x"`,
			Step{How: Validated, Status: 200, WantBody: "first", Reply: status(304, "Etag", tag), Sent: map[string]string{"If-None-Match": tag}})),
		then("the client has another, which it now is", section, stale, ask("If-None-Match", `"x"`,
			Step{How: Forwarded, Status: 304, Reply: ok("second", "Cache-Control", "max-age=60", "Etag", `"x"`), Sent: map[string]string{"If-None-Match": tag}})).
			and(Step{How: Cached, Status: 200, WantBody: "second"}),
		then("the client has it, and it changed", section, stale, ask("If-None-Match", tag,
			Step{How: Forwarded, Status: 200, WantBody: "second", Reply: ok("second", "Etag", `"x"`), Sent: map[string]string{"If-None-Match": tag}})),
		then("the client asks by another date", section, stale, ask("If-Modified-Since", Date(-2*hour),
			Step{How: Validated, Status: 200, WantBody: "first", Reply: status(304, "Etag", tag), Sent: map[string]string{"If-Modified-Since": Date(-hour)}})),
		then("the client asks by date, and it did not change", section, stale, ask("If-Modified-Since", Date(-hour),
			Step{How: Validated, Status: 304, Reply: status(304, "Etag", tag), Sent: map[string]string{"If-Modified-Since": Date(-hour)}})),
		then("the client asks by tag about what has none", section, ok("first", "Cache-Control", "max-age=2", "Last-Modified", Date(-hour)), ask("If-None-Match", `"x"`,
			Step{How: Validated, Status: 200, WantBody: "first", Reply: status(304), Sent: map[string]string{"If-None-Match": "", "If-Modified-Since": Date(-hour)}})),
		then("the client asks about what can't be validated", section, cc("max-age=2"), ask("If-None-Match", `"x"`,
			Step{How: Forwarded, Status: 304, Reply: ok("second", "Etag", `"x"`), Sent: map[string]string{"If-None-Match": ""}})),
	}
}
