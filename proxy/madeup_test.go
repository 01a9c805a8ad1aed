package proxy

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// The type of a copy is one that all browsers understand alike, and none that has fields within its content:
// Firefox sets the cookies that stand in the parts of multipart/x-mixed-replace.
func TestTypeOfCopy(t *testing.T) {
	const download = "application/octet-stream"
	for given, want := range map[string]string{
		"image/png": "image/png", "Text/HTML;charset=UTF-8": "text/html; charset=UTF-8", "image/svg+xml": "image/svg+xml",
		`text/html; charset="utf-16"; x=y`:      "text/html; charset=utf-16",
		"multipart/x-mixed-replace; boundary=x": download, "MULTIPART/x-mixed-replace;boundary=x": download, "multipart/byteranges": download,
		"message/rfc822": download, "multipart/x-mixed-replace x": download, "text/html (x)": download, "text/html x": download, "image": download,
		"": download, "text/html, image/png": download, "text/\"html": download, "text/html;a=b,c": download,
		"text/html; charset=utf-16 x": "text/html", "text/html; charset =utf-16": "text/html; charset=utf-16", "text/html; charset=utf-8; charset=utf-16": "text/html",
	} {
		bubble(func(t *testing.T) {
			b := strangers(t, given)
			b.proxy.consents.give("example.com", time.Hour)
			for _, fields := range []string{"Sec-Fetch-Dest: image", navigation} {
				if fields == navigation && want == "image/svg+xml" {
					continue // see TestCopyWithoutPlaceForNotice
				}
				a, _ := b.get("http://example.com/a", fields)
				if lines := a.Header["Content-Type"]; a.StatusCode != 200 || len(lines) != 1 || lines[0] != want {
					t.Errorf("%q: %d %q, want %q", given, a.StatusCode, lines, want)
				}
			}
		})(t)
	}
}

// The encoding of the banner is the one that the browser is told.
func TestBannerInOddCharset(t *testing.T) {
	bubble(func(t *testing.T) {
		b := strangers(t, "text/html; charset =utf-16")
		b.text = "<p>whatever"
		b.proxy.consents.give("example.com", time.Hour)
		a, _ := b.get("http://example.com/", navigation)
		if a.Header.Get("Content-Type") != "text/html; charset=utf-16" || !strings.Contains(strings.ReplaceAll(a.text, "\x00", ""), "Where this page comes from") {
			t.Errorf("%s: %.300q", a.Header.Get("Content-Type"), a.text)
		}
	})(t)
}

// What a client has is neither confirmed nor completed by a copy: its validators may be made up.
func TestCopyConfirmsNothing(t *testing.T) {
	for _, tier := range []resource.Tier{resource.Unproven, resource.Witnessed, resource.Content} {
		bubble(func(t *testing.T) {
			b := strangers(t, "video/mp4")
			b.tier, b.text = tier, strings.Repeat("from peers", 1000)
			b.header.Set("Etag", `"1"`)
			b.header.Set("Last-Modified", "Mon, 02 Nov 1998 15:04:05 GMT")
			b.proxy.consents.give("example.com", time.Hour)
			film := "Sec-Fetch-Dest: video"
			for range 2 { // from the peer, then from the store
				for _, c := range []struct {
					fields []string
					status int
				}{
					{[]string{`If-None-Match: "1"`}, 200},
					{[]string{"If-Modified-Since: Mon, 02 Nov 1998 15:04:05 GMT"}, 200},
					{[]string{"Range: bytes=2-", `If-Range: "1"`}, 200},
					{[]string{"Range: bytes=2-"}, 206},
					{[]string{"Range: bytes=0-1,7000-7001"}, 200},
					{[]string{"Range: bytes=10000-"}, 416},
				} {
					a, _ := b.get("http://example.com/film", append(c.fields, film)...)
					if a.StatusCode != c.status || a.Header.Get("Cache-Control") != "no-store" || a.Header["Etag"] != nil || a.Header["Last-Modified"] != nil {
						t.Errorf("%v: %v: %d %v", tier, c.fields, a.StatusCode, a.Header)
					}
				}
				settle(b.proxy)
			}
		})(t)
	}
}

// Browsers read a reference otherwise than net/url: what they could take for another site leads away, and so
// does the way from https to http.
func TestCopyLeadsAwayOddly(t *testing.T) {
	for location, away := range map[string]bool{
		`\\\\evil.example/`: true, `/\\evil.example/`: true, `\\/evil.example`: true, "/\t/evil.example/": true, " //evil.example/": true, "\x01//evil.example/": true,
		"https:/evil.example/": true, "https:evil.example": true, "https:///evil.example/": true, "http://example.com/": true, "https://example.com.:443/": false,
		"https://example.com@evil.example/": true, "https://www.example.com/": false, "/ok?next=//evil.example": false, "?x": false, "other#x": false, "/%5C%5Cevil.example": false,
	} {
		ex := copyOf("https://example.com/", "", http.Header{"Location": {location}}, time.Now()).Exchange
		if leadsAway(ex) != away {
			t.Errorf("%q: leads away: %t", location, !away)
		}
	}
	ex := copyOf("https://example.com/", "", http.Header{"Location": {"/ok", "https://evil.example/"}}, time.Now()).Exchange
	if !leadsAway(ex) {
		t.Error("two Locations do not lead away")
	}
}
