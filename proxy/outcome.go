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
	"github.com/peerproxy/peerproxy/resource"
)

// outcome makes of an answer what readers get. The body is nil if there is none to
// be transferred.
func (p *Proxy) outcome(ctx context.Context, f *fetch, a *answer) (outcome, io.ReadCloser) {
	switch {
	case a.copy != nil:
		return p.copied(f, a)
	case a.response == nil:
		return outcome{failed: a.err, common: true}, nil
	case a.joined != nil:
		return p.joined(ctx, f, a)
	case a.response.StatusCode == http.StatusNotModified:
		return p.confirmed(ctx, f, a), nil
	case f.in.Method == http.MethodHead, isGone(a.response.StatusCode):
		p.headSays(ctx, f, a)
	}
	return p.received(f, a)
}

// copied is the outcome when a peer gave a copy.
func (p *Proxy) copied(f *fetch, a *answer) (outcome, io.ReadCloser) {
	out := outcome{
		exchange: a.copy.Exchange, status: a.copy.Exchange.Status, tier: a.copy.Tier,
		length: a.copy.Exchange.Body.Length, proto: "1.1",
		witnesses: a.copy.Witnesses, witnessed: a.copy.WitnessedAt, newer: a.copy.Newer,
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

// exchangeOf is what an origin's answer is stored as, but for its body.
func exchangeOf(f *fetch, a *answer) *resource.Exchange {
	r := a.response
	selecting, _ := httpcache.Selecting(f.in.Header, r.Header) // the fields that Matches will look at
	return &resource.Exchange{
		Method: http.MethodGet, URL: f.url, Selecting: selecting, Status: r.StatusCode, Header: r.Header,
		Requested: a.requested, Received: a.received, InitialAge: httpcache.InitialAge(r.Header),
	}
}

// received is the outcome when the origin gave a response other than 304.
func (p *Proxy) received(f *fetch, a *answer) (outcome, io.ReadCloser) {
	r := a.response
	out := outcome{
		failed: a.err, status: r.StatusCode, tier: resource.Origin, length: r.ContentLength,
		proto:     version(r.ProtoMajor, r.ProtoMinor),
		announced: slices.Collect(maps.Keys(r.Trailer)), trailer: http.Header{},
		exchange: exchangeOf(f, a), verbatim: true, cookie: hasCookie(f), setCookie: r.Header["Set-Cookie"],
	}
	storable := p.storable(f, a)
	endToEnd(out.exchange.Header)
	if storable && r.StatusCode == http.StatusPartialContent {
		out.exchange, out.verbatim = wholeOf(out.exchange, r.ContentLength)
	}
	out.storing = storable && p.takes(r.ContentLength)
	// What answers a range answers nobody else who waits.
	out.common = out.storing && !f.ranged && !p.forOne(r.Header)
	return out, r.Body
}

// storable decides whether what an origin gave is to be stored, and tells why.
func (p *Proxy) storable(f *fetch, a *answer) bool {
	r := a.response
	asked := &http.Request{Method: f.in.Method, Header: f.fields}
	if lines := f.in.Header["Expect"]; lines != nil { // it went no further, but a 417 is about nothing else
		asked.Header = f.fields.Clone()
		asked.Header["Expect"] = lines
	}
	ok, why := p.cfg.Policy.Storable(asked, r.StatusCode, r.Header)
	if r.StatusCode == http.StatusPartialContent {
		ok, why = p.cfg.Policy.StorablePart(asked, r.Header, r.ContentLength)
	}
	if ok {
		ok, why = p.storableHere(f, a, why)
	}
	p.tellReceived(f, a, ok, why)
	p.log.Debug("response", "status", r.StatusCode, "storable", ok, "why", why.Text, "section", why.Section, "url", f.url.String())
	return ok
}

// storableHere adds to httpcache's word what only shows in transfer, and what is stored already.
func (p *Proxy) storableHere(f *fetch, a *answer, why httpcache.Reason) (bool, httpcache.Reason) {
	r := a.response
	text, section := "", ""
	switch {
	case p.cfg.Store == nil:
		text = "there is no store"
	case strings.HasPrefix(r.Header.Get("Content-Type"), "text/event-stream"):
		text = "it is a stream of events, which has no end"
	case r.Uncompressed:
		text = "it is not as the origin sent it"
	case a.err != nil && f.known != nil && f.known.Exchange.Status < 400:
		text, section = "an error never takes the place of a good response", "RFC 9111 section 4.3.3"
	case r.StatusCode == http.StatusPartialContent && f.known != nil && f.known.Exchange.Status == http.StatusPartialContent && p.longer(f, r):
		text = "a longer part is stored"
	default:
		return true, why
	}
	return false, httpcache.Reason{Text: "not stored: " + text, Section: section}
}

// endUncertain reports whether nothing will say that all of a body has come but the end of its
// connection, which only TLS makes certain (RFC 9112 sections 8 and 9.8).
func endUncertain(r *http.Response) bool {
	return r.ContentLength < 0 && len(r.TransferEncoding) == 0 && r.ProtoMajor < 2 && r.TLS == nil
}

// longer reports whether the part that is stored is worth more than one that is received. One of
// another representation never is: who asks for ranges would get bytes of both.
func (p *Proxy) longer(f *fetch, r *http.Response) bool {
	known := f.known.Exchange
	if httpcache.StrongValidator(known) != httpcache.StrongValidator(&resource.Exchange{Header: r.Header}) {
		return false
	}
	ev := p.evaluate(f.request, f.known)
	return ev.Age < ev.Lifetime && r.ContentLength >= 0 && known.Body.Length > r.ContentLength
}

// wholeOf makes a whole response of a part that is all of its representation, as "bytes=0-"
// brings it. Without a Content-Length that shows only when all has come: see [asReceived].
func wholeOf(ex *resource.Exchange, length int64) (_ *resource.Exchange, verbatim bool) {
	part := *ex
	part.Body.Length = length
	if whole, ok := httpcache.WholePart(&part); ok {
		return whole, false
	}
	return ex, true
}

// takes reports whether there is a store for a body of a length, -1 = unknown. What
// would never be committed must not make it drop what it has.
func (p *Proxy) takes(length int64) bool {
	return p.cfg.Store != nil && (p.cfg.MaxBody <= 0 || length <= p.cfg.MaxBody)
}

// joined is the outcome when what the origin sent and what is stored make one response.
func (p *Proxy) joined(ctx context.Context, f *fetch, a *answer) (outcome, io.ReadCloser) {
	body, err := p.open(a.joined, a.response.Body)
	if err != nil {
		p.log.Warn("stored response not readable", "err", err)
		_ = a.response.Body.Close()
		return outcome{}, nil // whoever waits asks anew, without the store
	}
	if a.response.StatusCode == http.StatusNotModified {
		p.freshenAll(ctx, f, a)
	}
	out := outcome{
		exchange: a.joined.Exchange, status: a.response.StatusCode, tier: resource.Origin, length: a.joined.length(),
		proto: version(a.response.ProtoMajor, a.response.ProtoMinor),
	}
	mayKeep, _ := p.cfg.Policy.StorableUpdate(f.in, out.exchange)
	out.storing = p.takes(out.length) && mayKeep
	out.common = out.storing && !f.ranged && !p.forOne(out.exchange.Header)
	out.cookie, out.setCookie = hasCookie(f) || a.joined.stored.WithCookie, a.response.Header["Set-Cookie"]
	return out, body
}

// forOne reports whether the fields of a response say that it answers only the request to which it
// is the response: others have to ask themselves (RFC 9111 sections 5.2.2.4, 5.2.2.5 and 5.2.2.7).
func (p *Proxy) forOne(h http.Header) bool {
	said, _ := p.cfg.Policy.Directives(h)
	return said.NoCache || said.Private || said.NoStore
}

// confirmed is the outcome when the origin says that the stored response is still
// the right one (RFC 9111 section 4.3.4).
func (p *Proxy) confirmed(ctx context.Context, f *fetch, a *answer) outcome {
	_ = a.response.Body.Close()
	ex := httpcache.Freshen(f.known.Exchange, a.response.Header, a.requested, a.received)
	if a.response.Header["Vary"] != nil {
		ex.Selecting, _ = httpcache.Selecting(f.in.Header, ex.Header)
	}
	st, err := p.replace(ctx, f, a, f.known, ex)
	p.tellFresh(f, st)
	return outcome{
		stored: st, status: http.StatusNotModified, setCookie: a.response.Header["Set-Cookie"],
		common: !errors.Is(err, context.Canceled) && !p.forOne(ex.Header),
	}
}

// freshenAll updates the stored responses that a 304 is about, beside the one that is made of
// it (RFC 9111 section 4.3.4).
func (p *Proxy) freshenAll(ctx context.Context, f *fetch, a *answer) {
	about, _ := httpcache.Updated(exchangesOf(f.asked), a.response.Header)
	for _, st := range f.asked {
		if slices.Contains(about, st.Exchange) && !revaries(st.Exchange, a.response.Header) {
			_, _ = p.replace(ctx, f, a, st, httpcache.Freshen(st.Exchange, a.response.Header, a.requested, a.received))
		}
	}
}

// revaries reports whether the fields of an update name other selecting fields than a stored response
// does: what the request for that had of them nobody knows any more (RFC 9111 section 4.1).
func revaries(ex *resource.Exchange, update http.Header) bool {
	return update["Vary"] != nil && !slices.Equal(update["Vary"], ex.Header["Vary"])
}

// isGone reports whether a response says that the resource is no longer there. It does not take the
// place of a good response, but that is not to be shown unasked any more.
func isGone(status int) bool { return status == http.StatusNotFound || status == http.StatusGone }

// headSays applies the answer to a HEAD request to the stored responses that could have been
// chosen for it (RFC 9111 section 4.3.5), and likewise what says that the resource is gone.
func (p *Proxy) headSays(ctx context.Context, f *fetch, a *answer) {
	if p.cfg.Store == nil || a.err != nil || f.source != SourceAny {
		return
	}
	variants, _ := p.cfg.Store.Lookup(f.id) // whose failure was told at the first look
	for _, st := range variants {
		if st.Tier != resource.Origin || !httpcache.Matches(f.in.Header, st.Exchange) {
			continue
		}
		effect, why := httpcache.OfHead(st.Exchange, a.response.StatusCode, a.response.Header)
		p.tell(f.request, "stored response", why)
		switch effect {
		case httpcache.HeadFreshens:
			if revaries(st.Exchange, a.response.Header) {
				continue
			}
			_, _ = p.replace(ctx, f, a, st, httpcache.Freshen(st.Exchange, a.response.Header, a.requested, a.received))
		case httpcache.HeadOutdates:
			_, _ = p.replace(ctx, f, a, st, p.cfg.Policy.For(st).Outdate(st.Exchange, a.received))
		}
	}
}

// replace changes the exchange of a stored response, and signs it anew, unless the request
// forbids to keep the change. A failure is told to the log: the response is good, even if the
// store does not know it.
func (p *Proxy) replace(ctx context.Context, f *fetch, a *answer, old *resource.Stored, ex *resource.Exchange) (*resource.Stored, error) {
	st := &resource.Stored{
		Exchange: ex, Tier: old.Tier, Signer: old.Signer, StoredAt: p.cfg.Now(),
		EndUncertain: old.EndUncertain, WithCookie: old.WithCookie && hasCookie(f), // what is right for somebody without is not personal
	}
	if ok, why := p.cfg.Policy.StorableUpdate(f.in, ex); !ok {
		p.tell(f.request, "stored", why)
		return st, nil
	}
	st.Shareable = p.staysShareable(f, a, old, ex)
	ex.Signatures = old.Exchange.Signatures // of these, signing keeps the witnesses
	err := p.sign(ex)
	if err == nil {
		err = p.freshen(ctx, st)
	}
	if err != nil {
		p.notStored(err, f.url.String())
		return st, err
	}
	p.hook(st)
	p.recheckLater(f, a, st)
	return st, nil
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
