package httpcache

import (
	"net/http"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/peerproxy/peerproxy/resource"
)

// Policy is what an operator may choose about decisions that are otherwise those of the
// RFCs. The zero Policy is what the functions of this package without one go by. It is
// read only and may be copied.
type Policy struct {
	// Targets are the names of targeted fields (RFC 9213 section 2), strongest first, as
	// http.Header has them: "Cdn-Cache-Control". The first one in a response that can be read
	// governs it, and its Cache-Control and Expires then mean nothing here. None by default,
	// since a proxy in front of browsers is no part of a content delivery network.
	Targets []string
	// NoHeuristics: a response that does not say how long it is fresh is stale at once. It can
	// still be validated, or stand in for an origin that fails.
	NoHeuristics bool
}

// For is the policy that holds for one stored response. What was fetched with a cookie and does
// not say how long it is fresh may be one person's page, and what may have been cut off is not to
// stay for longer than it has to: neither is ever fresh by heuristics.
func (p Policy) For(st *resource.Stored) Policy {
	p.NoHeuristics = p.NoHeuristics || st.WithCookie || st.EndUncertain
	return p
}

// rules are the directives that govern a response.
type rules struct {
	Directives
	field string // the targeted field that they come from, "" for Cache-Control

	noHeuristics bool // of the Policy
}

// Directives are those that govern a response with the given fields, and the name of the
// field that they come from: Cache-Control, or one of Targets.
func (p Policy) Directives(h http.Header) (d Directives, field string) {
	said := p.rules(h)
	if said.field == "" {
		return said.Directives, "Cache-Control"
	}
	return said.Directives, said.field
}

func (p Policy) rules(h http.Header) rules {
	for _, name := range p.Targets {
		name = http.CanonicalHeaderKey(name)
		if lines := h[name]; len(lines) > 0 {
			if d, ok := parseTargeted(lines); ok {
				return rules{d, name, p.NoHeuristics}
			}
		}
	}
	return rules{Directives: ParseCacheControl(h), noHeuristics: p.NoHeuristics}
}

// explicit reports whether the fields of a response say how long it is fresh.
func (r *rules) explicit(h http.Header) bool {
	return r.MaxAge.Set || r.SMaxAge.Set || r.field == "" && len(h["Expires"]) > 0
}

// maxTargetedBytes bounds what is read as a structured field.
const maxTargetedBytes = 8 << 10

// parseTargeted reads a targeted field, which is a dictionary (RFC 9213 section 2.1). It is
// not ok, so that the field is ignored, if it is empty or no dictionary, or if a directive that
// is known here has a value of another type than it has to be.
func parseTargeted(lines []string) (d Directives, ok bool) {
	size := 0
	for _, line := range lines {
		size += len(line)
	}
	if size > maxTargetedBytes {
		return d, false
	}
	dict, err := httpsfv.UnmarshalDictionary(lines)
	if err != nil || len(dict.Names()) == 0 {
		return d, false
	}
	for _, name := range dict.Names() {
		member, _ := dict.Get(name)
		if !d.addMember(name, member) {
			return Directives{}, false
		}
	}
	return d, true
}

// addMember adds one member of a targeted field. Parameters mean nothing (RFC 9213
// section 2.1). It returns false if the value is of a wrong type.
func (d *Directives) addMember(name string, member httpsfv.Member) bool {
	var value any = member // an inner list has no single value
	if item, ok := member.(httpsfv.Item); ok {
		value = item.Value
	}
	if delta := d.seconds(name); delta != nil {
		n, ok := value.(int64)
		if !ok {
			return false
		}
		*delta = Delta{Set: true, Invalid: n < 0}
		if n > 0 {
			delta.Value = time.Duration(min(n, int64(MaxDelta/time.Second))) * time.Second
		}
		return true
	}
	on, boolean := value.(bool)
	switch name {
	case "no-cache", "private":
		// With names of fields it counts like without, but "?0" switches it off.
		if !boolean || on {
			d.add(directive{name: name})
		}
		return true
	case "no-store", "no-transform", "must-revalidate", "proxy-revalidate", "public", "must-understand", "immutable":
		if on {
			d.add(directive{name: name})
		}
		return boolean
	}
	return true // unknown here
}

// seconds is the directive of a response with this name if it is a number of seconds.
func (d *Directives) seconds(name string) *Delta {
	switch name {
	case "max-age":
		return &d.MaxAge
	case "s-maxage":
		return &d.SMaxAge
	case "stale-if-error":
		return &d.StaleIfError
	case "stale-while-revalidate":
		return &d.StaleWhileRevalidate
	}
	return nil
}
