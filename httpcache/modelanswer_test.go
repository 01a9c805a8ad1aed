package httpcache

import (
	"net/http"
	"strconv"
	"time"

	"github.com/peerproxy/peerproxy/internal/conformance"
	"github.com/peerproxy/peerproxy/resource"
)

func (m *model) exchange(u resource.URL, req *http.Request, r reply) *resource.Exchange {
	h := r.Header.Clone()
	RemoveHopByHop(h)
	delete(h, "Age")
	selecting, _ := Selecting(req.Header, h)
	return &resource.Exchange{
		Method: http.MethodGet, URL: u, Selecting: selecting, Status: r.Status, Header: h,
		Body:      resource.Body{Length: int64(len(r.Body))},
		Requested: m.now, Received: m.now, InitialAge: InitialAge(r.Header),
	}
}

// store keeps a response in place of the one that answers the same requests.
func (m *model) store(u resource.URL, req *http.Request, ex *resource.Exchange, body string) {
	if m.stored == nil {
		m.stored = map[resource.URL][]*entry{}
	}
	kept := []*entry{{ex, body}}
	for _, e := range m.stored[u] {
		if !Matches(req.Header, e.ex) {
			kept = append(kept, e)
		}
	}
	m.stored[u] = kept
}

// serve answers from the store.
func (m *model) serve(from conformance.How, req *http.Request, e *entry) answer {
	a := answer{How: from, Status: e.ex.Status, Header: e.ex.Header.Clone(), Body: e.body}
	a.Header.Set("Age", strconv.Itoa(int(Age(e.ex, m.now)/time.Second)))
	if a.Header["Content-Length"] == nil {
		a.Header.Set("Content-Length", strconv.Itoa(len(e.body)))
	}
	switch outcome, _ := Preconditions(req.Header, e.ex); outcome {
	case AnswerNotModified:
		a.Status, a.Body = http.StatusNotModified, ""
		for _, name := range []string{"Content-Type", "Content-Language", "Content-Length"} { // RFC 9110 section 15.4.5
			a.Header.Del(name)
		}
		return a
	case AnswerFailed:
		a.Status, a.Body = http.StatusPreconditionFailed, ""
		return a
	}
	if choice := e.choose(req); choice.Status == RangePartial || choice.Status == RangeUnsatisfiable {
		e.cut(&a, choice)
	}
	if req.Method == http.MethodHead {
		a.Body = ""
	}
	return a
}

// cut makes the answer one of parts.
func (e *entry) cut(a *answer, choice Choice) {
	a.Status, a.Body = http.StatusRequestedRangeNotSatisfiable, ""
	if choice.Status == RangeUnsatisfiable {
		a.Header.Set("Content-Range", ContentRange{Complete: choice.Complete}.String())
		return
	}
	a.Status = http.StatusPartialContent
	bytes := func(s Span) string { return e.body[s.Offset-choice.Base:][:s.Length] }
	if len(choice.Spans) == 1 {
		a.Body = bytes(choice.Spans[0])
		a.Header.Set("Content-Range", ContentRange{choice.Spans[0], choice.Complete}.String())
		a.Header.Set("Content-Length", strconv.Itoa(len(a.Body)))
		return
	}
	m, _ := NewMultipart(choice.Spans, choice.Complete, a.Header.Get("Content-Type"), "boundary")
	for _, p := range m.Parts {
		a.Body += p.Head + bytes(p.Span)
	}
	a.Body += m.End
	a.Header.Set("Content-Type", m.ContentType)
	a.Header.Set("Content-Length", strconv.Itoa(len(a.Body)))
	a.Header.Del("Content-Range")
}
