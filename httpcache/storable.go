package httpcache

import (
	"net/http"
	"strconv"
)

// Storable decides whether a shared cache may store a final response, given the request
// as it went to the origin, and says why or why not (RFC 9111 section 3). A response may be
// storable and yet not fresh for a second: it can still be validated, or stand in
// for an origin that fails. Parts (206) and answers to POST have rules of their own: see
// [StorablePart] and [StorablePost].
func Storable(req *http.Request, status int, header http.Header) (ok bool, why Reason) {
	return Policy{}.Storable(req, status, header)
}

// Storable is the function [Storable] under a policy.
func (p Policy) Storable(req *http.Request, status int, header http.Header) (ok bool, why Reason) {
	if why := methodForbids(req); why.Text != "" {
		return false, why
	}
	if why := statusForbids(req, status); why.Text != "" {
		return false, why
	}
	return p.storable(req, status, header)
}

// storable is the part of section 3 that holds for every method and status.
func (p Policy) storable(req *http.Request, status int, header http.Header) (ok bool, why Reason) {
	asked, said := ParseCacheControl(req.Header), p.rules(header)
	if why := directivesForbid(&asked, &said.Directives, status); why.Text != "" {
		return false, why
	}
	if why := authorizationForbids(req, &said.Directives); why.Text != "" {
		return false, why
	}
	if why := varyForbids(header); why.Text != "" {
		return false, why
	}
	return storableBecause(status, header, &said)
}

func methodForbids(req *http.Request) Reason {
	if req.Method == http.MethodGet || req.Method == "" {
		return Reason{}
	}
	return Reason{"not stored: only responses to GET are", "RFC 9111 section 3"}
}

// statusForbids refuses what is no response of its own, and what answers a circumstance
// of this one request rather than the question for the resource.
func statusForbids(req *http.Request, status int) Reason {
	text, section := "", "RFC 9111 section 3"
	switch {
	case status < 200 || status > 599:
		text = "no final status code"
	case status == http.StatusPartialContent:
		text = "a part of a response is none of its own"
	case status == http.StatusNotModified:
		text = "a 304 updates a stored response and is none itself"
	case status == http.StatusProxyAuthRequired:
		text, section = "the answer of a proxy, not of the origin", "RFC 9110 section 15.5.8"
	case status == http.StatusPreconditionFailed && isConditional(req.Header):
		text, section = "it answers the preconditions of this request", "RFC 9110 section 15.5.13"
	case status == http.StatusRequestedRangeNotSatisfiable && req.Header["Range"] != nil:
		text, section = "it answers the range of this request", "RFC 9110 section 15.5.17"
	case status == http.StatusExpectationFailed && req.Header["Expect"] != nil:
		text, section = "it answers the expectation of this request", "RFC 9110 section 15.5.18"
	case status == 428 || status == 429 || status == 431 || status == 511:
		text, section = "status "+strconv.Itoa(status)+" must never be stored", "RFC 6585"
	default:
		return Reason{}
	}
	return Reason{"not stored: " + text, section}
}

func isConditional(h http.Header) bool {
	for _, name := range [...]string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"} {
		if len(h[name]) > 0 {
			return true
		}
	}
	return false
}

func directivesForbid(asked, said *Directives, status int) Reason {
	switch {
	case asked.NoStore:
		return Reason{"not stored: the request says no-store", "RFC 9111 section 5.2.1.5"}
	case said.MustUnderstand && !understood(status):
		return Reason{"not stored: must-understand, and the status code is not known here", "RFC 9111 section 5.2.2.3"}
	case said.NoStore && !said.MustUnderstand:
		return Reason{"not stored: the response says no-store", "RFC 9111 section 5.2.2.5"}
	case said.Private:
		return Reason{"not stored: the response says private", "RFC 9111 section 5.2.2.7"}
	}
	return Reason{}
}

func authorizationForbids(req *http.Request, said *Directives) Reason {
	if len(req.Header["Authorization"]) == 0 || said.Public || said.MustRevalidate || said.SMaxAge.Set && !said.SMaxAge.Invalid {
		return Reason{}
	}
	return Reason{"not stored: the request had Authorization, and the response has neither public, s-maxage nor must-revalidate", "RFC 9111 section 3.5"}
}

func varyForbids(header http.Header) Reason {
	if _, ok := varyNames(header); ok {
		return Reason{}
	}
	return Reason{"not stored: by its Vary field it never answers another request", "RFC 9111 section 4.1"}
}

func storableBecause(status int, header http.Header, said *rules) (bool, Reason) {
	switch {
	case said.explicit(header):
		return true, Reason{"stored: the response says how long it is fresh", "RFC 9111 section 3"}
	case said.Public:
		return true, Reason{"stored: the response says public", "RFC 9111 section 5.2.2.9"}
	case heuristicallyCacheable(status):
		return true, Reason{"stored: status " + strconv.Itoa(status) + " may be stored unless something forbids it", "RFC 9110 section 15.1"}
	}
	return false, Reason{"not stored: status " + strconv.Itoa(status) + " would need explicit freshness or public", "RFC 9111 section 3"}
}

// heuristicallyCacheable are the status codes of RFC 9110 section 15.1. RFC 7725 would allow
// 451 as well, but nobody is served by a refusal that outlives its reason.
func heuristicallyCacheable(status int) bool {
	switch status {
	case 200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501:
		return true
	}
	return false
}

// understood are the status codes whose rules for caches this package knows and follows:
// those of RFC 9110 section 15, and a few of other RFCs.
func understood(status int) bool {
	switch {
	case 200 <= status && status <= 206, 300 <= status && status <= 305, 400 <= status && status <= 417, 500 <= status && status <= 505:
		return true
	}
	switch status {
	case 307, 308, 421, 422, 425, 426, 428, 429, 431, 451, 511:
		return true
	}
	return false
}
