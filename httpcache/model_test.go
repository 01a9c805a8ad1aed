package httpcache

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/peerproxy/peerproxy/internal/conformance"
	"github.com/peerproxy/peerproxy/resource"
)

// model is a whole cache in memory: the smallest one that calls every function of this package
// where a proxy has to. The conformance test tells it stories step by step.
type model struct {
	policy Policy
	now    time.Time
	stored map[resource.URL][]*entry // newest first

	// During one step:
	replies []conformance.Reply // of the origin, the last of them again and again
	sent    []http.Header       // to the origin
}

type entry struct {
	ex   *resource.Exchange
	body string
}

type (
	answer = conformance.Outcome
	reply  = conformance.Reply
)

var modelURL = mustURL(conformance.Base)

func mustURL(s string) resource.URL {
	u, err := resource.ParseURL(s)
	if err != nil {
		panic(err)
	}
	return u
}

// ask sends a request through the cache.
func (m *model) ask(u resource.URL, r *http.Request, replies []reply) answer {
	m.replies, m.sent = replies, nil
	a := m.answer(u, r)
	a.Sent = m.sent
	return a
}

func (m *model) answer(u resource.URL, r *http.Request) answer {
	if !forStore(r) {
		return m.pass(u, r)
	}
	found, ev := m.find(u, r)
	if found != nil && found.holds(r) {
		if ev.Verdict.Reusable() {
			return m.serve(conformance.Cached, r, found)
		}
		if ev.StaleWhileRevalidate {
			a := m.serve(conformance.Meanwhile, r, found)
			m.fetch(u, unconditional(r), found, ev)
			return a
		}
	}
	switch {
	case requestDirectives(r.Header).OnlyIfCached:
		return answer{How: conformance.Timeout, Status: http.StatusGatewayTimeout}
	case r.Method == http.MethodHead:
		return m.head(u, r, found, ev)
	}
	return m.fetch(u, r, found, ev)
}

// forStore reports whether the cache has a say in a request.
func forStore(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && r.ContentLength == 0 &&
		r.Header["If-Match"] == nil && r.Header["If-Unmodified-Since"] == nil
}

// unconditional is a GET request for the whole by the same fields.
func unconditional(r *http.Request) *http.Request {
	h := r.Header.Clone()
	for _, name := range []string{"If-None-Match", "If-Modified-Since", "Range", "If-Range"} {
		delete(h, name)
	}
	return &http.Request{Method: http.MethodGet, Header: h}
}

func (m *model) find(u resource.URL, r *http.Request) (*entry, Evaluation) {
	for _, e := range m.stored[u] {
		if Matches(r.Header, e.ex) {
			return e, m.policy.Evaluate(r, e.ex, m.now)
		}
	}
	return nil, Evaluation{}
}

// holds reports whether the entry has all bytes that are asked for.
func (e *entry) holds(r *http.Request) bool {
	return e.choose(r).Status != RangeMissing
}

func (e *entry) choose(r *http.Request) Choice {
	if r.Method == http.MethodHead { // which has no ranges
		r = unconditional(r)
	}
	return ChooseRanges(r.Header, e.ex)
}

// origin asks the origin.
func (m *model) origin(fields http.Header) reply {
	r := m.replies[min(len(m.sent), len(m.replies)-1)]
	m.sent = append(m.sent, fields)
	return reply{Status: r.Status, Header: r.Header.Clone(), Body: r.Body}
}

func forwarded(r reply) answer {
	if r.Status == 0 {
		return answer{How: conformance.Forwarded, Status: http.StatusBadGateway}
	}
	return answer{How: conformance.Forwarded, Status: r.Status, Header: r.Header, Body: r.Body, Broken: r.Truncated()}
}

// pass is the way of requests that only the origin answers.
func (m *model) pass(u resource.URL, req *http.Request) answer {
	r := m.origin(req.Header)
	for _, gone := range Invalidates(req.Method, r.Status, u, r.Header) {
		delete(m.stored, gone)
	}
	if ok, _ := m.policy.StorablePost(req, u, r.Status, r.Header); ok {
		m.store(u, req, m.exchange(u, req, r), r.Body)
	}
	return forwarded(r)
}

func (m *model) head(u resource.URL, req *http.Request, found *entry, ev Evaluation) answer {
	r := m.origin(unconditional(req).Header)
	if found != nil && found.holds(req) && standsIn(r, ev) {
		return m.serve(conformance.Stale, req, found)
	}
	for _, e := range m.stored[u] {
		if !Matches(req.Header, e.ex) {
			continue
		}
		switch effect, _ := OfHead(e.ex, r.Status, r.Header); effect {
		case HeadFreshens:
			fresh := Freshen(e.ex, r.Header, m.now, m.now)
			if ok, _ := m.policy.StorableUpdate(req, fresh); ok {
				e.ex = fresh
			}
		case HeadOutdates:
			e.ex = m.policy.Outdate(e.ex, m.now)
		}
	}
	a := forwarded(r)
	a.Body, a.Broken = "", false
	return a
}

// standsIn reports whether a stored response may be sent in place of what the origin answered.
func standsIn(r reply, ev Evaluation) bool {
	return r.Status == 0 && ev.StaleIfError || r.Status >= 500 && ev.StaleIfServerError
}

func (m *model) fetch(u resource.URL, req *http.Request, found *entry, ev Evaluation) answer {
	fields := req.Header.Clone()
	delete(fields, "If-None-Match")
	delete(fields, "If-Modified-Since")
	if found != nil && !found.holds(req) {
		if missing, ok, _ := Completion(req.Header, found.ex); ok {
			return m.complete(u, req, found, fields, missing)
		}
		return m.received(u, req, m.origin(fields))
	}
	asked, conditions := m.conditions(u, found)
	r := m.origin(with(fields, conditions))
	switch {
	case found != nil && standsIn(r, ev):
		return m.serve(conformance.Stale, req, found)
	case r.Status == http.StatusNotModified && len(conditions) > 0:
		if confirmed := m.confirm(u, req, r, asked); confirmed != nil {
			return m.serve(conformance.Validated, req, confirmed)
		}
		return m.received(u, req, m.origin(fields))
	}
	return m.received(u, req, r)
}

func with(fields, more http.Header) http.Header {
	h := fields.Clone()
	for name, lines := range more {
		h[name] = lines
	}
	return h
}

// conditions are what asks the origin about stored responses, and these.
func (m *model) conditions(u resource.URL, found *entry) ([]*entry, http.Header) {
	if found != nil {
		return []*entry{found}, ConditionalHeaders(found.ex)
	}
	return m.stored[u], ConditionsAmong(exchanges(m.stored[u]))
}

func exchanges(entries []*entry) (list []*resource.Exchange) {
	for _, e := range entries {
		list = append(list, e.ex)
	}
	return list
}

// confirm freshens what a 304 is about and returns what answers the request; nil if nothing does.
func (m *model) confirm(u resource.URL, req *http.Request, r reply, asked []*entry) *entry {
	about, _ := Updated(exchanges(asked), r.Header)
	if len(about) == 0 {
		return nil
	}
	first := asked[slices.IndexFunc(asked, func(e *entry) bool { return e.ex == about[0] })]
	chosen := &entry{Freshen(first.ex, r.Header, m.now, m.now), first.body}
	if ok, _ := m.policy.StorableUpdate(req, chosen.ex); !ok {
		return chosen
	}
	for _, e := range asked {
		if slices.Contains(about, e.ex) {
			e.ex = Freshen(e.ex, r.Header, m.now, m.now)
		}
	}
	if ex, ok := FreshenAs(req.Header, about[0], r.Header, m.now, m.now); ok {
		if !Matches(req.Header, first.ex) {
			m.store(u, req, ex, first.body)
		} else {
			first.ex = ex
		}
	}
	return chosen
}

// received is what becomes of a response that is not to be combined with anything.
func (m *model) received(u resource.URL, req *http.Request, r reply) answer {
	ex := m.exchange(u, req, r)
	switch {
	case r.Status == http.StatusPartialContent:
		if ok, _ := m.policy.StorablePart(req, r.Header, int64(len(r.Body))); ok {
			if whole, ok := WholePart(ex); ok {
				ex = whole
			}
			m.store(u, req, ex, r.Body)
		}
	case r.Truncated():
		ok, _ := m.policy.Storable(req, r.Status, r.Header)
		if part, fits, _ := Incomplete(ex, int64(len(r.Body))); ok && fits {
			m.store(u, req, part, r.Body)
		}
	default:
		if ok, _ := m.policy.Storable(req, r.Status, r.Header); ok {
			m.store(u, req, ex, r.Body)
		}
	}
	a := forwarded(r)
	if outcome, _ := Preconditions(req.Header, ex); r.Status == http.StatusOK && outcome == AnswerNotModified {
		a.Status, a.Body = http.StatusNotModified, ""
	}
	return a
}

// complete asks for what a stored part lacks. What does not fit is asked for again as a whole.
func (m *model) complete(u resource.URL, req *http.Request, found *entry, fields, missing http.Header) answer {
	r := m.origin(with(fields, missing))
	switch r.Status {
	case http.StatusPartialContent:
		combined := found.combine(m.exchange(u, req, r), r.Body)
		if combined == nil {
			break
		}
		if ok, _ := m.policy.StorableUpdate(req, combined.ex); ok {
			*found = *combined
		}
		if combined.holds(req) {
			return m.serve(conformance.Completed, req, combined)
		}
	case http.StatusRequestedRangeNotSatisfiable:
	default:
		return m.received(u, req, r)
	}
	return m.received(u, req, m.origin(fields))
}

// combine joins what has been received with what is stored; nil if it does not fit.
func (e *entry) combine(received *resource.Exchange, body string) *entry {
	c, ok, _ := Combine(e.ex, received)
	if !ok {
		return nil
	}
	var b strings.Builder
	for _, p := range c.Pieces {
		source := e.body
		if p.Received {
			source = body
		}
		b.WriteString(source[p.Offset:][:p.Length])
	}
	return &entry{c.Exchange, b.String()}
}
