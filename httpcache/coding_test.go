package httpcache

import (
	"net/http"
	"testing"

	"github.com/peerproxy/peerproxy/resource"
)

func TestCodingAccepted(t *testing.T) { // RFC 9110 section 12.5.3
	for _, c := range []struct {
		accept, coding string
		want           bool
	}{
		{"gzip", "", true},
		{"", "identity", true},
		{"", "gzip", false},
		{"gzip, br", "br", true},
		{"GZIP;q=0.5", "gzip", true},
		{"gzip;q=0", "gzip", false},
		{"gzip;q=0.000, *", "gzip", false},
		{"*", "zstd", true},
		{"*;q=0", "zstd", false},
		{"gzip", "x-gzip", true},
		{"x-gzip", "gzip", true},
		{"gzip", "gzip, br", false},
		{"gzip, br", "gzip, br", true},
		{"gzip ; q=1.0", "gzip", true},
		{"(", "gzip", false},
	} {
		ex := &resource.Exchange{Header: http.Header{}}
		if c.coding != "" {
			ex.Header.Set("Content-Encoding", c.coding)
		}
		asked := http.Header{}
		if c.accept != "" {
			asked.Set("Accept-Encoding", c.accept)
		}
		if got := CodingAccepted(asked, ex); got != c.want {
			t.Errorf("%q for %q: %v", c.accept, c.coding, got)
		}
	}
}
