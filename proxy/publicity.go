package proxy

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/peerproxy/peerproxy/internal/addr"
	"github.com/peerproxy/peerproxy/resource"
)

// private reports whether the user keeps a site to himself.
func (p *Proxy) private(u resource.URL) bool { return p.cfg.Sites.For(u).Private }

// question is what decides whether what an origin gave may be shared.
func (p *Proxy) question(f *fetch, a *answer, ex *resource.Exchange) ShareQuestion {
	host := f.url.Host()
	return ShareQuestion{
		Method: ex.Method, URL: ex.URL, Request: f.fields, Status: ex.Status, Response: ex.Header,
		// Where an upstream resolves the name, nobody here can tell that it is no inner network.
		PublicHost:  p.dialer.Resolves(host) || p.dialer.Upstream == nil && p.dialer.Public(host) && (!a.remote.IsValid() || addr.Public(a.remote)),
		PrivateSite: p.private(f.url),
	}
}

// SiteQuestion is what this proxy knows of a URL's host, for [ShareClauses]: without having asked it.
func (p *Proxy) SiteQuestion(u resource.URL) ShareQuestion {
	host := u.Host()
	return ShareQuestion{
		PublicHost: p.dialer.Resolves(host) || p.dialer.Upstream == nil && p.dialer.Public(host), PrivateSite: p.private(u),
	}
}

// apartFromCookie reports whether a cookie is all that keeps a response from being shared.
func (p *Proxy) apartFromCookie(f *fetch, a *answer, ex *resource.Exchange) bool {
	q := p.question(f, a, ex)
	q.Request = maps.Clone(q.Request)
	delete(q.Request, "Cookie")
	ok, _ := ShareDecision(q)
	return ok
}

// staysShareable decides whether a stored response is shareable with the fields of an update. One
// that was confirmed for somebody with a cookie is if nothing of the update but its dates is in it:
// body and all other fields were given to somebody without.
func (p *Proxy) staysShareable(f *fetch, a *answer, old *resource.Stored, ex *resource.Exchange) bool {
	if !old.Shareable || p.shareable(f, a, ex) {
		return old.Shareable
	}
	return hasCookie(f) && onlyDatesDiffer(old.Exchange.Header, ex.Header) && p.apartFromCookie(f, a, ex)
}

func onlyDatesDiffer(a, b http.Header) bool {
	a, b = a.Clone(), b.Clone()
	deleteAll(a, []string{"Date", "Expires"})
	deleteAll(b, []string{"Date", "Expires"})
	return maps.EqualFunc(a, b, slices.Equal)
}

// recheckLater has a response fetched a second time if a cookie is all that keeps it from being
// shared: if somebody without one gets the same, it is no one person's page.
func (p *Proxy) recheckLater(f *fetch, a *answer, st *resource.Stored) {
	if !p.cfg.Recheck.On || st.Shareable || st.EndUncertain || st.Tier != resource.Origin || !hasCookie(f) ||
		st.Exchange.Body.Length > p.rechecks.set.MaxBody {
		return
	}
	if p.apartFromCookie(f, a, st.Exchange) {
		p.rechecks.add(&recheck{first: st, in: anonymous(f.in)}, p.recheck)
	}
}

// toldAgain are the fields of a first request that the second has, too. They choose a variant or
// say what the client can do; the origin has had them, and no others are needed. In particular no
// validator of the first response is sent: an entity tag may be unique to one user, and would tell
// the origin who asks as well as a cookie does.
var toldAgain = slices.Concat(resource.SelectingFields, []string{"User-Agent"})

// anonymous is a request for the same by nobody in particular. Caches on the way are asked not to
// answer by themselves: one that does not look at cookies would give what it has just got for
// the user.
func anonymous(in *http.Request) *http.Request {
	out := &http.Request{
		Method: http.MethodGet, URL: in.URL, Host: in.Host, RequestURI: in.RequestURI,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Cache-Control": {"no-cache"}},
	}
	for _, name := range toldAgain {
		if lines := in.Header[name]; lines != nil {
			out.Header[name] = slices.Clone(lines)
		}
	}
	return out
}

// recheck fetches a response a second time, and stores what comes as shareable if it is the same.
// It reports whether that was tried, so that it is not tried again soon.
func (p *Proxy) recheck(ctx context.Context, c *recheck) (tried bool) {
	u := c.first.Exchange.URL
	if p.private(u) || p.health.failing(u.Site()) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, recheckTime)
	defer cancel()
	in := c.in.WithContext(ctx)
	f := &fetch{request: &request{in: in, url: u, id: c.first.Exchange.ID(), source: SourceOrigin}, fields: p.fields(in)}
	a := p.askAnew(ctx, f)
	equal, err := false, a.err
	if err == nil {
		equal, err = p.takeSecond(ctx, c, f, &a)
		_ = a.response.Body.Close()
	}
	p.log.Debug("fetched again without a cookie", "equal", equal, "err", err, "url", u.String())
	return true
}

// askAnew asks the origin over a connection of its own: some sites know who is at the other end of
// a connection that they have seen credentials on (NTLM, Negotiate).
func (p *Proxy) askAnew(ctx context.Context, f *fetch) answer {
	transport := p.transport
	if p.ownedPool != nil {
		single := p.ownedPool.Clone()
		single.DisableKeepAlives = true
		transport = hopFields{single}
	}
	a := answer{from: origin, requested: p.cfg.Now()}
	remote := &remoteAddr{}
	response, err := transport.RoundTrip(outgoing(remote.trace(ctx, nil), f.in, f.fields)) //nolint:bodyclose // recheck does
	a.received, a.remote = p.cfg.Now(), remote.get()
	if err != nil {
		a.err = fmt.Errorf("proxy: second fetch: %w", causeOf(ctx, err))
		return a
	}
	a.response = response
	return a
}

// takeSecond compares what a second fetch gave with the first, and stores it if it is the same and
// passes every clause of the rule itself. What differs is not kept: the user's own page stays.
func (p *Proxy) takeSecond(ctx context.Context, c *recheck, f *fetch, a *answer) (equal bool, err error) {
	first := c.first.Exchange
	if a.response.StatusCode != first.Status || !p.storable(f, a) {
		return false, nil
	}
	ex := exchangeOf(f, a)
	endToEnd(ex.Header)
	if !sameMeaning(ex.Header, first.Header) {
		return false, nil
	}
	w := p.create()
	if w == nil {
		return false, nil // the log knows
	}
	defer func() { _ = w.Abort() }() // without effect on what has been committed
	n, err := io.Copy(w, io.LimitReader(a.response.Body, first.Body.Length+1))
	if err != nil {
		return false, fmt.Errorf("proxy: second fetch: %w", causeOf(ctx, err))
	}
	if n != first.Body.Length || w.Body().Root != first.Body.Root {
		return false, nil
	}
	ex.Body = w.Body()
	if err := p.sign(ex); err != nil {
		return true, fmt.Errorf("proxy: second fetch: %w", err)
	}
	st := &resource.Stored{Exchange: ex, Tier: resource.Origin, StoredAt: p.cfg.Now(), EndUncertain: endUncertain(a.response)}
	if st.Shareable = !st.EndUncertain && p.shareable(f, a, ex); st.Shareable {
		p.storeSecond(ctx, c, w, st)
	}
	return true, nil
}

// storeSecond puts the second response in the place of the first, unless that is there no longer.
func (p *Proxy) storeSecond(ctx context.Context, c *recheck, w Writer, st *resource.Stored) {
	id, root := st.Exchange.ID(), st.Exchange.Body.Root
	variants, err := p.cfg.Store.Lookup(id)
	there := slices.ContainsFunc(variants, func(old *resource.Stored) bool { return old.Exchange.Body.Root == root })
	if err == nil && there && !c.outdated.Load() {
		err = p.put(ctx, w, st)
	}
	if err != nil {
		p.notStored(err, st.Exchange.URL.String())
	}
	if c.outdated.Load() { // an unsafe request has changed it, perhaps just now: see commitAll
		ctx, end := p.storing.begin(ctx)
		defer end()
		if err := p.cfg.Store.Delete(ctx, id); err != nil {
			p.notStored(err, st.Exchange.URL.String())
		}
	}
}

// meaning are the fields that, besides those of whole families, say how a body is to be read and used.
var meaning = map[string]bool{
	"Cache-Control": true, "Vary": true, "Location": true, "Refresh": true, "Link": true, "Referrer-Policy": true,
	"X-Frame-Options": true, "X-Content-Type-Options": true, "Permissions-Policy": true, "Clear-Site-Data": true,
}

func hasMeaning(name string) bool {
	return meaning[name] || strings.HasPrefix(name, "Content-") && name != "Content-Length" ||
		strings.HasPrefix(name, "Access-Control-") || strings.HasPrefix(name, "Cross-Origin-")
}

// sameMeaning reports whether two responses with the same body have the same effect. Dates, entity
// tags and what servers say of themselves may differ.
func sameMeaning(a, b http.Header) bool {
	return maps.EqualFunc(meaningful(a), meaningful(b), slices.Equal)
}

func meaningful(h http.Header) http.Header {
	few := http.Header{}
	for name, lines := range h {
		if hasMeaning(name) {
			few[name] = lines
		}
	}
	return few
}
