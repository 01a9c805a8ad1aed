package trust

import (
	"crypto/sha256"
	"net/http"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// seeded returns the same identity for the same n.
func seeded(n byte) *Identity {
	seed := sha256.Sum256([]byte{'t', 'e', 's', 't', n})
	return fromSeed(seed[:])
}

var sampleTime = time.Date(2026, 3, 14, 15, 9, 26, 535_897_932, time.UTC)

// sampleExchange has one of everything. It is not signed.
func sampleExchange(t testing.TB) *resource.Exchange {
	hasher := resource.NewHasher()
	hasher.Write([]byte("hello, world"))
	return &resource.Exchange{
		Method:    "GET",
		URL:       mustURL(t, "https://www.example.org/news/?page=2"),
		Selecting: http.Header{"Accept-Encoding": {"gzip"}, "Accept-Language": {"de", "en"}},
		Status:    200,
		Header: http.Header{
			"Content-Type":            {"text/html; charset=utf-8"},
			"Content-Security-Policy": {"default-src 'self'", "script-src 'none'"},
			"Content-Disposition":     {"inline; filename=\"\xc3\xa4.html\""},
			"Etag":                    {`W/"1, 2"`},
			"Vary":                    {"Accept-Encoding, Accept-Language"},
			"X-Empty":                 {""},
		},
		Body:       hasher.Body(),
		Requested:  sampleTime,
		Received:   sampleTime.Add(1234 * time.Millisecond),
		InitialAge: 7 * time.Second,
	}
}

// signedSample is sampleExchange, signed by the first identity.
func signedSample(t testing.TB) *resource.Exchange {
	ex := sampleExchange(t)
	if err := seeded(1).Sign(ex); err != nil {
		t.Fatal(err)
	}
	return ex
}

func queryFor(ex *resource.Exchange) resource.Query {
	return resource.Query{Method: ex.Method, URL: ex.URL}
}

// trusting is a policy that trusts the given identities' keys, soon after sampleTime.
func trusting(ids ...*Identity) Policy {
	p := Policy{Now: func() time.Time { return sampleTime.Add(time.Hour) }}
	for _, id := range ids {
		p.Keys = append(p.Keys, id.Key())
	}
	return p
}

// signFully signs ex as its fetcher only, not as a witness.
func signFully(t testing.TB, id *Identity, ex *resource.Exchange) {
	t.Helper()
	s, err := newStatement(ex)
	if err != nil {
		t.Fatal(err)
	}
	input := s.input(id.Key())
	own := resource.Signature{Input: input, Value: id.sign(signatureBase(s.lines, input))}
	ex.Signatures = append([]resource.Signature{own}, ex.Signatures...)
}

// signAsWitness adds a signature of a witness that got ex at a time.
func signAsWitness(t testing.TB, id *Identity, ex *resource.Exchange, at time.Time) {
	t.Helper()
	s, err := newWitnessStatement(ex)
	if err != nil {
		t.Fatal(err)
	}
	ex.Signatures = append(ex.Signatures, s.sign(id, at))
}
