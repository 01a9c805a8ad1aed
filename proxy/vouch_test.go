package proxy

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/peerproxy/peerproxy/resource"
)

// signAsSite signs a copy as a site does: its digest, URL, status and type (RFC 9421).
func signAsSite(ex *resource.Exchange, text string, key ed25519.PrivateKey) (public string) {
	public = base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
	sum := sha256.Sum256([]byte(text))
	digest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	params := fmt.Sprintf(`("unencoded-digest" "@target-uri";req "@status" "content-type");keyid=%q;tag="ed25519-integrity"`, public)
	base := fmt.Sprintf("\"unencoded-digest\": %s\n\"@target-uri\";req: %s\n\"@status\": %d\n\"content-type\": %s\n\"@signature-params\": %s",
		digest, ex.URL, ex.Status, ex.Header.Get("Content-Type"), params)
	ex.Header.Set("Unencoded-Digest", digest)
	ex.Header.Set("Signature-Input", "s="+params)
	ex.Header.Set("Signature", "s=:"+base64.StdEncoding.EncodeToString(ed25519.Sign(key, []byte(base)))+":")
	return public
}

// What a page names a key or a hash for is its own scripts and styles. It does not make a page of another site
// that it leads to, or has in a frame, one that is of that site: such a page could do all that the site can.
func TestPagesVouchForNoPages(t *testing.T) {
	const evil = "<script>alert(document.cookie)</script>"
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	public := base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
	for _, media := range []string{"text/html", "image/svg+xml", "text/javascript"} {
		l := newLibrary(t, `<script src="https://example.com/x" integrity="ed25519-`+public+`"></script>`, "")
		l.getFrom("https://evil.example/page", "Sec-Fetch-Dest: document").want(t, 200, "*")
		for range 2 { // from the peer and from the store
			signAsSite(l.have("/x", media, evil, resource.Unproven).Exchange, evil, key)
			status := 502
			if media == "text/javascript" {
				status = 200
			}
			l.get("/x", "Sec-Fetch-Dest: script", "Referer: https://evil.example/page").want(t, status, "*")
			for _, dest := range []string{"document", "iframe", "object", "image", "empty", "serviceworker", "worker"} {
				a := l.get("/x", "Sec-Fetch-Dest: "+dest, "Referer: https://evil.example/page")
				if a.StatusCode == 200 && !hasPolicy(a, sandboxPolicy) {
					t.Errorf("%s as %s: delivered as it is", media, dest)
				}
			}
		}
	}
}

// A site that signs its responses vouches for copies of others of them: with the key that this node has seen when it
// fetched one from the site itself, over TLS, now or before it was started. That is no stranger's key.
func TestSiteVouchesForItsCopies(t *testing.T) {
	const text = "<p>signed by its site"
	site, other := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", ed25519.SeedSize)))
	for name, c := range map[string]struct {
		seen   string // what this node has fetched itself
		tier   resource.Tier
		key    ed25519.PrivateKey
		text   string // what the peer sends
		status int
	}{
		"the site's key":               {"https://example.com/seen", resource.Origin, site, text, 200},
		"nothing was seen of it":       {"", 0, site, text, 502},
		"seen without TLS":             {"http://example.com/seen", resource.Origin, site, text, 502},
		"seen on another site":         {"https://example.org/seen", resource.Origin, site, text, 502},
		"seen on a peer's copy":        {"https://example.com/seen", resource.Unproven, site, text, 502},
		"another key":                  {"https://example.com/seen", resource.Origin, other, text, 502},
		"other bytes than were signed": {"https://example.com/seen", resource.Origin, site, text + "?", 502},
	} {
		l := newLibrary(t, "", "")
		if c.seen != "" {
			seen := copyOf(c.seen, "seen", http.Header{"Content-Type": {"text/plain"}}, l.proxy.cfg.Now())
			signAsSite(seen.Exchange, "seen", site)
			l.proxy.Learn(&resource.Stored{Exchange: seen.Exchange, Tier: c.tier})
		}
		signAsSite(l.have("/page2", "text/html", c.text, resource.Unproven).Exchange, text, c.key)
		for range 2 { // from the peer and from the store
			a := l.get("/page2", "Sec-Fetch-Dest: document", "Sec-Fetch-Mode: navigate")
			if a.StatusCode != c.status || (c.status == 200) != strings.Contains(a.text, ">content<") {
				t.Errorf("%s: %d %.300q", name, a.StatusCode, a.text)
			}
			if hasPolicy(a, sandboxPolicy) {
				t.Errorf("%s: in a sandbox", name)
			}
		}
	}
}
