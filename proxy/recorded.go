package proxy

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"time"
)

// handshakeTime bounds a TLS handshake.
const handshakeTime = 10 * time.Second

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

type onlyHTTP1Key struct{}

// onlyHTTP1 returns a context for requests whose connection must not speak HTTP/2. net/http keeps
// those connections apart, but leaves it to the dialler to bring them about.
func onlyHTTP1(ctx context.Context) context.Context {
	return context.WithValue(ctx, onlyHTTP1Key{}, true)
}

// recorded makes connections whose responses are watched.
func recorded(dial dialFunc, idle time.Duration) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return newHeadConn(conn, idle), nil
	}
}

// recordedTLS does so for TLS, unless HTTP/2 is spoken inside: that frames by itself. The configuration is
// asked for when it is needed, since net/http completes it.
func recordedTLS(dial dialFunc, idle time.Duration, config func() *tls.Config) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, handshakeTime)
		defer cancel()
		settings := config().Clone()
		if settings.ServerName == "" {
			settings.ServerName, _, _ = net.SplitHostPort(address)
		}
		if only, _ := ctx.Value(onlyHTTP1Key{}).(bool); only {
			settings.NextProtos = []string{"http/1.1"}
		}
		secure := tls.Client(conn, settings)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("proxy: TLS handshake: %w", err)
		}
		if secure.ConnectionState().NegotiatedProtocol == "h2" {
			return secure, nil
		}
		return newHeadConn(secure, idle), nil
	}
}
