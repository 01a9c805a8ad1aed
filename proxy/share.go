package proxy

import (
	"net/http"
	"slices"
	"strings"

	"github.com/peerproxy/peerproxy/resource"
)

// ShareQuestion is what [ShareDecision] needs to know of an exchange.
type ShareQuestion struct {
	Method   string
	URL      resource.URL // zero for a URL with user information
	Request  http.Header  // as it went to the origin
	Status   int
	Response http.Header // as it came
	// PublicHost says that the host is public by name ([Dialer.Public]) and, where
	// that is known, by the address that answered.
	PublicHost bool
}

// Reason says in plain words why something may or may not be shared.
type Reason string

// ShareDecision reports whether an exchange is provably public, so that it may be
// given to peers: every clause must hold, and in doubt it is private. The user's
// own list of private sites is not its business. It is a pure function.
func ShareDecision(q ShareQuestion) (bool, Reason) {
	switch {
	case q.Method != http.MethodGet:
		return false, "only answers to GET are shared"
	case !shareableStatus(q.Status):
		return false, "answers with this status are not shared"
	case !q.PublicHost:
		return false, "the host is not public"
	}
	if ok, why := shareableURL(q.URL); !ok {
		return false, why
	}
	if ok, why := shareableRequest(q.Request); !ok {
		return false, why
	}
	if q.Request["Origin"] != nil && namesOrigin(q.Response) {
		return false, "it is meant for the site that asked"
	}
	return shareableResponse(q.Response)
}

// commonFields are request fields that every browser sends and that say nothing of
// who asks: what a client is and can do (RFC 9110 section 12.5, client hints), how
// it came here (Referer, Origin, Fetch Metadata), what it knows already (conditions,
// ranges) and how it wants to be served. Their values are not shared: those go
// nowhere unless Vary names them, see shareableVary.
var commonFields = map[string]bool{
	"Accept": true, "Accept-Charset": true, "Accept-Datetime": true, "Accept-Encoding": true, "Accept-Language": true,
	"User-Agent": true, "Referer": true, "Origin": true, "Dnt": true, "Sec-Gpc": true, "Sec-Purpose": true, "Purpose": true,
	"Cache-Control": true, "Pragma": true, "Range": true, "If-Range": true, "If-None-Match": true, "If-Modified-Since": true,
	"Via": true, "Te": true, "Priority": true, "Save-Data": true, "Upgrade-Insecure-Requests": true,
}

// shareableRequest reports whether a request has only fields that carry neither
// credentials nor anything else that an origin may tell its users apart by. Whatever
// is not known to be harmless may be an API key.
func shareableRequest(h http.Header) (bool, Reason) {
	for name := range h {
		switch {
		case commonFields[name], strings.HasPrefix(name, "Sec-Fetch-"), strings.HasPrefix(name, "Sec-Ch-"):
		case name == "Cookie":
			return false, "it was fetched with a cookie"
		case name == "Authorization":
			return false, "it was fetched with Authorization"
		default:
			return false, "it was fetched with a field that may tell who asked"
		}
	}
	return true, ""
}

// namesOrigin reports whether a response is open to certain sites only (Fetch
// standard, section 3.3.3).
func namesOrigin(h http.Header) bool {
	return slices.ContainsFunc(h["Access-Control-Allow-Origin"], func(line string) bool { return strings.TrimSpace(line) != "*" })
}

func shareableStatus(status int) bool {
	switch status {
	case 200, 203, 301, 308, 404, 410:
		return true
	}
	return false
}

func shareableResponse(h http.Header) (bool, Reason) {
	if h["Set-Cookie"] != nil {
		return false, "it sets a cookie"
	}
	for _, line := range h["Cache-Control"] {
		// Read generously: what only looks like "private" is private.
		if line = strings.ToLower(line); strings.Contains(line, "private") || strings.Contains(line, "no-store") {
			return false, "its Cache-Control says that it is private"
		}
	}
	if !shareableVary(h["Vary"]) {
		return false, "it varies by who asks"
	}
	return true, "it is public"
}

// shareableVary reports whether a response depends on no other request fields than
// those that peers may learn. The values of all that Vary names become part of the
// exchange, signed and sent with it, so that any other name would give away what
// this node's user sent: Referer, User-Agent, keys.
func shareableVary(lines []string) bool {
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if name != "" && !slices.Contains(resource.SelectingFields, name) {
				return false
			}
		}
	}
	return true
}
