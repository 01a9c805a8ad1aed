package control

import (
	"encoding/hex"
	"net/http"
	"time"

	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/resource"
)

// describe says of a stored response what fits in a line.
func describe(st *resource.Stored) Response {
	ex := st.Exchange
	now := time.Now()
	// The question that a browser would ask: a plain GET.
	asked := &http.Request{Method: ex.Method, Header: http.Header{}}
	evaluation := httpcache.Evaluate(asked, ex, now)
	return Response{
		URL: ex.URL.String(), Method: ex.Method, Status: ex.Status,
		Type: ex.Header.Get("Content-Type"), Length: ex.Body.Length,
		Root: ex.Body.Root.String(), SHA256: hex.EncodeToString(ex.Body.SHA256[:]),
		Tier: st.Tier.String(), Signer: st.Signer, Shareable: st.Shareable,
		Received: ex.Received, Stored: st.StoredAt,
		Age: int64(evaluation.Age / time.Second), Fresh: evaluation.Verdict == httpcache.Fresh,
		Why: evaluation.Why.Text + " (" + evaluation.Why.Section + ")",
	}
}

func describeFully(st *resource.Stored) Response {
	r := describe(st)
	r.Header, r.Selecting = st.Exchange.Header, st.Exchange.Selecting
	for _, s := range st.Exchange.Signatures {
		r.Signed = append(r.Signed, s.Input)
	}
	return r
}
