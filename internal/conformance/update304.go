package conformance

// Update is about what a 304 changes in the stored response (RFC 9111 sections 3.2 and 4.3.4).
func Update() []Story {
	first := func(more ...string) Reply {
		return ok("first", append([]string{"Cache-Control", "max-age=2", "Etag", tag}, more...)...)
	}
	confirmed := func(more ...string) Reply {
		return status(304, append([]string{"Etag", tag, "Cache-Control", "max-age=20"}, more...)...)
	}
	// told is the story of an update that shows at once and later.
	told := func(name, section string, before, after Reply, want map[string]string) Story {
		return then(name, section, before,
			Step{After: 3 * second, How: Validated, Status: 200, WantBody: "first", Reply: after, Want: want}).
			and(Step{After: second, How: Cached, Status: 200, WantBody: "first", Want: want})
	}
	field := func(name, before, after, want string) Story {
		return told(name, "9111 3.2", first(name, before), confirmed(name, after), map[string]string{name: want})
	}
	var stories []Story
	for _, name := range []string{
		"Test-Header", "X-Test-Header", "Content-Foo", "X-Content-Foo", "Content-Location", "Content-Security-Policy", "Content-Language",
		"Content-Type", "Clear-Site-Data", "Set-Cookie", "X-Frame-Options", "X-Xss-Protection", "Link", "Last-Modified", "Expires",
	} {
		stories = append(stories, field(name, "before", "after", "after"))
	}
	for _, name := range []string{"Content-Encoding", "Content-Range", "Content-Md5", "Content-Digest", "Repr-Digest", "Unencoded-Digest", "Digest"} {
		stories = append(stories, field(name, "before", "after", "before"))
	}
	for _, name := range []string{"Keep-Alive", "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization", "Proxy-Connection", "Te", "Upgrade"} {
		stories = append(stories, field(name, "before", "after", ""))
	}
	return append(stories,
		field("Content-Length", "5", "6", "5"),
		field("Transfer-Encoding", "chunked", "chunked", ""),
		field("Date", Date(0), Date(3*second), Date(3*second)),
		told("what the 304 leaves out stays", "9111 3.2", first("Kept", "1"), confirmed(), map[string]string{"Kept": "1"}),
		told("what the 304 adds is added", "9111 3.2", first(), confirmed("A", "1"), map[string]string{"A": "1"}),
		told("all lines of a field are replaced", "9111 3.2", first("A", "1", "A", "2"), confirmed("A", "3"), map[string]string{"A": "3"}),
		told("several lines replace one", "9111 3.2", first("A", "1"), confirmed("A", "2", "A", "3"), map[string]string{"A": "2|3"}),
		told("what Connection of the 304 names is not taken", "9111 3.1", first("A", "1", "B", "1"),
			confirmed("A", "2", "B", "2", "Connection", "a"), map[string]string{"A": "1", "B": "2", "Connection": ""}),
		told("a weak tag in the 304 is taken", "9111 3.2", first(), status(304, "Etag", `W/"a"`, "Cache-Control", "max-age=20"), map[string]string{"Etag": `W/"a"`}),
		then("directives are replaced, not added", "9111 3.2", ok("first", "Cache-Control", "max-age=2, must-revalidate", "Etag", tag),
			Step{After: 3 * second, How: Validated, WantBody: "first", Reply: status(304, "Etag", tag, "Cache-Control", "max-age=2")}).
			and(Step{After: 3 * second, How: Stale, WantBody: "first", Reply: down}),
		then("a new Expires counts", "9111 4.3.4", ok("first", "Expires", Date(2*second), "Etag", tag),
			Step{After: 3 * second, How: Validated, WantBody: "first", Reply: status(304, "Etag", tag, "Date", Date(3*second), "Expires", Date(hour))}).
			and(Step{After: minute, How: Cached, WantBody: "first"}),
		story("a new Vary counts", "9111 4.1",
			Step{Ask: fields("Foo", "1", "Bar", "1"), How: Forwarded, Reply: first("Vary", "Foo")},
			Step{After: 3 * second, Ask: fields("Foo", "1", "Bar", "1"), How: Validated, WantBody: "first", Reply: confirmed("Vary", "Bar")},
			Step{Ask: fields("Foo", "2", "Bar", "1"), How: Cached, WantBody: "first"},
			Step{Ask: fields("Foo", "1", "Bar", "2"), How: Forwarded, Reply: ok("second")}),
	)
}
