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

// The policy, line by line.
func TestDecide(t *testing.T) {
	for _, c := range []struct {
		name      string
		tier      resource.Tier
		stale     bool
		to        destination
		site      SitePolicy
		consented bool
		inSandbox bool
		manner    manner
		banner    bool
	}{
		{name: "the origin's document", tier: resource.Origin, to: toDocument, manner: asItIs},
		{name: "an own stale document", tier: resource.Origin, stale: true, to: toDocument, manner: asItIs, banner: true},
		{name: "an own stale script", tier: resource.Origin, stale: true, to: toScript, manner: asItIs},
		{name: "a script with the right hash", tier: resource.Content, to: toScript, manner: asItIs},
		{name: "a friend's document", tier: resource.Signer, to: toDocument, manner: asItIs, banner: true},
		{name: "a friend's script", tier: resource.Signer, to: toScript, manner: asItIs},
		{name: "a friend's frame", tier: resource.Signer, to: toFrame, manner: asItIs},

		{name: "a witnessed document", tier: resource.Witnessed, to: toDocument, manner: sandboxed, banner: true},
		{name: "a witnessed frame", tier: resource.Witnessed, to: toFrame, manner: sandboxed},
		{name: "a witnessed script", tier: resource.Witnessed, to: toScript, manner: withheld},
		{name: "witnessed data", tier: resource.Witnessed, to: toData, manner: withheld},
		{name: "a witnessed image", tier: resource.Witnessed, to: toMedia, manner: sandboxed},
		{name: "a witnessed style for a real page", tier: resource.Witnessed, to: toStyle, manner: withheld},
		{name: "a witnessed style for a copy", tier: resource.Witnessed, to: toStyle, inSandbox: true, manner: sandboxed},
		{name: "witnessed, a site without sandbox: document", tier: resource.Witnessed, to: toDocument, site: SitePolicy{Plain: true}, manner: asItIs, banner: true},
		{name: "witnessed, a site without sandbox: script", tier: resource.Witnessed, to: toScript, site: SitePolicy{Plain: true}, manner: asItIs},
		{name: "witnessed, a site with higher demands", tier: resource.Witnessed, to: toDocument, site: SitePolicy{Accept: resource.Signer}, manner: askedFirst},
		{name: "witnessed image, a site with higher demands", tier: resource.Witnessed, to: toMedia, site: SitePolicy{Accept: resource.Signer}, manner: withheld},

		{name: "an unproven document", tier: resource.Unproven, to: toDocument, manner: askedFirst},
		{name: "an unproven document with consent", tier: resource.Unproven, to: toDocument, consented: true, manner: sandboxed, banner: true},
		{name: "an unproven document of a site that accepts it", tier: resource.Unproven, to: toDocument, site: SitePolicy{Accept: resource.Unproven}, manner: sandboxed, banner: true},
		{name: "an unproven document is never plain", tier: resource.Unproven, to: toDocument, site: SitePolicy{Plain: true}, consented: true, manner: sandboxed, banner: true},
		{name: "an unproven frame", tier: resource.Unproven, to: toFrame, manner: withheld},
		{name: "an unproven frame with consent", tier: resource.Unproven, to: toFrame, consented: true, manner: sandboxed},
		{name: "an unproven script with consent", tier: resource.Unproven, to: toScript, consented: true, inSandbox: true, manner: withheld},
		{name: "unproven data with consent", tier: resource.Unproven, to: toData, consented: true, inSandbox: true, manner: withheld},
		{name: "an unproven image", tier: resource.Unproven, to: toMedia, manner: withheld},
		{name: "an unproven image with consent", tier: resource.Unproven, to: toMedia, consented: true, manner: sandboxed},
		{name: "an unproven style with consent for a real page", tier: resource.Unproven, to: toStyle, consented: true, manner: withheld},
		{name: "an unproven style with consent for a copy", tier: resource.Unproven, to: toStyle, consented: true, inSandbox: true, manner: sandboxed},
		{name: "an unproven style for a copy without consent", tier: resource.Unproven, to: toStyle, inSandbox: true, manner: withheld},
		{name: "an unproven download", tier: resource.Unproven, to: toProgram, manner: withheld},
	} {
		d := decide(provenance{tier: c.tier, stale: c.stale}, c.to, c.site, c.consented, c.inSandbox)
		if d.manner != c.manner || d.banner != c.banner || d.to != c.to {
			t.Errorf("%s: manner %d, banner %t; want %d, %t", c.name, d.manner, d.banner, c.manner, c.banner)
		}
		if (d.manner == withheld || d.manner == askedFirst) != (d.why != "") {
			t.Errorf("%s: manner %d with the reason %q", c.name, d.manner, d.why)
		}
	}
}

// What Fetch Metadata does not say, the media type does; in doubt it is the more dangerous thing.
func TestDestination(t *testing.T) {
	for _, c := range []struct {
		fields string
		media  string
		want   destination
	}{
		{"Sec-Fetch-Dest: document", "image/png", toDocument},
		{"Sec-Fetch-Dest: iframe", "text/html", toFrame},
		{"Sec-Fetch-Dest: object", "text/html", toFrame},
		{"Sec-Fetch-Dest: script", "text/plain", toScript},
		{"Sec-Fetch-Dest: serviceworker", "text/javascript", toScript},
		{"Sec-Fetch-Dest: audioworklet", "text/javascript", toScript},
		{"Sec-Fetch-Dest: xslt", "text/xml", toScript},
		{"Sec-Fetch-Dest: what-comes-next-year", "text/plain", toScript},
		{"Sec-Fetch-Dest: empty", "text/html", toData},
		{"Sec-Fetch-Dest: image", "text/html", toMedia},
		{"Sec-Fetch-Dest: style", "text/html", toStyle},
		{"Sec-Fetch-Dest: image|Service-Worker: script", "image/png", toScript},
		// Browsers to plain HTTP sites.
		{"Accept: text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8", toDocument},
		{"Accept: text/html,application/xhtml+xml,*/*;q=0.8", "TEXT/HTML", toDocument},
		{"Accept: text/html,*/*;q=0.8", "application/zip", toDocument},
		{"Accept: */*", "application/zip", toProgram},
		{"Accept: */*", "text/html", toFrame},
		{"Accept: */*", "text/javascript", toScript},
		{"Accept: */*", "application/x-ecmascript", toScript},
		{"Accept: */*", "application/wasm", toScript},
		{"Accept: text/css,*/*;q=0.1", "text/css", toStyle},
		{"Accept: image/avif,*/*", "image/svg+xml", toFrame},
		{"Accept: image/avif,*/*", "image/png", toMedia},
		{"Accept: */*", "application/ld+json", toData},
		{"Accept: */*", "", toFrame},
		{"Accept: text/html", "image/png, text/html", toDocument},
		{"Accept: text/html", "text/plain", toDocument},
	} {
		r := httptest.NewRequest("GET", "http://example.com/", nil)
		for field := range strings.SplitSeq(c.fields, "|") {
			name, value, _ := strings.Cut(field, ": ")
			r.Header.Set(name, value)
		}
		if got := destinationOf(r, c.media); got != c.want {
			t.Errorf("%s, %q: %d, want %d", c.fields, c.media, got, c.want)
		}
	}
}

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

func hasPolicy(a answered, policy string) bool {
	for _, line := range a.Header["Content-Security-Policy"] {
		if line == policy {
			return true
		}
	}
	return false
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

// A copy's fields can't act on the site's origin, in no tier below that of a friend.
func TestCopyFields(t *testing.T) {
	hostile := map[string]string{
		"Strict-Transport-Security": "max-age=99999999; includeSubDomains", "Clear-Site-Data": `"*"`, "Alt-Svc": `h3="evil.example:443"`,
		"Nel": `{"report_to":"x"}`, "Report-To": `{"group":"x"}`, "Link": "<https://evil.example/>; rel=preload; as=script", "Refresh": "0; url=https://evil.example/",
		"Sourcemap": "https://evil.example/", "Service-Worker-Allowed": "/", "Accept-Ch": "Sec-CH-UA", "Origin-Trial": "x", "Reporting-Endpoints": `x="https://evil.example/"`,
		"Access-Control-Allow-Credentials": "true", "Set-Login": "logged-in", "X-Dns-Prefetch-Control": "on", "Supports-Loading-Mode": "credentialed-prerender",
	}
	for tier, kept := range map[resource.Tier]bool{resource.Unproven: false, resource.Witnessed: false, resource.Content: false, resource.Signer: true} {
		bubble(func(t *testing.T) {
			b := strangers(t, "image/png")
			b.tier = tier
			for name, value := range hostile {
				b.header.Set(name, value)
			}
			b.proxy.consents.give("example.com", time.Hour)
			for range 2 { // from the peer, then from the store
				a, _ := b.get("http://example.com/a.png", "Sec-Fetch-Dest: image")
				a.want(t, 200, "from peers")
				for name := range hostile {
					if (a.Header[name] != nil) != kept {
						t.Errorf("%v: %s is there: %t", tier, name, a.Header[name] != nil)
					}
				}
				if noStore := a.Header.Get("Cache-Control") == "no-store"; noStore != bareFields(tier) {
					t.Errorf("%v: Cache-Control is %q", tier, a.Header.Get("Cache-Control"))
				}
			}
		})(t)
	}
}

// A copy that nobody vouches for does not get around the notice by its type.
func TestCopyWithoutPlaceForNotice(t *testing.T) {
	for media, status := range map[string]int{"application/xhtml+xml": 502, "image/svg+xml": 502, "text/xml": 502, "text/html": 200, "text/plain": 200, "image/png": 200} {
		bubble(func(t *testing.T) {
			b := strangers(t, media)
			b.proxy.consents.give("example.com", time.Hour)
			if a, _ := b.get("http://example.com/", navigation); a.StatusCode != status {
				t.Errorf("%s: %d", media, a.StatusCode)
			}
			b.tier = resource.Signer
			if a, _ := b.get("http://example.com/signed", navigation); a.StatusCode != 200 {
				t.Errorf("%s, by a friend: %d", media, a.StatusCode)
			}
		})(t)
	}
}

// A redirect that nobody vouches for does not lead out of the sandbox.
func TestCopyLeadsAway(t *testing.T) {
	for location, status := range map[string]int{
		"https://evil.example/": 502, "//evil.example/": 502, "javascript:alert(1)": 502, "data:text/html,x": 502, ":": 502,
		"/other": 301, "https://www.example.com/": 301, "https://example.com/": 301,
	} {
		ex := copyOf("http://example.com/", "", http.Header{"Location": {location}}, time.Now()).Exchange
		if leadsAway(ex) != (status == 502) {
			t.Errorf("%s: leads away: %t", location, leadsAway(ex))
		}
	}
	bubble(func(t *testing.T) {
		b := strangers(t, "text/html")
		b.header.Set("Location", "https://evil.example/")
		b.proxy.consents.give("example.com", time.Hour)
		a, _ := b.get("http://example.com/", navigation)
		a.want(t, 502, "*")
		if a.Header.Get("Location") != "" {
			t.Error("the redirect was passed on")
		}
	})(t)
}

// Styles of a copy are for pages that are copies: those come from an opaque origin.
func TestStylesOfCopies(t *testing.T) {
	bubble(func(t *testing.T) {
		b := strangers(t, "text/html")
		b.proxy.consents.give("example.com", time.Hour)
		style := []string{"Sec-Fetch-Dest: style", "Sec-Fetch-Site: cross-site"}
		a, _ := b.get("http://example.com/a.css", style...) // no page has been shown
		a.want(t, 502, "*")
		b.get("http://example.com/", navigation)
		b.header.Set("Content-Type", "text/css")
		a, _ = b.get("http://example.com/b.css", style...)
		a.want(t, 200, "from peers")
		for _, fields := range [][]string{
			{"Sec-Fetch-Dest: style", "Sec-Fetch-Site: same-origin", "Referer: http://example.com/"},
			{"Sec-Fetch-Dest: style", "Sec-Fetch-Site: same-origin"},
			{"Sec-Fetch-Dest: style", "Sec-Fetch-Site: cross-site", "Referer: http://example.org/"},
			{"Sec-Fetch-Dest: style", "Sec-Fetch-Site: cross-site", "Referer: http://example.com/"},
			{"Sec-Fetch-Dest: style", "Sec-Fetch-Site: none"},
		} {
			if a, _ := b.get("http://example.com/a.css", fields...); a.StatusCode != 502 {
				t.Errorf("%q: %d", fields, a.StatusCode)
			}
		}
		b.proxy.shown.note("example.com", asItIs) // the real page was shown
		a, _ = b.get("http://example.com/a.css", style...)
		a.want(t, 502, "*")
		b.proxy.shown.note("example.com", sandboxed)
		time.Sleep(stylesTime)
		a, _ = b.get("http://example.com/a.css", style...)
		a.want(t, 502, "*")
	})(t)
}

// A stored copy whose signer is trusted no more is one that nobody vouches for.
func TestSignerNoLongerTrusted(t *testing.T) {
	bubble(func(t *testing.T) {
		trusted, revoked := true, false
		b := newBench(t, func(cfg *Config) {
			cfg.Sites = nil
			cfg.SignerCounts = func(signer string, u resource.URL) bool {
				return trusted && signer == "friend" && u.Host() == "example.com"
			}
			cfg.SignerRefused = func(signer string) bool { return revoked && signer == "friend" }
		})
		b.origin.err, b.tier = syscall.ECONNREFUSED, resource.Signer
		b.header = http.Header{"Content-Type": {"text/html"}, "Cache-Control": {"max-age=86400"}}
		b.get("http://example.com/", navigation)
		a, _ := b.get("http://example.com/", navigation)
		if a.StatusCode != 200 || hasPolicy(a, sandboxPolicy) || !strings.Contains(a.text, "signer") {
			t.Fatalf("a friend's copy: %d %q %v", a.StatusCode, a.text, a.Header)
		}
		trusted = false
		a, _ = b.get("http://example.com/", navigation)
		a.want(t, 502, "*")
		if !tokenIn.MatchString(a.text) {
			t.Error("the user is not asked")
		}
		revoked = true
		b.peers.err = errNoPeer
		a, _ = b.get("http://example.com/", navigation)
		a.want(t, 502, "*", "cache:fwd=uri-miss")
		if tokenIn.MatchString(a.text) {
			t.Error("the copy of a revoked key is offered")
		}
	})(t)
}

// The banner is on documents that are not what the site says now, and only there.
func TestBannerWhere(t *testing.T) {
	bubble(func(t *testing.T) {
		b := newBench(t, func(cfg *Config) { cfg.Sites = nil })
		b.header = http.Header{"Content-Type": {"text/html"}, "Cache-Control": {"max-age=86400"}}
		b.media = "text/html"
		a, _ := b.get("http://example.com/", navigation)
		a.want(t, 200, "from origin")
		a, _ = b.get("http://example.com/", navigation)
		a.want(t, 200, "from origin", "cache:hit")
		time.Sleep(2 * time.Hour)
		b.origin.err = syscall.ECONNREFUSED
		a, _ = b.get("http://example.com/", "Accept: */*") // a program
		a.want(t, 200, "from origin", "cache:detail=stale-if-error")
		a, _ = b.get("http://example.com/", navigation, `If-None-Match: "1"`) // what the browser has bears no banner
		a.want(t, 200, "*", "cache:detail=stale-if-error")
		for _, part := range []string{"from origin", "a copy kept by this proxy", "A newer copy exists"} { // the peers' is newer, but not proven
			if !strings.Contains(a.text, part) {
				t.Errorf("the page has not %q: %s", part, a.text)
			}
		}
		if a.Header.Get("Etag") != "" || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Content-Length") != "" {
			t.Errorf("fields of a document without banner: %v", a.Header)
		}
		b.proxy.consents.give("example.com", time.Hour)
		a, _ = b.get("http://example.com/", navigation)
		if !strings.HasSuffix(a.text, "from peers") || !hasPolicy(a, sandboxPolicy) {
			t.Errorf("with consent: %q %v", a.text, a.Header)
		}
	})(t)
}

// Pages from the Internet are told to be no local ones.
func TestTreatAsPublicAddress(t *testing.T) {
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		w.Header().Set("Cache-Control", r.URL.Query().Get("cc"))
		_, _ = w.Write([]byte("x"))
	}, func(cfg *Config) { cfg.Dialer.AllowPrivate = true })
	address := strings.TrimPrefix(l.origin.URL, "http://")
	for _, c := range []struct {
		host, media, fields string
		want                bool
	}{
		{"www.example.com", "text/html", navigation, true},
		{"www.example.com", "text/html", "Sec-Fetch-Dest: iframe", true},
		{"www.example.com", "image/svg+xml", navigation, true},
		{"www.example.com", "text/javascript", "Sec-Fetch-Dest: serviceworker", true},
		{"www.example.com", "text/javascript", "Sec-Fetch-Dest: sharedworker", true},
		{"www.example.com", "text/javascript", "Sec-Fetch-Dest: script", false},
		{"www.example.com", "text/javascript", "Accept: */*", true}, // perhaps a worker's
		{"www.example.com", "image/png", "Sec-Fetch-Dest: image", false},
		{"www.example.com", "application/json", "Sec-Fetch-Dest: empty", false},
		{address, "text/html", navigation, false}, // it is local
	} {
		for _, cc := range []string{"no-store", "max-age=60"} {
			for _, method := range []string{"GET", "GET", "POST"} { // passed on or stored, hit, never stored
				a := l.do(method, "http://"+c.host+"/?type="+url.QueryEscape(c.media)+"&cc="+cc, c.fields)
				if got := hasPolicy(a, publicPolicy); got != c.want {
					t.Errorf("%s %s %s %s, %s: policy there: %t", method, c.host, c.media, c.fields, cc, got)
				}
				if !hasPolicy(a, "default-src 'self'") {
					t.Errorf("%s: the site's own policy is gone", c.host)
				}
			}
		}
	}
}

// A 304 never takes the site's own policy away: browsers put the policies in it in the place of those that
// they have (RFC 9111 section 3.2).
func TestPolicyOfNotModified(t *testing.T) {
	const own = "script-src 'none'"
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Etag", `"1"`)
		if r.Header["If-None-Match"] != nil {
			if r.URL.Path == "/again" {
				w.Header().Set("Content-Security-Policy", own)
			}
			w.WriteHeader(304)
			return
		}
		w.Header().Set("Content-Security-Policy", own)
		w.Header().Set("Content-Type", "text/html")
	}, nil)
	unchanged := []string{navigation, `If-None-Match: "1"`}
	for name, c := range map[string]struct {
		path      string
		fields    []string
		own, ours bool
	}{
		"from the origin":                    {"/", unchanged, true, true},
		"from the store":                     {"/", unchanged, true, true},
		"passed on, without policies":        {"/quiet", append(unchanged, `If-Match: *`), false, false},
		"passed on, with the site's":         {"/again", append(unchanged, `If-Match: *`), true, true},
		"passed on, of a part of a page":     {"/quiet", []string{"Sec-Fetch-Dest: image", `If-None-Match: "1"`, "If-Match: *"}, false, false},
		"from the store, of a part of pages": {"/", []string{"Sec-Fetch-Dest: image", `If-None-Match: "1"`}, true, false},
	} {
		if name == "from the store" {
			l.get(site+c.path, navigation)
			l.settle()
		}
		a := l.get(site+c.path, c.fields...)
		if a.StatusCode != 304 || hasPolicy(a, own) != c.own || hasPolicy(a, publicPolicy) != c.ours {
			t.Errorf("%s: %d %q", name, a.StatusCode, a.Header["Content-Security-Policy"])
		}
		l.settle()
	}
}

// A document that can't be decoded for its banner has not begun to be answered: the client is told. HEAD says of
// a document what GET does (RFC 9110 section 9.3.2).
func TestBannerWithoutPlace(t *testing.T) {
	bubble(func(t *testing.T) {
		b := strangers(t, "text/html")
		b.tier = resource.Signer
		b.header.Set("Unencoded-Digest", "sha-256=:AAAA:")
		r := httptest.NewRequest("HEAD", "http://example.com/", nil)
		r.Header.Set("Accept", "text/html")
		a, _ := b.send(r)
		if a.StatusCode != 200 || a.Header["Content-Length"] != nil {
			t.Errorf("HEAD: %d %v", a.StatusCode, a.Header)
		}
		a, _ = b.get("http://example.com/", navigation)
		if a.StatusCode != 200 || a.Header["Unencoded-Digest"] != nil {
			t.Errorf("%d %v", a.StatusCode, a.Header)
		}
		b.header.Set("Content-Encoding", "gzip")
		for range 2 { // from the peer, then from the store
			a, _ := b.get("http://example.com/broken", navigation)
			a.want(t, 502, "*")
		}
	})(t)
}

// That a copy is fresh for long may be made up, even if its bytes are right: the site is asked as long as it
// answers.
func TestContentIsSecondToTheSite(t *testing.T) {
	bubble(func(t *testing.T) {
		b := strangers(t, "text/css")
		b.tier = resource.Content
		b.header.Set("Cache-Control", "max-age=31536000")
		a, _ := b.get("http://example.com/a.css")
		a.want(t, 200, "from peers")
		b.origin.err = nil
		time.Sleep(time.Minute)
		a, _ = b.get("http://example.com/a.css")
		a.want(t, 200, "from origin")
	})(t)
}
