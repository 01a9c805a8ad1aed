package conformance

// Post is about responses to POST that GET may have (RFC 9110 section 9.3.3).
func Post() []Story {
	const section = "9110 9.3.3"
	posted := func(namesAndValues ...string) Reply {
		return ok("posted", append([]string{"Content-Location", Base}, namesAndValues...)...)
	}
	post := func(name string, want How, r Reply) Story {
		get := Step{How: want, Reply: ok("second")}
		if want == Cached {
			get.WantBody = "posted"
		}
		return story(name, section, Step{Method: "POST", Body: "a=1", How: Forwarded, Reply: r}, get)
	}
	form := func(h ...string) Step {
		return Step{Method: "POST", Ask: fields(h...), Body: "a=1", How: Forwarded, Reply: posted("Cache-Control", "max-age=60")}
	}
	return []Story{
		post("by Expires", Cached, posted("Expires", Date(hour))),
		post("by max-age", Cached, posted("Cache-Control", "max-age=60")),
		post("by s-maxage", Cached, posted("Cache-Control", "s-maxage=60")),
		post("a relative Content-Location", Cached, ok("posted", "Cache-Control", "max-age=60", "Content-Location", "page")),
		post("without freshness", Forwarded, posted("Cache-Control", "public", "Last-Modified", Date(-hour))),
		post("stale at once", Forwarded, posted("Cache-Control", "max-age=0")),
		post("without Content-Location", Forwarded, ok("posted", "Expires", Date(hour))),
		post("with another Content-Location", Forwarded, ok("posted", "Expires", Date(hour), "Content-Location", "other")),
		post("with two", Forwarded, posted("Expires", Date(hour), "Content-Location", Base)),
		post("no-store", Forwarded, posted("Cache-Control", "no-store, max-age=60")),
		post("private", Forwarded, posted("Cache-Control", "private, max-age=60")),
		post("created", Forwarded, status(201, "Cache-Control", "max-age=60", "Content-Location", Base)),
		post("a redirect", Forwarded, status(303, "Cache-Control", "max-age=60", "Content-Location", Base, "Location", "other")),

		story("PUT is no POST", section,
			Step{Method: "PUT", Body: "a=1", How: Forwarded, Reply: posted("Cache-Control", "max-age=60")},
			Step{How: Forwarded, Reply: ok("second")}),
		story("HEAD may have it, too", section, form(), Step{Method: "HEAD", How: Cached, Status: 200}),
		story("POST may not have it", section, form(), form(), Step{How: Cached, WantBody: "posted"}),
		story("it takes the place of what was stored", section,
			Step{How: Forwarded, Reply: cc("max-age=3600")},
			form(),
			Step{How: Cached, WantBody: "posted"}),
		story("it is validated like others", section,
			Step{Method: "POST", Body: "a=1", How: Forwarded, Reply: posted("Cache-Control", "max-age=2", "Etag", tag)},
			Step{After: 3 * second, How: Validated, WantBody: "posted", Reply: status(304, "Etag", tag), Sent: map[string]string{"If-None-Match": tag}}),
		story("it may vary", "9111 4.1",
			Step{Method: "POST", Ask: fields("Foo", "1"), Body: "a=1", How: Forwarded, Reply: posted("Cache-Control", "max-age=60", "Vary", "Foo")},
			Step{Ask: fields("Foo", "1"), How: Cached, WantBody: "posted"},
			Step{Ask: fields("Foo", "2"), How: Forwarded, Reply: ok("second")}),
		story("the request says no-store", "9111 5.2.1.5", form("Cache-Control", "no-store"), Step{How: Forwarded, Reply: ok("second")}),
		story("the request has credentials", "9111 3.5", form("Authorization", "Basic eA=="), Step{How: Forwarded, Reply: ok("second")}),
	}
}
