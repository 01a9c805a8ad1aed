package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
)

// Values of the SOCKS protocol, version 5: RFC 1928, RFC 1929.
const (
	socksVersion     = 5
	socksAuthVersion = 1
	socksConnect     = 1

	socksNoAuth   = 0
	socksPassword = 2

	socksIPv4 = 1
	socksName = 3
	socksIPv6 = 4
)

var errSOCKS = errors.New("not what a SOCKS 5 server answers")

// socksThrough asks a SOCKS upstream for a connection (RFC 1928). Names are sent as
// they are, to be resolved there. No byte more than the server's answer is read.
func (d *Dialer) socksThrough(_ context.Context, conn net.Conn, target string) (net.Conn, error) {
	request, err := socksRequest(target)
	if err != nil {
		return nil, err
	}
	if err := d.Upstream.socksGreet(conn); err != nil {
		return nil, fmt.Errorf("SOCKS greeting: %w", err)
	}
	if _, err := conn.Write(request); err != nil {
		return nil, fmt.Errorf("SOCKS request: %w", err)
	}
	if err := socksReply(conn); err != nil {
		return nil, fmt.Errorf("SOCKS reply: %w", err)
	}
	return conn, nil
}

// socksGreet agrees on a method of authentication and runs it (sections 3, 4).
func (u *Upstream) socksGreet(conn io.ReadWriter) error {
	methods := []byte{socksNoAuth}
	if u.user != nil {
		methods = append(methods, socksPassword)
	}
	if _, err := conn.Write(append([]byte{socksVersion, byte(len(methods))}, methods...)); err != nil {
		return err
	}
	var chosen [2]byte
	if _, err := io.ReadFull(conn, chosen[:]); err != nil {
		return err
	}
	switch {
	case chosen[0] != socksVersion:
		return errSOCKS
	case chosen[1] == socksNoAuth:
		return nil
	case chosen[1] == socksPassword && u.user != nil:
		return u.socksLogin(conn)
	}
	return &upstreamError{told: failedUpstreamAuth, err: errors.New("no method of authentication in common")}
}

// socksLogin sends user and password (RFC 1929).
func (u *Upstream) socksLogin(conn io.ReadWriter) error {
	name, password := u.credentials() // lengths: see checkUser
	b := append([]byte{socksAuthVersion, byte(len(name))}, name...)
	b = append(append(b, byte(len(password))), password...)
	if _, err := conn.Write(b); err != nil {
		return err
	}
	var status [2]byte
	if _, err := io.ReadFull(conn, status[:]); err != nil {
		return err
	}
	if status[1] != 0 {
		return &upstreamError{told: failedUpstreamAuth, err: errors.New("user or password not accepted")}
	}
	return nil
}

// socksRequest is a CONNECT request for a host and port (section 4).
func socksRequest(target string) ([]byte, error) {
	host, portText, err := net.SplitHostPort(target)
	if err != nil {
		return nil, fmt.Errorf("%w: no host and port", errBadTarget)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || len(host) > 255 {
		return nil, fmt.Errorf("%w: port or length of the host", errBadTarget)
	}
	b := []byte{socksVersion, socksConnect, 0}
	if ip, err := netip.ParseAddr(host); err != nil {
		b = append(append(b, socksName, byte(len(host))), host...)
	} else if ip.Is4() {
		b = append(append(b, socksIPv4), ip.AsSlice()...)
	} else {
		b = append(append(b, socksIPv6), ip.AsSlice()...)
	}
	return append(b, byte(port>>8), byte(port)), nil
}

// socksReply reads the answer to the request, and the server's own address, which
// nobody needs (section 6).
func socksReply(conn io.Reader) error {
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return err
	}
	if head[0] != socksVersion {
		return errSOCKS
	}
	if head[1] != 0 {
		return socksRefused(head[1])
	}
	rest := make([]byte, 1, 255+2)
	switch head[3] {
	case socksIPv4:
		rest = rest[:4+2]
	case socksIPv6:
		rest = rest[:16+2]
	case socksName:
		if _, err := io.ReadFull(conn, rest); err != nil {
			return err
		}
		rest = rest[:int(rest[0])+2]
	default:
		return errSOCKS
	}
	_, err := io.ReadFull(conn, rest)
	return err
}
