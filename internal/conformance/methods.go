package conformance

// Methods is about what is answered from the store at all (RFC 9111 sections 3 and 4, RFC 9110 section 9.3).
func Methods() []Story {
	fresh := ok("first", "Cache-Control", "max-age=3600")
	var stories []Story
	for _, c := range []struct{ method, section string }{
		{"POST", "9110 9.3.3"}, {"PUT", "9110 9.3.4"}, {"DELETE", "9110 9.3.5"},
		{"OPTIONS", "9110 9.3.7"}, {"TRACE", "9110 9.3.8"}, {"PATCH", "5789 2"}, {"PROPFIND", "9111 3"}, {"get", "9110 9.1"},
	} {
		stories = append(stories,
			story("a response to "+c.method+" is not stored", c.section,
				Step{Method: c.method, How: Forwarded, Reply: fresh},
				Step{How: Forwarded, Reply: ok("second")}),
			story(c.method+" is not answered from the store", "9111 4",
				Step{How: Forwarded, Reply: fresh},
				Step{Method: c.method, How: Forwarded, Reply: ok("second")}))
	}
	return append(stories,
		story("a request with content goes to the origin", "9110 9.3.1",
			Step{How: Forwarded, Reply: fresh},
			Step{Body: "a=1", How: Forwarded, Reply: ok("second", "Cache-Control", "max-age=3600")},
			Step{How: Cached, WantBody: "first"}),
		story("If-Match goes to the origin", "9111 4.3.2",
			Step{How: Forwarded, Reply: ok("first", "Cache-Control", "max-age=3600", "Etag", tag)},
			Step{Ask: fields("If-Match", tag), How: Forwarded, Reply: ok("second", "Cache-Control", "no-store"), Sent: map[string]string{"If-Match": tag}},
			Step{Ask: fields("If-Match", `"x"`), How: Forwarded, Reply: status(412), Sent: map[string]string{"If-Match": `"x"`, "If-None-Match": ""}},
			Step{How: Cached, WantBody: "first"}),
		story("If-Unmodified-Since goes to the origin", "9111 4.3.2",
			Step{How: Forwarded, Reply: ok("first", "Cache-Control", "max-age=3600", "Last-Modified", Date(-hour))},
			Step{Ask: fields("If-Unmodified-Since", Date(-2*hour)), How: Forwarded, Reply: status(412), Sent: map[string]string{"If-Unmodified-Since": Date(-2 * hour)}},
			Step{How: Cached, WantBody: "first"}))
}
