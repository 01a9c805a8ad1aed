package proxy

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// ErrBadUpstream is wrapped by every error of [ParseUpstream].
var ErrBadUpstream = errors.New("proxy: bad upstream proxy, want http://, https:// or socks5://[USER:PASSWORD@]HOST:PORT")

// Upstream is another proxy that connections to origins go through. It resolves the
// names of origins. [ParseUpstream] makes one; it is not to be changed while in use.
type Upstream struct {
	// RootCAs vouch for an https:// upstream; nil = those of the system.
	RootCAs *x509.CertPool

	scheme  string // http, https or socks5
	address string // host and port
	user    *url.Userinfo
}

// ParseUpstream reads the URL of a proxy: http, https (HTTP inside TLS) or socks5 (RFC
// 1928; socks5h means the same), perhaps with user and password, with a port and no path. The error
// is [ErrBadUpstream] with the reason; it never has the password in it.
func ParseUpstream(text string) (*Upstream, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, ErrBadUpstream // the parser's own error quotes the text, password and all
	}
	up := &Upstream{scheme: u.Scheme, user: u.User}
	switch u.Scheme {
	case "socks5h":
		up.scheme = "socks5"
	case "http", "https", "socks5":
	default:
		return nil, fmt.Errorf("%w: unknown scheme", ErrBadUpstream)
	}
	if (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return nil, fmt.Errorf("%w: nothing may follow the port", ErrBadUpstream)
	}
	host, err := wireHost(u.Hostname())
	if _, portErr := parsePort(u.Port()); err != nil || portErr != nil {
		return nil, fmt.Errorf("%w: no valid host and port", ErrBadUpstream)
	}
	up.address = net.JoinHostPort(host, u.Port())
	return up, up.checkUser()
}

// checkUser refuses credentials that the protocol can't carry: RFC 1929 section 2,
// RFC 7617 section 2.
func (u *Upstream) checkUser() error {
	if u.user == nil {
		return nil
	}
	name, password := u.credentials()
	switch {
	case u.scheme == "socks5" && (name == "" || password == "" || len(name) > 255 || len(password) > 255):
		return fmt.Errorf("%w: user and password for SOCKS have 1 to 255 bytes", ErrBadUpstream)
	case strings.Contains(name, ":"), strings.ContainsFunc(name+password, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("%w: user or password has a character that can't be sent", ErrBadUpstream)
	}
	return nil
}

func (u *Upstream) credentials() (name, password string) {
	password, _ = u.user.Password()
	return u.user.Username(), password
}

// authorization is the Proxy-Authorization field for an HTTP upstream; "" = none.
func (u *Upstream) authorization() string {
	if u.user == nil {
		return ""
	}
	name, password := u.credentials()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

// String is the upstream's URL without user and password.
func (u *Upstream) String() string { return u.scheme + "://" + u.address }
