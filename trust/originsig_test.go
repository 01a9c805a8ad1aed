package trust

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/peerproxy/peerproxy/resource"
)

const siteScript = "console.log('from the site')"

// fullCoverage is what a site signs at least.
const fullCoverage = `("@status" "unencoded-digest";sf "@target-uri";req "content-type")`

// sitesScript is a script that its site has signed: covered components and parameters as given.
func sitesScript(t testing.TB, covered, params string, change func(*resource.Exchange)) *resource.Exchange {
	t.Helper()
	hasher := resource.NewHasher()
	_, _ = hasher.Write([]byte(siteScript))
	ex := &resource.Exchange{
		Method: "GET", URL: mustURL(t, "https://www.example.org/app.js?v=1"), Status: 200, Body: hasher.Body(),
		Header:    http.Header{"Content-Type": {"text/javascript"}, "Unencoded-Digest": {digestOf(siteScript)}},
		Requested: sampleTime, Received: sampleTime,
	}
	if change != nil {
		change(ex)
	}
	signAsSite(t, ex, "sig", covered, params)
	return ex
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}

// site is the key of a site, as it stands in keyid.
var site = seeded(42)

func keyID(id *Identity) string {
	key := id.Key()
	return base64.StdEncoding.EncodeToString(key[:])
}

// signAsSite adds a signature to the fields, as a server would (RFC 9421 section 3.1).
func signAsSite(t testing.TB, ex *resource.Exchange, label, covered, params string) {
	t.Helper()
	input := covered + params
	components, parsed, err := parseInput(input)
	if err != nil {
		t.Fatal(err)
	}
	m := &message{method: ex.Method, url: ex.URL, request: ex.Selecting, status: ex.Status, response: ex.Header}
	lines, err := m.baseLines(components)
	if err != nil {
		t.Fatal(err)
	}
	text, err := formatInput(components, parsed)
	if err != nil {
		t.Fatal(err)
	}
	value := httpsfv.NewItem(site.sign(signatureBase(lines, text)))
	encoded, err := httpsfv.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	ex.Header["Signature-Input"] = append(ex.Header["Signature-Input"], label+"="+text)
	ex.Header["Signature"] = append(ex.Header["Signature"], label+"="+encoded)
}

func siteParams(more string) string {
	return fmt.Sprintf(`;created=%d;keyid="%s";tag="ed25519-integrity"%s`, sampleTime.Unix(), keyID(site), more)
}

func TestVerifyOrigin(t *testing.T) {
	now := sampleTime.Add(time.Hour)
	want := sha256.Sum256([]byte(siteScript))
	for name, covered := range map[string]string{
		"by target URI":      fullCoverage,
		"without sf":         `("unencoded-digest" "@target-uri";req "content-type" "@status")`,
		"by the URL's parts": `("unencoded-digest";sf "@scheme";req "@authority";req "@path";req "@query";req "content-type" "@status")`,
		"by request target":  `("@scheme";req "@authority";req "@request-target";req "content-type" "unencoded-digest";sf "@status")`,
		"with more":          `("@status" "unencoded-digest";sf "@target-uri";req "content-type" "@method";req)`,
	} {
		ex := sitesScript(t, covered, siteParams(`;alg="ed25519"`), nil)
		digest, key, err := VerifyOrigin(ex, []Key{seeded(1).Key(), site.Key()}, now)
		if err != nil || key != site.Key() || !bytes.Equal(digest.SHA256, want[:]) || digest.SHA512 != nil {
			t.Errorf("%s: %v, %v, %v", name, digest, key, err)
		}
		if keys := OriginKeys(ex, now); len(keys) != 1 || keys[0] != site.Key() {
			t.Errorf("%s: keys %v", name, keys)
		}
	}
	if _, _, err := VerifyOrigin(sampleExchange(t), []Key{site.Key()}, now); !errors.Is(err, ErrNoOriginSignature) {
		t.Errorf("unsigned: %v", err)
	}
}

// What a forger could try with a site's own signature.
func TestVerifyOriginRefuses(t *testing.T) {
	now := sampleTime.Add(time.Hour)
	sha512sum := sha512.Sum512([]byte(siteScript))
	for _, c := range []struct {
		name            string
		covered, params string
		before          func(*resource.Exchange) // as the site signs it
		after           func(*resource.Exchange) // what the forger makes of it
		want            error
	}{
		{name: "re-targeted", after: func(ex *resource.Exchange) { ex.URL = mustURL(t, "https://www.example.org/other.js") }, want: ErrBadSignature},
		{name: "of http for https", after: func(ex *resource.Exchange) { ex.URL = mustURL(t, "http://www.example.org/app.js?v=1") }, want: ErrBadSignature},
		{name: "other bytes", after: func(ex *resource.Exchange) { ex.Header.Set("Unencoded-Digest", digestOf("evil")) }, want: ErrBadSignature},
		{name: "other type", after: func(ex *resource.Exchange) { ex.Header.Set("Content-Type", "text/html") }, want: ErrBadSignature},
		{name: "other status", after: func(ex *resource.Exchange) { ex.Status = 404 }, want: ErrBadSignature},
		{name: "without the status", covered: `("unencoded-digest";sf "@target-uri";req "content-type")`, want: ErrNotCovered},
		{name: "type made up where there was none", covered: `("unencoded-digest";sf "@target-uri";req "@status")`,
			before: func(ex *resource.Exchange) { delete(ex.Header, "Content-Type") }, after: func(ex *resource.Exchange) { ex.Header.Set("Content-Type", "text/html") }, want: ErrNotCovered},
		{name: "without the URL", covered: `("unencoded-digest";sf "content-type" "@status")`, want: ErrNotCovered},
		{name: "without the query", covered: `("unencoded-digest";sf "content-type" "@scheme";req "@authority";req "@path";req "@status")`, want: ErrNotCovered},
		{name: "without the host", covered: `("unencoded-digest";sf "content-type" "@scheme";req "@request-target";req "@status")`, want: ErrNotCovered},
		{name: "without the digest", covered: `("@target-uri";req "content-type" "@status")`, want: ErrNotCovered},
		{name: "expired", params: siteParams(fmt.Sprintf(";expires=%d", now.Unix())), want: ErrExpired},
		{name: "from the future", params: fmt.Sprintf(`;created=%d;keyid="%s"`, now.Add(time.Hour).Unix(), keyID(site)), want: ErrFuture},
		{name: "another algorithm", params: siteParams(`;alg="hmac-sha256"`), want: ErrBadSignature},
		{name: "no time", params: `;created="now";keyid="` + keyID(site) + `"`, want: ErrBadSignature},
		{name: "another key's name", params: `;keyid="` + keyID(seeded(1)) + `"`, want: ErrNoOriginSignature},
		{name: "no key's name", params: `;created=1`, want: ErrNoOriginSignature},
		{name: "a weak digest", before: func(ex *resource.Exchange) { ex.Header.Set("Unencoded-Digest", "md5=:AAAA:, sha=:AAAA:") }, want: ErrNoDigest},
		{name: "a short digest", before: func(ex *resource.Exchange) { ex.Header.Set("Unencoded-Digest", "sha-256=:AAAA:") }, want: ErrNoDigest},
		{name: "a digest of another type", before: func(ex *resource.Exchange) { ex.Header.Set("Unencoded-Digest", "sha-256=7") }, want: ErrNoDigest},
		{name: "one of two digests is none", before: func(ex *resource.Exchange) {
			ex.Header.Set("Unencoded-Digest", "sha-256=:AAAA:, sha-512=:"+base64.StdEncoding.EncodeToString(sha512sum[:])+":")
		}, want: ErrNoDigest},
		{name: "signature of other bytes", after: func(ex *resource.Exchange) {
			ex.Header.Set("Signature", "sig=:"+base64.StdEncoding.EncodeToString(make([]byte, 64))+":")
		}, want: ErrBadSignature},
		{name: "no structured field", after: func(ex *resource.Exchange) { ex.Header.Set("Signature-Input", "sig=(((") }, want: ErrNoOriginSignature},
		{name: "a label without signature", after: func(ex *resource.Exchange) {
			ex.Header.Set("Signature", strings.Replace(ex.Header.Get("Signature"), "sig=", "gis=", 1))
		}, want: ErrNoOriginSignature},
	} {
		covered, params := c.covered, c.params
		if covered == "" {
			covered = fullCoverage
		}
		if params == "" {
			params = siteParams("")
		}
		ex := sitesScript(t, covered, params, c.before)
		if c.after != nil {
			c.after(ex)
		}
		if _, _, err := VerifyOrigin(ex, []Key{site.Key()}, now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if keys := OriginKeys(ex, now); len(keys) != 0 && c.want != ErrNoDigest {
			t.Errorf("%s: keys %v", c.name, keys)
		}
	}
}

// A response can bear several signatures; a bad one does no harm to a good one, and many do not
// make work without end.
func TestVerifyOriginSeveral(t *testing.T) {
	ex := sitesScript(t, `("unencoded-digest";sf)`, siteParams(""), nil)
	signAsSite(t, ex, "good", fullCoverage, siteParams(""))
	if _, _, err := VerifyOrigin(ex, []Key{site.Key()}, sampleTime); err != nil {
		t.Error(err)
	}
	ex = sitesScript(t, `("unencoded-digest";sf)`, siteParams(""), nil)
	for i := range maxOriginSignatures {
		signAsSite(t, ex, fmt.Sprintf("s%d", i), `("unencoded-digest";sf)`, siteParams(""))
	}
	signAsSite(t, ex, "late", fullCoverage, siteParams(""))
	if _, _, err := VerifyOrigin(ex, []Key{site.Key()}, sampleTime); !errors.Is(err, ErrNotCovered) {
		t.Errorf("one behind too many: %v", err)
	}
}

// RFC 9421 section 2.1.1: sf is the field serialised anew, so that how its lines were split does not matter.
func TestStrictSerialization(t *testing.T) {
	for _, lines := range [][]string{{"a=1,  b=2;x;y=1"}, {"a=1", "b=2;x;y=1"}} {
		got, err := fieldValue(lines, component{name: "unencoded-digest", sf: true})
		if err != nil || got != "a=1, b=2;x;y=1" {
			t.Errorf("%q: %q, %v", lines, got, err)
		}
	}
	if _, err := fieldValue([]string{"((("}, component{name: "x", sf: true}); err == nil {
		t.Error("what is no dictionary has a value")
	}
	if _, err := fieldValue([]string{"a=1"}, component{name: "x", sf: true, bs: true}); err == nil {
		t.Error("bs and sf together")
	}
}

// Whatever the fields of a copy are, reading them ends, and no key but the site's own vouches.
func FuzzVerifyOrigin(f *testing.F) {
	good := sitesScript(f, fullCoverage, siteParams(""), nil)
	f.Add(good.Header.Get("Signature-Input"), good.Header.Get("Signature"), good.Header.Get("Unencoded-Digest"), "text/javascript")
	f.Add(`a=("x";bs "@status");keyid="AAAA"`, "a=:AAAA:", "sha-256=:AAAA:", "text/html")
	f.Add(`a=();b=()`, "a=1", "", "")
	base := good.Clone()
	f.Fuzz(func(t *testing.T, input, signature, digest, media string) {
		ex := base.Clone()
		ex.Header = http.Header{"Content-Type": {media}, "Unencoded-Digest": {digest}, "Signature-Input": {input}, "Signature": {signature}}
		got, _, err := VerifyOrigin(ex, []Key{site.Key()}, sampleTime)
		if err == nil && (base.Header.Get("Content-Type") != media || got.SHA256 == nil) {
			t.Fatalf("%q is vouched for as %q", digest, media)
		}
	})
}
