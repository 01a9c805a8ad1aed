package trust

import (
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// TestTampering changes one part of a signed exchange after the other. The asker
// asks for what the changed exchange claims to be, so that the signature alone can
// tell.
func TestTampering(t *testing.T) {
	tests := []struct {
		name   string
		tamper func(*resource.Exchange)
		err    error
	}{
		{"method", func(ex *resource.Exchange) { ex.Method = "HEAD" }, ErrBadSignature},
		{"URL: host", func(ex *resource.Exchange) { ex.URL = mustURL(t, "https://evil.example.org/news/?page=2") }, ErrBadSignature},
		{"URL: scheme", func(ex *resource.Exchange) { ex.URL = mustURL(t, "http://www.example.org/news/?page=2") }, ErrBadSignature},
		{"URL: port", func(ex *resource.Exchange) { ex.URL = mustURL(t, "https://www.example.org:8443/news/?page=2") }, ErrBadSignature},
		{"URL: path", func(ex *resource.Exchange) { ex.URL = mustURL(t, "https://www.example.org/news?page=2") }, ErrBadSignature},
		{"URL: query", func(ex *resource.Exchange) { ex.URL = mustURL(t, "https://www.example.org/news/?page=3") }, ErrBadSignature},
		{"status", func(ex *resource.Exchange) { ex.Status = 404 }, ErrBadSignature},
		{"value of a field", func(ex *resource.Exchange) { ex.Header.Set("Content-Type", "text/plain") }, ErrBadSignature},
		{"case of a value", func(ex *resource.Exchange) { ex.Header.Set("Content-Type", "Text/html; charset=utf-8") }, ErrBadSignature},
		{"value of an empty field", func(ex *resource.Exchange) { ex.Header.Set("X-Empty", "0") }, ErrBadSignature},
		{"emptied field", func(ex *resource.Exchange) { ex.Header.Set("Content-Type", "") }, ErrBadSignature},
		{"added field", func(ex *resource.Exchange) { ex.Header.Set("Set-Cookie", "a=b") }, ErrNotCovered},
		{"added empty field", func(ex *resource.Exchange) { ex.Header.Set("X-New", "") }, ErrNotCovered},
		{"dropped field", func(ex *resource.Exchange) { ex.Header.Del("Vary") }, ErrNotCovered},
		{"dropped security field", func(ex *resource.Exchange) { ex.Header.Del("Content-Security-Policy") }, ErrNotCovered},
		{"all fields dropped", func(ex *resource.Exchange) { ex.Header = nil }, ErrNotCovered},
		{"renamed field", rename("X-Empty", "X-Blank"), ErrNotCovered},
		{"added line", func(ex *resource.Exchange) { ex.Header.Add("Content-Type", "text/plain") }, ErrNotCovered},
		{"third line", func(ex *resource.Exchange) { ex.Header.Add("Content-Security-Policy", "img-src *") }, ErrBadSignature},
		{"dropped line", setLines("Content-Security-Policy", "default-src 'self'"), ErrNotCovered},
		{"swapped lines", setLines("Content-Security-Policy", "script-src 'none'", "default-src 'self'"), ErrBadSignature},
		{"lines joined", setLines("Content-Security-Policy", "default-src 'self', script-src 'none'"), ErrNotCovered},
		{"line split at its comma", setLines("Etag", `W/"1`, `2"`), ErrNotCovered},
		{"selecting line split", setSelecting("Accept-Encoding", "gzip", ""), ErrNotCovered},
		{"lines as their own bs text", setLines("Content-Security-Policy", ":ZGVmYXVsdC1zcmMgJ3NlbGYn:, :c2NyaXB0LXNyYyAnbm9uZSc=:"), ErrNotCovered},
		{"other byte beyond ASCII", setLines("Content-Disposition", "inline; filename=\"\xc3\xb6.html\""), ErrBadSignature},
		{"Latin-1 for UTF-8", setLines("Content-Disposition", "inline; filename=\"\xe4.html\""), ErrBadSignature},
		{"ASCII for what was none", setLines("Content-Disposition", "inline; filename=\"a.html\""), ErrNotCovered},
		{"blank around a value", setLines("Content-Type", "text/html; charset=utf-8 "), ErrUnsignable},
		{"value with a second base line", setLines("Content-Type", "text/html; charset=utf-8\n\"etag\": 1"), ErrUnsignable},
		{"name in lower case beside", setLines("content-type", "text/plain"), ErrUnsignable},
		{"name as derived component", setLines("@status", "200"), ErrUnsignable},
		{"name that ends the string", setLines(`X";req`, "200"), ErrUnsignable},
		{"selecting field", setSelecting("Accept-Encoding", "br"), ErrBadSignature},
		{"dropped selecting field", setSelecting("Accept-Encoding"), ErrNotCovered},
		{"added selecting field", setSelecting("Cookie", "a=b"), ErrNotCovered},
		{"selecting field as response field", func(ex *resource.Exchange) {
			ex.Header["Accept-Encoding"] = ex.Selecting["Accept-Encoding"]
			delete(ex.Selecting, "Accept-Encoding")
		}, ErrNotCovered},
		{"digest field of ours, doubled", setLines("Repr-Digest", "sha-256=:Ccp+TqpuiunH0mEWcSkYSINkTQffuny/vEyKLgg2DVs=:"), ErrNotCovered},
		{"facts of ours, overridden", setLines("Peerproxy-Exchange", "length=5"), ErrNotCovered},
		{"root", func(ex *resource.Exchange) { ex.Body.Root[0] ^= 1 }, ErrBadSignature},
		{"SHA-256", func(ex *resource.Exchange) { ex.Body.SHA256[31] ^= 0x80 }, ErrBadSignature},
		{"length", func(ex *resource.Exchange) { ex.Body.Length++ }, ErrBadSignature},
		{"requested", func(ex *resource.Exchange) { ex.Requested = ex.Requested.Add(-time.Millisecond) }, ErrBadSignature},
		{"received in the same second", func(ex *resource.Exchange) { ex.Received = ex.Received.Add(time.Millisecond) }, ErrBadSignature},
		{"received another second", func(ex *resource.Exchange) { ex.Received = ex.Received.Add(time.Second) }, ErrBadSignature},
		{"received made fresh", func(ex *resource.Exchange) { ex.Received = ex.Received.Add(50 * time.Minute) }, ErrBadSignature},
		{"initial age", func(ex *resource.Exchange) { ex.InitialAge = 0 }, ErrBadSignature},
	}
	for _, tt := range tests {
		ex := signedSample(t)
		tt.tamper(ex)
		tier, key, err := trusting(seeded(1)).Verify(ex, queryFor(ex))
		if !errors.Is(err, tt.err) || tier != 0 || key != (Key{}) {
			t.Errorf("%s: got %v, %v, %v", tt.name, tier, key, err)
		}
	}
}

func setLines(name string, lines ...string) func(*resource.Exchange) {
	return func(ex *resource.Exchange) { ex.Header[name] = lines }
}

func setSelecting(name string, lines ...string) func(*resource.Exchange) {
	return func(ex *resource.Exchange) { ex.Selecting[name] = lines }
}

func rename(from, to string) func(*resource.Exchange) {
	return func(ex *resource.Exchange) {
		ex.Header[to] = ex.Header[from]
		delete(ex.Header, from)
	}
}

// TestRetargeting answers one question with the rightly signed answer to another.
func TestRetargeting(t *testing.T) {
	ex := signedSample(t)
	for _, asked := range []resource.Query{
		{},
		{Method: "GET"},
		{URL: ex.URL},
		{Method: "HEAD", URL: ex.URL},
		{Method: "get", URL: ex.URL},
		{Method: "GET", URL: mustURL(t, "https://www.example.org/news/?page=3")},
		{Method: "GET", URL: mustURL(t, "https://www.example.org/")},
		{Method: "GET", URL: mustURL(t, "http://www.example.org/news/?page=2")},
		{Method: "GET", URL: mustURL(t, "https://example.org/news/?page=2")},
	} {
		if _, _, err := trusting(seeded(1)).Verify(ex, asked); !errors.Is(err, ErrWrongTarget) {
			t.Errorf("asked %s %v: %v", asked.Method, asked.URL, err)
		}
	}
	// A HEAD has no body: it must not pass as the GET of the same resource ID.
	head := sampleExchange(t)
	head.Method = "HEAD"
	if err := seeded(1).Sign(head); err != nil {
		t.Fatal(err)
	}
	if _, _, err := trusting(seeded(1)).Verify(head, queryFor(ex)); !errors.Is(err, ErrWrongTarget) {
		t.Errorf("HEAD for GET: %v", err)
	}
	if _, _, err := trusting(seeded(1)).Verify(&resource.Exchange{}, resource.Query{}); !errors.Is(err, ErrWrongTarget) {
		t.Errorf("nothing for nothing: %v", err)
	}
}

// TestOtherInputs has a trusted key sign the right values in other ways: a friend who
// runs other software, or was tricked into a signature for other purposes, must not
// vouch for an exchange by it.
func TestOtherInputs(t *testing.T) {
	id := seeded(1)
	good := signedSample(t).Signatures[0].Input
	replace := func(old, with string) string { return strings.Replace(good, old, with, 1) }
	tests := []struct {
		name, input string
		err         error
	}{
		{"nothing covered", good[strings.Index(good, ";created"):], ErrBadSignature},
		{"empty list covered", "()" + good[strings.Index(good, ";created"):], ErrNotCovered},
		{"no method", replace(`"@method";req `, ""), ErrNotCovered},
		{"no URL", replace(` "@target-uri";req`, ""), ErrNotCovered},
		{"no status", replace(` "@status"`, ""), ErrNotCovered},
		{"no exchange field", replace(` "peerproxy-exchange"`, ""), ErrNotCovered},
		{"no digest", replace(` "repr-digest"`, ""), ErrNotCovered},
		{"one field less", replace(` "vary"`, ""), ErrNotCovered},
		{"no selecting field", replace(` "accept-encoding";req`, ""), ErrNotCovered},
		{"no request parameter", replace(`"accept-encoding";req`, `"accept-encoding"`), ErrNotCovered},
		{"no bs", replace(`"content-security-policy";bs`, `"content-security-policy"`), ErrNotCovered},
		{"needless bs", replace(`"vary"`, `"vary";bs`), ErrNotCovered},
		{"one component twice", replace(`"vary"`, `"vary" "vary"`), ErrNotCovered},
		{"one component twice for another", replace(`"vary"`, `"etag"`), ErrNotCovered},
		{"another order", replace(`"vary" "x-empty"`, `"x-empty" "vary"`), ErrNotCovered},
		{"one component more", replace(`"vary"`, `"vary" "via"`), ErrNotCovered},
		{"part of a dictionary", replace(`"peerproxy-exchange"`, `"peerproxy-exchange";key="root"`), ErrBadSignature},
		{"name in upper case", replace(`"vary"`, `"Vary"`), ErrNotCovered},
		{"parameters of a component in another order", replace(`;req;bs`, `;bs;req`), ErrBadSignature},
		{"another algorithm", replace(`alg="ed25519"`, `alg="hmac-sha256"`), ErrBadSignature},
		{"no algorithm", replace(`;alg="ed25519"`, ``), ErrBadSignature},
		{"algorithm as a token", replace(`alg="ed25519"`, `alg=ed25519`), ErrBadSignature},
		{"another tag", replace(`tag="peerproxy.1"`, `tag="peerproxy.2"`), ErrBadSignature},
		{"no tag", replace(`;tag="peerproxy.1"`, ``), ErrBadSignature},
		{"another creation time", replace(`created=1773500967`, `created=1773500968`), ErrBadSignature},
		{"no creation time", replace(`;created=1773500967`, ``), ErrBadSignature},
		{"creation time as a decimal", replace(`created=1773500967`, `created=1773500967.0`), ErrBadSignature},
		{"expiry", good + `;expires=1`, ErrBadSignature},
		{"nonce", good + `;nonce="a"`, ErrBadSignature},
		{"parameter twice", good + `;tag="peerproxy.1"`, ErrBadSignature},
		{"first tag another", replace(`;tag=`, `;tag="x";tag=`), ErrBadSignature},
		{"keyid of another", replace(id.Key().String(), seeded(2).Key().String()), ErrBadSignature},
		{"keyid that is no key", replace(id.Key().String(), "me"), ErrBadSignature},
		{"no keyid", replace(`;keyid="`+id.Key().String()+`"`, ""), ErrBadSignature},
		{"keyid as bytes", replace(`"`+id.Key().String()+`"`, ":"+base64.StdEncoding.EncodeToString(make([]byte, 32))+":"), ErrBadSignature},
		{"weak keyid", replace(id.Key().String(), Key{1}.String()), ErrBadSignature},
		{"blanks", replace(`"@method";req `, `"@method";req  `), ErrBadSignature},
		{"label", "sig=" + good, ErrBadSignature},
		{"two members", good + ", " + good, ErrBadSignature},
		{"line feed", good + "\n", ErrBadSignature},
		{"empty", "", ErrBadSignature},
		{"huge", "(" + strings.Repeat(`"a" `, 1<<20), ErrBadSignature},
		{"deep", strings.Repeat("(", 20_000), ErrBadSignature},
	}
	for _, tt := range tests {
		if tt.input == good {
			t.Fatalf("%s: nothing replaced", tt.name)
		}
		ex := sampleExchange(t)
		ex.Signatures = []resource.Signature{signAnyhow(t, id, ex, tt.input)}
		if tier, _, err := trusting(id, seeded(2)).Verify(ex, queryFor(ex)); !errors.Is(err, tt.err) {
			t.Errorf("%s: got %v, %v", tt.name, tier, err)
		} else if len(err.Error()) > 500 {
			t.Errorf("%s: error of %d bytes", tt.name, len(err.Error()))
		}
	}
}

// signAnyhow makes a signature that is right for its own input, where that can be
// read at all.
func signAnyhow(t *testing.T, id *Identity, ex *resource.Exchange, input string) resource.Signature {
	t.Helper()
	m, err := toMessage(ex)
	if err != nil {
		t.Fatal(err)
	}
	return signMessage(t, id, m, input)
}

func signMessage(t *testing.T, id *Identity, m *message, input string) resource.Signature {
	t.Helper()
	var lines strings.Builder
	covered, _, _ := parseInput(input)
	for _, c := range covered {
		if value, err := m.value(c); err == nil {
			lines.WriteString(c.String() + ": " + value + "\n")
		}
	}
	return resource.Signature{Input: input, Value: id.sign(signatureBase(lines.String(), input))}
}

func TestValues(t *testing.T) {
	good := signedSample(t).Signatures[0].Value
	change := func(f func(b []byte) []byte) []byte { return f(slices.Clone(good)) }
	// The order of the base point, to be added to S (RFC 8032 section 8.4).
	order := []byte{
		0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
	}
	for name, value := range map[string][]byte{
		"none":      nil,
		"zeros":     make([]byte, 64),
		"cut off":   good[:63],
		"too long":  append(slices.Clone(good), 0),
		"bit of R":  change(func(b []byte) []byte { b[0] ^= 1; return b }),
		"bit of S":  change(func(b []byte) []byte { b[32] ^= 1; return b }),
		"of others": seeded(2).sign([]byte("x")),
		"malleated": change(func(b []byte) []byte {
			carry := 0
			for i, o := range order {
				sum := int(b[32+i]) + int(o) + carry
				b[32+i], carry = byte(sum), sum>>8
			}
			return b
		}),
	} {
		ex := signedSample(t)
		ex.Signatures[0].Value = value
		if _, _, err := trusting(seeded(1)).Verify(ex, queryFor(ex)); !errors.Is(err, ErrBadSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnsigned(t *testing.T) {
	for _, signatures := range [][]resource.Signature{nil, {}} {
		ex := sampleExchange(t)
		ex.Signatures = signatures
		if _, _, err := (Policy{Any: true}).Verify(ex, queryFor(ex)); !errors.Is(err, ErrUnsigned) {
			t.Errorf("got %v", err)
		}
	}
}

// TestReplayedSignature moves a signature to another exchange of the same URL.
func TestReplayedSignature(t *testing.T) {
	old, fresh := signedSample(t), sampleExchange(t)
	fresh.Received = fresh.Received.Add(30 * time.Minute)
	fresh.Signatures = old.Signatures
	if _, _, err := trusting(seeded(1)).Verify(fresh, queryFor(fresh)); !errors.Is(err, ErrBadSignature) {
		t.Errorf("got %v", err)
	}
}

// TestErrorsAreShort keeps a stranger's text from filling the log.
func TestErrorsAreShort(t *testing.T) {
	name := "X" + strings.Repeat("x", 20<<10)
	for what, tamper := range map[string]func(*resource.Exchange){
		"not covered":    setLines(name, "a"),
		"control":        setLines(name, "a\x00"),
		"white space":    setLines(name, " a"),
		"not canonical":  setLines("x"+name, "a"),
		"no token":       setLines(name+"\n", "a"),
		"too long":       setLines(name+name, "a"),
		"long method":    func(ex *resource.Exchange) { ex.Method = name + " " },
		"long input":     func(ex *resource.Exchange) { ex.Signatures[0].Input = `("` + name + `")` },
		"long parameter": func(ex *resource.Exchange) { ex.Signatures[0].Input += ";" + strings.ToLower(name) },
		"long junk":      func(ex *resource.Exchange) { ex.Signatures[0].Input = name },
	} {
		ex := signedSample(t)
		tamper(ex)
		if _, _, err := trusting(seeded(1)).Verify(ex, queryFor(ex)); err == nil || len(err.Error()) > 250 {
			t.Errorf("%s: %.300v", what, err)
		}
	}
}

// TestHugeExchange is as large as the wire allows, with as many signatures.
func TestHugeExchange(t *testing.T) {
	ex := sampleExchange(t)
	for i := range resource.MaxFieldLines {
		ex.Header.Add("X-"+http.CanonicalHeaderKey(strings.Repeat("a", 1+i%200)), strings.Repeat("\xff", 400))
	}
	junk := resource.Signature{Input: "(" + strings.Repeat(`"a" `, maxInput/4-1) + ")", Value: make([]byte, 64)}
	for range 1000 {
		ex.Signatures = append(ex.Signatures, junk)
	}
	if _, _, err := (Policy{Any: true}).Verify(ex, queryFor(ex)); !errors.Is(err, ErrNotCovered) {
		t.Errorf("got %v", err)
	}
}
