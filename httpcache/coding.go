package httpcache

import (
	"net/http"
	"strings"

	"github.com/peerproxy/peerproxy/resource"
)

// CodingAccepted reports whether a request names every content coding of a stored response as
// one that it accepts (RFC 9110 section 12.5.3). It is asked before the origin is asked to
// choose among variants of which none matches: an origin that gives two codings the same entity
// tag would else choose one that the client can't read. It is stricter than that section:
// without Accept-Encoding no coding counts as accepted.
func CodingAccepted(reqHeader http.Header, ex *resource.Exchange) bool {
	for _, line := range ex.Header["Content-Encoding"] {
		for coding := range strings.SplitSeq(line, ",") {
			coding = codingName(strings.ToLower(trimBlanks(coding)))
			if coding != "" && coding != "identity" && !accepts(reqHeader["Accept-Encoding"], coding) {
				return false
			}
		}
	}
	return true
}

// accepts reports whether a coding is in an Accept-Encoding field, or a "*" if it is not, with
// a weight above 0.
func accepts(lines []string, coding string) bool {
	others := false
	for _, line := range lines {
		for member := range strings.SplitSeq(line, ",") {
			normal, ok := normaliseRange(trimBlanks(member))
			if !ok {
				continue
			}
			name, weight, _ := strings.Cut(codingName(normal), ";q=")
			switch name {
			case coding:
				return weight != "0"
			case "*":
				others = weight != "0"
			}
		}
	}
	return others
}
