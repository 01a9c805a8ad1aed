package proxy

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/resource"
)

// found is what the store has for a request.
type found struct {
	stored *resource.Stored // the newest variant that fits, nil = none
	ev     httpcache.Evaluation
	others bool // there are variants, but none that fits
}

func (p *Proxy) find(r *request) found {
	if p.cfg.Store == nil {
		return found{}
	}
	variants, err := p.cfg.Store.Lookup(r.id)
	if err != nil {
		p.log.Warn("store not readable", "err", err)
		return found{}
	}
	for _, st := range variants {
		if httpcache.Matches(r.in.Header, st.Exchange) {
			return found{stored: st, ev: httpcache.Evaluate(r.in, st.Exchange, p.cfg.Now())}
		}
	}
	return found{others: len(variants) > 0}
}

// serveable reports whether what was found may be served without asking anybody.
// A copy that nobody whom the user trusts vouches for is second to the origin, as
// long as the origin is there.
func (p *Proxy) serveable(r *request, f found) bool {
	return f.stored != nil && f.ev.Verdict.Reusable() &&
		(f.stored.Tier >= resource.Signer || p.health.failing(r.url.Site()))
}

// forwardReason is the fwd parameter of Cache-Status for what was found.
func (p *Proxy) forwardReason(r *request, f found) string {
	switch {
	case p.cfg.Store == nil || r.source == SourceOrigin || r.source == SourcePeers || httpcache.ParseCacheControl(r.in.Header).NoStore:
		return fwdBypass
	case f.others:
		return fwdVaryMiss
	case f.stored == nil:
		return fwdURIMiss
	case !f.ev.Verdict.Reusable() && f.ev.Age < f.ev.Lifetime:
		return fwdRequest
	case f.ev.Verdict.Reusable():
		return fwdMiss
	}
	return fwdStale
}

// cached answers a request from the store if it can, else by way of a flight.
func (p *Proxy) cached(w http.ResponseWriter, r *request) {
	f := p.find(r)
	onlyStored := r.source == SourceCache || r.source == SourceAny && httpcache.ParseCacheControl(r.in.Header).OnlyIfCached
	useful := r.source == SourceCache && f.stored != nil || r.source == SourceAny && p.serveable(r, f) ||
		onlyStored && f.stored != nil && f.ev.Verdict.Reusable()
	if useful {
		if p.serveStored(w, r, f.stored, hit(f), proxyStatus{}) {
			return
		}
		f = found{} // its body can't be read: as good as not there
	}
	if onlyStored {
		p.answer(w, r.in, report{failure: explain(errNotStored), cache: cacheStatus{fwd: p.forwardReason(r, f)}})
		return
	}
	x := p.newFetch(r, f)
	p.ride(w, x, p.forwardReason(r, f), p.mayShare(x))
}

func hit(f found) cacheStatus {
	return cacheStatus{ttl: f.ev.Lifetime - f.ev.Age, hasTTL: true}
}

// newFetch prepares what is sent upstream. The client's own conditions are left
// out, since the answer is for others and for the store, too; they are judged when
// it comes. In their place stand the validators of what is stored.
func (p *Proxy) newFetch(r *request, f found) *fetch {
	x := &fetch{request: r, fields: p.fields(r.in), whole: true}
	if r.source == SourceAny && f.stored != nil {
		x.known = f.stored
		x.fresh = f.ev.Verdict.Reusable()
		x.usable = x.fresh || f.ev.StaleIfError
	}
	pass := x.known == nil && r.in.Method == http.MethodGet && r.in.Header["Range"] != nil && r.source != SourcePeers
	for _, name := range conditionals {
		if !pass || name != "Range" && name != "If-Range" {
			delete(x.fields, name)
		}
	}
	x.whole = !pass
	if x.known != nil && x.known.Tier == resource.Origin {
		for name, lines := range httpcache.ConditionalHeaders(x.known.Exchange) {
			x.fields[name] = lines
			x.asked = true
		}
	}
	return x
}

// mayShare reports whether others may get what is fetched for this request.
func (p *Proxy) mayShare(x *fetch) bool {
	h := x.in.Header
	return p.cfg.Store != nil && x.source == SourceAny && x.whole && x.in.Method == http.MethodGet &&
		h["Authorization"] == nil && !httpcache.ParseCacheControl(h).NoStore
}

// ride boards a flight for the request, or starts one, and brings the answer to the
// client.
func (p *Proxy) ride(w http.ResponseWriter, x *fetch, fwd string, shared bool) {
	var launch func()
	s, ok := p.flights.board(newFlightKey(x.request), shared, wantsNews(x.in.Header), func() (f *flight) {
		f, launch = p.prepare(x)
		return f
	})
	if !ok {
		p.refuse(w, x.in, errClosed)
		return
	}
	if s.first {
		go launch()
	}
	if p.travel(w, x, s, fwd) {
		return
	}
	if s.first { // what the origin has confirmed is stored, but not readable
		x = x.unconditional()
	}
	p.ride(w, x, fwd, false)
}

// travel waits for the outcome and delivers it. It returns false, with nothing
// written, if the outcome does not answer the request.
func (p *Proxy) travel(w http.ResponseWriter, x *fetch, s seat, fwd string) bool {
	satisfied := false
	defer func() { p.flights.leave(s, satisfied) }()
	if !s.await(x.in.Context(), w, s.first && takesHints(x.in)) {
		return true // nobody is there to be answered
	}
	if !s.first && !p.suits(x, s) {
		return false
	}
	var done bool
	satisfied, done = p.deliver(w, x, s, cacheStatus{fwd: fwd, fwdStatus: s.outcome.status, collapsed: !s.first})
	return done
}

// unconditional is the same fetch as if nothing were stored.
func (x *fetch) unconditional() *fetch {
	y := *x
	y.known, y.fresh, y.usable, y.asked = nil, false, false, false
	y.fields = x.fields.Clone()
	delete(y.fields, "If-None-Match")
	delete(y.fields, "If-Modified-Since")
	return &y
}

// prepare makes a flight and the function that runs it. Its context has the values
// of the first reader's, but not its end.
func (p *Proxy) prepare(x *fetch) (*flight, func()) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(x.in.Context()))
	f := &flight{fetch: x, spool: newSpool(), cancel: cancel, hints: make(chan hint, 8), landed: make(chan struct{})}
	x.hint = func(status int, h http.Header) {
		select {
		case f.hints <- hint{status, h.Clone()}:
		default: // nobody needs that many
		}
	}
	return f, func() { p.fly(ctx, f) }
}

// takesHints reports whether a client understands interim responses (RFC 9110 section 15.2).
func takesHints(r *http.Request) bool { return r.ProtoAtLeast(1, 1) }

// await waits for the outcome and passes interim responses on meanwhile, if the
// client is to have them. It returns false if the client has gone.
func (f *flight) await(ctx context.Context, w http.ResponseWriter, hinted bool) bool {
	hints := f.hints
	if !hinted {
		hints = nil
	}
	for {
		select {
		case h := <-hints:
			passHint(w, h)
			continue
		default:
		}
		select {
		case h := <-hints:
			passHint(w, h)
		case <-f.landed:
			if len(hints) == 0 {
				return true
			}
		case <-ctx.Done():
			return false
		}
	}
}

// passHint writes an interim response; its fields must not stay for the final one.
func passHint(w http.ResponseWriter, in hint) {
	h := w.Header()
	httpcache.RemoveHopByHop(in.header)
	for name, lines := range in.header {
		h[name] = lines
	}
	w.WriteHeader(in.status)
	clear(h)
}

// suits reports whether the outcome of somebody else's fetch answers this request.
// Requests that waited when the response came get it even if it is stale at once:
// it is no older than they are (RFC 9111 section 4, collapsed requests).
func (p *Proxy) suits(x *fetch, s seat) bool {
	out := &s.outcome
	ex := out.exchange
	if out.stored != nil {
		ex = out.stored.Exchange
	}
	switch {
	case out.failed != nil && (x.usable || ex == nil):
		return true
	case !out.common || !httpcache.Matches(x.in.Header, ex):
		return false
	}
	return !s.late || httpcache.Evaluate(x.in, ex, p.cfg.Now()).Verdict.Reusable()
}

// deliver writes the outcome of a flight to a client. Satisfied means that the
// client needs no more of the flight although it has not read all; done is false if
// the store failed, so that another fetch is needed.
func (p *Proxy) deliver(w http.ResponseWriter, x *fetch, s seat, cs cacheStatus) (satisfied, done bool) {
	out := &s.outcome
	switch {
	case out.stored != nil:
		cs.ttl, cs.hasTTL = p.ttl(x, out.stored), true
		if out.status == 0 { // found at the second look: a hit after all
			cs = cacheStatus{ttl: cs.ttl, hasTTL: true}
		}
		return false, p.serveStored(w, x.request, out.stored, cs, proxyStatus{received: out.status})
	case out.failed != nil:
		p.deliverFailure(w, x, s, cs)
		return false, true
	}
	return p.stream(w, x, s, cs), true
}

func (p *Proxy) ttl(x *fetch, st *resource.Stored) time.Duration {
	ev := httpcache.Evaluate(x.in, st.Exchange, p.cfg.Now())
	return ev.Lifetime - ev.Age
}

// deliverFailure answers when the origin failed and no peer helped: with the stored
// copy if that is allowed, with what the origin said, or with a page of our own.
func (p *Proxy) deliverFailure(w http.ResponseWriter, x *fetch, s seat, cs cacheStatus) {
	out := &s.outcome
	failed := explain(out.failed)
	var status badStatusError
	if errors.As(out.failed, &status) {
		failed.kind = "" // the origin did answer: received-status says all
	}
	if x.usable {
		instead := cs
		instead.ttl, instead.hasTTL, instead.detail = p.ttl(x, x.known), true, "stale-if-error"
		if instead.ttl > 0 { // it was not for its age that the origin was asked
			instead.detail = "origin-failed"
		}
		if p.serveStored(w, x.request, x.known, instead, failed.proxyStatus(out.status)) {
			return
		}
	}
	if out.exchange != nil {
		p.stream(w, x, s, cs)
		return
	}
	tried := out.tried
	if x.known != nil && !x.usable {
		tried = append(tried[:len(tried):len(tried)], "A copy is stored here, but its site does not allow it to be shown unconfirmed.")
	}
	p.answer(w, x.in, report{failure: failed, cache: cs, received: out.status, tried: tried})
}
