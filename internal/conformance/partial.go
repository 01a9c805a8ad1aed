package conformance

import "net/http"

// Parts is about parts that are stored and used (RFC 9111 sections 3.3 and 3.4).
func Parts() []Story {
	tail := part("bytes 5-9/10", "56789")
	// used is the story of the last five of ten bytes, and of a request that they answer or not.
	used := func(name string, ask http.Header, want How, status int, body string) Story {
		return story(name, "9111 3.4",
			Step{Ask: bytesOf("-5"), How: Forwarded, Reply: tail, Sent: map[string]string{"Range": "bytes=-5"}},
			Step{Ask: ask, How: want, Status: status, WantBody: body, Reply: ok(digits)})
	}
	return append([]Story{
		used("the same range", bytesOf("-5"), Cached, 206, "56789"),
		used("a range within", bytesOf("6-8"), Cached, 206, "678"),
		used("an open range within", bytesOf("6-"), Cached, 206, "6789"),
		used("a range up to beyond the end", bytesOf("8-99"), Cached, 206, "89"),
		used("a suffix within", bytesOf("-1"), Cached, 206, "9"),
		used("two ranges within that touch", bytesOf("5-6,7-8"), Cached, 206, "5678"),
		used("a range beyond the end", bytesOf("10-"), Cached, 416, ""),
		used("a range that begins before", bytesOf("4-6"), Forwarded, 200, digits),
		used("a suffix that begins before", bytesOf("-6"), Forwarded, 200, digits),
		used("one range within and one before", bytesOf("0-1,6-7"), Forwarded, 200, digits),
		used("the whole is not there", nil, Forwarded, 200, digits),
		used("a failing If-Range wants the whole", bytesOf("6-8", "If-Range", `"x"`), Forwarded, 200, digits),
		used("another unit wants the whole", fields("Range", "lines=5-6"), Forwarded, 200, digits),
		used("a broken Range wants the whole", bytesOf("8-6"), Forwarded, 200, digits),

		story("Content-Range of a part of a part", "9110 14.4",
			Step{Ask: bytesOf("-5"), How: Forwarded, Reply: tail},
			Step{After: 3 * second, Ask: bytesOf("6-8"), How: Cached, Want: map[string]string{"Content-Range": "bytes 6-8/10", "Age": "3", "Content-Length": "3"}},
			Step{Ask: bytesOf("99-"), How: Cached, Status: 416, Want: map[string]string{"Content-Range": "bytes */10"}}),
		story("the client has it all already", "9110 13.2.2",
			Step{Ask: bytesOf("-5"), How: Forwarded, Reply: part("bytes 5-9/10", "56789", "Etag", tag)},
			Step{Ask: bytesOf("6-8", "If-None-Match", tag), How: Cached, Status: 304},
			Step{Ask: bytesOf("6-8", "If-Range", tag), How: Cached, Status: 206, WantBody: "678"}),
		story("If-Range by date", "9110 13.1.5",
			Step{Ask: bytesOf("-5"), How: Forwarded, Reply: part("bytes 5-9/10", "56789", "Last-Modified", Date(-hour))},
			Step{Ask: bytesOf("6-8", "If-Range", Date(-hour)), How: Cached, Status: 206, WantBody: "678"},
			Step{Ask: bytesOf("6-8", "If-Range", Date(-minute)), How: Forwarded, Reply: ok(digits)}),
		story("a part that is all is a whole", "9110 15.3.7.3",
			Step{Ask: bytesOf("0-"), How: Forwarded, Reply: part("bytes 0-9/10", digits)},
			Step{How: Cached, Status: 200, WantBody: digits, Want: map[string]string{"Content-Range": ""}}),
		story("length of the whole unknown", "9110 14.4",
			Step{Ask: bytesOf("0-4"), How: Forwarded, Reply: part("bytes 0-4/*", "01234", "Etag", tag)},
			Step{Ask: bytesOf("1-2"), How: Cached, Status: 206, WantBody: "12", Want: map[string]string{"Content-Range": "bytes 1-2/*"}},
			Step{Ask: bytesOf("-1"), How: Forwarded, Reply: ok(digits), Sent: map[string]string{"Range": "bytes=-1", "If-Range": ""}}),
		story("a part by heuristics", "9111 4.2.2",
			Step{Ask: bytesOf("0-4"), How: Forwarded, Reply: Reply{206, fields("Content-Range", "bytes 0-4/10", "Last-Modified", Date(-10*hour)), "01234"}},
			Step{After: 59 * minute, Ask: bytesOf("1-2"), How: Cached, Status: 206, WantBody: "12"}),
		story("a part varies", "9111 4.1",
			Step{Ask: bytesOf("0-4", "Foo", "1"), How: Forwarded, Reply: part("bytes 0-4/10", "01234", "Vary", "Foo")},
			Step{Ask: bytesOf("0-4", "Foo", "2"), How: Forwarded, Reply: part("bytes 0-4/10", "ABCDE", "Vary", "Foo")},
			Step{Ask: bytesOf("0-4", "Foo", "1"), How: Cached, WantBody: "01234"}),
		story("a whole takes the place of a part", "9111 3.4",
			Step{Ask: bytesOf("0-4"), How: Forwarded, Reply: part("bytes 0-4/10", "01234")},
			Step{How: Forwarded, Reply: ok("ABCDEFGHIJ", "Cache-Control", "max-age=60")},
			Step{How: Cached, Status: 200, WantBody: "ABCDEFGHIJ"},
			Step{Ask: bytesOf("0-4"), How: Cached, Status: 206, WantBody: "ABCDE"}),
		story("a whole that comes for a range", "9110 14.2",
			Step{Ask: bytesOf("0-4"), How: Forwarded, Reply: ok(digits, "Cache-Control", "max-age=60")},
			Step{How: Cached, Status: 200, WantBody: digits},
			Step{Ask: bytesOf("0-4"), How: Cached, Status: 206, WantBody: "01234"}),
	}, append(staleParts(), refusedParts()...)...)
}

// staleParts are the stories of parts that are no longer fresh.
func staleParts() []Story {
	stored := Step{Ask: bytesOf("0-4"), How: Forwarded, Reply: part("bytes 0-4/10", "01234", "Etag", tag, "Cache-Control", "max-age=2")}
	told := func(name, section string, next Step) Story {
		next.After = 3 * second
		return story(name, section, stored, next)
	}
	return []Story{
		told("stale, another comes", "9111 4.2", Step{Ask: bytesOf("0-4"), How: Forwarded, Reply: part("bytes 0-4/10", "ABCDE", "Etag", `"b"`), Sent: map[string]string{"Range": "bytes=0-4"}}),
		told("stale, and confirmed", "9111 4.3.4", Step{Ask: bytesOf("1-2"), How: Validated, Status: 206, WantBody: "12", Reply: status(304, "Etag", tag), Sent: map[string]string{"If-None-Match": tag}}),
		told("stale, and the origin hangs up", "9111 4.2.4", Step{Ask: bytesOf("1-2"), How: Stale, Status: 206, WantBody: "12", Reply: down}),
		told("does not stand in for the whole", "9111 3.3", Step{How: Forwarded, Reply: down}),
		told("does not stand in for another part", "9111 3.3", Step{Ask: bytesOf("3-6"), How: Forwarded, Reply: down}),
		story("fresh, and does not stand in for the whole", "9111 3.3",
			Step{Ask: bytesOf("0-4"), How: Forwarded, Reply: part("bytes 0-4/10", "01234", "Etag", tag)},
			Step{How: Forwarded, Reply: down}),
		story("nobody is asked whether a part is the whole", "9111 4.3.1",
			Step{Ask: bytesOf("0-4"), How: Forwarded, Reply: part("bytes 0-4/10", "01234", "Etag", `W/"a"`)},
			Step{How: Forwarded, Reply: ok(digits), Sent: map[string]string{"If-None-Match": "", "Range": ""}}),
	}
}

// refusedParts are the stories of parts that must not be stored.
func refusedParts() []Story {
	tail := part("bytes 5-9/10", "56789")
	refused := func(name, section string, ask http.Header, r Reply) Story {
		return story(name, section,
			Step{Ask: ask, How: Forwarded, Reply: r},
			Step{Ask: bytesOf("5-6"), How: Forwarded, Reply: r})
	}
	const section = "9110 14.4"
	return []Story{
		refused("stale at once", "9111 4.2", bytesOf("-5"), Reply{206, fields("Content-Range", "bytes 5-9/10"), "56789"}),
		refused("nobody asked for a part", "9110 15.3.7", nil, tail),
		refused("no Content-Range", section, bytesOf("-5"), Reply{206, fields("Cache-Control", "max-age=60"), "56789"}),
		refused("an empty Content-Range", section, bytesOf("-5"), part("", "56789")),
		refused("another unit", section, bytesOf("-5"), part("lines 5-9/10", "56789")),
		refused("two Content-Ranges", section, bytesOf("-5"), part("bytes 5-9/10", "56789", "Content-Range", "bytes 0-4/10")),
		refused("ends before it begins", section, bytesOf("-5"), part("bytes 9-5/10", "56789")),
		refused("ends beyond the whole", section, bytesOf("-5"), part("bytes 5-10/10", "56789A")),
		refused("more than it says", section, bytesOf("-5"), part("bytes 5-9/10", "56789A")),
		refused("says that there is none", section, bytesOf("-5"), part("bytes */10", "56789")),
		refused("several parts", "9110 15.3.7.2", bytesOf("5-6,8-9"), part("bytes 5-9/10", "56789", "Content-Type", "Multipart/Byteranges; boundary=x")),
		refused("no-store", "9111 5.2.2.5", bytesOf("-5"), part("bytes 5-9/10", "56789", "Cache-Control", "no-store, max-age=60")),
		refused("private", "9111 5.2.2.7", bytesOf("-5"), part("bytes 5-9/10", "56789", "Cache-Control", "private, max-age=60")),
		refused("credentials", "9111 3.5", bytesOf("-5", "Authorization", "Basic eA=="), tail),
		refused("the request's no-store", "9111 5.2.1.5", bytesOf("-5", "Cache-Control", "no-store"), tail),
		refused("Vary is *", "9111 4.1", bytesOf("-5"), part("bytes 5-9/10", "56789", "Vary", "*")),
		refused("answer to If-Range", "9110 15.3.7", bytesOf("-5", "If-Range", tag), tail),
	}
}
