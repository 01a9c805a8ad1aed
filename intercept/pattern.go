package intercept

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// ErrBadPattern is wrapped by every error of [ParsePattern].
var ErrBadPattern = errors.New("intercept: bad host, want HOST, *.DOMAIN, or one of them with :PORT")

// Pattern is a host, or all below a domain, at one port or all. [ParsePattern] makes one.
type Pattern struct {
	host string // in normal form
	sub  bool   // the hosts below it, not itself
	port string // "" = all
}

// ParsePattern reads a host name or an IP address, or *.DOMAIN for all names below a domain (not
// the domain itself), with or without a port.
func ParsePattern(text string) (Pattern, error) {
	var p Pattern
	host := text
	if ip, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return Pattern{host: ip.Unmap().String()}, plain(ip, text)
	}
	if strings.Contains(text, ":") {
		var err error
		if host, p.port, err = net.SplitHostPort(text); err != nil {
			return Pattern{}, fmt.Errorf("%w: %.80q", ErrBadPattern, text)
		}
		if n, err := strconv.ParseUint(p.port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != p.port {
			return Pattern{}, fmt.Errorf("%w: %.80q has no port from 1 to 65535", ErrBadPattern, text)
		}
	}
	host, p.sub = strings.CutPrefix(host, "*.")
	if strings.ContainsFunc(host, func(r rune) bool { return r >= 0x80 }) {
		mapped, err := idna.Lookup.ToASCII(host)
		if err != nil {
			return Pattern{}, fmt.Errorf("%w: %.80q is no domain name", ErrBadPattern, text)
		}
		host = mapped
	}
	p.host = normal(host)
	_, err := netip.ParseAddr(p.host)
	if !validName(p.host) || p.sub && err == nil {
		return Pattern{}, fmt.Errorf("%w: %.80q", ErrBadPattern, text)
	}
	return p, nil
}

func plain(ip netip.Addr, text string) error {
	if ip.Zone() != "" {
		return fmt.Errorf("%w: %.80q is an address with a zone", ErrBadPattern, text)
	}
	return nil
}

// String is the pattern in the form that [ParsePattern] reads.
func (p Pattern) String() string {
	host := p.host
	if p.sub {
		host = "*." + host
	}
	if p.port != "" {
		return net.JoinHostPort(host, p.port)
	}
	return host
}

func (p Pattern) matches(name, port string) bool {
	if p.port != "" && p.port != port {
		return false
	}
	if p.sub {
		return strings.HasSuffix(name, "."+p.host)
	}
	return name == p.host
}

// normal is how hosts are compared: lower case, no final dot, IP addresses in their
// shortest form.
func normal(host string) string {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().String()
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// validName reports whether a name in normal form is one of the DNS (RFC 1123 section 2.1, and the
// underscore that is in use), or an address without a zone.
func validName(name string) bool {
	if ip, err := netip.ParseAddr(name); err == nil {
		return ip.Zone() == ""
	}
	if name == "" || len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.ContainsFunc(label, notInName) {
			return false
		}
	}
	return true
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
}
