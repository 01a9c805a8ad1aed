package httpcache

import (
	"net/http"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// MaxHeuristicLifetime bounds the lifetime of a response that says nothing of it.
const MaxHeuristicLifetime = 24 * time.Hour

// heuristicFraction of the time since the last modification is the lifetime of a
// response that says nothing of it (RFC 9111 section 4.2.2).
const heuristicFraction = 10

// basis is what a freshness lifetime rests on.
type basis uint8

const (
	noBasis basis = iota
	bySMaxAge
	byMaxAge
	byExpires
	byHeuristic
)

// freshness is a freshness lifetime and where it comes from.
type freshness struct {
	lifetime time.Duration
	basis    basis
	invalid  bool // the field is there, but can't be read
}

// Lifetime is the freshness lifetime of a stored response for a shared cache
// (RFC 9111 section 4.2.1): by s-maxage, else by max-age, else by Expires, else by
// heuristics, where these are allowed (section 4.2.2). It is 0 for a response that is stale
// from the start, and never more than [MaxDelta]. no-cache does not show here: see [Evaluate].
func Lifetime(ex *resource.Exchange) (d time.Duration, heuristic bool, why Reason) {
	said := ParseCacheControl(ex.Header)
	f := lifetime(ex, &said)
	return f.lifetime, f.basis == byHeuristic, f.reason()
}

func lifetime(ex *resource.Exchange, said *Directives) freshness {
	switch {
	case said.SMaxAge.Set:
		return freshness{said.SMaxAge.Value, bySMaxAge, said.SMaxAge.Invalid}
	case said.MaxAge.Set:
		return freshness{said.MaxAge.Value, byMaxAge, said.MaxAge.Invalid}
	}
	expires, present, valid := dateField(ex.Header, "Expires", ex.Received)
	switch {
	case valid:
		return freshness{elapsed(generated(ex), expires), byExpires, false}
	case present: // above all "0" (RFC 9111 section 5.3)
		return freshness{0, byExpires, true}
	case said.Public || heuristicallyCacheable(ex.Status) && len(ex.Header["Set-Cookie"]) == 0:
		// Stricter than the RFC: who sets a cookie and says nothing of caching did not think
		// of caches. Such a response is kept for when its origin fails, but never fresh.
		return heuristicLifetime(ex)
	}
	return freshness{}
}

func heuristicLifetime(ex *resource.Exchange) freshness {
	modified, _, valid := dateField(ex.Header, "Last-Modified", ex.Received)
	if !valid {
		return freshness{}
	}
	unchanged := elapsed(modified, generated(ex))
	return freshness{min(unchanged/heuristicFraction, MaxHeuristicLifetime), byHeuristic, false}
}

// generated is when the origin made the response: its Date, or when it was received
// (RFC 9110 section 6.6.1).
func generated(ex *resource.Exchange) time.Time {
	if date, _, valid := dateField(ex.Header, "Date", ex.Received); valid {
		return date
	}
	return ex.Received
}

// explicit reports whether the fields of a response say how long it is fresh.
func explicit(h http.Header, said *Directives) bool {
	return said.MaxAge.Set || said.SMaxAge.Set || len(h["Expires"]) > 0
}

// name is the field or directive that the lifetime comes from.
func (f freshness) name() string {
	switch f.basis {
	case bySMaxAge:
		return "s-maxage"
	case byMaxAge:
		return "max-age"
	case byExpires:
		return "Expires"
	}
	return "a tenth of the time since Last-Modified"
}

func (f freshness) section() string {
	switch {
	case f.basis == byExpires && f.invalid:
		return "RFC 9111 section 5.3"
	case f.basis == byHeuristic, f.basis == noBasis:
		return "RFC 9111 section 4.2.2"
	}
	return "RFC 9111 section 4.2.1"
}

func (f freshness) reason() Reason {
	text := ""
	switch {
	case f.basis == noBasis:
		text = "stale at once: nothing says how long it is fresh"
	case f.invalid:
		text = "stale at once: " + f.name() + " can't be read"
	case f.lifetime == 0:
		text = "stale at once by " + f.name()
	default:
		text = sentence("fresh for ", f.lifetime, " by "+f.name())
	}
	return Reason{text, f.section()}
}
