package proxy

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/internal/addr"
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
	out.tried = x.tried
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
	if w != nil && err == nil && f.spool.keeping() {
		p.commit(ctx, f, a, w)
	}
	p.flights.retire(f)
	f.spool.drained(ctx)
	if w != nil {
		_ = w.Abort() // without effect on what has been committed
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
	ctx, end := p.storing.begin(ctx)
	defer end()
	st, err := p.toStore(f, a, w.Body())
	if err == nil {
		err = w.Commit(ctx, st)
	}
	if err != nil {
		p.notStored(err, f.fetch.url.String())
		return
	}
	p.hook(st)
}

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
		st.Shareable, _ = p.shareableCopy(st.Exchange)
		return st, nil
	}
	ex := *f.outcome.exchange // readers have the other
	ex.Body = body
	if err := p.sign(&ex); err != nil {
		return nil, err
	}
	st.Exchange = &ex
	st.Shareable = p.shareable(f.fetch, a, &ex)
	return st, nil
}

func (p *Proxy) sign(ex *resource.Exchange) error {
	if p.cfg.Signer == nil {
		return nil
	}
	return p.cfg.Signer.Sign(ex)
}

func (p *Proxy) shareable(f *fetch, a *answer, ex *resource.Exchange) bool {
	host := f.url.Host()
	question := ShareQuestion{
		Method: ex.Method, URL: ex.URL, Request: f.fields, Status: ex.Status, Response: ex.Header,
		// Where an upstream resolves the name, nobody here can tell that it is no inner network.
		PublicHost: p.dialer.Resolves(host) || p.dialer.Upstream == nil && p.dialer.Public(host) && (!a.remote.IsValid() || addr.Public(a.remote)),
	}
	ok, why := ShareDecision(question)
	p.log.Debug("shareable", "ok", ok, "why", string(why), "url", ex.URL.String())
	return ok
}

// outcome makes of an answer what readers get. The body is nil if there is none to
// be transferred.
func (p *Proxy) outcome(ctx context.Context, f *fetch, a *answer) (outcome, io.ReadCloser) {
	switch {
	case a.copy != nil:
		return p.copied(f, a)
	case a.response == nil:
		return outcome{failed: a.err, common: true}, nil
	case a.response.StatusCode == http.StatusNotModified:
		return p.confirmed(ctx, f, a), nil
	}
	return p.received(f, a)
}

// copied is the outcome when a peer gave a copy.
func (p *Proxy) copied(f *fetch, a *answer) (outcome, io.ReadCloser) {
	out := outcome{
		exchange: a.copy.Exchange, status: a.copy.Exchange.Status, tier: a.copy.Tier,
		length: a.copy.Exchange.Body.Length, proto: "1.1",
	}
	out.storing = p.takes(out.length)
	out.common = out.storing
	if f.in.Method == http.MethodHead {
		_ = a.copy.Body.Close()
		out.storing, out.common = false, true
		return out, nil
	}
	return out, a.copy.Body
}

// received is the outcome when the origin gave a response other than 304.
func (p *Proxy) received(f *fetch, a *answer) (outcome, io.ReadCloser) {
	r := a.response
	out := outcome{
		failed: a.err, status: r.StatusCode, tier: resource.Origin, length: r.ContentLength,
		proto:     version(r.ProtoMajor, r.ProtoMinor),
		announced: slices.Collect(maps.Keys(r.Trailer)), trailer: http.Header{},
	}
	storable, why := httpcache.Storable(&http.Request{Method: f.in.Method, Header: f.fields}, r.StatusCode, r.Header)
	selecting, selects := httpcache.Selecting(f.fields, r.Header)
	p.log.Debug("response", "status", r.StatusCode, "storable", storable, "why", why.Text, "section", why.Section, "url", f.url.String())
	ex := &resource.Exchange{
		Method: http.MethodGet, URL: f.url, Selecting: selecting, Status: r.StatusCode, Header: r.Header,
		Requested: a.requested, Received: a.received, InitialAge: httpcache.InitialAge(r.Header),
	}
	out.exchange = ex
	out.storing = p.takes(r.ContentLength) && storable && selects && a.err == nil && storableHere(f, r)
	out.common = out.storing && !httpcache.ParseCacheControl(r.Header).NoCache
	endToEnd(ex.Header)
	return out, r.Body
}

// takes reports whether there is a store for a body of a length, -1 = unknown. What
// would never be committed must not make it drop what it has.
func (p *Proxy) takes(length int64) bool {
	return p.cfg.Store != nil && (p.cfg.MaxBody <= 0 || length <= p.cfg.MaxBody)
}

// storableHere adds to httpcache's word what only shows in transfer. A body that
// ends with its connection may have been cut off: without TLS nobody can tell.
func storableHere(f *fetch, r *http.Response) bool {
	endless := strings.HasPrefix(r.Header.Get("Content-Type"), "text/event-stream")
	delimited := r.ContentLength >= 0 || len(r.TransferEncoding) > 0 || r.ProtoMajor >= 2 || r.TLS != nil
	portal := r.StatusCode == http.StatusNetworkAuthenticationRequired // RFC 6585 section 6: must not be stored
	return f.in.Method == http.MethodGet && r.StatusCode != http.StatusPartialContent && delimited && !endless && !portal && !r.Uncompressed
}

// confirmed is the outcome when the origin says that the stored response is still
// the right one (RFC 9111 section 4.3.4).
func (p *Proxy) confirmed(ctx context.Context, f *fetch, a *answer) outcome {
	_ = a.response.Body.Close()
	h, old := a.response.Header, f.known
	ex := httpcache.Freshen(old.Exchange, h, a.requested, a.received)
	if h["Vary"] != nil {
		ex.Selecting, _ = httpcache.Selecting(f.fields, ex.Header)
	}
	st := &resource.Stored{Exchange: ex, Tier: old.Tier, Signer: old.Signer, StoredAt: p.cfg.Now()}
	st.Shareable = old.Shareable && p.shareable(f, a, ex)
	err := p.sign(ex)
	if err == nil {
		err = p.freshen(ctx, st)
	}
	if err != nil {
		p.notStored(err, f.url.String())
	} else {
		p.hook(st)
	}
	return outcome{stored: st, status: http.StatusNotModified, common: !errors.Is(err, context.Canceled)}
}

func (p *Proxy) freshen(ctx context.Context, st *resource.Stored) error {
	ctx, end := p.storing.begin(ctx)
	defer end()
	return p.cfg.Store.Freshen(ctx, st)
}

// endToEnd removes from a response's header what is not for the client or for the
// store: fields of this hop and Age, whose value is kept elsewhere.
func endToEnd(h http.Header) {
	httpcache.RemoveHopByHop(h)
	delete(h, "Age")
}
