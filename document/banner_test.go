package document

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

var sampleBanner = BannerText{
	Host: "www.example.org", Age: 74 * time.Hour, Source: "a kept copy of this proxy", Tier: "signer",
	TierMeaning: "Somebody you trust has fetched it from the site.", Newer: "Get it from the site", NewerURL: "https://www.example.org/a?b=c&d",
}

// tags lists the names of all tags of a fragment, and its text.
func tags(t testing.TB, fragment []byte) (names []string, text string) {
	t.Helper()
	z := html.NewTokenizer(bytes.NewReader(fragment))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return names, text
		case html.StartTagToken:
			name, _ := z.TagName()
			names = append(names, string(name))
		case html.EndTagToken:
			name, _ := z.TagName()
			names = append(names, "/"+string(name))
		case html.TextToken:
			text += string(z.Text())
		}
	}
}

func TestBanner(t *testing.T) {
	fragment, style := Banner(sampleBanner)
	_, text := tags(t, fragment)
	for _, want := range []string{"Not from www.example.org now.", "a kept copy of this proxy, 3 days old.", "signer", "Somebody you trust", "Get it from the site"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %q", want, text)
		}
	}
	if !bytes.Contains(fragment, []byte(`href="https://www.example.org/a?b=c&amp;d"`)) {
		t.Errorf("no link in %s", fragment)
	}
	if !bytes.Contains(fragment, []byte("<style>"+style+"</style>")) {
		t.Error("the style of the fragment is another")
	}
	sum := sha256.Sum256([]byte(style))
	policies := AllowStyle([]string{"default-src 'none'"}, style)
	if want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"; policies[0] != want {
		t.Errorf("policy %q, want %q", policies[0], want)
	}
}

// TestBannerHostile: texts are texts, whatever is in them; the fragment has the same
// tags, is ASCII, short, and fetches nothing.
func TestBannerHostile(t *testing.T) {
	plain, style := Banner(sampleBanner)
	want, _ := tags(t, plain)
	for _, text := range []string{
		"</bdi></p></details></template><script>alert(1)</script>", "--></style><style>*{}", `" onclick="a`, "'\"<>&`={{.}}",
		strings.Repeat("a", 100_000), "\xff\xfe\x00\x1b$B", "\u202etxet\u2066", "日本語", "", "<plaintext>", "&lt;script&gt;",
	} {
		b := BannerText{Host: text, Source: text, Tier: text, TierMeaning: text, Newer: text + "x", NewerURL: "/x?" + text}
		if !linkable(b.NewerURL) {
			b.NewerURL = "/x"
		}
		fragment, got := Banner(b)
		if got != style {
			t.Errorf("%.40q: other style", text)
		}
		if names, _ := tags(t, fragment); strings.Join(names, " ") != strings.Join(want, " ") {
			t.Errorf("%.40q: tags %q", text, names)
		}
		for _, c := range fragment {
			if c >= 0x80 || c < ' ' && c != '\n' {
				t.Fatalf("%.40q: byte %#x in the fragment", text, c)
			}
		}
		if len(fragment) > 200_000 {
			t.Errorf("%.40q: %d bytes", text, len(fragment))
		}
		if lowered := strings.ToLower(string(fragment)); strings.Contains(lowered, "src=") || strings.Contains(lowered, "url(") || strings.Contains(lowered, "@import") {
			t.Errorf("%.40q: the fragment fetches something", text)
		}
	}
}

func TestBannerLink(t *testing.T) {
	for address, want := range map[string]bool{
		"https://a.example/": true, "http://a.example/": true, "/a": true,
		"": false, "javascript:alert(1)": false, "data:text/html,a": false, "JavaScript:a": false, " javascript:a": false, "%zz": false,
	} {
		b := sampleBanner
		b.NewerURL = address
		fragment, _ := Banner(b)
		if got := bytes.Contains(fragment, []byte("<a ")); got != want {
			t.Errorf("%q: a link is %v", address, got)
		}
	}
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour: "less than two minutes", 0: "less than two minutes", 2 * time.Minute: "2 minutes", 119 * time.Minute: "119 minutes",
		2 * time.Hour: "2 hours", 47 * time.Hour: "47 hours", 48 * time.Hour: "2 days", 59 * 24 * time.Hour: "59 days",
		61 * 24 * time.Hour: "2 months", 800 * 24 * time.Hour: "2 years",
	} {
		if got := age(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestCanInsert(t *testing.T) {
	for contentType, want := range map[string]bool{
		"text/html": true, "Text/HTML ; charset=utf-8": true, "text/html;": true,
		"": false, "application/xhtml+xml": false, "text/htmlx": false, "text/plain": false, "image/svg+xml": false,
	} {
		if CanInsert(contentType) != want {
			t.Errorf("%q: %v", contentType, !want)
		}
	}
}

// TestBannerInPage: the whole way, as the proxy goes it.
func TestBannerInPage(t *testing.T) {
	fragment, _ := Banner(sampleBanner)
	var out bytes.Buffer
	in := NewInserter(&out, fragment, Live, "text/html")
	in.Write([]byte("<!DOCTYPE html><head></head><body><p>text"))
	in.Close()
	if want := "<!DOCTYPE html><head></head><body>" + string(fragment) + "<p>text"; out.String() != want {
		t.Errorf("%q", out.String())
	}
}
