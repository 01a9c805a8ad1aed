package conformance

import "net/http"

// Head is about HEAD: what answers it, and what its answers change (RFC 9110 section 9.3.2, RFC 9111
// section 4.3.5).
func Head() []Story {
	const section = "9111 4.3.5"
	first := ok("first", "Cache-Control", "max-age=2", "Etag", tag, "Last-Modified", Date(-hour), "Content-Length", "5", "A", "1")
	fresh := ok("first", "Cache-Control", "max-age=100", "Etag", tag, "Content-Type", "text/plain", "A", "1")
	// head is the story of a response, an answer to HEAD, and of what a GET gives then.
	head := func(name string, r Reply, want How, fields map[string]string) Story {
		get := Step{How: want, Reply: ok("second"), Want: fields}
		if want == Cached {
			get.Status, get.WantBody = 200, "first"
		}
		return then(name, section, first, Step{After: 3 * second, Method: "HEAD", How: Forwarded, Reply: r}).and(get)
	}
	says := func(namesAndValues ...string) Reply {
		return status(200, append([]string{"Cache-Control", "max-age=9"}, namesAndValues...)...)
	}
	ask := func(h http.Header, next Step) Step {
		next.Method, next.Ask = "HEAD", h
		return next
	}
	return []Story{
		head("updates fields and freshness", says("A", "2"), Cached, map[string]string{"A": "2"}),
		head("keeps what it has not", says("Etag", tag), Cached, map[string]string{"A": "1"}),
		head("same validators", says("Etag", tag, "Last-Modified", Date(-hour)), Cached, nil),
		head("same length", says("Content-Length", "5"), Cached, map[string]string{"Content-Length": "5"}),
		head("does not touch what describes the bytes", says("Content-Encoding", "gzip"), Cached, map[string]string{"Content-Encoding": ""}),
		head("other length", says("Content-Length", "6"), Forwarded, nil),
		head("other tag", says("Etag", `"b"`), Forwarded, nil),
		head("weak tag", says("Etag", `W/"a"`), Forwarded, nil),
		head("other date", says("Last-Modified", Date(0)), Forwarded, nil),
		head("not found", status(404, "Cache-Control", "max-age=9"), Forwarded, nil),
		head("gone", status(410, "Cache-Control", "max-age=9"), Forwarded, nil),
		head("a redirect says nothing", status(302, "Cache-Control", "max-age=9"), Forwarded, nil),
		head("a refusal says nothing", status(403, "Cache-Control", "max-age=9"), Forwarded, nil),
		then("a server error says nothing", section, ok("first", "Cache-Control", "max-age=100, must-revalidate", "Etag", tag),
			ask(fields("Cache-Control", "no-cache"), Step{How: Stale, Status: 200, Reply: status(500)})).
			and(Step{How: Cached, WantBody: "first"}),
		then("outdates what is fresh", section, fresh,
			ask(fields("Cache-Control", "no-cache"), Step{How: Forwarded, Reply: status(200, "Etag", `"b"`)})).
			and(Step{How: Forwarded, Reply: ok("second"), Sent: map[string]string{"If-None-Match": tag}}),
		then("what it outdates can be confirmed", section, fresh,
			ask(fields("Cache-Control", "no-cache"), Step{How: Forwarded, Reply: status(404)})).
			and(Step{How: Validated, WantBody: "first", Reply: status(304, "Etag", tag)}),
		then("says private from now on", "9111 5.2.2.7", fresh,
			ask(fields("Cache-Control", "no-cache"), Step{How: Forwarded, Reply: status(200, "Etag", tag, "Cache-Control", "private, max-age=9")})).
			and(Step{How: Forwarded, Reply: ok("second")}),
		then("with Authorization it updates nothing", "9111 3.5", first,
			Step{After: 3 * second, Method: "HEAD", Ask: fields("Authorization", "Basic eA=="), How: Forwarded, Reply: says("A", "2")}).
			and(Step{How: Validated, WantBody: "first", Reply: status(304, "Etag", tag), Want: map[string]string{"A": "1"}}),
		story("concerns the variant that it would get", section,
			Step{Ask: fields("Foo", "1"), How: Forwarded, Reply: ok("one", "Cache-Control", "max-age=2", "Vary", "Foo")},
			Step{Ask: fields("Foo", "2"), How: Forwarded, Reply: ok("two", "Cache-Control", "max-age=2", "Vary", "Foo")},
			Step{After: 3 * second, Method: "HEAD", Ask: fields("Foo", "1"), How: Forwarded, Reply: status(200, "Cache-Control", "max-age=9", "Vary", "Foo")},
			Step{Ask: fields("Foo", "1"), How: Cached, WantBody: "one"},
			Step{Ask: fields("Foo", "2"), How: Forwarded, Reply: ok("second")}),
		story("concerns a part, too", section,
			Step{Ask: bytesOf("0-4"), How: Forwarded, Reply: part("bytes 0-4/10", "01234", "Etag", tag, "Cache-Control", "max-age=2")},
			Step{After: 3 * second, Method: "HEAD", How: Forwarded, Reply: status(200, "Etag", tag, "Cache-Control", "max-age=9", "Content-Length", "10")},
			Step{Ask: bytesOf("1-2"), How: Cached, Status: 206, WantBody: "12"}),

		then("HEAD is answered from a stored GET", "9110 9.3.2", fresh,
			Step{Method: "HEAD", How: Cached, Status: 200, Want: map[string]string{"A": "1", "Etag": tag, "Content-Type": "text/plain"}}),
		then("HEAD of a stored 404", "9110 9.3.2", status(404, "Cache-Control", "max-age=100"), Step{Method: "HEAD", How: Cached, Status: 404}),
		then("HEAD has no ranges", "9110 14.2", fresh, ask(bytesOf("0-1"), Step{How: Cached, Status: 200, Want: map[string]string{"Content-Range": ""}})),
		then("HEAD by date", "9110 13.1.3", ok("first", "Cache-Control", "max-age=100", "Last-Modified", Date(-hour)),
			ask(fields("If-Modified-Since", Date(-hour)), Step{How: Cached, Status: 304})),
		story("HEAD is no GET", "9110 9.3.2",
			Step{Method: "HEAD", How: Forwarded, Reply: status(200, "Cache-Control", "max-age=100", "Content-Length", "5")},
			Step{How: Forwarded, Reply: ok("first")}),
	}
}
