package proxy

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
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
