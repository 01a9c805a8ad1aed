package proxy

import (
	"context"
	"net/http"
	"slices"
	"sync"

	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/resource"
)

// maxRides bounds how often an answer is fetched for one request. Each time but the first it is
// because what is stored turned out not to be readable, or not to be what is asked for.
const maxRides = 3

// ride boards a flight for the request, or starts one, and brings the answer to the
// client.
func (p *Proxy) ride(w http.ResponseWriter, x *fetch, fwd string, shared bool) {
	for range maxRides {
		s, ok := p.board(x, shared)
		if !ok {
			p.refuse(w, x.in, errClosed)
			return
		}
		if p.travel(w, x, s, fwd) {
			return
		}
		if s.first {
			x = x.unconditional()
		}
		shared = false
	}
	p.answer(w, x.in, report{failure: explain(errProtocol), cache: cacheStatus{fwd: fwd}})
}

// board takes a seat for a fetch, and launches the flight if it is a new one.
func (p *Proxy) board(x *fetch, shared bool) (seat, bool) {
	var launch func()
	s, ok := p.flights.board(newFlightKey(x.request), shared, wantsNews(x.in.Header), func() (f *flight) {
		f, launch = p.prepare(x)
		return f
	})
	if ok && s.first {
		go launch()
	}
	return s, ok
}

// travel waits for the outcome and delivers it. It returns false, with nothing
// written, if the outcome does not answer the request.
func (p *Proxy) travel(w http.ResponseWriter, x *fetch, s seat, fwd string) bool {
	satisfied := false
	defer func() { p.flights.leave(s, satisfied) }()
	if !s.await(x.in.Context(), p.hints(w, s.first && takesHints(x.in))) {
		return true // nobody is there to be answered
	}
	if !s.first && !p.suits(x, s) {
		return false
	}
	var done bool
	satisfied, done = p.deliver(w, x, s, cacheStatus{fwd: fwd, fwdStatus: s.outcome.status, collapsed: !s.first})
	return done
}

// prepare makes a flight and the function that runs it. Its context has the values
// of the first reader's, but not its end.
func (p *Proxy) prepare(x *fetch) (*flight, func()) {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(x.in.Context()))
	storing := make(chan struct{})
	f := &flight{
		fetch: x, spool: newSpool(), cancel: cancel, hints: make(chan hint, 8), landed: make(chan struct{}),
		storing: storing, stored: sync.OnceFunc(func() { close(storing) }),
	}
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

// hints writes interim responses to a client, if it is to have them; else it is nil.
func (p *Proxy) hints(w http.ResponseWriter, wanted bool) func(hint) {
	if !wanted {
		return nil
	}
	deadline := p.deadline(w)
	return func(h hint) {
		deadline()
		passHint(w, h)
	}
}

// await waits for the outcome and passes interim responses on meanwhile (nil = none). It
// returns false if the client has gone.
func (f *flight) await(ctx context.Context, pass func(hint)) bool {
	hints := f.hints
	if pass == nil {
		hints = nil
	}
	for {
		select {
		case h := <-hints:
			pass(h)
			continue
		default:
		}
		select {
		case h := <-hints:
			pass(h)
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
	case out.failed != nil && (x.usableNow(out) || ex == nil):
		return true
	case !out.common || !httpcache.Matches(x.in.Header, ex):
		return false
	}
	return p.forOthers(x, s, ex)
}

// forOthers reports whether a response that may be stored is for a request that joined, too. One that
// nobody may use again without validation is only if nothing tells the two clients apart: it may be
// a page for one of them.
func (p *Proxy) forOthers(x *fetch, s seat, ex *resource.Exchange) bool {
	st := s.outcome.stored
	if st == nil {
		st = &resource.Stored{Exchange: ex, Tier: s.outcome.tier, WithCookie: s.outcome.cookie}
	}
	ev := p.evaluate(x.request, st)
	switch {
	case s.late:
		return ev.Verdict.Reusable()
	case ev.Lifetime > 0 || st.Tier != resource.Origin: // peers have only what was fetched without cookies
		return true
	}
	return ex.Header["Set-Cookie"] == nil && slices.Equal(x.in.Header["Cookie"], s.fetch.in.Header["Cookie"])
}

// revalidate fetches what has been served stale, with nobody waiting (RFC 5861 section 3): all
// of it, and whatever the client says of caches, since it is for everybody. If it is being fetched already, that will do.
func (p *Proxy) revalidate(r *request, f found) {
	in := r.in.Clone(context.WithoutCancel(r.in.Context()))
	in.Method = http.MethodGet
	deleteAll(in.Header, append([]string{"Range", "If-Range", "Cache-Control", "Pragma"}, conditions...))
	x := p.newFetch(&request{in: in, url: r.url, id: r.id, source: r.source}, f)
	if !p.mayShare(x) || p.flights.underWay(newFlightKey(x.request)) {
		return
	}
	s, ok := p.board(x, true)
	if !ok {
		return
	}
	if !p.flights.accompany(func() { p.discard(s) }) {
		p.flights.leave(s, false)
	}
}

// discard reads a flight's body for nobody, so that it is stored.
func (p *Proxy) discard(s seat) {
	defer p.flights.leave(s, false)
	ctx := context.Background() // a flight always ends
	if !s.await(ctx, nil) || s.outcome.exchange == nil || !s.outcome.storing {
		return
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		if _, err := s.reader.read(ctx, *buf); err != nil {
			return
		}
	}
}
