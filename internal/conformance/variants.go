package conformance

import "net/http"

// Variants is about validating several stored responses with one request (RFC 9111 sections 4.3.1 and
// 4.3.4).
func Variants() []Story {
	const ask, update = "9111 4.3.1", "9111 4.3.4"
	abc := func(value string) http.Header { return fields("Abc", value) }
	one := ok("one", "Etag", `"1"`, "Vary", "Abc", "Cache-Control", "max-age=99")
	two := ok("two", "Etag", `W/"2"`, "Vary", "Abc", "Cache-Control", "max-age=99")
	both := story("", "",
		Step{Ask: abc("1"), How: Forwarded, Reply: one},
		Step{Ask: abc("2"), How: Forwarded, Reply: two, Sent: map[string]string{"If-None-Match": `"1"`}})
	sent := map[string]string{"If-None-Match": `W/"2", "1"`, "If-Modified-Since": ""}
	told := func(name, section string, more ...Step) Story {
		return story(name, section, both.Steps...).and(more...)
	}
	third := ok("three", "Etag", `"3"`, "Vary", "Abc", "Cache-Control", "max-age=99")
	return []Story{
		told("variants are asked about by their tags", ask,
			Step{Ask: abc("3"), How: Validated, WantBody: "one", Reply: status(304, "Etag", `"1"`), Sent: sent}),
		told("a 304 with a weak tag chooses", ask,
			Step{Ask: abc("3"), How: Validated, WantBody: "two", Reply: status(304, "Etag", `W/"2"`), Sent: sent}),
		told("what a 304 chose is a variant of its own", ask,
			Step{Ask: abc("3"), How: Validated, WantBody: "one", Reply: status(304, "Etag", `"1"`, "Vary", "Abc")},
			Step{Ask: abc("3"), How: Cached, WantBody: "one"},
			Step{Ask: abc("1"), How: Cached, WantBody: "one"},
			Step{Ask: abc("2"), How: Cached, WantBody: "two"}),
		told("another response is one more variant", ask,
			Step{Ask: abc("3"), How: Forwarded, Reply: third, Sent: sent},
			Step{Ask: abc("3"), How: Cached, WantBody: "three"},
			Step{Ask: abc("1"), How: Cached, WantBody: "one"}),
		told("a 304 about none of them", update,
			Step{Ask: abc("3"), How: Forwarded, Reply: status(304, "Etag", `"x"`), Again: []Reply{third}, Sent: sent}),
		told("a 304 that does not say which", update,
			Step{Ask: abc("3"), How: Forwarded, Reply: status(304), Again: []Reply{third}, Sent: sent}),
		told("the client's own tag is not asked about", ask,
			Step{Ask: fields("Abc", "3", "If-None-Match", `"x"`), How: Validated, Status: 200, WantBody: "one", Reply: status(304, "Etag", `"1"`), Sent: sent}),
		told("the client has what a 304 chose", ask,
			Step{Ask: fields("Abc", "3", "If-None-Match", `"1"`), How: Validated, Status: 304, Reply: status(304, "Etag", `"1"`), Sent: sent}),
		told("one that matches is asked about alone", ask,
			Step{After: 100 * second, Ask: abc("1"), How: Validated, WantBody: "one", Reply: status(304, "Etag", `"1"`), Sent: map[string]string{"If-None-Match": `"1"`}},
			Step{Ask: abc("1"), How: Cached, WantBody: "one"},
			Step{Ask: abc("2"), How: Validated, WantBody: "two", Reply: status(304, "Etag", `W/"2"`), Sent: map[string]string{"If-None-Match": `W/"2"`}}),
		told("stale ones are asked about, too", ask,
			Step{After: 100 * second, Ask: abc("3"), How: Validated, WantBody: "one", Reply: status(304, "Etag", `"1"`), Sent: sent},
			Step{Ask: abc("1"), How: Cached, WantBody: "one"},
			Step{Ask: abc("2"), How: Validated, WantBody: "two", Reply: status(304, "Etag", `W/"2"`)}),

		story("one that does not match is not asked about by its date", ask,
			Step{Ask: abc("1"), How: Forwarded, Reply: ok("one", "Last-Modified", Date(-hour), "Vary", "Abc", "Cache-Control", "max-age=99")},
			Step{Ask: abc("2"), How: Forwarded, Reply: ok("two"), Sent: map[string]string{"If-Modified-Since": "", "If-None-Match": ""}}),
		story("one that does not match is asked about by its tag alone", ask,
			Step{Ask: abc("1"), How: Forwarded, Reply: ok("one", "Etag", `"1"`, "Last-Modified", Date(-hour), "Vary", "Abc", "Cache-Control", "max-age=99")},
			Step{Ask: abc("2"), How: Validated, WantBody: "one", Reply: status(304, "Etag", `"1"`), Sent: map[string]string{"If-Modified-Since": "", "If-None-Match": `"1"`}}),
		story("the same tag is asked about once", ask,
			Step{Ask: abc("1"), How: Forwarded, Reply: one},
			Step{Ask: abc("2"), How: Validated, WantBody: "one", Reply: status(304, "Etag", `"1"`)},
			Step{Ask: abc("3"), How: Validated, WantBody: "one", Reply: status(304, "Etag", `"1"`), Sent: map[string]string{"If-None-Match": `"1"`}}),
		story("a strong tag updates all that have it", update,
			Step{Ask: abc("1"), How: Forwarded, Reply: one},
			Step{Ask: abc("2"), How: Forwarded, Reply: one},
			Step{After: 100 * second, Ask: abc("1"), How: Validated, WantBody: "one", Reply: status(304, "Etag", `"1"`, "A", "1"), Want: map[string]string{"A": "1"}},
			Step{Ask: abc("1"), How: Cached, WantBody: "one", Want: map[string]string{"A": "1"}}),
		story("a part is not asked about for another variant", ask,
			Step{Ask: fields("Abc", "1", "Range", "bytes=0-4"), How: Forwarded, Reply: part("bytes 0-4/10", "01234", "Etag", `"1"`, "Vary", "Abc")},
			Step{Ask: abc("2"), How: Forwarded, Reply: two, Sent: map[string]string{"If-None-Match": ""}}),
	}
}
