package proxy

import (
	"bytes"
	"net/http"
	"strings"
)

// Names that stand for others of the same length where net/http is not to see these.
const (
	hiddenCoding = "X-Unknown-Framing" // Transfer-Encoding
	hiddenLength = "X-Other-Length"    // Content-Length
)

// transferCodings are the registered names of transfer codings (RFC 9112 section 7).
var transferCodings = []string{"chunked", "gzip", "x-gzip", "deflate", "compress", "x-compress", "trailers"}

// codedByNoName reports whether a response's Transfer-Encoding names nothing that is a transfer
// coding, as the "identity" of old servers. Browsers take such a content as it is; it ends with its
// connection (RFC 9112 section 6.3), while net/http refuses it. What is coded in a way
// that exists would be garbled, and stays refused.
func (h responseHead) codedByNoName() bool {
	lines := h.fields["Transfer-Encoding"]
	if lines == nil || h.faulty() {
		return false
	}
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			name, _, _ = strings.Cut(name, ";")
			name = strings.ToLower(strings.Trim(name, " \t"))
			for _, known := range transferCodings {
				if strings.Contains(name, known) { // or looks like one: nobody is to be fooled
					return false
				}
			}
		}
	}
	return true
}

// hideFraming renames the fields in a head that say how the content is framed.
func hideFraming(head []byte) {
	for line := range bytes.Lines(head) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			copy(line, hiddenCoding)
		case bytes.EqualFold(name, []byte("Content-Length")):
			copy(line, hiddenLength)
		}
	}
}

// dropHidden removes what hideFraming has left.
func dropHidden(h http.Header) {
	delete(h, hiddenCoding)
	delete(h, hiddenLength)
}
