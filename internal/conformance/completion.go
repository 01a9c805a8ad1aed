package conformance

import "net/http"

// Completion is about parts that are made whole (RFC 9111 sections 3.3 and 3.4, RFC 9110 section
// 15.3.7.3).
func Completion() []Story {
	const section = "9111 3.4"
	head := part("bytes 0-4/10", "01234", "Etag", tag, "A", "1")
	rest := part("bytes 5-9/10", "56789", "Etag", tag, "A", "2")
	sent := map[string]string{"Range": "bytes=5-", "If-Range": tag, "If-None-Match": ""}
	// told is the story of a part, and of a request for more than that.
	told := func(name, section string, first Reply, ask http.Header, next Step) Story {
		next.Ask = ask
		return story(name, section, Step{Ask: bytesOf("0-4"), How: Forwarded, Reply: first}, next)
	}
	whole := func(r Reply) Step { return Step{How: Completed, Status: 200, WantBody: digits, Reply: r, Sent: sent} }
	dated := map[string]string{"Range": "bytes=5-", "If-Range": Date(-hour)}
	return append([]Story{
		told("what is missing is asked for", section, head, nil, whole(rest)),
		told("a range across the end", section, head, bytesOf("3-6"), Step{How: Completed, Status: 206, WantBody: "3456",
			Reply: part("bytes 5-6/10", "56", "Etag", tag), Sent: map[string]string{"Range": "bytes=5-6", "If-Range": tag}, Want: map[string]string{"Content-Range": "bytes 3-6/10"}}),
		told("an open range", section, head, bytesOf("3-"), Step{How: Completed, Status: 206, WantBody: "3456789", Reply: rest, Sent: sent}),
		told("all bytes as a range", section, head, bytesOf("0-"), Step{How: Completed, Status: 206, WantBody: digits, Reply: rest, Sent: sent}),
		told("a suffix", section, head, bytesOf("-7"), Step{How: Completed, Status: 206, WantBody: "3456789", Reply: rest, Sent: sent}),
		told("a range that touches", section, head, bytesOf("5-6"), Step{How: Completed, Status: 206, WantBody: "56",
			Reply: part("bytes 5-7/10", "567", "Etag", tag), Sent: map[string]string{"Range": "bytes=5-6", "If-Range": tag}}),
		told("by date", section, part("bytes 0-4/10", "01234", "Last-Modified", Date(-hour)), nil,
			Step{How: Completed, Status: 200, WantBody: digits, Reply: part("bytes 5-9/10", "56789", "Last-Modified", Date(-hour)), Sent: dated}),
		told("length of the whole unknown so far", section, part("bytes 0-4/*", "01234", "Etag", tag), nil, whole(rest)),
		told("more comes than was asked for", "9110 15.3.7.3", head, nil, whole(part("bytes 3-9/10", "3456789", "Etag", tag))),
		told("all comes", "9110 15.3.7.3", head, nil, whole(part("bytes 0-9/10", digits, "Etag", tag))),
		told("the client has it already", "9110 13.2.2", head, fields("If-None-Match", tag), Step{How: Completed, Status: 304, Reply: rest, Sent: sent}),
		told("combined parts stay, with the newer fields", section, head, nil, whole(rest)).
			and(Step{After: second, How: Cached, Status: 200, WantBody: digits, Want: map[string]string{"A": "2", "Content-Range": ""}}),
		told("a part grows", section, head, bytesOf("3-6"), Step{How: Completed, WantBody: "3456", Reply: part("bytes 5-6/10", "56", "Etag", tag)}).
			and(Step{Ask: bytesOf("0-6"), How: Cached, Status: 206, WantBody: "0123456"},
				Step{How: Completed, Status: 200, WantBody: digits, Reply: part("bytes 7-9/10", "789", "Etag", tag), Sent: map[string]string{"Range": "bytes=7-"}},
				Step{How: Cached, Status: 200, WantBody: digits}),
		told("stale, and completed", section, part("bytes 0-4/10", "01234", "Etag", tag, "Cache-Control", "max-age=2"), nil,
			Step{After: hour, How: Completed, Status: 200, WantBody: digits, Reply: part("bytes 5-9/10", "56789", "Etag", tag, "Date", Date(hour), "Cache-Control", "max-age=60"), Sent: sent}).
			and(Step{After: second, How: Cached, Status: 200, WantBody: digits}),
		story("what is missing before", section,
			Step{Ask: bytesOf("5-"), How: Forwarded, Reply: rest},
			Step{How: Completed, Status: 200, WantBody: digits, Reply: head, Sent: map[string]string{"Range": "bytes=0-4", "If-Range": tag}}),
		story("what is missing on both sides", section,
			Step{Ask: bytesOf("3-5"), How: Forwarded, Reply: part("bytes 3-5/10", "345", "Etag", tag)},
			Step{How: Forwarded, Reply: ok(digits), Sent: map[string]string{"Range": "", "If-Range": "", "If-None-Match": ""}}),
	}, append(notCompleted(), brokenOff()...)...)
}

// notCompleted are the stories of parts that don't fit, or are not asked for.
func notCompleted() []Story {
	const fits = "9110 15.3.7.3"
	head := part("bytes 0-4/10", "01234", "Etag", tag)
	// told is the story of a part, and of a request for the whole that is repeated.
	told := func(name, section string, reply Reply) Story {
		return story(name, section, Step{Ask: bytesOf("0-4"), How: Forwarded, Reply: head},
			Step{How: Forwarded, Reply: reply, Again: []Reply{ok("ABCDEFGHIJ", "Cache-Control", "max-age=60")}},
			Step{How: Cached, Status: 200, WantBody: "ABCDEFGHIJ"})
	}
	plain := func(name, section string, first Reply, ask http.Header, reply Reply, sent map[string]string) Story {
		return story(name, section, Step{Ask: bytesOf("0-4"), How: Forwarded, Reply: first}, Step{Ask: ask, How: Forwarded, Reply: reply, Sent: sent})
	}
	none := map[string]string{"Range": "", "If-Range": ""}
	far := map[string]string{"Range": "bytes=8-9", "If-Range": ""}
	return []Story{
		told("another tag", fits, part("bytes 5-9/10", "56789", "Etag", `"b"`)),
		told("the weak form of the tag", fits, part("bytes 5-9/10", "56789", "Etag", `W/"a"`)),
		told("no tag", fits, part("bytes 5-9/10", "56789")),
		told("another length of the whole", fits, part("bytes 5-9/11", "56789", "Etag", tag)),
		told("a gap between the parts", fits, part("bytes 6-9/10", "6789", "Etag", tag)),
		told("less than was asked for", fits, part("bytes 5-7/10", "567", "Etag", tag)),
		told("shorter than it says", fits, part("bytes 5-9/10", "567", "Etag", tag)),
		told("no Content-Range", "9110 14.4", Reply{206, fields("Etag", tag), "56789"}),
		told("several parts", fits, part("bytes 5-9/10", "56789", "Etag", tag, "Content-Type", "multipart/byteranges; boundary=x")),
		told("no such bytes", "9110 15.5.17", status(416, "Content-Range", "bytes */4")),
		plain("changed meanwhile", "9110 13.1.5", head, nil, ok("ABCDEFGHIJ", "Etag", `"b"`), map[string]string{"Range": "bytes=5-"}),
		plain("gone meanwhile", "9110 13.1.5", head, nil, status(404), map[string]string{"Range": "bytes=5-"}),
		plain("a server error", "9111 3.3", head, nil, status(503), map[string]string{"Range": "bytes=5-"}),
		plain("a weak tag", fits, part("bytes 0-4/10", "01234", "Etag", `W/"a"`), nil, ok(digits), none),
		plain("a weak date", "9110 8.8.2.2", part("bytes 0-4/10", "01234", "Last-Modified", Date(0)), nil, ok(digits), none),
		plain("no validator", fits, part("bytes 0-4/10", "01234"), nil, ok(digits), none),
		plain("a part far away", "9111 3.4", head, bytesOf("8-9"), part("bytes 8-9/10", "89", "Etag", tag), far),
		plain("two ranges", "9111 3.4", head, bytesOf("0-1,8-9"), ok(digits), map[string]string{"Range": "bytes=0-1,8-9", "If-Range": ""}),
	}
}

// brokenOff are the stories of responses that break off (RFC 9111 section 3.3).
func brokenOff() []Story {
	const section = "9111 3.3"
	broken := func(namesAndValues ...string) Reply {
		return ok("01234", append([]string{"Content-Length", "10", "Cache-Control", "max-age=60"}, namesAndValues...)...)
	}
	rest := part("bytes 5-9/10", "56789", "Etag", tag)
	again := func(name string, r Reply) Story {
		return then(name, section, r, Step{How: Forwarded, Reply: ok(digits), Sent: map[string]string{"Range": "", "If-Range": "", "If-None-Match": "", "If-Modified-Since": ""}})
	}
	return []Story{
		then("broken off, and completed", section, broken("Etag", tag),
			Step{How: Completed, Status: 200, WantBody: digits, Reply: rest, Sent: map[string]string{"Range": "bytes=5-", "If-Range": tag}}).
			and(Step{How: Cached, Status: 200, WantBody: digits, Want: map[string]string{"Content-Length": "10"}}),
		then("broken off, and a range within", section, broken("Etag", tag),
			Step{Ask: bytesOf("1-3"), How: Cached, Status: 206, WantBody: "123", Want: map[string]string{"Content-Range": "bytes 1-3/10"}}),
		then("broken off, and changed meanwhile", section, broken("Etag", tag),
			Step{How: Forwarded, Reply: ok("ABCDEFGHIJ", "Etag", `"b"`, "Cache-Control", "max-age=60")}).
			and(Step{How: Cached, Status: 200, WantBody: "ABCDEFGHIJ"}),
		then("broken off, and the origin hangs up", section, broken("Etag", tag), Step{How: Forwarded, Reply: down}),
		again("broken off with a weak tag", broken("Etag", `W/"a"`)),
		again("broken off without validator", broken()),
		again("broken off where there are no ranges", broken("Etag", tag, "Accept-Ranges", "none")),
		again("broken off and private", broken("Etag", tag, "Cache-Control", "private")),
		story("a whole one stays when a newer breaks off", section,
			Step{How: Forwarded, Reply: ok(digits, "Cache-Control", "max-age=2")},
			Step{After: 3 * second, How: Forwarded, Reply: broken()},
			Step{How: Stale, Status: 200, WantBody: digits, Reply: down}),
	}
}
