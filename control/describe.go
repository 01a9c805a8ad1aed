package control

import (
	"encoding/hex"
	"net/http"
	"time"

	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/resource"
)

// describe says of a stored response what fits in a line.
func (s server) describe(st *resource.Stored) Response {
	ex := st.Exchange
	now := time.Now()
	evaluation := s.Policy.For(st).Evaluate(plainRequest(ex), ex, now)
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

// plainRequest is the question that a browser would ask: without conditions, for the
// variant that is stored.
func plainRequest(ex *resource.Exchange) *http.Request {
	header := ex.Selecting.Clone()
	if header == nil {
		header = http.Header{}
	}
	return &http.Request{Method: ex.Method, Header: header}
}

func (s server) describeFully(st *resource.Stored) Response {
	r := s.describe(st)
	r.Header, r.Selecting = st.Exchange.Header, st.Exchange.Selecting
	for _, f := range s.Policy.For(st).Explain(plainRequest(st.Exchange), st.Exchange, time.Now()) {
		r.Explained = append(r.Explained, Finding{Topic: f.Topic, Text: f.Text, Section: f.Section})
	}
	for _, signature := range st.Exchange.Signatures {
		r.Signed = append(r.Signed, signature.Input)
	}
	return r
}
