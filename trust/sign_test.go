package trust

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// TestProfile holds the signed text fixed. A change here is another profile and needs
// another tag.
func TestProfile(t *testing.T) {
	ex := signedSample(t)
	s, err := newStatement(ex)
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
"etag": W/"1, 2"
"peerproxy-exchange": root=:oaVYh1NTl79GGQJJHId5GIpd0fjDlRs9nPbsuhlOh7A=:, length=12, requested=1773500966535, received=1773500967769, age=7000
"repr-digest": sha-256=:Ccp+TqpuiunH0mEWcSkYSINkTQffuny/vEyKLgg2DVs=:
"vary": Accept-Encoding, Accept-Language
"x-empty": 
`
	if s.lines != lines {
		t.Errorf("got:\n%s\nwant:\n%s", s.lines, lines)
	}
	const input = `("@method";req "@target-uri";req "@status" "accept-encoding";req "accept-language";req;bs ` +
		`"content-disposition";bs "content-security-policy";bs "content-type" "etag" "peerproxy-exchange" "repr-digest" "vary" "x-empty")` +
		`;created=1773500967;keyid="KEY";alg="ed25519";tag="peerproxy.1"`
	if want := strings.Replace(input, "KEY", seeded(1).Key().String(), 1); ex.Signatures[0].Input != want {
		t.Errorf("got:\n%s\nwant:\n%s", ex.Signatures[0].Input, want)
	}
}

func TestSignedExchangeSurvivesTheWire(t *testing.T) {
	ex := signedSample(t)
	encoded, err := ex.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var decoded resource.Exchange
	if err := decoded.UnmarshalBinary(encoded); err != nil {
		t.Fatal(err)
	}
	tier, key, err := trusting(seeded(1)).Verify(&decoded, queryFor(ex))
	if tier != resource.Signer || key != seeded(1).Key() || err != nil {
		t.Errorf("got %v, %v, %v", tier, key, err)
	}
}

func TestSignSparseExchanges(t *testing.T) {
	id := seeded(1)
	for name, change := range map[string]func(*resource.Exchange){
		"nothing":             func(ex *resource.Exchange) { ex.Header, ex.Selecting = nil, nil },
		"empty headers":       func(ex *resource.Exchange) { ex.Header, ex.Selecting = http.Header{}, http.Header{} },
		"name without a line": func(ex *resource.Exchange) { ex.Header["X-None"] = nil },
		"another zone":        func(ex *resource.Exchange) { ex.Received = ex.Received.In(time.FixedZone("", 3600)) },
		"clock set back":      func(ex *resource.Exchange) { ex.Requested = ex.Received.Add(time.Hour) },
		"no body":             func(ex *resource.Exchange) { ex.Body = resource.NewHasher().Body() },
		"large body":          func(ex *resource.Exchange) { ex.Body.Length = 1 << 49 },
		"tab in a value":      func(ex *resource.Exchange) { ex.Header.Set("X", "a\tb") },
		"long value":          func(ex *resource.Exchange) { ex.Header.Set("X", strings.Repeat("x", 100<<10)) },
		"signature fields of the origin": func(ex *resource.Exchange) {
			ex.Header.Set("Signature-Input", `sig=("@status");created=1`)
			ex.Header.Set("Signature", "sig=:AAAA:")
		},
		"digest of the origin": func(ex *resource.Exchange) { ex.Header.Set("Repr-Digest", "md5=:AAAA:") },
		"our own field":        func(ex *resource.Exchange) { ex.Header.Set("Peerproxy-Exchange", "length=1") },
	} {
		ex := sampleExchange(t)
		change(ex)
		if err := id.Sign(ex); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, _, err := trusting(id).Verify(ex, queryFor(ex)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnsignable(t *testing.T) {
	for name, change := range unsignable() {
		ex := sampleExchange(t)
		change(ex)
		before := ex.Clone()
		if err := seeded(1).Sign(ex); !errors.Is(err, ErrUnsignable) {
			t.Errorf("%s: signed with %v", name, err)
		}
		if len(ex.Signatures) != len(before.Signatures) {
			t.Errorf("%s: changed nevertheless", name)
		}
		// And such an exchange is refused whatever the signature.
		ex.Signatures = signedSample(t).Signatures
		_, _, err := trusting(seeded(1)).Verify(ex, queryFor(ex))
		if !errors.Is(err, ErrUnsignable) && !errors.Is(err, ErrWrongTarget) && !errors.Is(err, ErrNotCovered) {
			t.Errorf("%s: verified with %v", name, err)
		}
	}
}

func unsignable() map[string]func(*resource.Exchange) {
	field := func(name, value string) func(*resource.Exchange) {
		return func(ex *resource.Exchange) { ex.Header[name] = []string{value} }
	}
	return map[string]func(*resource.Exchange){
		"no method":               func(ex *resource.Exchange) { ex.Method = "" },
		"line feed in the method": func(ex *resource.Exchange) { ex.Method = "GET\n\"@status\": 200" },
		"no URL":                  func(ex *resource.Exchange) { ex.URL = resource.URL{} },
		"status of 2 digits":      func(ex *resource.Exchange) { ex.Status = 99 },
		"status over 599":         func(ex *resource.Exchange) { ex.Status = 600 },
		"negative status":         func(ex *resource.Exchange) { ex.Status = -200 },
		"negative length":         func(ex *resource.Exchange) { ex.Body.Length = -1 },
		"length over 15 digits":   func(ex *resource.Exchange) { ex.Body.Length = 1e15 },
		"negative age":            func(ex *resource.Exchange) { ex.InitialAge = -time.Millisecond },
		"zero time":               func(ex *resource.Exchange) { ex.Requested = time.Time{} },
		"time before 1970":        func(ex *resource.Exchange) { ex.Received = time.Unix(-1, 0) },
		"time after 9999":         func(ex *resource.Exchange) { ex.Received = time.Unix(1<<40, 0) },
		"time beyond int64":       func(ex *resource.Exchange) { ex.Received = time.Unix(1<<62, 0) },
		"empty name":              field("", "x"),
		"lower-case name":         field("etag", "x"),
		"name as it was written":  field("ETag", "x"),
		"blank in a name":         field("X Y", "x"),
		"colon in a name":         field("X:", "x"),
		"line feed in a name":     field("X\n", "x"),
		"quote in a name":         field(`X";req`, "x"),
		"derived name":            field("@status", "404"),
		"signature parameters":    field("@signature-params", "()"),
		"name beyond ASCII":       field("X-\xc3\xa4", "x"),
		"line feed":               field("X", "a\n\"x-y\": b"),
		"return":                  field("X", "a\rb"),
		"folded line":             field("X", "a\r\n b"),
		"NUL":                     field("X", "a\x00b"),
		"DEL":                     field("X", "a\x7fb"),
		"blank before":            field("X", " a"),
		"blank after":             field("X", "a "),
		"tab after":               field("X", "a\t"),
		"blanks alone":            field("X", " "),
		"line feed in a selecting field": func(ex *resource.Exchange) {
			ex.Selecting["Accept"] = []string{"a\nb"}
		},
		"huge header":    func(ex *resource.Exchange) { ex.Header["X"] = []string{strings.Repeat("x", maxHeader)} },
		"names too long": func(ex *resource.Exchange) { ex.Header["X"+strings.Repeat("x", maxInput)] = []string{"x"} },
	}
}

func TestSignPutsItselfFirst(t *testing.T) {
	ex := sampleExchange(t)
	for n := range byte(3) {
		if err := seeded(n).Sign(ex); err != nil {
			t.Fatal(err)
		}
	}
	shared := ex.Clone()
	if err := seeded(1).Sign(ex); err != nil {
		t.Fatal(err)
	}
	// Each twice: for the whole exchange, and as a witness.
	if got := signers(ex); !slices.Equal(got, []string{"1", "1", "2", "2", "0", "0"}) {
		t.Errorf("signers are %v", got)
	}
	if isWitness(ex.Signatures[0]) || !isWitness(ex.Signatures[1]) {
		t.Errorf("the own ones are %v", ex.Signatures[:2])
	}
	if got := signers(shared); !slices.Equal(got, []string{"2", "2", "1", "1", "0", "0"}) {
		t.Errorf("the clone's signers became %v", got)
	}
	for n := range byte(3 * resource.MaxSignatures) {
		if err := seeded(n).Sign(ex); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ex.MarshalBinary(); err != nil || len(ex.Signatures) != resource.MaxSignatures {
		t.Errorf("%d signatures, %v", len(ex.Signatures), err)
	}
}

// signers tells by their numbers who signed ex.
func signers(ex *resource.Exchange) []string {
	var list []string
	for _, sig := range ex.Signatures {
		for n := range byte(10) {
			if strings.Contains(sig.Input, seeded(n).Key().String()) {
				list = append(list, string('0'+rune(n)))
			}
		}
	}
	return list
}
