package proxy

import (
	"strconv"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"
)

// Values of the fwd parameter of Cache-Status: why a request went forward (RFC 9211 section 2.2).
const (
	fwdBypass   = "bypass"    // this cache is not for such requests
	fwdMethod   = "method"    // nor for this method
	fwdURIMiss  = "uri-miss"  // nothing stored for the URL
	fwdVaryMiss = "vary-miss" // stored, but no variant fits
	fwdMiss     = "miss"      // stored and fresh, but from a peer who is not trusted
	fwdRequest  = "request"   // stored and fresh, but the request wants it validated
	fwdStale    = "stale"     // stored, but stale
	fwdPartial  = "partial"   // a part is stored, but not all that is asked for
)

// cacheStatus is what one Cache-Status member says (RFC 9211 section 2). It is
// either a hit or has a reason why the request was forwarded.
type cacheStatus struct {
	fwd       string // "" = hit
	fwdStatus int    // status of what came back, 0 = nothing did
	ttl       time.Duration
	hasTTL    bool
	stored    bool
	collapsed bool
	detail    string
}

// isStale reports whether the answer is a stored response in place of what the origin would say now.
// While it is revalidated the origin has allowed it (RFC 5861 section 3).
func (c cacheStatus) isStale() bool {
	switch c.detail {
	case "stale-if-error", "origin-failed":
		return true
	case "stale-while-revalidate":
		return false
	}
	return c.fwd == "" && c.hasTTL && c.ttl < 0
}

// names are the values of status fields that never change, made once.
type names struct {
	pseudonym string
	hit       string // Cache-Status of a hit, up to the digits of its ttl
	plain     string // Proxy-Status when there is nothing to report

	// As lines of a header, shared by all answers and never changed.
	viaLines, plainLines []string
}

func newNames(pseudonym string) (names, error) {
	hit, err := httpsfv.Marshal(httpsfv.List{member(pseudonym, param{"hit", true}, param{"ttl", int64(0)})})
	if err != nil {
		return names{}, err
	}
	plain, err := httpsfv.Marshal(httpsfv.List{member(pseudonym)})
	return names{
		pseudonym: pseudonym, hit: strings.TrimSuffix(hit, "0"), plain: plain,
		viaLines: []string{"1.1 " + pseudonym}, plainLines: []string{plain},
	}, err
}

// cacheStatus renders the member. The hot path, a plain hit, needs no marshalling.
func (n *names) cacheStatus(c cacheStatus) string {
	seconds := int64(c.ttl / time.Second)
	if c.fwd == "" && c.hasTTL && c.detail == "" {
		return n.hit + strconv.FormatInt(seconds, 10)
	}
	var params []param
	if c.fwd == "" {
		params = append(params, param{"hit", true})
	} else {
		params = append(params, param{"fwd", httpsfv.Token(c.fwd)})
	}
	if c.fwdStatus != 0 {
		params = append(params, param{"fwd-status", int64(c.fwdStatus)})
	}
	if c.hasTTL {
		params = append(params, param{"ttl", seconds})
	}
	if c.stored {
		params = append(params, param{"stored", true})
	}
	if c.collapsed {
		params = append(params, param{"collapsed", true})
	}
	if c.detail != "" {
		params = append(params, param{"detail", httpsfv.Token(c.detail)})
	}
	return marshalOr(n.pseudonym, params...)
}

// proxyStatus is what one Proxy-Status member says (RFC 9209 section 2.1).
type proxyStatus struct {
	kind     string // proxy error type, "" = no error
	received int    // status that the next hop gave, 0 = none
	details  string
}

func (n *names) proxyStatus(s proxyStatus) string {
	if s == (proxyStatus{}) {
		return n.plain
	}
	var params []param
	if s.kind != "" {
		params = append(params, param{"error", httpsfv.Token(s.kind)})
	}
	if s.received != 0 {
		params = append(params, param{"received-status", int64(s.received)})
	}
	if s.details != "" {
		params = append(params, param{"details", s.details})
	}
	return marshalOr(n.pseudonym, params...)
}

type param struct {
	name  string
	value any
}

func member(name string, params ...param) httpsfv.Item {
	item := httpsfv.NewItem(httpsfv.Token(name))
	for _, p := range params {
		item.Params.Add(p.name, p.value)
	}
	return item
}

// marshalOr renders a member. What cannot be rendered (no text of ours) is left out
// rather than sent broken.
func marshalOr(name string, params ...param) string {
	text, err := httpsfv.Marshal(httpsfv.List{member(name, params...)})
	if err != nil {
		return name
	}
	return text
}
