package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// ErrBadResolve is wrapped by every error of [ParseResolve].
var ErrBadResolve = errors.New("proxy: bad resolve rule, want HOST:PORT:ADDR:PORT")

// Resolve sends connections for one host and port to a fixed address instead of
// asking the DNS, as curl's --resolve does.
type Resolve struct {
	Host string // lower case, no brackets, no final dot
	Port uint16
	Addr netip.AddrPort
}

// ParseResolve reads HOST:PORT:ADDR:PORT. IPv6 addresses stand in brackets. The
// error is [ErrBadResolve] with the reason.
func ParseResolve(text string) (Resolve, error) {
	host, rest, err := cutHost(text)
	if err != nil {
		return Resolve{}, err
	}
	portText, target, found := strings.Cut(rest, ":")
	port, err := parsePort(portText)
	if !found || err != nil {
		return Resolve{}, fmt.Errorf("%w: no valid port after the host", ErrBadResolve)
	}
	addr, err := netip.ParseAddrPort(target)
	if err != nil || addr.Port() == 0 {
		return Resolve{}, fmt.Errorf("%w: target is no address and port", ErrBadResolve)
	}
	return Resolve{Host: host, Port: port, Addr: addr}, nil
}

// cutHost takes the host and the colon behind it off the text.
func cutHost(text string) (host, rest string, err error) {
	if inner, found := strings.CutPrefix(text, "["); found {
		host, rest, found = strings.Cut(inner, "]:")
		if _, err := netip.ParseAddr(host); err != nil || !found {
			return "", "", fmt.Errorf("%w: brackets are for IPv6 addresses", ErrBadResolve)
		}
		return normalHost(host), rest, nil
	}
	host, rest, found := strings.Cut(text, ":")
	if !found || host == "" || strings.ContainsAny(host, " \t/@?#[]") {
		return "", "", fmt.Errorf("%w: no host", ErrBadResolve)
	}
	return normalHost(host), rest, nil
}

func parsePort(text string) (uint16, error) {
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return 0, fmt.Errorf("port %q is not in 1..65535", text)
	}
	return uint16(port), nil
}

// normalHost is how hosts are compared: lower case, no final dot, IP addresses in
// their shortest form.
func normalHost(host string) string {
	if ip, ok := parseAddr(host); ok {
		return ip.Unmap().String()
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// parseAddr is netip.ParseAddr without the cost of an error for what clearly is a name.
func parseAddr(host string) (ip netip.Addr, ok bool) {
	if host == "" || !strings.Contains(host, ":") && (host[len(host)-1] < '0' || host[len(host)-1] > '9') {
		return ip, false
	}
	ip, err := netip.ParseAddr(host)
	return ip, err == nil
}

// String is the rule in the form that [ParseResolve] reads.
func (r Resolve) String() string {
	return net.JoinHostPort(r.Host, strconv.Itoa(int(r.Port))) + ":" + r.Addr.String()
}
