package conformance

import (
	"net/http"
	"strconv"
	"time"
)

const (
	second = time.Second
	minute = time.Minute
	hour   = time.Hour

	// tag is the entity tag of most responses that have one.
	tag = `"a"`
)

// down is an origin that hangs up.
var down Reply

// fields makes a header of names and values in turn; equal names make several lines.
func fields(namesAndValues ...string) http.Header {
	h := http.Header{}
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		h.Add(namesAndValues[i], namesAndValues[i+1])
	}
	return h
}

// lines is a header of one field with some lines.
func lines(name string, values ...string) http.Header {
	return http.Header{http.CanonicalHeaderKey(name): values}
}

// ok is a 200 of now, with a body that tells responses apart.
func ok(body string, namesAndValues ...string) Reply {
	return Reply{http.StatusOK, fields(append([]string{"Date", Date(0)}, namesAndValues...)...), body}
}

// status is a response of any status.
func status(code int, namesAndValues ...string) Reply {
	r := Reply{code, fields(namesAndValues...), "body of " + strconv.Itoa(code)}
	switch code {
	case http.StatusNoContent, http.StatusResetContent, http.StatusNotModified:
		r.Body = "" // RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5
	}
	return r
}

// part is a 206 that is fresh unless it says otherwise.
func part(contentRange, body string, namesAndValues ...string) Reply {
	h := fields(append([]string{"Date", Date(0), "Content-Range", contentRange}, namesAndValues...)...)
	if h["Cache-Control"] == nil {
		h.Set("Cache-Control", "max-age=3600")
	}
	return Reply{http.StatusPartialContent, h, body}
}

// bytesOf are the fields of a request for a part.
func bytesOf(set string, namesAndValues ...string) http.Header {
	return fields(append([]string{"Range", "bytes=" + set}, namesAndValues...)...)
}

// cc is a response with lines of Cache-Control and no other word about caching.
func cc(values ...string) Reply {
	r := ok("first")
	r.Header["Cache-Control"] = values
	return r
}

func story(name, section string, steps ...Step) Story {
	return Story{Name: name, Section: section, Steps: steps}
}

// reuse is the story of one response that a second request, some seconds later, gets or not.
func reuse(name, section string, want How, r Reply) Story {
	return later(name, section, 3*second, want, r)
}

// later is reuse with a time of its own.
func later(name, section string, age time.Duration, want How, r Reply) Story {
	again := Step{After: age, How: want, Reply: ok("second")}
	if want == Cached {
		again.Status, again.WantBody = r.Status, r.Body
	}
	return story(name, section, Step{How: Forwarded, Reply: r}, again)
}

// then is the story of one response and of one request for it that is told in full.
func then(name, section string, r Reply, next Step) Story {
	return story(name, section, Step{How: Forwarded, Reply: r}, next)
}

// and is the story with more steps.
func (s Story) and(more ...Step) Story {
	s.Steps = append(s.Steps[:len(s.Steps):len(s.Steps)], more...)
	return s
}
