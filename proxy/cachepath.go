package proxy

import (
	"net/http"
	"slices"
	"time"

	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/resource"
)

// found is what the store has for a request.
type found struct {
	stored   *resource.Stored // the newest variant that fits, nil = none
	ev       httpcache.Evaluation
	missing  bool               // stored is a part without all that is asked for
	variants []*resource.Stored // all of the resource, newest first
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
	if slices.ContainsFunc(variants, p.isRefused) {
		variants = slices.DeleteFunc(slices.Clone(variants), p.isRefused)
	}
	best := found{variants: variants}
	for _, st := range variants {
		if !httpcache.Matches(r.in.Header, st.Exchange) {
			continue
		}
		missing := r.lacks(st.Exchange)
		if best.stored == nil || best.missing && !missing {
			best.stored, best.missing = st, missing
		}
		if !missing {
			break
		}
	}
	if best.stored != nil {
		best.ev = p.evaluate(r, best.stored)
	}
	return best
}

// evaluate is httpcache's judgement under the policy that holds for a stored response.
func (p *Proxy) evaluate(r *request, st *resource.Stored) httpcache.Evaluation {
	return p.cfg.Policy.For(st).Evaluate(r.in, p.storedAsSeen(st), p.cfg.Now())
}

// lacks reports whether a stored response is a part without all that is asked for.
func (r *request) lacks(ex *resource.Exchange) bool {
	if ex.Status != http.StatusPartialContent {
		return false
	}
	return r.in.Method != http.MethodGet || httpcache.ChooseRanges(r.in.Header, ex).Status == httpcache.RangeMissing
}

// serveable reports whether what was found may be served without asking anybody.
// A copy whose fields nobody whom the user trusts vouches for is second to the origin, as
// long as the origin is there: that it is fresh for a year may be made up. A stored failure of the origin is second to the copies
// of peers.
func (p *Proxy) serveable(r *request, f found) bool {
	if f.stored == nil || f.missing || !f.ev.Verdict.Reusable() {
		return false
	}
	if means := badStatus(f.stored.Exchange.Status, false); means != nil && p.mayAskPeers(r) {
		return false
	}
	return !bareFields(p.tierOf(f.stored)) || p.health.failing(r.url.Site())
}

// soon reports whether what was found may be served while the origin is asked about it
// (RFC 5861 section 3). Who would have it asked for himself alone waits for the answer.
func (p *Proxy) soon(r *request, f found) bool {
	return r.source == SourceAny && r.forAll() && f.stored != nil && !f.missing && f.ev.StaleWhileRevalidate && f.stored.Tier == resource.Origin
}

// forwardReason is the fwd parameter of Cache-Status for what was found.
func (p *Proxy) forwardReason(r *request, f found) string {
	switch {
	case p.cfg.Store == nil || r.source == SourceOrigin || r.source == SourcePeers || httpcache.ParseCacheControl(r.in.Header).NoStore:
		return fwdBypass
	case f.stored == nil && len(f.variants) > 0:
		return fwdVaryMiss
	case f.stored == nil:
		return fwdURIMiss
	case f.missing:
		return fwdPartial
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
	cs, ok := p.alone(r, f, onlyStored)
	if !ok {
		f = p.findStored(r, f)
		cs, ok = p.alone(r, f, onlyStored)
	}
	p.tellFound(r, f)
	if ok {
		if p.serveStored(w, r, f.stored, cs, proxyStatus{}) {
			return
		}
		f = found{} // its body can't be read: as good as not there
	}
	if onlyStored {
		p.answer(w, r.in, report{failure: explain(errNotStored), cache: cacheStatus{fwd: p.forwardReason(r, f)}})
		return
	}
	x := p.newFetch(r, f)
	p.tellAsked(x)
	p.ride(w, x, p.forwardReason(r, f), p.mayShare(x))
}

// alone decides whether what was found answers the request without waiting for anybody. A
// response that is to be validated meanwhile is.
func (p *Proxy) alone(r *request, f found, onlyStored bool) (cs cacheStatus, ok bool) {
	cs = cacheStatus{ttl: f.ev.Lifetime - f.ev.Age, hasTTL: true}
	switch {
	case f.stored == nil || f.missing:
		return cs, false
	case r.source == SourceCache, r.source == SourceAny && p.serveable(r, f), onlyStored && f.ev.Verdict.Reusable():
		return cs, true
	case p.soon(r, f):
		p.revalidate(r, f)
		cs.detail = "stale-while-revalidate"
		return cs, true
	}
	return cs, false
}

// mayShare reports whether others may get what is fetched for this request.
func (p *Proxy) mayShare(x *fetch) bool {
	return p.cfg.Store != nil && x.source == SourceAny && !x.ranged && x.in.Method == http.MethodGet && x.forAll()
}

// forAll reports whether a request leaves it to the response for whom that is (RFC 9111 sections 3.5
// and 5.2.1.5).
func (r *request) forAll() bool {
	return r.in.Header["Authorization"] == nil && !httpcache.ParseCacheControl(r.in.Header).NoStore
}

// ttl is how long a stored response will be fresh, or has been stale.
func (p *Proxy) ttl(r *request, st *resource.Stored) time.Duration {
	ev := p.evaluate(r, st)
	return ev.Lifetime - ev.Age
}
