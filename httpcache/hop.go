package httpcache

import (
	"net/http"
	"strings"
)

// hopByHop are the fields that are for the next recipient alone: those of RFC 9110
// section 7.6.1, those that RFC 9111 section 3.1 keeps out of caches, and Trailer, whose message
// framing ends here.
var hopByHop = [...]string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization",
}

// RemoveHopByHop removes from h all fields that must not be forwarded or stored: the known
// ones, and those that Connection names (RFC 9110 section 7.6.1). A message that is to keep
// one of them, as an upgrade does, sets it again.
func RemoveHopByHop(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			name = http.CanonicalHeaderKey(trimBlanks(name))
			if !neverConnectionOption(name) {
				delete(h, name)
			}
		}
	}
	for _, name := range hopByHop {
		delete(h, name)
	}
}

// neverConnectionOption names fields that are for every recipient, so that the sender made a
// mistake (RFC 9110 section 7.6.1). To remove them would make a private response public, or a
// request one for another host.
func neverConnectionOption(name string) bool {
	switch name {
	case "Cache-Control", "Expires", "Vary", "Authorization", "Host":
		return true
	}
	return false
}
