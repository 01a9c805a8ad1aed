package httpcache

import (
	"net/http"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// Verdict says whether a stored response may be used without asking the origin.
type Verdict int

// The verdicts. The zero value is the one that can do no harm.
const (
	// MustRevalidate: not to be used without successful validation. If the origin fails,
	// [Evaluation.StaleIfError] says whether it may be used nevertheless.
	MustRevalidate Verdict = iota
	// Fresh: to be used as it is.
	Fresh
	// StaleAllowed: stale, but to be used as it is, since the request's max-stale allows so.
	StaleAllowed
)

// Reusable reports whether the response may be sent without asking the origin.
func (v Verdict) Reusable() bool { return v == Fresh || v == StaleAllowed }

// String is the verdict in words.
func (v Verdict) String() string {
	switch v {
	case Fresh:
		return "fresh"
	case StaleAllowed:
		return "stale, but allowed"
	}
	return "to be validated"
}

// Evaluation is what [Evaluate] finds.
type Evaluation struct {
	Verdict  Verdict
	Why      Reason        // of the verdict
	Age      time.Duration // current age, see [Age]
	Lifetime time.Duration // freshness lifetime, see [Lifetime]

	// StaleIfError: the response may be sent if the origin fails or can't be reached, since
	// nothing in it forbids so (RFC 9111 section 4.2.4, RFC 5861 section 4). The request's
	// own wish for validation does not count here: it is a preference (section 5.2.1).
	StaleIfError bool
	// Failing is why StaleIfError is as it is.
	Failing Reason
	// StaleIfServerError: the response may be sent in place of an answer by which the origin says that
	// it failed, as a 503 (RFC 9111 section 4.3.3). It differs from StaleIfError where stale-if-error has run out: such
	// an origin is there and does not want its errors hidden for longer (RFC 5861 section 4),
	// while for one that can't be reached nobody speaks.
	StaleIfServerError bool

	// StaleWhileRevalidate: the response may be sent at once if it is validated in the
	// background meanwhile (RFC 5861 section 3). Verdict is then MustRevalidate.
	StaleWhileRevalidate bool

	// OnlyIfCached: the client does not want the origin to be asked. If no stored response
	// is reusable, the answer is 504 (Gateway Timeout) (RFC 9111 section 5.2.1.7).
	OnlyIfCached bool
}

// Evaluate decides whether a stored response that [Matches] the request may answer it
// without validation (RFC 9111 section 4). The request's no-store is the caller's matter: it
// forbids to store the answer, not to send a stored one.
func Evaluate(req *http.Request, ex *resource.Exchange, now time.Time) Evaluation {
	return Policy{}.Evaluate(req, ex, now)
}

// Evaluate is the function [Evaluate] under a policy.
func (p Policy) Evaluate(req *http.Request, ex *resource.Exchange, now time.Time) Evaluation {
	asked, said := requestDirectives(req.Header), p.rules(ex.Header)
	f := lifetime(ex, &said)
	e := Evaluation{Age: Age(ex, now), Lifetime: f.lifetime, OnlyIfCached: asked.OnlyIfCached}
	staleFor := e.Age - f.lifetime // fresh while this is negative (section 4.2)
	e.StaleIfError, e.Failing = whenOriginFails(&asked, &said.Directives, staleFor)
	_, exceeded := staleIfError(&asked, &said.Directives, staleFor)
	e.StaleIfServerError = e.StaleIfError && (staleFor < 0 || !exceeded)

	if e.Why = validationRequired(req, ex, &asked, &said.Directives, &e); e.Why.Text != "" {
		return e
	}
	if staleFor < 0 {
		e.Verdict, e.Why = Fresh, freshReason(f, e.Age)
		return e
	}
	e.judgeStale(f, staleFor, &asked, &said.Directives)
	return e
}

// judgeStale decides about a response that is stale by staleFor.
func (e *Evaluation) judgeStale(f freshness, staleFor time.Duration, asked, said *Directives) {
	e.Why = staleReason(f, staleFor)
	if _, forbidden := forbidsStale(said); forbidden {
		return
	}
	if asked.MaxStale.Set && !asked.MaxStale.Invalid && staleFor <= asked.MaxStale.Value {
		e.Verdict = StaleAllowed
		e.Why = Reason{sentence("stale for ", staleFor, ", which the request's max-stale allows"), "RFC 9111 section 5.2.1.2"}
		return
	}
	e.StaleWhileRevalidate = staleFor < said.StaleWhileRevalidate.Value
}

// validationRequired is why the response must be validated although it may be fresh.
func validationRequired(req *http.Request, ex *resource.Exchange, asked, said *Directives, e *Evaluation) Reason {
	fresh := e.Age < e.Lifetime
	switch {
	case req.Method != http.MethodGet && req.Method != http.MethodHead && req.Method != "":
		return Reason{"only GET and HEAD are answered from the store", "RFC 9111 section 4"}
	case said.NoCache:
		return Reason{"the response says no-cache: to be validated each time", "RFC 9111 section 5.2.2.4"}
	case withdrawn(said):
		return Reason{"the response has come to say private or no-store: to be validated each time", "RFC 9111 section 5.2.2.7"}
	case asked.NoCache:
		return Reason{"the request says no-cache", "RFC 9111 section 5.2.1.4"}
	case len(req.Header["If-Match"]) > 0 || len(req.Header["If-Unmodified-Since"]) > 0:
		return Reason{"only the origin can check If-Match and If-Unmodified-Since", "RFC 9111 section 4.3.2"}
	case ex.Status == http.StatusUnauthorized && len(req.Header["Authorization"]) > 0:
		// Else nobody could ever log in while a stored refusal is fresh.
		return Reason{"the stored response asks for credentials, and the request has some", "RFC 9110 section 15.5.2"}
	case fresh && said.Immutable:
		return Reason{} // RFC 8246 section 2: only no-cache overrides it
	case asked.MaxAge.Set && (e.Age > asked.MaxAge.Value || asked.MaxAge.Value == 0):
		return Reason{sentence("", e.Age, " old, more than the request's max-age allows"), "RFC 9111 section 5.2.1.1"}
	case asked.MinFresh.Set && e.Lifetime-e.Age < asked.MinFresh.Value:
		return Reason{"not fresh for as long as the request's min-fresh asks", "RFC 9111 section 5.2.1.3"}
	}
	return Reason{}
}

// withdrawn reports whether a response that is stored must not be stored any more: a 304 or a response
// to HEAD has changed what it says.
func withdrawn(said *Directives) bool {
	return said.Private || said.NoStore && !said.MustUnderstand
}

// forbidsStale is the directive that forbids to use a stale response without validation,
// whatever the request allows and even if the origin can't be reached
// (RFC 9111 section 4.2.4). s-maxage means proxy-revalidate, too (section 5.2.2.10).
func forbidsStale(said *Directives) (why Reason, forbidden bool) {
	switch {
	case said.MustRevalidate:
		return Reason{"must-revalidate forbids to use it stale", "RFC 9111 section 5.2.2.2"}, true
	case said.ProxyRevalidate:
		return Reason{"proxy-revalidate forbids to use it stale", "RFC 9111 section 5.2.2.8"}, true
	case said.SMaxAge.Set:
		return Reason{"s-maxage forbids to use it stale", "RFC 9111 section 5.2.2.10"}, true
	}
	return Reason{}, false
}

// whenOriginFails decides whether the response may be sent although the origin can't be
// reached to validate it.
func whenOriginFails(asked, said *Directives, staleFor time.Duration) (allowed bool, why Reason) {
	if said.NoCache {
		return false, Reason{"no-cache forbids to use it without validation", "RFC 9111 section 5.2.2.4"}
	}
	if withdrawn(said) {
		return false, Reason{"private or no-store forbids to use it without validation", "RFC 9111 section 5.2.2.7"}
	}
	if staleFor < 0 {
		return true, Reason{"it is still fresh", "RFC 9111 section 4.2"}
	}
	if why, forbidden := forbidsStale(said); forbidden {
		return false, why
	}
	if allowed, _ := staleIfError(asked, said, staleFor); allowed {
		return true, Reason{"stale-if-error allows it", "RFC 5861 section 4"}
	}
	return true, Reason{"nothing forbids to use it stale while the origin can't be reached", "RFC 9111 section 4.2.4"}
}

// staleIfError reads stale-if-error of both sides, the more generous one counting: whether it
// allows the response, and whether it is there and allows it no longer.
func staleIfError(asked, said *Directives, staleFor time.Duration) (allowed, exceeded bool) {
	for _, limit := range [...]Delta{said.StaleIfError, asked.StaleIfError} {
		if limit.Set && !limit.Invalid {
			allowed = allowed || staleFor < limit.Value
			exceeded = true
		}
	}
	return allowed, exceeded && !allowed
}

func freshReason(f freshness, age time.Duration) Reason {
	var buf [160]byte
	b := append(buf[:0], "fresh for "...)
	b = appendDuration(b, f.lifetime)
	b = append(b, " by "...)
	b = append(b, f.name()...)
	b = append(b, ", now "...)
	b = appendDuration(b, age)
	return Reason{string(append(b, " old"...)), f.section()}
}

func staleReason(f freshness, staleFor time.Duration) Reason {
	if f.lifetime == 0 {
		return f.reason()
	}
	return Reason{sentence("stale for ", staleFor, " by "+f.name()), "RFC 9111 section 4.2"}
}
