package trust

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// TestWitnessProfile holds the text that witnesses sign fixed. A change here is another
// profile and needs another tag.
func TestWitnessProfile(t *testing.T) {
	ex := signedSample(t)
	s, err := newWitnessStatement(ex)
	if err != nil {
		t.Fatal(err)
	}
	const lines = `"@method";req: GET
"@target-uri";req: https://www.example.org/news/?page=2
"@status": 200
"accept-encoding";req: gzip
"accept-language";req;bs: :ZGU=:, :ZW4=:
"content-disposition";bs: :aW5saW5lOyBmaWxlbmFtZT0iw6QuaHRtbCI=:
"content-security-policy";bs: :ZGVmYXVsdC1zcmMgJ3NlbGYn:, :c2NyaXB0LXNyYyAnbm9uZSc=:
"content-type": text/html; charset=utf-8
"peerproxy-body": root=:oaVYh1NTl79GGQJJHId5GIpd0fjDlRs9nPbsuhlOh7A=:, length=12
"repr-digest": sha-256=:Ccp+TqpuiunH0mEWcSkYSINkTQffuny/vEyKLgg2DVs=:
"vary": Accept-Encoding, Accept-Language
`
	if s.lines != lines {
		t.Errorf("got:\n%s\nwant:\n%s", s.lines, lines)
	}
	const input = `("@method";req "@target-uri";req "@status" "accept-encoding";req "accept-language";req;bs ` +
		`"content-disposition";bs "content-security-policy";bs "content-type" "peerproxy-body" "repr-digest" "vary")` +
		`;created=1773500967;keyid="KEY";alg="ed25519";tag="peerproxy.witness.1"`
	if want := strings.Replace(input, "KEY", seeded(1).Key().String(), 1); ex.Signatures[1].Input != want {
		t.Errorf("got:\n%s\nwant:\n%s", ex.Signatures[1].Input, want)
	}
}

func TestWitnessedFieldsAreInOrder(t *testing.T) {
	if !slices.IsSorted(witnessedFields) {
		t.Error("not in order")
	}
	for _, name := range witnessedFields {
		if http.CanonicalHeaderKey(name) != name {
			t.Errorf("%q is not canonical", name)
		}
	}
	for _, name := range []string{"Date", "Etag", "Cache-Control", "Nel", "Report-To"} {
		if slices.Contains(witnessedFields, name) {
			t.Errorf("%q differs from fetch to fetch", name)
		}
	}
}

// anotherFetch is the same response as sampleExchange as another node got it later.
func anotherFetch(t testing.TB) *resource.Exchange {
	ex := sampleExchange(t)
	ex.Requested, ex.Received = ex.Requested.Add(time.Minute), ex.Received.Add(time.Minute)
	ex.InitialAge = 0
	ex.Header.Set("Date", "Sat, 14 Mar 2026 15:10:26 GMT")
	ex.Header.Set("Etag", `W/"of another server"`)
	ex.Header.Set("Cache-Control", "max-age=17")
	ex.Header.Set("Report-To", `{"endpoints":[{"url":"https://r.example/?s=unique"}]}`)
	return ex
}

// TestWitnessesOfOneAnother: what differs from fetch to fetch is nothing to witnesses.
func TestWitnessesOfOneAnother(t *testing.T) {
	mine, theirs := signedSample(t), anotherFetch(t)
	if err := seeded(2).Sign(theirs); err != nil {
		t.Fatal(err)
	}
	tally := newTally(t, mine)
	if !tally.Add(theirs) {
		t.Fatal("not the same")
	}
	if got := tally.Count(everywhere); got.Witnesses != 2 {
		t.Errorf("%d witnesses", got.Witnesses)
	}
}

// TestWitnessesSee changes what witnesses vouch for: none of them is left.
func TestWitnessesSee(t *testing.T) {
	tests := map[string]func(*resource.Exchange){
		"method":           func(ex *resource.Exchange) { ex.Method = "HEAD" },
		"host":             func(ex *resource.Exchange) { ex.URL = mustURL(t, "https://evil.example.org/news/?page=2") },
		"http for https":   func(ex *resource.Exchange) { ex.URL = mustURL(t, "http://www.example.org/news/?page=2") },
		"query":            func(ex *resource.Exchange) { ex.URL = mustURL(t, "https://www.example.org/news/?page=3") },
		"status":           func(ex *resource.Exchange) { ex.Status = 404 },
		"root":             func(ex *resource.Exchange) { ex.Body.Root[0] ^= 1 },
		"SHA-256":          func(ex *resource.Exchange) { ex.Body.SHA256[0] ^= 1 },
		"length":           func(ex *resource.Exchange) { ex.Body.Length++ },
		"selecting field":  setSelecting("Accept-Encoding", "br"),
		"one more":         setSelecting("Accept", "*/*"),
		"type":             setLines("Content-Type", "text/javascript"),
		"no policy":        func(ex *resource.Exchange) { ex.Header.Del("Content-Security-Policy") },
		"half a policy":    setLines("Content-Security-Policy", "default-src 'self'"),
		"policy joined":    setLines("Content-Security-Policy", "default-src 'self', script-src 'none'"),
		"redirection":      setLines("Refresh", "0; url=https://evil.example/"),
		"style sheet":      setLines("Link", "<https://evil.example/>; rel=stylesheet"),
		"cookie":           setLines("Set-Cookie", "session=fixed"),
		"wider worker":     setLines("Service-Worker-Allowed", "/"),
		"open to all":      setLines("Access-Control-Allow-Origin", "*"),
		"alternative host": setLines("Alt-Svc", `h3="evil.example:443"`),
	}
	for name, change := range tests {
		ex := signedSample(t)
		change(ex)
		signFully(t, seeded(9), ex) // a liar vouches for the change
		if got := newTally(t, ex).Count(everywhere); got.Witnesses != 0 {
			t.Errorf("%s: %d witnesses", name, got.Witnesses)
		}
		if newTally(t, signedSample(t)).Add(ex) {
			t.Errorf("%s: is the same", name)
		}
	}
}

// TestOtherWitnessInputs has a witness sign the right values in other ways, with fewer fields or
// for other purposes: that is no testimony.
func TestOtherWitnessInputs(t *testing.T) {
	id := seeded(1)
	good := signedSample(t).Signatures[1].Input
	replace := func(old, with string) string { return strings.Replace(good, old, with, 1) }
	tests := []struct {
		name, input string
		err         error
	}{
		{"no URL", replace(` "@target-uri";req`, ""), ErrNotCovered},
		{"no status", replace(` "@status"`, ""), ErrNotCovered},
		{"no body", replace(` "peerproxy-body"`, ""), ErrNotCovered},
		{"no digest", replace(` "repr-digest"`, ""), ErrNotCovered},
		{"no policy", replace(` "content-security-policy";bs`, ""), ErrNotCovered},
		{"policy without bs", replace(`"content-security-policy";bs`, `"content-security-policy"`), ErrNotCovered},
		{"one component more", replace(`"vary"`, `"vary" "etag"`), ErrNotCovered},
		{"another order", replace(`"repr-digest" "vary"`, `"vary" "repr-digest"`), ErrNotCovered},
		{"no time", replace(`;created=1773500967`, ``), ErrBadSignature},
		{"time with a zero", replace(`created=1`, `created=01`), ErrBadSignature},
		{"time with a sign", replace(`created=1`, `created=+1`), ErrBadSignature},
		{"time before 1970", replace(`created=1`, `created=-1`), ErrBadSignature},
		{"negative zero", replace(`created=1773500967`, `created=-0`), ErrBadSignature},
		{"time as a decimal", replace(`created=1773500967`, `created=1773500967.0`), ErrBadSignature},
		{"time after 9999", replace(`created=1773500967`, `created=253402300800`), ErrBadSignature},
		{"huge time", replace(`created=1773500967`, `created=`+strings.Repeat("9", 40)), ErrBadSignature},
		{"two times", replace(`created=1773500967`, `created=1773500967;created=1773500967`), ErrBadSignature},
		{"key of another", replace(id.Key().String(), seeded(2).Key().String()), ErrBadSignature},
		{"weak key", replace(id.Key().String(), Key{1}.String()), ErrBadSignature},
		{"two keys", replace(`;keyid=`, `;keyid="x";keyid=`), ErrBadSignature},
		{"no algorithm", replace(`;alg="ed25519"`, ``), ErrBadSignature},
		{"no tag", replace(`;tag="peerproxy.witness.1"`, ``), ErrBadSignature},
		{"the other tag", replace(witnessTag, tag), ErrBadSignature},
		{"expiry", good + `;expires=1`, ErrBadSignature},
		{"empty", "", ErrBadSignature},
	}
	s, err := newWitnessStatement(sampleExchange(t))
	if err != nil {
		t.Fatal(err)
	}
	m, err := toWitnessMessage(sampleExchange(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		sig := signMessage(t, id, m, tt.input)
		if _, _, err := s.verify(sig); !errors.Is(err, tt.err) {
			t.Errorf("%s: %v", tt.name, err)
		}
		ex := sampleExchange(t)
		ex.Signatures = []resource.Signature{sig}
		if got := newTally(t, ex).Count(everywhere); got.Witnesses != 0 {
			t.Errorf("%s: counts", tt.name)
		}
	}
}

// TestWitnessIsNoSigner: neither kind of signature passes as the other.
func TestWitnessIsNoSigner(t *testing.T) {
	friend := seeded(1)
	full, witness := signedSample(t).Signatures[0], signedSample(t).Signatures[1]
	retagged := func(sig resource.Signature, from, to string) resource.Signature {
		sig.Input = strings.Replace(sig.Input, `tag="`+from, `tag="`+to, 1)
		return sig
	}
	for name, tt := range map[string]struct {
		signature resource.Signature
		err       error
	}{
		"as it is":         {witness, ErrNotCovered},
		"with another tag": {retagged(witness, witnessTag, tag), ErrNotCovered},
		"value of it":      {resource.Signature{Input: full.Input, Value: witness.Value}, ErrBadSignature},
	} {
		ex := sampleExchange(t)
		ex.Signatures = []resource.Signature{tt.signature}
		policy := trusting(friend)
		policy.Any, policy.Witnessed = true, true
		if tier, _, err := policy.Verify(ex, queryFor(ex)); !errors.Is(err, tt.err) {
			t.Errorf("witness as signer, %s: %v, %v", name, tier, err)
		}
	}
	for name, sig := range map[string]resource.Signature{
		"as it is":         full,
		"with another tag": retagged(full, tag, witnessTag),
		"value of it":      {Input: witness.Input, Value: full.Value},
	} {
		ex := sampleExchange(t)
		ex.Signatures = []resource.Signature{sig}
		if got := newTally(t, ex).Count(everywhere); got.Witnesses != 0 {
			t.Errorf("signer as witness, %s", name)
		}
	}
	// Where full and witness cover the same fields, only the tag and our own lines differ.
	bare := sampleExchange(t)
	bare.Header, bare.Selecting = nil, nil
	signAsWitness(t, friend, bare, bare.Received)
	if _, _, err := trusting(friend).Verify(bare, queryFor(bare)); !errors.Is(err, ErrNotCovered) {
		t.Errorf("bare exchange: %v", err)
	}
}

// TestSignKeepsWitnesses: of the signatures that a stored response had, those that are right
// for the new one stay.
func TestSignKeepsWitnesses(t *testing.T) {
	old := sampleExchange(t)
	for n := byte(1); n <= 3; n++ {
		signAsWitness(t, seeded(n), old, sampleTime)
	}
	old.Signatures[1].Value = make([]byte, 64)
	fresh := anotherFetch(t)
	fresh.Signatures = old.Signatures
	if err := seeded(1).Sign(fresh); err != nil {
		t.Fatal(err)
	}
	if got := signers(fresh); !slices.Equal(got, []string{"1", "1", "3"}) {
		t.Errorf("signers are %v", got)
	}
	changed := anotherFetch(t)
	changed.Body.Root[0] ^= 1
	changed.Signatures = old.Signatures
	if err := seeded(1).Sign(changed); err != nil {
		t.Fatal(err)
	}
	if got := signers(changed); !slices.Equal(got, []string{"1", "1"}) {
		t.Errorf("of other bytes: signers are %v", got)
	}
}

// TestSignaturesFitTheWire: witnesses never make of an exchange one that can't be encoded.
func TestSignaturesFitTheWire(t *testing.T) {
	for _, left := range []int{2_000, 4_000, 10_000} {
		ex := sampleExchange(t)
		ex.Header["X"] = []string{strings.Repeat("x", resource.MaxEncodedExchange-left)}
		for n := byte(1); n <= 14; n++ {
			signAsWitness(t, seeded(n), ex, sampleTime)
		}
		if err := seeded(20).Sign(ex); err != nil {
			t.Fatal(err)
		}
		encoded, err := ex.MarshalBinary()
		if err != nil {
			t.Errorf("%d bytes left: %v", left, err)
		}
		if free := resource.MaxEncodedExchange - len(encoded); free > 1500 && len(ex.Signatures) < resource.MaxSignatures {
			t.Errorf("%d bytes left: %d signatures, and %d bytes wasted", left, len(ex.Signatures), free)
		}
	}
}

// newTally is a tally of a policy whose clock is soon after sampleTime.
func newTally(t testing.TB, ex *resource.Exchange) *Tally {
	t.Helper()
	policy := trusting()
	policy.Any = true
	tally, err := policy.Tally(ex)
	if err != nil {
		t.Fatal(err)
	}
	return tally
}

// everywhere has met every key, each in a network of its own.
func everywhere(key Key) (netip.Prefix, bool) {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{key[0], key[1], key[2]}), 24), true
}
