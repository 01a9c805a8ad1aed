package httpcache

import (
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
	invalid  bool   // the field is there, but can't be read
	doubt    string // why heuristics are not used, to follow what was not said
	field    string // the targeted field that it comes from, "" for the ordinary ones
}

// Lifetime is the freshness lifetime of a stored response for a shared cache
// (RFC 9111 section 4.2.1): by s-maxage, else by max-age, else by Expires, else by
// heuristics, where these are allowed (section 4.2.2). It is 0 for a response that is stale
// from the start, and never more than [MaxDelta]. no-cache does not show here: see [Evaluate].
func Lifetime(ex *resource.Exchange) (d time.Duration, heuristic bool, why Reason) {
	return Policy{}.Lifetime(ex)
}

// Lifetime is the function [Lifetime] under a policy.
func (p Policy) Lifetime(ex *resource.Exchange) (d time.Duration, heuristic bool, why Reason) {
	said := p.rules(ex.Header)
	f := lifetime(ex, &said)
	return f.lifetime, f.basis == byHeuristic, f.reason()
}

func lifetime(ex *resource.Exchange, said *rules) freshness {
	switch {
	case said.SMaxAge.Set:
		return freshness{lifetime: said.SMaxAge.Value, basis: bySMaxAge, invalid: said.SMaxAge.Invalid, field: said.field}
	case said.MaxAge.Set:
		return freshness{lifetime: said.MaxAge.Value, basis: byMaxAge, invalid: said.MaxAge.Invalid, field: said.field}
	}
	expires, present, valid := dateField(ex.Header, "Expires", ex.Received)
	switch {
	case said.field != "": // then Expires does not count (RFC 9213 section 2.2)
	case valid:
		return freshness{lifetime: elapsed(generated(ex), expires), basis: byExpires}
	case present: // above all "0" (RFC 9111 section 5.3)
		return freshness{basis: byExpires, invalid: true}
	}
	if said.noHeuristics {
		return freshness{doubt: ", and it may be one person's, or cut off"}
	}
	if said.Public || heuristicallyCacheable(ex.Status) && len(ex.Header["Set-Cookie"]) == 0 {
		// Stricter than the RFC: who sets a cookie and says nothing of caching did not think
		// of caches. Such a response is kept for when its origin fails, but never fresh.
		return heuristicLifetime(ex)
	}
	if len(ex.Header["Set-Cookie"]) > 0 {
		return freshness{doubt: ", and it sets a cookie"}
	}
	return freshness{}
}

func heuristicLifetime(ex *resource.Exchange) freshness {
	modified, _, valid := dateField(ex.Header, "Last-Modified", ex.Received)
	if !valid {
		return freshness{}
	}
	unchanged := elapsed(modified, generated(ex))
	return freshness{lifetime: min(unchanged/heuristicFraction, MaxHeuristicLifetime), basis: byHeuristic}
}

// generated is when the origin made the response: its Date, or when it was received
// (RFC 9110 section 6.6.1).
func generated(ex *resource.Exchange) time.Time {
	if date, _, valid := dateField(ex.Header, "Date", ex.Received); valid {
		return date
	}
	return ex.Received
}

// name is the field or directive that the lifetime comes from.
func (f freshness) name() string {
	of := ""
	if f.field != "" {
		of = " of " + f.field
	}
	switch f.basis {
	case bySMaxAge:
		return "s-maxage" + of
	case byMaxAge:
		return "max-age" + of
	case byExpires:
		return "Expires"
	}
	return "a tenth of the time since Last-Modified"
}

func (f freshness) section() string {
	switch {
	case f.field != "":
		return "RFC 9213 section 2.2"
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
		text = "stale at once: nothing says how long it is fresh" + f.doubt
	case f.invalid:
		text = "stale at once: " + f.name() + " can't be read"
	case f.lifetime == 0:
		text = "stale at once by " + f.name()
	default:
		text = sentence("fresh for ", f.lifetime, " by "+f.name())
	}
	return Reason{text, f.section()}
}
