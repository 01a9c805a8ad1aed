package proxy

import (
	"context"
	"io"
	"maps"
	"net/http"

	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/resource"
)

// fly runs one flight from the first question to the last reader. The context is
// the flight's own.
func (p *Proxy) fly(ctx context.Context, f *flight) {
	defer p.flights.done(f)
	defer f.cancel(nil)
	x := p.newRace(f.fetch)
	defer x.close()
	if st := p.second(f); st != nil {
		p.land(f, outcome{stored: st, common: true})
		f.spool.finish(nil)
		return
	}
	a := x.run(ctx)
	out, body := p.outcome(ctx, f.fetch, &a)
	out.tried, out.refused = x.tried, x.refused
	if !x.newer.IsZero() {
		out.newer = x.newer
	}
	p.tellTried(f.fetch, x.tried)
	if body == nil {
		p.land(f, out)
		f.spool.finish(out.failed)
		return
	}
	defer body.Close()
	broken := func() { x.stall(a.from) }
	if a.copy != nil { // unlike a response's, its reading need not end with the context
		broken = func() { x.stall(a.from); _ = body.Close() }
		defer context.AfterFunc(ctx, broken)()
	}
	var w Writer
	if out.storing {
		w = p.create()
		out.storing, out.common = w != nil, out.common && w != nil
	}
	if w != nil {
		f.spool.keep(w, p.cfg.MaxBody)
	}
	p.land(f, out)
	p.transfer(ctx, f, &a, watch(body, p.cfg.Idle, broken), w)
}

// land tells the readers what the flight came to.
func (p *Proxy) land(f *flight, out outcome) {
	f.outcome = out
	close(f.landed)
	if !out.common {
		p.flights.retire(f)
	}
}

// second looks into the store once more, right after a flight was put on the table:
// the flight before it may have been stored after this request's own look-up.
func (p *Proxy) second(f *flight) *resource.Stored {
	if !f.shared || f.fetch.source != SourceAny {
		return nil
	}
	found := p.find(f.fetch.request)
	if found.stored == nil || found.stored == f.fetch.known || !p.serveable(f.fetch.request, found) {
		return nil
	}
	return found.stored
}

// transfer brings the body to the readers and into the store.
func (p *Proxy) transfer(ctx context.Context, f *flight, a *answer, body io.Reader, w Writer) {
	err := f.spool.fill(ctx, body)
	if a.copy != nil {
		_ = a.copy.Body.Close() // perhaps in memory, and the readers may take their time
	}
	if err == nil && f.outcome.length >= 0 && f.spool.size() != f.outcome.length {
		err = io.ErrUnexpectedEOF // net/http sees to that, a peer's reader might not
	}
	if err == nil && a.response != nil {
		maps.Copy(f.outcome.trailer, a.response.Trailer)
	}
	if err != nil {
		p.log.Debug("body broken off", "err", causeOf(ctx, err), "url", f.fetch.url.String())
	}
	f.spool.finish(err)
	if err := f.spool.refused(); err != nil {
		p.notStored(err, f.fetch.url.String())
	}
	if w != nil && !f.outdated.Load() {
		p.commitAll(ctx, f, a, w, err)
	}
	f.stored()
	p.flights.retire(f)
	f.spool.drained(ctx)
	if w != nil {
		_ = w.Abort() // without effect on what has been committed
	}
}

// commitAll stores what has come of a body, whole or broken off by an error.
func (p *Proxy) commitAll(ctx context.Context, f *flight, a *answer, w Writer, broken error) {
	switch {
	case broken != nil:
		p.commitPart(ctx, f, a, w)
	case f.spool.keeping():
		p.commit(ctx, f, a, w)
	}
	if f.outdated.Load() { // just now: the removal may have come before
		ctx, end := p.storing.begin(ctx)
		defer end()
		if err := p.cfg.Store.Delete(ctx, f.key.id); err != nil {
			p.notStored(err, f.fetch.url.String())
		}
	}
}

func (p *Proxy) create() Writer {
	if p.cfg.Store == nil {
		return nil
	}
	w, err := p.cfg.Store.Create()
	if err != nil {
		p.notStored(err, "")
		return nil
	}
	return w
}

// commit stores a whole response.
func (p *Proxy) commit(ctx context.Context, f *flight, a *answer, w Writer) {
	st, err := p.toStore(f, a, w.Body())
	if err == nil {
		err = p.put(ctx, w, st)
	}
	if err != nil {
		p.notStored(err, f.fetch.url.String())
		return
	}
	p.recheckLater(f.fetch, a, st)
}

func (p *Proxy) put(ctx context.Context, w Writer, st *resource.Stored) error {
	ctx, end := p.storing.begin(ctx)
	defer end()
	if err := w.Commit(ctx, st); err != nil {
		return err
	}
	p.hook(st)
	return nil
}

// commitPart stores what has come of a body that broke off, if it can be completed one day
// (RFC 9111 section 3.3).
func (p *Proxy) commitPart(ctx context.Context, f *flight, a *answer, w Writer) {
	if a.response == nil || a.joined != nil || f.spool.refused() != nil {
		return
	}
	ex := *f.outcome.exchange
	ex.Body = w.Body()
	part := &ex
	if ex.Status != http.StatusPartialContent {
		var ok bool
		if part, ok, _ = httpcache.Incomplete(&ex, ex.Body.Length); !ok {
			return
		}
		part.Body = ex.Body
	} else if _, ok := httpcache.PartOf(part); !ok || httpcache.StrongValidator(part) == "" {
		return // nothing of it has come, or it is never to be completed
	}
	st := &resource.Stored{Exchange: part, Tier: resource.Origin, StoredAt: p.cfg.Now(), WithCookie: hasCookie(f.fetch)}
	if err := p.put(ctx, w, st); err != nil {
		p.notStored(err, f.fetch.url.String())
	}
}

// hasCookie reports whether a fetch told the origin who asks.
func hasCookie(f *fetch) bool { return f.fields["Cookie"] != nil }

func (p *Proxy) hook(st *resource.Stored) {
	if p.cfg.Stored != nil {
		p.cfg.Stored(st)
	}
}

// toStore completes the exchange. What came from the origin is signed here; a copy
// is stored as its peer gave it, signatures and all.
func (p *Proxy) toStore(f *flight, a *answer, body resource.Body) (*resource.Stored, error) {
	st := &resource.Stored{Tier: f.outcome.tier, StoredAt: p.cfg.Now()}
	if a.copy != nil {
		if body.Root != a.copy.Exchange.Body.Root {
			return nil, errUnfit // the fetcher should have noticed
		}
		st.Exchange, st.Signer = a.copy.Exchange, a.copy.Signer
		if st.Tier > resource.Unproven { // who looked at what may be a lie does not spread it
			st.Shareable, _ = p.shareableCopy(st.Exchange)
		}
		return st, nil
	}
	ex, err := asReceived(f.outcome.exchange, body)
	if known := f.fetch.known; err == nil && known != nil && known.Exchange.Body.Root == ex.Body.Root {
		ex.Signatures = known.Exchange.Signatures // who got the same is a witness of it
	}
	if err == nil {
		err = p.sign(ex)
	}
	if err != nil {
		return nil, err
	}
	st.Exchange, st.WithCookie = ex, hasCookie(f.fetch)
	p.Learn(st)
	st.EndUncertain = a.joined == nil && endUncertain(a.response)
	st.Shareable = !st.EndUncertain && p.shareable(f.fetch, a, ex)
	if a.joined != nil { // it is as private as the stored piece of it
		st.Shareable = st.Shareable && a.joined.stored.Shareable
		st.WithCookie = st.WithCookie || a.joined.stored.WithCookie
	}
	return st, nil
}

// asReceived is an exchange, which readers have, with the body that has come. A part may turn out to
// be the whole, or not to be what its Content-Range says (RFC 9110 section 14.4).
func asReceived(ex *resource.Exchange, body resource.Body) (*resource.Exchange, error) {
	received := *ex
	received.Body = body
	if ex.Status != http.StatusPartialContent {
		return &received, nil
	}
	if _, ok := httpcache.PartOf(&received); !ok {
		return nil, errUnfitPart
	}
	if whole, ok := httpcache.WholePart(&received); ok {
		return whole, nil
	}
	return &received, nil
}

func (p *Proxy) sign(ex *resource.Exchange) error {
	if p.cfg.Signer == nil {
		return nil
	}
	return p.cfg.Signer.Sign(ex)
}

func (p *Proxy) shareable(f *fetch, a *answer, ex *resource.Exchange) bool {
	ok, why := ShareDecision(p.question(f, a, ex))
	p.log.Debug("shareable", "ok", ok, "why", string(why), "url", ex.URL.String())
	return ok
}
