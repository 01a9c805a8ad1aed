package proxy

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/peerproxy/peerproxy/httpcache"
)

// deliver writes the outcome of a flight to a client. Satisfied means that the
// client needs no more of the flight although it has not read all; done is false if
// the store failed, so that another fetch is needed.
func (p *Proxy) deliver(w http.ResponseWriter, x *fetch, s seat, cs cacheStatus) (satisfied, done bool) {
	out := &s.outcome
	switch {
	case out.stored != nil:
		cs.ttl, cs.hasTTL = p.ttl(x.request, out.stored), true
		if out.status == 0 { // found at the second look: a hit after all
			cs = cacheStatus{ttl: cs.ttl, hasTTL: true}
		}
		return false, p.serveStored(w, x.answered(s), out.stored, cs, proxyStatus{received: out.status})
	case out.failed != nil:
		return p.deliverFailure(w, x, s, cs), true
	case out.exchange == nil: // what was to be a part of it can't be read
		return false, false
	}
	return p.stream(w, x, s, cs)
}

// answered is the client's request together with what is only for it of the origin's answer.
func (x *fetch) answered(s seat) *request {
	r := *x.request
	r.newer, r.tried = s.outcome.newer, s.outcome.tried
	if s.first {
		r.setCookie = s.outcome.setCookie
	}
	return &r
}

// deliverFailure answers when the origin failed and no peer helped: with the stored
// copy if that is allowed, with what the origin said, or with a page of our own.
func (p *Proxy) deliverFailure(w http.ResponseWriter, x *fetch, s seat, cs cacheStatus) (satisfied bool) {
	out := &s.outcome
	failed := explain(out.failed)
	var status badStatusError
	if errors.As(out.failed, &status) {
		failed.kind = "" // the origin did answer: received-status says all
	}
	ps := failed.proxyStatus(out.status)
	ps.details = joinWords(ps.details, refusedWords(out))
	if x.usableNow(out) && p.standIn(w, x, out, cs, ps) {
		return false
	}
	if out.exchange != nil && (s.first || out.common) {
		if satisfied, done := p.stream(w, x, s, cs); done {
			return satisfied
		}
	}
	tried := out.tried
	if x.known != nil && !x.usable && !x.lacks(x.known.Exchange) {
		tried = append(tried[:len(tried):len(tried)], "A copy is stored here, but its site does not allow it to be shown unconfirmed.")
	}
	p.answer(w, x.in, report{failure: failed, cache: cs, received: out.status, refused: refusedWords(out), tried: tried})
	return false
}

// refusedWords is what Proxy-Status says of peers' copies that were not taken.
func refusedWords(out *outcome) string {
	if out.refused == "" {
		return ""
	}
	return "copies refused: " + out.refused
}

// deliverNothing answers when an answer ended before there was any content: an origin that
// hangs up then has failed, too. It returns true.
func (p *Proxy) deliverNothing(w http.ResponseWriter, x *fetch, out *outcome, cs cacheStatus, err error) bool {
	failed := explain(fmt.Errorf("%w: %w", errIncomplete, err))
	cs.stored = false
	if x.usable && p.standIn(w, x, out, cs, failed.proxyStatus(out.status)) {
		return true
	}
	p.answer(w, x.in, report{failure: failed, cache: cs, received: out.status, tried: out.tried})
	return true
}

// usableNow reports whether what is stored may stand in for an origin that failed: in place of
// an answer only as long as stale-if-error says, if it says anything (RFC 5861 section 4).
func (x *fetch) usableNow(out *outcome) bool {
	return x.usable && (x.instead || out.exchange == nil)
}

// standIn answers with what is stored, for an origin that failed.
func (p *Proxy) standIn(w http.ResponseWriter, x *fetch, out *outcome, cs cacheStatus, ps proxyStatus) bool {
	p.tell(x.request, "answer", httpcache.Reason{Text: "the stored response, in place of the origin's", Section: "RFC 9111 section 4.2.4"})
	r := *x.request
	r.newer, r.tried = out.newer, out.tried
	return p.serveStored(w, &r, x.known, p.instead(x, cs), ps)
}

// instead is the Cache-Status of a stored response that stands in for an origin that failed.
func (p *Proxy) instead(x *fetch, cs cacheStatus) cacheStatus {
	cs.ttl, cs.hasTTL, cs.detail = p.ttl(x.request, x.known), true, "stale-if-error"
	if cs.ttl > 0 { // it was not for its age that the origin was asked
		cs.detail = "origin-failed"
	}
	return cs
}
