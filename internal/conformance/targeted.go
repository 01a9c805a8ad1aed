package conformance

// Targeted is about targeted fields (RFC 9213). The caches of these stories go by them.
func Targeted() []Story {
	const field = "Cdn-Cache-Control"
	reply := func(namesAndValues ...string) Reply { return ok("first", namesAndValues...) }
	told := func(name, section string, want How, r Reply) Story {
		s := reuse(name, section, want, r)
		s.Targets = []string{field}
		return s
	}
	two := func(name string, want How, r Reply) Story {
		s := told(name, "9213 2.2", want, r)
		s.Targets = []string{"Own-Cache-Control", field}
		return s
	}
	// by is a response that Cache-Control keeps fresh unless the field is heard.
	by := func(value string) Reply { return reply("Cache-Control", "max-age=3600", field, value) }
	// heard is a response that only the field keeps fresh.
	heard := func(value string) Reply { return reply("Cache-Control", "max-age=1", field, value) }
	more := []Story{
		then("it is passed on", "9213 2.2", heard("max-age=60"),
			Step{After: 3 * second, How: Cached, Want: map[string]string{field: "max-age=60", "Cache-Control": "max-age=1"}}),
		then("must-revalidate", "9111 5.2.2.2", reply("Cache-Control", "max-age=1", field, "max-age=1, must-revalidate"),
			Step{After: 3 * second, How: Forwarded, Reply: down}),
		then("stale-while-revalidate", "5861 3", heard("max-age=1, stale-while-revalidate=60"),
			Step{After: 3 * second, How: Meanwhile, WantBody: "first", Reply: ok("second")}),
		then("stale-if-error run out", "5861 4", heard("max-age=1, stale-if-error=1"),
			Step{After: 3 * second, How: Forwarded, Reply: status(503)}),
		then("a 304 updates it", "9111 3.2", ok("first", "Etag", tag, field, "max-age=1"),
			Step{After: 3 * second, How: Validated, WantBody: "first", Reply: status(304, "Etag", tag, field, "max-age=60")}).
			and(Step{After: 30 * second, How: Cached, WantBody: "first"}),
		story("Authorization and its public", "9111 3.5",
			Step{Ask: fields("Authorization", "Basic eA=="), How: Forwarded, Reply: heard("max-age=60, public")},
			Step{How: Cached, WantBody: "first"}),
		story("Authorization and public of Cache-Control", "9111 3.5",
			Step{Ask: fields("Authorization", "Basic eA=="), How: Forwarded, Reply: reply("Cache-Control", "public, max-age=60", field, "max-age=60")},
			Step{How: Forwarded, Reply: ok("second")}),
		story("a part", "9111 3.3",
			Step{Ask: bytesOf("0-4"), How: Forwarded, Reply: part("bytes 0-4/10", "01234", "Cache-Control", "no-store", field, "max-age=60")},
			Step{Ask: bytesOf("1-2"), How: Cached, Status: 206, WantBody: "12"}),
		story("a response to POST", "9110 9.3.3",
			Step{Method: "POST", Body: "a=1", How: Forwarded, Reply: ok("posted", "Content-Location", Base, field, "max-age=60")},
			Step{How: Cached, WantBody: "posted"}),
		story("a response to POST by Expires, which does not count", "9110 9.3.3",
			Step{Method: "POST", Body: "a=1", How: Forwarded, Reply: ok("posted", "Content-Location", Base, "Expires", Date(hour), field, "public")},
			Step{How: Forwarded, Reply: ok("second")}),
	}
	for i := range more {
		more[i].Targets = []string{field}
	}
	return append(append(more, untargeted()...), []Story{
		told("max-age", "9213 2.2", Cached, heard("max-age=60")),
		told("max-age, shorter", "9213 2.2", Forwarded, by("max-age=1")),
		told("s-maxage", "9213 2.2", Cached, heard("max-age=1, s-maxage=60")),
		told("no-store", "9213 2.2", Forwarded, by("no-store")),
		told("no-cache", "9213 2.2", Forwarded, by("no-cache, max-age=60")),
		told("private", "9213 2.2", Forwarded, by("private, max-age=60")),
		told("over no-store", "9213 2.2", Cached, reply("Cache-Control", "no-store", field, "max-age=60")),
		told("over private", "9213 2.2", Cached, reply("Cache-Control", "private", field, "max-age=60")),
		told("over no-cache", "9213 2.2", Cached, reply("Cache-Control", "no-cache", field, "max-age=60")),
		told("over Expires", "9213 2.2", Cached, reply("Expires", Date(-hour), field, "max-age=60")),
		told("Expires does not count beside it", "9213 2.2", Forwarded, reply("Expires", Date(hour), field, "public")),
		told("Cache-Control does not count beside it", "9213 2.2", Forwarded, by("public")),
		told("by heuristics", "9213 2.2", Cached, reply("Cache-Control", "max-age=1", field, "public", "Last-Modified", Date(-24*hour))),
		told("not there", "9213 2.2", Cached, reply("Cache-Control", "max-age=3600")),

		told("a dictionary with parameters", "9213 2.1", Cached, heard("max-age=60;foo=1")),
		told("an unknown key", "9213 2.1", Cached, heard("foo=(1 2), max-age=60, bar")),
		told("on two lines", "9213 2.1", Forwarded, reply("Cache-Control", "max-age=3600", field, "max-age=60", field, "no-store")),
		told("the last value of a key counts", "8941 3.2", Cached, heard("max-age=1, max-age=60")),
		told("negative", "9111 4.2.1", Forwarded, by("max-age=-60")),
		told("switched off", "8941 3.2", Cached, heard("max-age=60, no-store=?0")),
		told("empty: does not count", "9213 2.2", Cached, by("")),
		told("no dictionary: does not count", "9213 2.2", Cached, by("max-age=1, &")),
		told("a key in upper case: does not count", "8941 3.1.2", Cached, by("Max-Age=1")),
		told("a blank before =: does not count", "8941 3.2", Cached, by("max-age =1")),
		told("a string for a number: does not count", "9213 2.1", Cached, by(`max-age="1"`)),
		told("a decimal for a number: does not count", "9213 2.1", Cached, by("max-age=1.0")),
		told("no number: does not count", "9213 2.1", Cached, by("max-age")),
		told("a number for a boolean: does not count", "9213 2.1", Cached, by("no-store=1, max-age=1")),

		two("the first of two", Cached, reply("Cache-Control", "no-store", field, "no-store", "Own-Cache-Control", "max-age=60")),
		two("the second, without the first", Cached, reply("Cache-Control", "no-store", field, "max-age=60")),
		two("the second if the first is empty", Cached, reply("Cache-Control", "no-store", field, "max-age=60", "Own-Cache-Control", "")),
		two("the second if the first can't be read", Cached, reply("Cache-Control", "no-store", field, "max-age=60", "Own-Cache-Control", "max-age=x y")),
		two("not both", Cached, reply(field, "no-store", "Own-Cache-Control", "max-age=60")),
	}...)
}

// untargeted are the stories of caches that go by no targeted field.
func untargeted() []Story {
	return []Story{
		reuse("not a target here", "9213 2.2", Forwarded, ok("first", "Cache-Control", "max-age=1", "Cdn-Cache-Control", "max-age=60")),
		reuse("not a target here, no-store", "9213 2.2", Cached, ok("first", "Cache-Control", "max-age=60", "Cdn-Cache-Control", "no-store")),
	}
}
