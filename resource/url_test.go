package resource

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseURL(t *testing.T) {
	for _, tt := range []struct{ name, raw, want string }{
		{"plain", "http://example.com/a/b?c=d", "http://example.com/a/b?c=d"},
		{"section 6.2.2.1: case of scheme and host", "HTTP://User.EXAMPLE.com/Path?Q", "http://user.example.com/Path?Q"},
		{"section 6.2.2.1: case of escapes", "http://example.com/%3a%c3%bc", "http://example.com/%3A%C3%BC"},
		{"section 6.2.2.2: escaped unreserved", "http://example.com/%7Esmith/%41%2D%2e%5F%30", "http://example.com/~smith/A-._0"},
		{"section 6.2.2.2: escaped reserved stay", "http://example.com/a%2Fb%3Fc%23d%25e", "http://example.com/a%2Fb%3Fc%23d%25e"},
		{"section 6.2.2.3: dot segments", "http://example.com/a/./b/../c", "http://example.com/a/c"},
		{"section 6.2.2.3: hidden dot segments", "http://example.com/a/%2e%2E/b/%2e/c", "http://example.com/b/c"},
		{"section 5.2.4: first example", "http://example.com/a/b/c/./../../g", "http://example.com/a/g"},
		{"section 5.4.2: too many", "http://example.com/../../../g", "http://example.com/g"},
		{"section 5.4.2: dots in names", "http://example.com/g./.g/g../..g", "http://example.com/g./.g/g../..g"},
		{"section 5.4.2: at the end", "http://example.com/a/b/.", "http://example.com/a/b/"},
		{"section 5.4.2: at the end, upwards", "http://example.com/a/b/..", "http://example.com/a/"},
		{"section 5.2.4: an empty segment is a segment", "http://example.com/a//../b", "http://example.com/a/b"},
		{"section 3.3: empty segments stay", "http://example.com//a///b", "http://example.com//a///b"},
		{"section 6.2.3: empty path", "http://example.com", "http://example.com/"},
		{"section 6.2.3: empty path, query", "http://example.com?q", "http://example.com/?q"},
		{"section 6.2.3: default port of http", "http://example.com:80/", "http://example.com/"},
		{"section 6.2.3: default port of https", "https://example.com:443/", "https://example.com/"},
		{"section 6.2.3: empty port", "http://example.com:/", "http://example.com/"},
		{"section 6.2.3: other port", "https://example.com:80/", "https://example.com:80/"},
		{"section 3.2.3: zeros before a port", "http://example.com:00081/", "http://example.com:81/"},
		{"section 3.4: query byte for byte", "http://example.com/?a=%7e&b=../x&c=%2f?&&=", "http://example.com/?a=%7e&b=../x&c=%2f?&&="},
		{"section 3.4: empty query is not none", "http://example.com/?", "http://example.com/?"},
		{"section 3.4: what can't be in a query", "http://example.com/?a b\u00e9", "http://example.com/?a%20b%C3%A9"},
		{"section 3.5: fragment", "http://example.com/a?b#c?d", "http://example.com/a?b"},
		{"section 3.3: what can't be in a path", "http://example.com/a b\"<\u00e9>", "http://example.com/a%20b%22%3C%C3%A9%3E"},
		{"section 3.3: sub-delims stay", "http://example.com/!$&'()*+,;=:@", "http://example.com/!$&'()*+,;=:@"},
		{"section 3.2.2: dot at the end of a name", "http://example.com./", "http://example.com/"},
		{"section 3.2.2: underscore", "http://my_host.example.com/", "http://my_host.example.com/"},
		{"section 3.2.2: IPv4", "http://192.0.2.1:8080/", "http://192.0.2.1:8080/"},
		{"section 3.2.2: IPv6", "http://[2001:DB8:0:0::1]/", "http://[2001:db8::1]/"},
		{"section 3.2.2: IPv6 and port", "https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443/"},
		{"IPv4 in IPv6 is IPv4", "http://[::ffff:192.0.2.1]/", "http://192.0.2.1/"},
		{"RFC 5891: internationalised name", "http://B\u00fccher.example/", "http://xn--bcher-kva.example/"},
		{"RFC 5891: the same in ASCII", "http://XN--bcher-kva.example/", "http://xn--bcher-kva.example/"},
		{"digits of another script", "http://\uff11\uff19\uff12.0.2.1/", "http://192.0.2.1/"},
	} {
		u, err := ParseURL(tt.raw)
		if err != nil || u.String() != tt.want {
			t.Errorf("%s: %q is %q, %v; want %q", tt.name, tt.raw, u, err, tt.want)
			continue
		}
		checkCanonical(t, u)
	}
}

func TestParseURLRefuses(t *testing.T) {
	for name, raw := range map[string]string{
		"empty":                        "",
		"relative":                     "/a/b",
		"no scheme":                    "//example.com/",
		"other scheme":                 "ftp://example.com/",
		"opaque":                       "http:example.com",
		"no host":                      "http:///a",
		"port only":                    "http://:80/",
		"user":                         "http://user@example.com/",
		"password":                     "http://user:secret@example.com/",
		"empty user":                   "http://@example.com/",
		"bad escape":                   "http://example.com/%zz",
		"cut escape":                   "http://example.com/%4",
		"escape in host":               "http://ex%61mple.com%00/",
		"space in host":                "http://exa mple.com/",
		"empty label":                  "http://example..com/",
		"dot in front":                 "http://.example.com/",
		"only a dot":                   "http://./",
		"two dots at the end":          "http://example.com../",
		"name too long":                "http://" + strings.Repeat("a.", 128) + "/",
		"bad character":                "http://exa!mple.com/",
		"invalid UTF-8":                "http://\xff\xfe.com/",
		"zone":                         "http://[fe80::1%25eth0]/",
		"name in brackets":             "http://[example.com]/",
		"port 0":                       "http://example.com:0/",
		"port too large":               "http://example.com:65536/",
		"port far too large":           "http://example.com:99999999999999999999999/",
		"port not a number":            "http://example.com:8o/",
		"control":                      "http://example.com/\x01",
		"line feed":                    "http://example.com/\r\nHost: other",
		"IPv4 with fewer parts":        "http://127.1/",
		"IPv4 in one number":           "http://2130706433/",
		"IPv4 in hexadecimal":          "http://0x7f000001/",
		"IPv4 in octal":                "http://0177.0.0.1/",
		"IPv4 out of range":            "http://192.0.2.256/",
		"number under a name":          "http://example.1/",
		"too long":                     "http://example.com/" + strings.Repeat("a", MaxURLLength),
		"too long when it is escaped":  "http://example.com/" + strings.Repeat("\"", MaxURLLength/2),
		"too long because of a query":  "http://example.com/?" + strings.Repeat(" ", MaxURLLength/2),
		"full stop of another script":  "http://example\u3002\u3002com/",
		"soft hyphen and nothing else": "http://\u00ad/",
	} {
		if u, err := ParseURL(raw); !errors.Is(err, ErrBadURL) || !u.IsZero() {
			t.Errorf("%s: %q is taken for %q (%v)", name, raw, u, err)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error repeats the URL: %v", name, err)
		}
	}
}

func TestURLParts(t *testing.T) {
	for _, tt := range []struct{ raw, scheme, host, authority, hostPort, requestURI, query, site string }{
		{"http://www.example.co.uk/a?b=c?d", "http", "www.example.co.uk", "www.example.co.uk", "www.example.co.uk:80", "/a?b=c?d", "b=c?d", "example.co.uk"},
		{"https://localhost:8443", "https", "localhost", "localhost:8443", "localhost:8443", "/", "", "localhost"},
		{"https://[2001:db8::1]/?", "https", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:443", "/?", "", "2001:db8::1"},
	} {
		u := mustURL(t, tt.raw)
		for _, part := range [][3]string{
			{"Scheme", u.Scheme(), tt.scheme}, {"Host", u.Host(), tt.host}, {"Authority", u.Authority(), tt.authority},
			{"HostPort", u.HostPort(), tt.hostPort}, {"RequestURI", u.RequestURI(), tt.requestURI},
			{"Query", u.Query(), tt.query}, {"Site", u.Site(), tt.site},
		} {
			if part[1] != part[2] {
				t.Errorf("%s of %s is %q, want %q", part[0], u, part[1], part[2])
			}
		}
	}
}

// What net/http makes of the canonical text is the same resource.
func TestFromURL(t *testing.T) {
	in := &url.URL{Scheme: "HTTP", Host: "Example.com:80", Path: "/a b/%/../c", RawPath: "no encoding of it"}
	before := *in
	u, err := FromURL(in)
	if err != nil || u.String() != "http://example.com/a%20b/c" || *in != before {
		t.Errorf("%q, %v", u, err)
	}
	if u.IsZero() || !(URL{}).IsZero() {
		t.Error("IsZero is wrong")
	}
}

// checkCanonical tells whether a canonical URL stays what it is.
func checkCanonical(t testing.TB, u URL) {
	t.Helper()
	again, err := ParseURL(u.String())
	if err != nil || again != u {
		t.Fatalf("canonical form %q of %#v becomes %q, %v", u, u, again, err)
	}
	for _, c := range []byte(u.String()) {
		if c <= ' ' || c >= 0x7f || c == '#' {
			t.Fatalf("%q in the canonical form %q", c, u)
		}
	}
	std, err := url.Parse(u.String())
	if err != nil || std.Host != u.Authority() || std.RequestURI() != u.RequestURI() || std.User != nil || std.Fragment != "" {
		t.Fatalf("net/url sees something else in %q: %#v, %v", u, std, err)
	}
	if strings.Contains("/"+strings.SplitN(u.RequestURI(), "?", 2)[0]+"/", "/../") || u.Site() == "" {
		t.Fatalf("dot segments or no site: %q", u)
	}
}

// Spellings of one URL have one name.
func TestParseURLSpellings(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		segments := rapid.SliceOf(rapid.StringMatching(`[a-zA-Z0-9._~!$&'()*+,;=:@ -]{0,8}`)).Draw(rt, "segments")
		plain := "/" + strings.ReplaceAll(strings.Join(segments, "/"), " ", "%20")
		var spelt strings.Builder
		for _, c := range []byte(plain) {
			if isUnreserved(c) && !strings.Contains(plain, "%") && rapid.Bool().Draw(rt, "escape") {
				spelt.WriteString("%" + hexOf(c, rapid.Bool().Draw(rt, "upper")))
			} else {
				spelt.WriteByte(c)
			}
		}
		a, b := mustURL(t, "http://example.com"+plain), mustURL(t, "hTTp://eXample.COM:80"+spelt.String()+"#x")
		if a != b {
			rt.Fatalf("%q and %q: %q and %q", plain, &spelt, a, b)
		}
	})
}

func hexOf(c byte, upper bool) string {
	var b strings.Builder
	writeEscaped(&b, c)
	if upper {
		return b.String()[1:]
	}
	return strings.ToLower(b.String()[1:])
}

func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{
		"http://example.com/a/b?c=d", "HTTPS://EXAMPLE.com:443/%7e/../%2E%2e/?#", "http://[::ffff:192.0.2.1]:80//.",
		"http://b\u00fccher.example/\u00e9?\u00e9", "http://a_b.example.com.:81?", "http://127.0.0.1/%2f%25", "http://xn--a/",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := ParseURL(raw)
		if err != nil {
			if !errors.Is(err, ErrBadURL) {
				t.Fatalf("unnamed error %v", err)
			}
			return
		}
		checkCanonical(t, u)
	})
}
