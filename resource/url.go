package resource

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// MaxURLLength bounds the canonical text of a URL, in bytes.
const MaxURLLength = 8 << 10

// ErrBadURL is wrapped by every error of [ParseURL].
var ErrBadURL = errors.New("bad URL")

// URL is an absolute http or https URL in the normal form of RFC 3986
// section 6.2.2 and 6.2.3: scheme and host in lower case, an internationalised
// host in its ASCII form, no default port, no dot segments, percent-encoding in
// upper case and only where it is needed. The fragment is dropped, the query is
// kept byte for byte. The zero URL is invalid. URLs are comparable.
type URL struct {
	text   string // the whole canonical form
	scheme string
	host   string // without port and brackets
	port   string // never empty
}

// ParseURL brings raw into canonical form. User information is refused: a URL
// with a password in it is not the name of a public resource.
func ParseURL(raw string) (URL, error) {
	if len(raw) > MaxURLLength {
		return URL{}, fmt.Errorf("%w: longer than %d bytes", ErrBadURL, MaxURLLength)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return URL{}, fmt.Errorf("%w: not parseable", ErrBadURL)
	}
	return FromURL(u)
}

// FromURL is [ParseURL] for a URL that net/url has parsed. It does not change u.
func FromURL(u *url.URL) (URL, error) {
	scheme := strings.ToLower(u.Scheme)
	if scheme != "http" && scheme != "https" {
		return URL{}, fmt.Errorf("%w: scheme is neither http nor https", ErrBadURL)
	}
	if u.User != nil {
		return URL{}, fmt.Errorf("%w: user information in it", ErrBadURL)
	}
	host, err := canonicalHost(u.Hostname())
	if err != nil {
		return URL{}, err
	}
	port, err := canonicalPort(u.Port(), scheme)
	if err != nil {
		return URL{}, err
	}
	c := URL{scheme: scheme, host: host, port: port}
	path := canonicalPath(u.EscapedPath())
	c.text = scheme + "://" + c.Authority() + path
	if u.RawQuery != "" || u.ForceQuery {
		c.text += "?" + canonicalQuery(u.RawQuery)
	}
	if len(c.text) > MaxURLLength {
		return URL{}, fmt.Errorf("%w: longer than %d bytes", ErrBadURL, MaxURLLength)
	}
	return c, nil
}

// String returns the canonical text.
func (u URL) String() string { return u.text }

// Scheme is "http" or "https".
func (u URL) Scheme() string { return u.scheme }

// Host is the host without port: a name in ASCII, or an IP address without brackets.
func (u URL) Host() string { return u.host }

// Authority is the host, in brackets if it is an IPv6 address, and the port unless
// it is the scheme's default: what the Host field of a request says.
func (u URL) Authority() string {
	if u.port == defaultPort(u.scheme) {
		return bracketed(u.host)
	}
	return net.JoinHostPort(u.host, u.port)
}

// HostPort is the host and the port, which is always there: what is dialled.
func (u URL) HostPort() string { return net.JoinHostPort(u.host, u.port) }

// RequestURI is the path and the query.
func (u URL) RequestURI() string {
	rest := u.text[len(u.scheme)+len("://"):]
	return rest[strings.IndexByte(rest, '/'):]
}

// Query is the query without its question mark, byte for byte as it was given.
func (u URL) Query() string {
	_, query, _ := strings.Cut(u.text, "?")
	return query
}

// Site is the site of the URL's host. See the function [Site].
func (u URL) Site() string { return Site(u.host) }

// IsZero reports whether u is the zero URL.
func (u URL) IsZero() bool { return u.text == "" }

// Site is the registrable domain of a host by the public suffix list, as of the
// version that is compiled in. IP addresses, single labels and public suffixes
// themselves are their own site.
func Site(host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if _, err := netip.ParseAddr(host); err == nil || !strings.Contains(host, ".") {
		return host
	}
	site, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return host
	}
	return site
}

func canonicalHost(host string) (string, error) {
	if strings.Contains(host, ":") {
		return canonicalAddr(host)
	}
	name := strings.ToLower(host)
	if !isHostName(name) {
		// What is no plain name may be an internationalised one. Plain ones are not
		// put through this: names with an underscore are in real use, too.
		ascii, err := idna.Lookup.ToASCII(host)
		if err != nil || !utf8.ValidString(host) || !isHostName(ascii) {
			return "", fmt.Errorf("%w: host is no valid name", ErrBadURL)
		}
		name = ascii
	}
	name = strings.TrimSuffix(name, ".")
	if endsInNumber(name) {
		return canonicalAddr(name)
	}
	return name, nil
}

func canonicalAddr(host string) (string, error) {
	ip, err := netip.ParseAddr(host)
	if err != nil || ip.Zone() != "" {
		return "", fmt.Errorf("%w: host is no valid address", ErrBadURL)
	}
	return ip.Unmap().String(), nil
}

// isHostName reports whether host is a name in ASCII and in lower case that can stand
// in the DNS, possibly with a dot at its end.
func isHostName(host string) bool {
	for _, c := range []byte(host) {
		letter := 'a' <= c && c <= 'z'
		if !letter && (c < '0' || '9' < c) && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	name := strings.TrimSuffix(host, ".")
	return name != "" && len(name) <= 253 && name[0] != '.' && !strings.Contains(host, "..")
}

// endsInNumber reports whether the last label of a name is a number, as in 127.1 or
// 0x7f000001. Browsers and some resolvers take such a name for an IPv4 address of
// theirs, so it has no place here (WHATWG URL, "ends in a number checker").
func endsInNumber(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

func canonicalPort(port, scheme string) (string, error) {
	if port == "" {
		return defaultPort(scheme), nil
	}
	n := 0
	for _, c := range []byte(port) {
		if c < '0' || '9' < c {
			return "", fmt.Errorf("%w: port is no number", ErrBadURL)
		}
		if n = n*10 + int(c-'0'); n > 65535 {
			return "", fmt.Errorf("%w: port over 65535", ErrBadURL)
		}
	}
	if n == 0 {
		return "", fmt.Errorf("%w: port is 0", ErrBadURL)
	}
	return strconv.Itoa(n), nil
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}
