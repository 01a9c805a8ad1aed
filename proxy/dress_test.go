package proxy

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

func hasPolicy(a answered, policy string) bool {
	for _, line := range a.Header["Content-Security-Policy"] {
		if line == policy {
			return true
		}
	}
	return false
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
