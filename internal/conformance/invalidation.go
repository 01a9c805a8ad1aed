package conformance

// Invalidation is about what requests by other methods make outdated (RFC 9111 section 4.4).
func Invalidation() []Story {
	var stories []Story
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "get"} {
		for _, c := range []struct {
			name string
			path string
			r    Reply
			want How
		}{
			{"target", "", status(200), Forwarded},
			{"target, by a redirect", "", status(303), Forwarded},
			{"failed with 500", "", status(500), Cached},
			{"failed with 403", "", status(403), Cached},
			{"Location", "other", status(201, "Location", "/dir/other"), Forwarded},
			{"another Content-Location", "other", status(200, "Content-Location", "other?#x"), Cached},
			{"Content-Location", "other", status(200, "Content-Location", "http://EXAMPLE.com:80/dir/./other"), Forwarded},
			{"another host", "//other.example/", status(200, "Location", "http://other.example/"), Cached},
			{"another port", "//example.com:81/", status(200, "Location", "http://example.com:81/"), Cached},
			{"another scheme", "https://example.com/", status(200, "Location", "https://example.com/"), Cached},
		} {
			stories = append(stories, unsafe(method, c.name, c.path, c.r, c.want))
		}
	}
	for _, c := range []struct {
		name string
		r    Reply
		want How
	}{
		{"with 202", status(202), Forwarded}, {"with 204", status(204), Forwarded}, {"with 299", status(299), Forwarded},
		{"with 302", status(302), Forwarded}, {"with 307", status(307), Forwarded},
		{"failed with 400", status(400), Cached}, {"failed with 404", status(404), Cached}, {"failed with 412", status(412), Cached}, {"failed with 503", status(503), Cached},
		{"not answered", down, Cached},
	} {
		stories = append(stories, unsafe("DELETE", c.name, "", c.r, c.want))
	}
	for _, method := range []string{"OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH"} {
		s := unsafe(method, "is safe", "", status(200, "Location", "page"), Cached)
		s.Section = "9110 9.2.1"
		stories = append(stories, s)
	}
	return append(stories, manyInvalidated()...)
}

// unsafe is the story of a response, of a request by another method, and of what there is then.
func unsafe(method, name, path string, r Reply, want How) Story {
	get := Step{Path: path, How: want, Reply: ok("second")}
	if want == Cached {
		get.WantBody = "first"
	}
	return story(method+" "+name, "9111 4.4",
		Step{Path: path, How: Forwarded, Reply: cc("max-age=3600")},
		Step{Method: method, How: Forwarded, Reply: r}, get)
}

// manyInvalidated are the stories of how much is invalidated.
func manyInvalidated() []Story {
	const section = "9111 4.4"
	fresh := func(body string, more ...string) Reply {
		return ok(body, append([]string{"Cache-Control", "max-age=3600"}, more...)...)
	}
	return []Story{
		story("all variants", section,
			Step{Ask: fields("Foo", "1"), How: Forwarded, Reply: fresh("one", "Vary", "Foo")},
			Step{Ask: fields("Foo", "2"), How: Forwarded, Reply: fresh("two", "Vary", "Foo")},
			Step{Method: "PUT", Ask: fields("Foo", "1"), Body: "new", How: Forwarded, Reply: status(204)},
			Step{Ask: fields("Foo", "1"), How: Forwarded, Reply: ok("second")},
			Step{Ask: fields("Foo", "2"), How: Forwarded, Reply: ok("second")}),
		story("a part", section,
			Step{Ask: bytesOf("0-4"), How: Forwarded, Reply: part("bytes 0-4/10", "01234", "Etag", tag)},
			Step{Method: "PUT", Body: "new", How: Forwarded, Reply: status(204)},
			Step{Ask: bytesOf("0-4"), How: Forwarded, Reply: part("bytes 0-4/10", "ABCDE", "Etag", `"b"`)}),
		story("target, Location and Content-Location", section,
			Step{How: Forwarded, Reply: fresh("one")},
			Step{Path: "two", How: Forwarded, Reply: fresh("two")},
			Step{Path: "three", How: Forwarded, Reply: fresh("three")},
			Step{Path: "four", How: Forwarded, Reply: fresh("four")},
			Step{Method: "POST", Body: "a=1", How: Forwarded, Reply: status(201, "Location", "two", "Content-Location", "three")},
			Step{How: Forwarded, Reply: ok("second")},
			Step{Path: "two", How: Forwarded, Reply: ok("second")},
			Step{Path: "three", How: Forwarded, Reply: ok("second")},
			Step{Path: "four", How: Cached, WantBody: "four"}),
		story("not the same path with another query", section,
			Step{How: Forwarded, Reply: fresh("first")},
			Step{Method: "POST", Path: "page?a=1", Body: "a=1", How: Forwarded, Reply: status(200)},
			Step{How: Cached, WantBody: "first"}),
		story("not what a failed request names", section,
			Step{Path: "other", How: Forwarded, Reply: fresh("first")},
			Step{Method: "POST", Body: "a=1", How: Forwarded, Reply: status(409, "Location", "other")},
			Step{Path: "other", How: Cached, WantBody: "first"}),
		story("what is invalidated does not stand in for a failing origin", section,
			Step{How: Forwarded, Reply: fresh("first")},
			Step{Method: "DELETE", How: Forwarded, Reply: status(204)},
			Step{How: Forwarded, Reply: down}),
	}
}
