package proxy

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

const navigation = "Accept: text/html,application/xhtml+xml,*/*;q=0.8"

var tokenIn = regexp.MustCompile(`name="token" value="([^"]+)"`)

// strangers is a bench whose origin is down and whose peers have copies that nobody vouches for.
func strangers(t *testing.T, contentType string) *bench {
	b := newBench(t, func(cfg *Config) { cfg.Sites = nil })
	b.origin.err = syscall.ECONNREFUSED
	b.header = http.Header{"Content-Type": {contentType}, "Cache-Control": {"max-age=86400"}}
	return b
}

func (b *bench) consent(token, next string, fields ...string) answered {
	r := httptest.NewRequest("POST", "http://example.com"+consentPath, strings.NewReader(url.Values{"token": {token}, "next": {next}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Set(name, value)
	}
	a, _ := b.send(r)
	return a
}

// An unproven page is shown after the user was asked, and in a sandbox then.
func TestPageInBetween(t *testing.T) {
	bubble(func(t *testing.T) {
		b := strangers(t, "text/html")
		b.text = "<p>whatever"
		a, _ := b.get("http://example.com/page?a=1&b=2", navigation)
		a.want(t, 502, "*", "proxy:details")
		for _, part := range []string{"A copy without proof", "nobody whom you trust", "1 hour", "example.com", "refused the connection", `value="/page?a=1&amp;b=2"`} {
			if !strings.Contains(a.text, part) {
				t.Errorf("the page does not say %q", part)
			}
		}
		if policy := a.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "form-action 'self'") {
			t.Errorf("the page's policy is %q", policy)
		}
		a, _ = b.get("http://example.com/page?a=1&b=2", navigation) // out of the store
		a.want(t, 502, "*")
		token := tokenIn.FindStringSubmatch(a.text)
		if token == nil {
			t.Fatal("no token in the page")
		}
		a = b.consent(token[1], "/page?a=1&b=2")
		if a.StatusCode != 303 || a.Header.Get("Location") != "/page?a=1&b=2" || a.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("consent answered with %d %v", a.StatusCode, a.Header)
		}
		a, _ = b.get("http://example.com/page?a=1&b=2", navigation)
		if !strings.HasSuffix(a.text, "<p>whatever") || a.StatusCode != 200 || a.text == "<p>whatever" {
			t.Fatalf("got %d %q, want the copy with a banner", a.StatusCode, a.text)
		}
		if !hasPolicy(a, sandboxPolicy) || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("not sandboxed: %v", a.Header)
		}
		time.Sleep(consentTime)
		a, _ = b.get("http://example.com/page?a=1&b=2", navigation)
		a.want(t, 502, "*")
	})(t)
}

// Consent is what the page's own form gives, and nothing else.
func TestConsentForged(t *testing.T) {
	bubble(func(t *testing.T) {
		b := strangers(t, "text/html")
		const name = "http://example.com"
		good := b.proxy.consentToken(name, time.Now())
		for name, a := range map[string]answered{
			"no token":                    b.consent("", "/"),
			"invented":                    b.consent("abc", "/"),
			"another site's":              b.consent(b.proxy.consentToken("http://example.org", time.Now()), "/"),
			"of long ago":                 b.consent(b.proxy.consentToken(name, time.Now().Add(-2*consentTime)), "/"),
			"of another run":              b.consent(newBench(t, nil).proxy.consentToken(name, time.Now()), "/"),
			"leads away":                  b.consent(good, "https://evil.example/"),
			"leads away without scheme":   b.consent(good, "//evil.example/"),
			"leads away with a backslash": b.consent(good, `/\evil.example/`),
			"tab":                         b.consent(good, "/\t/evil.example/"),
			"relative":                    b.consent(good, "page"),
			"of the site with TLS":        b.consent(b.proxy.consentToken("example.com", time.Now()), "/"),
			"sent by a script":            b.consent(good, "/", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"),
			"sent without the user":       b.consent(good, "/", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"),
			"sent from a frame":           b.consent(good, "/", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe", "Sec-Fetch-User: ?1"),
			"sent by another site":        b.consent(good, "/", "Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-User: ?1"),
		} {
			if a.StatusCode != 403 || a.Header.Get("Location") != "" {
				t.Errorf("%s: answered with %d", name, a.StatusCode)
			}
		}
		if b.proxy.consents.given(name) {
			t.Error("consent was given")
		}
		b.wantAsked(0, 0)                                                                  // nothing of it went out
		a, _ := b.get("http://example.com"+consentPath+"?next=/", "Sec-Fetch-Dest: empty") // a script that wants the token
		if a.StatusCode != 403 || tokenIn.MatchString(a.text) {
			t.Errorf("a script gets the page: %d", a.StatusCode)
		}
		if a := b.consent(good, "/"); a.StatusCode != 303 {
			t.Errorf("the right one: %d", a.StatusCode)
		}
		if a := b.consent(b.proxy.consentToken(name, time.Now().Add(-consentTime)), "/"); a.StatusCode != 303 {
			t.Errorf("one of an hour ago: %d", a.StatusCode)
		}
		if a := b.consent(good, "/", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-User: ?1"); a.StatusCode != 303 {
			t.Errorf("a browser's: %d", a.StatusCode)
		}
		for u, want := range map[string]bool{"http://www.example.com/": true, "https://example.com/": false, "http://example.org/": false} {
			if parsed, _ := resource.ParseURL(u); b.proxy.consented(parsed) != want {
				t.Errorf("%s: consent is %t", u, !want)
			}
		}
	})(t)
}

// What is below the prefix of local pages never goes out.
func TestLocalPagesStay(t *testing.T) {
	bubble(func(t *testing.T) {
		b := newBench(t, nil)
		a, _ := b.get("http://example.com/.well-known/peerproxy/nothing")
		a.want(t, 404, "*")
		a, _ = b.send(httptest.NewRequest("DELETE", "http://example.com"+consentPath, nil))
		a.want(t, 405, "*")
		a, _ = b.get("http://example.com" + consentPath + "?next=//evil.example/")
		a.want(t, 403, "*")
		a, _ = b.get("http://example.com" + consentPath + "?next=/x")
		a.want(t, 200, "*")
		b.wantAsked(0, 0)
	})(t)
}
