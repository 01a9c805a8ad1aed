package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/idna"
)

// maxConnectReply bounds the head of an upstream's answer to CONNECT, in bytes.
const maxConnectReply = 64 << 10

// maxInterim bounds how many interim responses may come before that answer.
const maxInterim = 8

// viaKey is for the Via of the client's request in a context: an upstream gets it, so
// that proxies which are each other's upstream notice it for tunnels too.
type viaKey struct{}

func withVia(ctx context.Context, r *http.Request) context.Context {
	return context.WithValue(ctx, viaKey{}, r.Header["Via"])
}

// tunnel connects to address through the upstream.
func (d *Dialer) tunnel(ctx context.Context, address string) (net.Conn, error) {
	target, err := d.upstreamTarget(address)
	if err != nil {
		return nil, fmt.Errorf("proxy: dial: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout())
	defer cancel()
	conn, err := d.dialUpstream(ctx)
	if err != nil {
		return nil, err
	}
	shake := d.connectThrough
	if d.Upstream.scheme == "socks5" {
		shake = d.socksThrough
	}
	var tunnel net.Conn
	err = interruptible(ctx, conn, func() (err error) {
		tunnel, err = shake(ctx, conn, target)
		return err
	})
	if err != nil {
		_ = conn.Close()
		return nil, asUpstreamError(handshakeCause(ctx, err))
	}
	return tunnel, nil
}

// interruptible runs f, whose reads and writes on the connection fail when ctx ends.
func interruptible(ctx context.Context, conn net.Conn, f func() error) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err := f()
	if !stop() { // the deadline is set, or about to be
		return context.Cause(ctx)
	}
	return err
}

// dialUpstream connects to the upstream itself, which may have any address: the user
// chose it. Only to be its own upstream is senseless.
func (d *Dialer) dialUpstream(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.timeout())
	defer cancel()
	conn, err := d.dial(ctx, "tcp", d.Upstream.address, true)
	if err != nil {
		return nil, asUpstreamError(err)
	}
	if d.Upstream.scheme != "https" {
		return conn, nil
	}
	host, _, _ := net.SplitHostPort(d.Upstream.address)
	secure := tls.Client(conn, &tls.Config{ServerName: host, RootCAs: d.Upstream.RootCAs, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12})
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, asUpstreamError(fmt.Errorf("TLS handshake: %w", err))
	}
	return secure, nil
}

// connectThrough asks an HTTP upstream for a tunnel (RFC 9110 section 9.3.6).
func (d *Dialer) connectThrough(ctx context.Context, conn net.Conn, target string) (net.Conn, error) {
	request := &http.Request{
		Method: http.MethodConnect, URL: &url.URL{Opaque: target}, Host: target,
		Header: http.Header{"User-Agent": {""}},
	}
	incoming, _ := ctx.Value(viaKey{}).([]string)
	request.Header["Via"] = append(request.Header["Via"], incoming...)
	if d.via != nil {
		request.Header["Via"] = append(request.Header["Via"], "1.1 "+d.via(target))
	}
	if authorization := d.Upstream.authorization(); authorization != "" {
		request.Header.Set("Proxy-Authorization", authorization)
	}
	if err := request.Write(conn); err != nil {
		return nil, fmt.Errorf("CONNECT: %w", err)
	}
	br := bufio.NewReader(io.LimitReader(conn, maxConnectReply))
	response, err := finalResponse(br, request)
	if err != nil {
		return nil, fmt.Errorf("answer to CONNECT: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		return nil, connectRefused(response)
	}
	if br.Buffered() == 0 {
		return conn, nil
	}
	early, _ := br.Peek(br.Buffered())
	return &earlyConn{Conn: conn, early: early}, nil
}

func finalResponse(br *bufio.Reader, request *http.Request) (*http.Response, error) {
	for range maxInterim {
		response, err := http.ReadResponse(br, request)
		if err != nil || response.StatusCode >= 200 {
			return response, err
		}
	}
	return nil, fmt.Errorf("%w: no final response", errProtocol)
}

// upstreamTarget judges a host and port that the upstream is to be asked for, and
// returns them as they are sent. The upstream resolves the name, so that only what
// the name itself tells can be checked: that it is no special address, and no name
// that means something else in every network. Of those, .onion is let through (RFC 7686
// leaves it to proxies that know it).
func (d *Dialer) upstreamTarget(address string) (string, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("%w: no host and port", errBadTarget)
	}
	port, err := parsePort(portText)
	if err != nil {
		return "", fmt.Errorf("%w: no valid port", errBadTarget)
	}
	if host, err = wireHost(host); err != nil {
		return "", err
	}
	if ip, err := netip.ParseAddr(host); err == nil && d.own != nil && d.own(netip.AddrPortFrom(ip, port)) {
		return "", ErrLoop
	}
	if !d.AllowPrivate && !publicHost(host) && !strings.HasSuffix(host, ".onion") {
		return "", ErrForbiddenAddress
	}
	return net.JoinHostPort(host, portText), nil
}

// wireHost is a host as others get it: an IP address, or a name in ASCII, lower case,
// without a final dot. Other names are mapped first (UTS 46), so that what looks
// harmless does not become an address at the other end; what is no host name is refused.
func wireHost(host string) (string, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.Zone() != "" {
			return "", fmt.Errorf("%w: address with a zone", errBadTarget)
		}
		return ip.Unmap().String(), nil
	}
	if strings.ContainsFunc(host, func(r rune) bool { return r >= 0x80 }) {
		mapped, err := idna.Lookup.ToASCII(host)
		if err != nil {
			return "", fmt.Errorf("%w: no international domain name", errBadTarget)
		}
		host = mapped
	}
	host = normalHost(host)
	if !isHostName(host) {
		return "", fmt.Errorf("%w: no host name", errBadTarget)
	}
	return host, nil
}

// isHostName reports whether a name in lower case can stand in the DNS: RFC 1123 section 2.1,
// and underscores, since they are in use.
func isHostName(host string) bool {
	if len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}
