package conformance

import (
	"slices"
	"strconv"
)

// heuristicStatus are the status codes that need not say how long they are fresh (RFC 9110 section
// 15.1), but for 206, which has stories of its own.
var heuristicStatus = []int{200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501}

// knownStatus are codes of which each has all stories.
var knownStatus = []int{
	200, 201, 202, 203, 204, 205, 226, 299,
	300, 301, 302, 303, 305, 307, 308, 399,
	400, 401, 403, 404, 405, 410, 414, 421, 422, 451, 499,
	500, 501, 502, 503, 504, 599,
}

// neverStored are the codes that RFC 6585 keeps out of caches, and its sections.
var neverStored = map[int]string{428: "6585 3", 429: "6585 4", 431: "6585 5", 511: "6585 6"}

// noAnswer are codes that no origin answers with to a plain request: a part, a confirmation, and the
// refusal of a proxy.
var noAnswer = []int{206, 304, 407}

// Status is about the status codes: every final one is used while it is explicitly fresh, and by
// heuristics only those that permit it (RFC 9110 section 15.1, RFC 9111 section 3).
func Status() []Story {
	var stories []Story
	for code := 200; code < 600; code++ {
		text, fresh := strconv.Itoa(code)+" ", status(code, "Cache-Control", "max-age=100")
		section, never := neverStored[code]
		switch {
		case slices.Contains(noAnswer, code):
		case never:
			stories = append(stories, reuse(text+"is never stored", section, Forwarded, fresh))
		default:
			stories = append(stories, reuse(text+"fresh", "9111 3", Cached, fresh))
		}
	}
	for _, code := range knownStatus {
		text, modified := strconv.Itoa(code)+" ", Date(-24*hour)
		want := Forwarded
		if slices.Contains(heuristicStatus, code) {
			want = Cached
		}
		stories = append(stories,
			reuse(text+"stale", "9111 4.2", Forwarded, status(code, "Expires", Date(-hour))),
			reuse(text+"by heuristics, public", "9111 4.2.2", Cached, status(code, "Cache-Control", "public", "Last-Modified", modified)),
			reuse(text+"by heuristics", "9110 15.1", want, status(code, "Last-Modified", modified)))
	}
	return append(stories, statusOfRequest()...)
}

// statusOfRequest are the stories of codes that answer something in a request, so that they are no
// answer to the next one.
func statusOfRequest() []Story {
	fresh := func(code int) Reply { return status(code, "Cache-Control", "max-age=100") }
	refused := func(name, section string, ask string, value string, r Reply) Story {
		return story(name, section,
			Step{Ask: fields(ask, value), How: Forwarded, Reply: r},
			Step{How: Forwarded, Reply: ok("second")})
	}
	return []Story{
		refused("412 to a condition", "9110 15.5.13", "If-Match", `"x"`, fresh(412)),
		refused("416 to a range", "9110 15.5.17", "Range", "bytes=99-", fresh(416)),
		refused("417 to an expectation", "9110 15.5.18", "Expect", "100-continue", fresh(417)),
		story("401 is not for those who have credentials", "9110 15.5.2",
			Step{How: Forwarded, Reply: fresh(401)},
			Step{Ask: fields("Authorization", "Basic eA=="), How: Forwarded, Reply: ok("secret")},
			Step{How: Cached, Status: 401}),
		story("a redirect keeps its Location", "9110 15.4.2",
			Step{How: Forwarded, Reply: status(301, "Cache-Control", "max-age=100", "Location", "other")},
			Step{How: Cached, Status: 301, Want: map[string]string{"Location": "other"}}),
	}
}
