package conformance

// Storing is about what of a response is stored, and for whom (RFC 9111 sections 2, 3, 3.1 and 3.5).
func Storing() []Story {
	fresh := ok("first", "Cache-Control", "max-age=3600")
	with := func(namesAndValues ...string) Reply {
		return ok("first", append([]string{"Cache-Control", "max-age=3600"}, namesAndValues...)...)
	}
	return []Story{
		reuse("Set-Cookie", "9111 7.3", Cached, with("Set-Cookie", "a=b")),
		reuse("Content-Disposition", "9111 3", Cached, with("Content-Disposition", "attachment")),
		reuse("Pragma in the response", "9111 5.4", Cached, with("Pragma", "no-cache")),
		reuse("an empty body", "9111 3", Cached, Reply{200, fields("Cache-Control", "max-age=3600"), ""}),
		reuse("content of unknown length", "9112 7.1", Cached, with("Transfer-Encoding", "chunked")),

		then("all fields are given", "9111 4", with("Content-Type", "text/plain", "Content-Language", "de", "Link", "</a>", "Link", "</b>", "X-Other", "1"),
			Step{How: Cached, Want: map[string]string{"Content-Type": "text/plain", "Content-Language": "de", "Link": "</a>|</b>", "X-Other": "1", "Cache-Control": "max-age=3600"}}),
		then("several cookies stay several", "9110 5.3", with("Set-Cookie", "a=b, c", "Set-Cookie", "d=e"),
			Step{How: Cached, Want: map[string]string{"Set-Cookie": "a=b, c|d=e"}}),
		then("fields of the hop are not stored", "9111 3.1",
			with("Connection", "a, b", "A", "1", "B", "2", "C", "3", "Keep-Alive", "x", "Proxy-Authenticate", "x", "Set-Cookie", "d=e"),
			Step{How: Cached, Want: map[string]string{"Connection": "", "A": "", "B": "", "C": "3", "Keep-Alive": "", "Proxy-Authenticate": "", "Set-Cookie": "d=e"}}),
		then("Connection does not hide what forbids to store", "9110 7.6.1",
			ok("first", "Cache-Control", "private, max-age=3600", "Connection", "cache-control"),
			Step{How: Forwarded, Reply: ok("second")}),
		then("Connection does not hide Vary", "9110 7.6.1", with("Vary", "Foo", "Connection", "vary"),
			Step{Ask: fields("Foo", "1"), How: Forwarded, Reply: ok("second")}),

		story("another query is another resource", "9111 2",
			Step{Path: "page?a=1", How: Forwarded, Reply: fresh},
			Step{Path: "page?a=2", How: Forwarded, Reply: ok("second")},
			Step{Path: "page?a=1", How: Cached, WantBody: "first"}),
		story("another spelling is the same resource", "9110 4.2.3",
			Step{How: Forwarded, Reply: fresh},
			Step{Path: "HTTP://EXAMPLE.com:80/dir/page", How: Cached, WantBody: "first"},
			Step{Path: "%70age", How: Cached, WantBody: "first"}),
		story("another case of the path is another resource", "9110 4.2.3",
			Step{How: Forwarded, Reply: fresh},
			Step{Path: "PAGE", How: Forwarded, Reply: ok("second")}),
		story("another port is another resource", "9110 4.2.3",
			Step{How: Forwarded, Reply: fresh},
			Step{Path: "http://example.com:81/dir/page", How: Forwarded, Reply: ok("second")}),

		authorized("Authorization", Forwarded, "max-age=3600"),
		authorized("Authorization, public", Cached, "max-age=3600, public"),
		authorized("Authorization, public with an argument", Forwarded, "max-age=3600, public=1"),
		authorized("Authorization, must-revalidate", Cached, "max-age=3600, must-revalidate"),
		authorized("Authorization, proxy-revalidate", Forwarded, "max-age=3600, proxy-revalidate"),
		authorized("Authorization, s-maxage", Cached, "s-maxage=3600"),
		authorized("Authorization, s-maxage that is no number", Forwarded, "max-age=3600, s-maxage=x"),
		authorized("Authorization, public and private", Forwarded, "max-age=3600, public, private"),
		story("what was got without Authorization answers with it, too", "9111 3.5",
			Step{How: Forwarded, Reply: fresh},
			Step{Ask: fields("Authorization", "Basic eA=="), How: Cached, WantBody: "first"}),
		story("what is got with Authorization does not freshen", "9111 3.5",
			Step{How: Forwarded, Reply: ok("first", "Cache-Control", "max-age=2", "Etag", tag)},
			Step{After: 3 * second, Ask: fields("Authorization", "Basic eA=="), How: Validated, WantBody: "first", Reply: status(304, "Etag", tag, "Cache-Control", "max-age=3600", "A", "1")},
			Step{How: Validated, WantBody: "first", Reply: status(304, "Etag", tag), Want: map[string]string{"A": ""}}),
		story("what is got with Authorization freshens if it is public", "9111 3.5",
			Step{How: Forwarded, Reply: ok("first", "Cache-Control", "max-age=2", "Etag", tag)},
			Step{After: 3 * second, Ask: fields("Authorization", "Basic eA=="), How: Validated, WantBody: "first", Reply: status(304, "Etag", tag, "Cache-Control", "max-age=3600, public")},
			Step{How: Cached, WantBody: "first"}),
		story("Cookie does not matter", "9111 4",
			Step{Ask: fields("Cookie", "a=a"), How: Forwarded, Reply: fresh},
			Step{Ask: fields("Cookie", "a=b"), How: Cached, WantBody: "first"}),
		story("a newer response takes the place of the older", "9111 4",
			Step{How: Forwarded, Reply: fresh},
			Step{Ask: fields("Cache-Control", "no-cache"), How: Forwarded, Reply: ok("second", "Cache-Control", "max-age=60")},
			Step{How: Cached, WantBody: "second"}),
		story("an older response stays when a newer one must not be stored", "9111 5.2.2.5",
			Step{How: Forwarded, Reply: fresh},
			Step{Ask: fields("Cache-Control", "no-cache"), How: Forwarded, Reply: ok("second", "Cache-Control", "no-store")},
			Step{How: Cached, WantBody: "first"}),
	}
}

// authorized is the story of a response to a request with credentials, and of one without.
func authorized(name string, want How, directives string) Story {
	plain := Step{How: want, Reply: ok("second")}
	if want == Cached {
		plain.WantBody = "first"
	}
	return story(name, "9111 3.5",
		Step{Ask: fields("Authorization", "Basic eA=="), How: Forwarded, Reply: cc(directives)}, plain)
}
