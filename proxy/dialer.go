package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/peerproxy/peerproxy/internal/addr"
)

// Errors of [Dialer.DialContext].
var (
	// ErrForbiddenAddress says that the destination is a loopback, private,
	// link-local or otherwise special address.
	ErrForbiddenAddress = errors.New("proxy: destination address is not public")
	// ErrLoop says that the destination is this proxy itself.
	ErrLoop = errors.New("proxy: request loops back to this proxy")
)

const defaultDialTimeout = 15 * time.Second

// Dialer opens connections to origins. It looks at the address that is really
// dialled, after name resolution, so that a name which points first to a public and
// then to a private address (DNS rebinding) does not help to reach into the network
// that the proxy runs in. The zero Dialer is ready for use; its methods may be
// called from any number of goroutines as long as the fields do not change.
type Dialer struct {
	// Resolve gives addresses for hosts and ports without asking the DNS. Such
	// destinations are allowed whatever the address, and count as public.
	Resolve []Resolve
	// AllowPrivate lets special addresses be dialled.
	AllowPrivate bool
	// Timeout is for one destination with all its addresses; 0 = 15 s.
	Timeout time.Duration
	// Resolver answers for all other names; nil = that of the system.
	Resolver *net.Resolver
	// Upstream is another proxy to go through, except to where Resolve leads. It resolves
	// the names: then only what a name itself tells is checked. nil = there is none.
	Upstream *Upstream
	// DoH answers instead of Resolver where a name is resolved here; nil = it is not used.
	DoH *DoH

	own func(netip.AddrPort) bool  // is it this proxy?
	via func(target string) string // what this proxy calls itself towards an upstream
}

// DialContext connects to address, a host and port. It returns errors that wrap
// [ErrForbiddenAddress] and [ErrLoop], and those of [net.Dialer].
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	target, resolved := d.override(address)
	switch {
	case resolved:
		return d.dial(ctx, network, target, true)
	case d.Upstream != nil:
		return d.tunnel(ctx, address)
	case d.DoH != nil:
		return d.dialResolved(ctx, network, address)
	}
	return d.dial(ctx, network, address, false)
}

func (d *Dialer) timeout() time.Duration { return cmp.Or(d.Timeout, defaultDialTimeout) }

// dial connects to target. A chosen one, that the user has given, may have any address.
func (d *Dialer) dial(ctx context.Context, network, target string, chosen bool) (net.Conn, error) {
	dialer := net.Dialer{Timeout: d.timeout(), Resolver: d.Resolver, KeepAlive: 30 * time.Second}
	dialer.ControlContext = func(_ context.Context, _, real string, _ syscall.RawConn) error {
		return d.check(real, chosen)
	}
	conn, err := dialer.DialContext(ctx, network, target)
	if err != nil {
		return nil, fmt.Errorf("proxy: dial: %w", err)
	}
	return conn, nil
}

// check judges an address right before the connection to it is opened.
func (d *Dialer) check(real string, chosen bool) error {
	ap, err := netip.ParseAddrPort(real)
	if err != nil {
		return fmt.Errorf("%w: unreadable", ErrForbiddenAddress)
	}
	if d.own != nil && d.own(ap) {
		return ErrLoop
	}
	if !chosen && !d.AllowPrivate && !addr.Public(ap.Addr()) {
		return ErrForbiddenAddress
	}
	return nil
}

func (d *Dialer) override(address string) (string, bool) {
	if len(d.Resolve) == 0 {
		return "", false
	}
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return "", false
	}
	port, err := parsePort(portText)
	if err != nil {
		return "", false
	}
	host = normalHost(host)
	for _, rule := range d.Resolve {
		if rule.Port == port && rule.Host == host {
			return rule.Addr.String(), true
		}
	}
	return "", false
}

// Resolves reports whether a rule names the host, at whatever port.
func (d *Dialer) Resolves(host string) bool {
	host = normalHost(host)
	for _, rule := range d.Resolve {
		if rule.Host == host {
			return true
		}
	}
	return false
}

// Public reports whether a host, without port and brackets, may be spoken of to
// others: a name in the public DNS or a public address, or one that a resolve rule
// names. It asks nobody; that a public name has a private address shows only when
// it is dialled.
func (d *Dialer) Public(host string) bool { return d.Resolves(host) || publicHost(host) }

// localSuffixes are names that mean something else in every network: RFC 6761,
// RFC 6762, RFC 7686, RFC 8375, RFC 9476 (internal), and what routers make up.
var localSuffixes = []string{
	".localhost", ".local", ".internal", ".intranet", ".private", ".corp", ".home",
	".home.arpa", ".lan", ".localdomain", ".onion", ".test", ".invalid", ".in-addr.arpa", ".ip6.arpa",
}

func publicHost(host string) bool {
	if ip, ok := parseAddr(host); ok {
		return addr.Public(ip)
	}
	host = normalHost(host)
	if !strings.Contains(host, ".") || oddAddress(host) {
		return false
	}
	for _, suffix := range localSuffixes {
		if strings.HasSuffix(host, suffix) {
			return false
		}
	}
	return true
}

// oddAddress reports whether a name ends in a number, so that some resolvers read
// the whole as an IPv4 address: 127.1, 0x7f.1 (WHATWG URL, "ends in a number").
func oddAddress(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if hex, found := strings.CutPrefix(last, "0x"); found {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}
