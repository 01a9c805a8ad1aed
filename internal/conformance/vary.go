package conformance

import "net/http"

// Vary is about choosing among stored responses by fields of the request (RFC 9111 section 4.1).
func Vary() []Story {
	foo := func(values ...string) http.Header { return lines("Foo", values...) }
	three := fields("Foo", "1", "Bar", "abc", "Baz", "789")
	return append([]Story{
		pair("same", "9111 4.1", foo("1"), foo("1"), Cached, "Foo"),
		pair("other", "9111 4.1", foo("1"), foo("2"), Forwarded, "Foo"),
		pair("left out", "9111 4.1", foo("1"), nil, Forwarded, "Foo"),
		pair("added", "9111 4.1", nil, foo("1"), Forwarded, "Foo"),
		pair("absent in both", "9111 4.1", nil, nil, Cached, "Foo"),
		pair("empty is not absent", "9111 4.1", foo(""), nil, Forwarded, "Foo"),
		pair("name in other case", "9110 5.1", foo("1"), foo("1"), Cached, "fOO"),
		pair("a field not named", "9111 4.1", fields("Foo", "1", "Other", "2"), fields("Foo", "1", "Other", "3"), Cached, "Foo"),
		pair("two fields", "9111 4.1", three, fields("Foo", "1", "Bar", "abc"), Cached, "Foo, Bar"),
		pair("two fields, one other", "9111 4.1", three, fields("Foo", "2", "Bar", "abc"), Forwarded, "Foo, Bar"),
		pair("three fields on lines", "9110 5.3", three, three, Cached, "Foo", "Bar, Baz"),
		pair("three fields on lines, last other", "9110 5.3", three, fields("Foo", "1", "Bar", "abc", "Baz", "x"), Forwarded, "Foo", "Bar, Baz"),
		pair("one of three absent in both", "9111 4.1", fields("Foo", "1", "Baz", "789"), fields("Foo", "1", "Baz", "789"), Cached, "Foo, Bar, Baz"),
		pair("a field named twice", "9111 4.1", foo("1"), foo("1"), Cached, "Foo, foo"),
		pair("an empty Vary", "9110 5.6.1.2", foo("1"), foo("2"), Cached, ""),
		pair("empty members", "9110 5.6.1.2", foo("1"), foo("2"), Forwarded, ", ,Foo,"),
		pair("what is no field name", "9110 5.1", foo("1"), foo("1"), Forwarded, "Foo Bar"),
		pair("*", "9111 4.1", foo("1"), foo("1"), Forwarded, "*"),
		pair("* twice", "9110 12.5.5", foo("1"), foo("1"), Forwarded, "*, *"),
		pair("* on two lines", "9110 12.5.5", foo("1"), foo("1"), Forwarded, "*", "*"),
		pair("* after nothing", "9110 12.5.5", foo("1"), foo("1"), Forwarded, ", *"),
		pair("* on a line after an empty one", "9110 12.5.5", foo("1"), foo("1"), Forwarded, "", "*"),
		pair("* before a name", "9110 12.5.5", foo("1"), foo("1"), Forwarded, "*, Foo"),
		pair("* after a name", "9110 12.5.5", foo("1"), foo("1"), Forwarded, "Foo, *"),
		pair("a field that the cache may add", "9111 4.1", nil, nil, Cached, "User-Agent"),
		pair("User-Agent", "9111 4.1", fields("User-Agent", "a"), fields("User-Agent", "b"), Forwarded, "User-Agent"),
		pair("Cookie", "9111 4.1", fields("Cookie", "a=1"), fields("Cookie", "a=2"), Forwarded, "Cookie"),
		pair("Cookie on lines", "9113 8.2.3", fields("Cookie", "a=1; b=2"), lines("Cookie", "a=1", "b=2"), Cached, "Cookie"),
		pair("Origin", "9111 4.1", fields("Origin", "http://a.example"), fields("Origin", "http://b.example"), Forwarded, "Accept-Encoding, Origin"),
	}, append(alike(), beside()...)...)
}

// pair is the story of a response that varies, and of a request that it answers or not.
func pair(name, section string, first, next http.Header, want How, vary ...string) Story {
	response := func(body string) Reply {
		r := ok(body, "Cache-Control", "max-age=5000")
		r.Header["Vary"] = vary
		return r
	}
	again := Step{After: second, Ask: next, How: want, Reply: response("second")}
	if want == Cached {
		again.WantBody = "first"
	}
	return story(name, section, Step{Ask: first, How: Forwarded, Reply: response("first")}, again)
}

// alike are the stories of fields that say the same in other words.
func alike() []Story {
	foo := func(values ...string) http.Header { return lines("Foo", values...) }
	language := func(values ...string) http.Header { return lines("Accept-Language", values...) }
	coding := func(values ...string) http.Header { return lines("Accept-Encoding", values...) }
	media := func(values ...string) http.Header { return lines("Accept", values...) }
	const l, e, a = "Accept-Language", "Accept-Encoding", "Accept"
	return []Story{
		pair("blanks", "9111 4.1", foo("1,2"), foo(" 1, 2 "), Cached, "Foo"),
		pair("lines combined", "9111 4.1", foo("1, 2"), foo("1", "2"), Cached, "Foo"),
		pair("order of an unknown field", "9111 4.1", foo("1, 2"), foo("2, 1"), Forwarded, "Foo"),
		pair("case of an unknown field", "9111 4.1", foo("a"), foo("A"), Forwarded, "Foo"),
		pair("blanks in quotes", "9110 5.6.4", foo(`"a,b"`), foo(`"a, b"`), Forwarded, "Foo"),

		pair("languages, order", "9110 12.5.4", language("en, de"), language("de, en"), Cached, l),
		pair("languages, case", "9110 12.5.4", language("en, de"), language("eN, dE"), Cached, l),
		pair("languages, blanks", "9110 12.5.4", language("en, de"), language(" en ,   de"), Cached, l),
		pair("languages, lines", "9110 5.3", language("en, de"), language("en", "de"), Cached, l),
		pair("languages, twice", "9110 12.5.4", language("en, de"), language("en, de, en"), Cached, l),
		pair("languages, weights", "9110 12.4.2", language("en;q=1.000, de;q=0.50"), language("de;q=0.5,en"), Cached, l),
		pair("languages, weights in other case and blanks", "9110 12.4.2", language("en, de;q=0.5"), language("en, de ; Q=0.5"), Cached, l),
		pair("languages, other weights", "9110 12.4.2", language("en, de;q=0.5"), language("en, de;q=0.6"), Forwarded, l),
		pair("languages, one more", "9110 12.5.4", language("en"), language("en, de"), Forwarded, l),
		pair("languages, a region", "9110 12.5.4", language("en"), language("en-US"), Forwarded, l),

		pair("codings, order and lines", "9110 12.5.3", coding("gzip, br"), coding("br", "GZIP"), Cached, e),
		pair("codings, other", "9110 12.5.3", coding("gzip, br"), coding("gzip"), Forwarded, e),
		pair("codings, one refused that would not be sent anyway", "9110 12.5.3", coding("gzip"), coding("gzip, br;q=0"), Cached, e),
		pair("codings, one refused of all others", "9110 12.5.3", coding("gzip, *"), coding("gzip, br;q=0, *"), Forwarded, e),
		pair("codings, old name", "9110 8.4.1.3", coding("gzip"), coding("x-gzip"), Cached, e),
		pair("codings, refused", "9110 12.4.2", coding("gzip"), coding("gzip;q=0"), Forwarded, e),
		pair("codings, none at all", "9110 12.5.3", coding(""), nil, Forwarded, e),
		pair("codings, blanks at the weight", "9110 12.4.2", coding("gzip;q=0.5, *;q=0"), coding("*;q=0.0 , gzip; q=0.5"), Cached, e),

		pair("media, order and case", "9110 12.5.1", media("text/html, image/PNG"), media("image/png, Text/HTML"), Cached, a),
		pair("media, weights", "9110 12.5.1", media("text/html;q=0.80, */*;q=0.1"), media("*/*;q=0.1,text/html; q=0.8"), Cached, a),
		pair("media, name of a parameter", "9110 5.6.6", media("text/html;Level=1"), media("text/html;level=1"), Cached, a),
		pair("media, value of a parameter", "9110 5.6.6", media("text/html;level=1"), media("text/html;level=2"), Forwarded, a),
		pair("media, another", "9110 12.5.1", media("text/html"), media("*/*"), Forwarded, a),
	}
}

// beside are the stories of several variants.
func beside() []Story {
	foo := func(value string) http.Header { return fields("Foo", value) }
	vary := func(body, directives string) Reply { return ok(body, "Cache-Control", directives, "Vary", "Foo") }
	const long = "max-age=5000"
	return []Story{
		story("variants stay beside each other", "9111 4.1",
			Step{Ask: foo("1"), How: Forwarded, Reply: vary("one", long)},
			Step{Ask: foo("2"), How: Forwarded, Reply: vary("two", long)},
			Step{How: Forwarded, Reply: vary("none", long)},
			Step{Ask: foo("1"), How: Cached, WantBody: "one"},
			Step{Ask: foo("2"), How: Cached, WantBody: "two"},
			Step{How: Cached, WantBody: "none"}),
		story("a variant is replaced, another stays", "9111 4.1",
			Step{Ask: foo("1"), How: Forwarded, Reply: vary("one", "max-age=2")},
			Step{Ask: foo("2"), How: Forwarded, Reply: vary("two", long)},
			Step{After: 3 * second, Ask: foo("1"), How: Forwarded, Reply: vary("new one", long)},
			Step{Ask: foo("1"), How: Cached, WantBody: "new one"},
			Step{Ask: foo("2"), How: Cached, WantBody: "two"}),
		story("of several that match the newest is used", "9111 4.1",
			Step{Ask: foo("1"), How: Forwarded, Reply: vary("one", long)},
			Step{After: second, Ask: foo("2"), How: Forwarded, Reply: ok("for all", "Cache-Control", long)},
			Step{Ask: foo("1"), How: Cached, WantBody: "for all"}),
		story("HEAD is answered by the variant that matches", "9111 4.1",
			Step{Ask: foo("1"), How: Forwarded, Reply: ok("one", "Cache-Control", long, "Vary", "Foo", "A", "1")},
			Step{Ask: foo("2"), How: Forwarded, Reply: ok("two", "Cache-Control", long, "Vary", "Foo", "A", "2")},
			Step{Method: "HEAD", Ask: foo("1"), How: Cached, Want: map[string]string{"A": "1"}}),
	}
}
