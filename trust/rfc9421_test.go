package trust

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net/http"
	"strings"
	"testing"

	"github.com/peerproxy/peerproxy/resource"
)

// Keys of RFC 9421 appendix B.1.
const (
	rfcEd25519Seed   = "n4Ni+HpISpVObnQMW0wOhCKROaIKqKtW/2ZYb2p9KcU="
	rfcEd25519Public = "JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs="
	rfcP256Public    = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf" +
		"w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ=="
	rfcSharedSecret = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
)

const (
	rfcRequestDigest  = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"
	rfcResponseDigest = "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:"
	rfcBusyDigest     = "sha-512=:0Y6iCBzGg5rZtoXS95Ijz03mslf6KAMCloESHObfwnHJDbkkWWQz6PhhU9kxsTbARtY2PTBOzq24uJFpHsMuAg==:"
)

func decode64(t testing.TB, text string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// rfcRequest is test-request of RFC 9421 appendix B.2.
func rfcRequest(t testing.TB) *message {
	return &message{
		method: "POST",
		url:    mustURL(t, "https://example.com/foo?param=Value&Pet=dog"),
		request: http.Header{
			"Host":           {"example.com"},
			"Date":           {"Tue, 20 Apr 2021 02:07:55 GMT"},
			"Content-Type":   {"application/json"},
			"Content-Digest": {rfcRequestDigest},
			"Content-Length": {"18"},
		},
	}
}

// rfcResponse is test-response of RFC 9421 appendix B.2.
func rfcResponse(*testing.T) *message {
	return &message{
		status: 200,
		response: http.Header{
			"Date":           {"Tue, 20 Apr 2021 02:07:56 GMT"},
			"Content-Type":   {"application/json"},
			"Content-Digest": {rfcResponseDigest},
			"Content-Length": {"23"},
		},
	}
}

// rfcBusy is the response of RFC 9421 section 2.4, to test-request.
func rfcBusy(t *testing.T) *message {
	m := rfcRequest(t)
	m.status = 503
	m.response = http.Header{
		"Date":           {"Tue, 20 Apr 2021 02:07:56 GMT"},
		"Content-Type":   {"application/json"},
		"Content-Length": {"62"},
		"Content-Digest": {rfcBusyDigest},
	}
	return m
}

// rfcTransform is the request of RFC 9421 appendix B.4.
func rfcTransform(t *testing.T) *message {
	return &message{
		method:  "GET",
		url:     mustURL(t, "https://example.org/demo?name1=Value1&Name2=value2"),
		request: http.Header{"Accept": {"application/json", "*/*"}},
	}
}

// TestVectors verifies the RFC's own signatures on the bases that are built here.
// Nothing of the bases is taken from the RFC but by the signature.
func TestVectors(t *testing.T) {
	tests := []struct {
		section, input, signature string
		message                   func(*testing.T) *message
		verify                    func(t *testing.T, base, signature []byte) bool
	}{
		{
			"2.4, req", `("@status" "content-digest" "content-type" "@authority";req "@method";req "@path";req "content-digest";req);created=1618884479;keyid="test-key-ecc-p256"`,
			"dMT/A/76ehrdBTD/2Xx8QuKV6FoyzEP/I9hdzKN8LQJLNgzU4W767HK05rx1i8meNQQgQPgQp8wq2ive3tV5Ag==",
			rfcBusy, verifyP256,
		},
		{
			"B.2.4, response", `("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256"`,
			"wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==",
			rfcResponse, verifyP256,
		},
		{
			"B.2.5, hmac", `("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"`,
			"pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=",
			func(t *testing.T) *message { return rfcRequest(t) }, verifyHMAC,
		},
		{
			"B.2.6, ed25519", `("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"`,
			"wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
			func(t *testing.T) *message { return rfcRequest(t) }, verifyEd25519,
		},
		{
			"B.4, ed25519, two lines of Accept", `("@method" "@path" "@authority" "accept");created=1618884473;keyid="test-key-ed25519"`,
			"ZT1kooQsEHpZ0I1IjCqtQppOmIqlJPeo7DHR3SoMn0s5JZ1eRGS0A+vyYP9t/LXlh5QMFFQ6cpLt2m0pmj3NDA==",
			rfcTransform, verifyEd25519,
		},
	}
	for _, tt := range tests {
		t.Run(tt.section, func(t *testing.T) {
			covered, params, err := parseInput(tt.input)
			if err != nil {
				t.Fatal(err)
			}
			input, err := formatInput(covered, params)
			if err != nil || input != tt.input {
				t.Fatalf("input serialised as %s (%v)", input, err)
			}
			lines, err := tt.message(t).baseLines(covered)
			if err != nil {
				t.Fatal(err)
			}
			base := signatureBase(lines, input)
			if !tt.verify(t, base, decode64(t, tt.signature)) {
				t.Errorf("signature does not verify on:\n%s", base)
			}
		})
	}
}

func verifyP256(t *testing.T, base, signature []byte) bool {
	public, err := x509.ParsePKIXPublicKey(decode64(t, rfcP256Public))
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(base)
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	return ecdsa.Verify(public.(*ecdsa.PublicKey), digest[:], r, s)
}

func verifyHMAC(t *testing.T, base, signature []byte) bool {
	mac := hmac.New(sha256.New, decode64(t, rfcSharedSecret))
	mac.Write(base)
	return hmac.Equal(mac.Sum(nil), signature)
}

// verifyEd25519 signs too: Ed25519 is deterministic.
func verifyEd25519(t *testing.T, base, signature []byte) bool {
	id := fromSeed(decode64(t, rfcEd25519Seed))
	key := Key(decode64(t, rfcEd25519Public))
	if id.Key() != key {
		t.Fatal("the seed gives another public key")
	}
	return key.verify(base, signature) && string(id.sign(base)) == string(signature)
}

// TestSignatureBase has the RFC's examples word by word.
func TestSignatureBase(t *testing.T) {
	tests := []struct{ section, input, base string }{
		{"B.2.1", `();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"`, ``},
		{
			"B.2.3", `("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss"`,
			`"date": Tue, 20 Apr 2021 02:07:55 GMT
"@method": POST
"@path": /foo
"@query": ?param=Value&Pet=dog
"@authority": example.com
"content-type": application/json
"content-digest": ` + rfcRequestDigest + `
"content-length": 18
`,
		},
		{
			"2.2", `("@target-uri" "@scheme" "@request-target")`,
			`"@target-uri": https://example.com/foo?param=Value&Pet=dog
"@scheme": https
"@request-target": /foo?param=Value&Pet=dog
`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.section, func(t *testing.T) {
			covered, params, err := parseInput(tt.input)
			if err != nil {
				t.Fatal(err)
			}
			input, err := formatInput(covered, params)
			if err != nil {
				t.Fatal(err)
			}
			lines, err := rfcRequest(t).baseLines(covered)
			if err != nil {
				t.Fatal(err)
			}
			want := tt.base + `"@signature-params": ` + tt.input
			if got := string(signatureBase(lines, input)); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestQueryComponentIsNeverEmpty(t *testing.T) { // RFC 9421 section 2.2.7
	m := &message{method: "GET", url: mustURL(t, "https://www.example.com/path")}
	if got, err := m.value(component{name: "@query"}); got != "?" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestFieldValues(t *testing.T) {
	tests := []struct {
		section string
		lines   []string
		bs      bool
		want    string
	}{
		{"2.1", []string{"www.example.com"}, false, "www.example.com"},
		{"2.1", []string{"   Leading and trailing whitespace.   "}, false, "Leading and trailing whitespace."},
		{"2.1", []string{"Obsolete\r\n    line folding."}, false, "Obsolete line folding."},
		{"2.1", []string{"Folded \t\r\n \t twice,\n\there"}, false, "Folded twice, here"},
		{"2.1", []string{"max-age=60", "    must-revalidate"}, false, "max-age=60, must-revalidate"},
		{"2.1", []string{" a=1,    b=2;x=1;y=2,   c=(a   b   c)"}, false, "a=1,    b=2;x=1;y=2,   c=(a   b   c)"},
		{"2.1, empty", []string{""}, false, ""},
		{"2.1, empty lines", []string{"", ""}, false, ", "},
		{"2.1.3", []string{"value, with, lots", "of, commas"}, true, ":dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:"},
		{"2.1.3", []string{"value, with, lots, of, commas"}, true, ":dmFsdWUsIHdpdGgsIGxvdHMsIG9mLCBjb21tYXM=:"},
		{"2.1.3, trimmed", []string{" value, with, lots\t"}, true, ":dmFsdWUsIHdpdGgsIGxvdHM=:"},
	}
	for _, tt := range tests {
		got, err := fieldValue(tt.lines, component{name: "x", bs: tt.bs})
		if err != nil || got != tt.want {
			t.Errorf("section %s: %q gives %q, %v; want %q", tt.section, tt.lines, got, err, tt.want)
		}
	}
}

// TestNoSignatureBase has what must fail when a base is made (RFC 9421 section 2.5).
func TestNoSignatureBase(t *testing.T) {
	tests := []struct {
		name, input string
		message     *message
	}{
		{"unknown field", `("x-missing")`, rfcRequest(t)},
		{"unknown derived component", `("@moon")`, rfcRequest(t)},
		{"status of a request", `("@status")`, rfcRequest(t)},
		{"req in a request", `("@method";req)`, rfcRequest(t)},
		{"method of a response", `("@method")`, rfcBusy(t)},
		{"status of the request", `("@status";req)`, rfcBusy(t)},
		{"bs of a derived component", `("@status";bs)`, rfcBusy(t)},
		{"parameters as a component", `("@signature-params")`, rfcBusy(t)},
		{"twice", `("date" "date")`, rfcRequest(t)},
		{"twice with req", `("@path";req "@path";req)`, rfcBusy(t)},
		{"beyond ASCII", `("x")`, &message{method: "GET", request: http.Header{"X": {"caf\xc3\xa9"}}}},
		{"bare line feed", `("x")`, &message{method: "GET", request: http.Header{"X": {"a\n\"@method\": PUT"}}}},
		{"bare return", `("x")`, &message{method: "GET", request: http.Header{"X": {"a\rb"}}}},
		{"NUL", `("x")`, &message{method: "GET", request: http.Header{"X": {"a\x00b"}}}},
	}
	for _, tt := range tests {
		covered, _, err := parseInput(tt.input)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if lines, err := tt.message.baseLines(covered); err == nil {
			t.Errorf("%s: no error but\n%s", tt.name, lines)
		}
	}
}

func TestParseInputRefuses(t *testing.T) {
	for _, input := range []string{
		``, `"date"`, `("date"`, `("date"), ("date")`, `(date)`, `(1)`, `("date";key="a")`,
		`("@query-param";name="Pet")`, `("date";req=?0)`, `("date";bs="x")`, `("date");created=`, "(\"d\u00e4te\")",
		`sig1=("date")`, `(` + strings.Repeat(`"a" `, maxInput/4) + `)`,
	} {
		if covered, _, err := parseInput(input); err == nil {
			t.Errorf("%.60s: accepted as %v", input, covered)
		}
	}
}

func mustURL(t testing.TB, raw string) resource.URL {
	t.Helper()
	u, err := resource.ParseURL(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
