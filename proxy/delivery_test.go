package proxy

import (
	"net/http"
	"net/http/httptest"
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
