package httpcache

import (
	"net/http"
	"strconv"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// model is a whole cache in memory: the smallest one that calls every function of this package
// where a proxy has to. The tests by RFC section tell it a story step by step.
type model struct {
	policy Policy
	now    time.Time
	stored map[resource.URL][]*entry // newest first
}

type entry struct {
	ex   *resource.Exchange
	body string
}

// reply is what an origin answers. The zero reply is one that hangs up.
type reply struct {
	status int
	header http.Header
	body   string
}

// how is where an answer comes from.
type how string

const (
	cached    how = "cached"    // without asking
	validated how = "validated" // after a 304
	meanwhile how = "meanwhile" // without asking, but to be validated now
	forwarded how = "forwarded"
	completed how = "completed" // with what the origin added
	stale     how = "stale"     // the origin failed
	timeout   how = "504"
)

// answer is what a client gets.
type answer struct {
	how    how
	status int
	header http.Header
	body   string
	sent   http.Header // what the origin was asked with, if it was
}

var modelURL = mustURL("http://example.com/dir/page")

func mustURL(s string) resource.URL {
	u, err := resource.ParseURL(s)
	if err != nil {
		panic(err)
	}
	return u
}

// ask sends a request through the cache.
func (m *model) ask(u resource.URL, req *http.Request, r reply) answer {
	if req.Method != "" && req.Method != http.MethodGet && req.Method != http.MethodHead {
		return m.pass(u, req, r)
	}
	found, ev := m.find(u, req)
	if found != nil {
		choice := ChooseRanges(req.Header, found.ex)
		if choice.Status != RangeMissing && (ev.Verdict.Reusable() || ev.StaleWhileRevalidate) {
			from := cached
			if !ev.Verdict.Reusable() {
				from = meanwhile
			}
			return m.serve(from, req, found, nil)
		}
	}
	if ev.OnlyIfCached || requestDirectives(req.Header).OnlyIfCached {
		return answer{how: timeout, status: http.StatusGatewayTimeout}
	}
	if req.Method == http.MethodHead {
		return m.head(u, req, r)
	}
	return m.fetch(u, req, r, found, ev)
}

func (m *model) find(u resource.URL, req *http.Request) (*entry, Evaluation) {
	for _, e := range m.stored[u] {
		if Matches(req.Header, e.ex) {
			return e, m.policy.Evaluate(req, e.ex, m.now)
		}
	}
	return nil, Evaluation{}
}

// pass is the way of requests that only the origin answers.
func (m *model) pass(u resource.URL, req *http.Request, r reply) answer {
	for _, gone := range Invalidates(req.Method, r.status, u, r.header) {
		delete(m.stored, gone)
	}
	if ok, _ := m.policy.StorablePost(req, u, r.status, r.header); ok {
		m.store(u, req, r)
	}
	return answer{forwarded, r.status, r.header, r.body, req.Header}
}

func (m *model) head(u resource.URL, req *http.Request, r reply) answer {
	for _, e := range m.stored[u] {
		if !Matches(req.Header, e.ex) {
			continue
		}
		switch effect, _ := OfHead(e.ex, r.status, r.header); effect {
		case HeadFreshens:
			e.ex = Freshen(e.ex, r.header, m.now, m.now)
		case HeadOutdates:
			e.ex = m.policy.Outdate(e.ex, m.now)
		}
	}
	return answer{forwarded, r.status, r.header, "", req.Header}
}

func (m *model) fetch(u resource.URL, req *http.Request, r reply, found *entry, ev Evaluation) answer {
	sent := req.Header.Clone()
	asked := m.conditions(u, found, sent)
	completing := false
	if found != nil && found.ex.Status == http.StatusPartialContent {
		if fields, ok, _ := Completion(req.Header, found.ex); ok {
			completing = true
			delete(sent, "If-None-Match")
			delete(sent, "If-Modified-Since")
			for name, lines := range fields {
				sent[name] = lines
			}
		}
	}
	switch {
	case r.status == 0 && found != nil && ev.StaleIfError, IsServerError(r.status) && found != nil && ev.StaleIfServerError:
		return m.serve(stale, req, found, sent)
	case r.status == 0:
		return answer{how: forwarded, status: http.StatusBadGateway, sent: sent}
	case r.status == http.StatusNotModified && len(asked) > 0:
		return m.confirm(req, r, asked, sent)
	case r.status == http.StatusPartialContent:
		return m.part(u, req, r, found, completing, sent)
	}
	if ok, _ := m.policy.Storable(req, r.status, r.header); ok {
		m.store(u, req, r)
	}
	return answer{forwarded, r.status, r.header, r.body, sent}
}

// conditions adds what asks the origin about the stored responses, and returns these.
func (m *model) conditions(u resource.URL, found *entry, sent http.Header) []*entry {
	asked := m.stored[u]
	if found != nil {
		asked = []*entry{found}
	}
	var exchanges []*resource.Exchange
	for _, e := range asked {
		exchanges = append(exchanges, e.ex)
	}
	if len(exchanges) > 0 {
		for _, name := range []string{"If-None-Match", "If-Modified-Since"} {
			delete(sent, name)
		}
		for name, lines := range ConditionsFor(exchanges) {
			sent[name] = lines
		}
	}
	return asked
}

func (m *model) confirm(req *http.Request, r reply, asked []*entry, sent http.Header) answer {
	var exchanges []*resource.Exchange
	for _, e := range asked {
		exchanges = append(exchanges, e.ex)
	}
	about, _ := Updated(exchanges, r.header)
	var first *entry
	for _, ex := range about {
		for _, e := range asked {
			if e.ex == ex {
				e.ex = Freshen(ex, r.header, m.now, m.now)
				if first == nil {
					first = e
				}
			}
		}
	}
	if first == nil {
		return answer{how: forwarded, sent: sent} // it would be asked again, without conditions
	}
	return m.serve(validated, req, first, sent)
}

func (m *model) part(u resource.URL, req *http.Request, r reply, found *entry, completing bool, sent http.Header) answer {
	received := m.exchange(u, req, r)
	if completing {
		if c, ok, _ := Combine(found.ex, received); ok {
			body := ""
			for _, p := range c.Pieces {
				source := found.body
				if p.Received {
					source = r.body
				}
				body += source[p.Offset:][:p.Length]
			}
			found.ex, found.body = c.Exchange, body
			return m.serve(completed, req, found, sent)
		}
	}
	if ok, _ := m.policy.StorablePart(req, r.header, int64(len(r.body))); ok {
		m.store(u, req, r)
	}
	return answer{forwarded, r.status, r.header, r.body, sent}
}

func (m *model) exchange(u resource.URL, req *http.Request, r reply) *resource.Exchange {
	h := r.header.Clone()
	RemoveHopByHop(h)
	delete(h, "Age")
	selecting, _ := Selecting(req.Header, h)
	ex := &resource.Exchange{
		Method: http.MethodGet, URL: u, Selecting: selecting, Status: r.status, Header: h,
		Body:      resource.Body{Length: int64(len(r.body))},
		Requested: m.now, Received: m.now, InitialAge: InitialAge(r.header),
	}
	if whole, ok := WholePart(ex); ok {
		return whole
	}
	return ex
}

// store keeps a response in place of the one that answers the same requests.
func (m *model) store(u resource.URL, req *http.Request, r reply) {
	if m.stored == nil {
		m.stored = map[resource.URL][]*entry{}
	}
	kept := []*entry{{m.exchange(u, req, r), r.body}}
	for _, e := range m.stored[u] {
		if !Matches(req.Header, e.ex) {
			kept = append(kept, e)
		}
	}
	m.stored[u] = kept
}

// serve answers from the store.
func (m *model) serve(from how, req *http.Request, e *entry, sent http.Header) answer {
	a := answer{from, e.ex.Status, e.ex.Header.Clone(), e.body, sent}
	a.header.Set("Age", strconv.Itoa(int(Age(e.ex, m.now)/time.Second)))
	switch outcome, _ := Preconditions(req.Header, e.ex); outcome {
	case AnswerNotModified:
		a.status, a.body = http.StatusNotModified, ""
		return a
	case AnswerFailed:
		a.status, a.body = http.StatusPreconditionFailed, ""
		return a
	}
	if req.Method == http.MethodHead {
		a.body = ""
		return a
	}
	choice := ChooseRanges(req.Header, e.ex)
	switch choice.Status {
	case RangePartial:
		a.status, a.body = http.StatusPartialContent, ""
		for _, s := range choice.Spans {
			a.body += e.body[s.Offset-choice.Base:][:s.Length]
		}
		a.header.Set("Content-Range", ContentRange{choice.Spans[0], choice.Complete}.String())
	case RangeUnsatisfiable:
		a.status, a.body = http.StatusRequestedRangeNotSatisfiable, ""
		a.header.Set("Content-Range", ContentRange{Complete: choice.Complete}.String())
	}
	return a
}
