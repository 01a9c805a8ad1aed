package proxy

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// noTrailers are fields that are never forwarded behind the content: those that are for
// one hop, frame a message, lead it to its recipient or say how it is to be read (RFC
// 9110 section 6.5.1).
var noTrailers = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization",
	"Content-Length", "Content-Encoding", "Content-Type", "Content-Range", "Host", "Max-Forwards", "Authorization", "Set-Cookie",
}

func mayTrail(name string) bool {
	return !slices.Contains(noTrailers, name) && !strings.ContainsAny(name, " ")
}

// onlyTrailer removes from a trailer what must not be forwarded there.
func onlyTrailer(trailer http.Header) {
	maps.DeleteFunc(trailer, func(name string, _ []string) bool { return !mayTrail(name) })
}

// announceTrailer announces the trailer fields that the origin has announced, which
// makes net/http send content in a form that can have trailers. In HTTP/1.0 there are none.
func announceTrailer(h http.Header, r *http.Request, names []string) {
	if !r.ProtoAtLeast(1, 1) {
		return
	}
	for _, name := range names {
		if mayTrail(name) {
			h.Add("Trailer", name)
		}
	}
}

// writeTrailer sends what came after the content. Fields that were not announced
// need a prefix for net/http.
func writeTrailer(h, trailer http.Header, announced []string) {
	for name, lines := range trailer {
		switch {
		case !mayTrail(name):
		case slices.Contains(announced, name):
			h[name] = lines
		default:
			h[http.TrailerPrefix+name] = lines
		}
	}
}
