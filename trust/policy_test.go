package trust

import (
	"net/http"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

func TestQuick(t *testing.T) {
	u, _ := resource.ParseURL("http://example.com/a?b")
	ex := &resource.Exchange{Method: "GET", URL: u, Status: 200, Header: http.Header{"Content-Type": {"text/html"}, "Vary": {"a", "b"}, "X": {"é"}},
		Requested: time.Now(), Received: time.Now(), Body: resource.Body{Length: 3}}
	id := NewIdentity()
	if err := id.Sign(ex); err != nil {
		t.Fatal(err)
	}
	t.Log(ex.Signatures[0].Input)
	s, _ := newStatement(ex)
	t.Log(s.lines)
	t.Log(Policy{Any: true}.Verify(ex, resource.Query{Method: "GET", URL: u}))
}
