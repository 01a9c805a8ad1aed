package httpcache

import (
	"net/http"

	"github.com/peerproxy/peerproxy/resource"
)

// StorablePost decides whether the response to a POST may be stored as if it were one to GET
// (RFC 9110 section 9.3.3): it says explicitly how long it is fresh, and its Content-Location is
// the target itself. It is then stored as an exchange with method GET, after what [Invalidates]
// names has been invalidated. The request's selecting fields are those of the POST.
func StorablePost(req *http.Request, target resource.URL, status int, header http.Header) (ok bool, why Reason) {
	return Policy{}.StorablePost(req, target, status, header)
}

// StorablePost is the function [StorablePost] under a policy.
func (p Policy) StorablePost(req *http.Request, target resource.URL, status int, header http.Header) (ok bool, why Reason) {
	const section = "RFC 9110 section 9.3.3"
	said := p.rules(header)
	text := ""
	switch {
	case req.Method != http.MethodPost:
		text = "not stored: no response to POST"
	case status != http.StatusOK:
		text = "not stored: only a 200 to POST may be what GET would give"
	case !said.explicit(header):
		text = "not stored: a response to POST needs explicit freshness"
	case !locatesTarget(target, header):
		text = "not stored: a response to POST needs a Content-Location that is its target"
	default:
		ok, why = p.storable(req, status, header)
		if ok {
			why = Reason{"stored: what the POST gave is what GET would give", section}
		}
		return ok, why
	}
	return false, Reason{text, section}
}

func locatesTarget(target resource.URL, header http.Header) bool {
	lines := header["Content-Location"]
	if len(lines) != 1 {
		return false
	}
	u, ok := resolve(target, lines[0])
	return ok && u == target
}
