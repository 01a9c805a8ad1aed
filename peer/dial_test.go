package peer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

// Servers that do not even get as far as a hello.
func TestNoWebSocket(t *testing.T) {
	config, err := TLSConfig()
	if err != nil {
		t.Fatal(err)
	}
	old := config.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	answer := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			s := tls.Server(c, config)
			_, _ = http.ReadRequest(newBufReader(s))
			_, _ = io.WriteString(s, text)
			_, _ = io.Copy(io.Discard, s)
		}
	}
	for name, serve := range map[string]func(net.Conn){
		"silence":      func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
		"no TLS":       func(c net.Conn) { _, _ = io.WriteString(c, "220 mail.example ESMTP\r\n") },
		"TLS 1.2":      func(c net.Conn) { _ = tls.Server(c, old).Handshake() },
		"plain answer": answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
		"wrong accept": answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"),
		"endless header": func(c net.Conn) {
			s := tls.Server(c, config)
			_, _ = io.WriteString(s, "HTTP/1.1 101 Switching Protocols\r\n")
			for {
				if _, err := io.WriteString(s, "A: "+strings.Repeat("b", 8000)+"\r\n"); err != nil {
					return
				}
			}
		},
		"other subprotocol": upgradeWith(config, websocket.Upgrader{Subprotocols: []string{"chat"}}, nil),
		"unasked extension": upgradeWith(config, websocket.Upgrader{Subprotocols: []string{Subprotocol}},
			http.Header{"Sec-Websocket-Extensions": {"permessage-deflate; server_no_context_takeover; client_no_context_takeover"}}),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.end()
				n, addr := w.node(), w.address()
				ln := w.net.listen(addr)
				var serving sync.WaitGroup
				serving.Go(func() {
					for {
						c, err := ln.Accept()
						if err != nil {
							return
						}
						serving.Go(func() { serve(c); c.Close() })
					}
				})
				start := time.Now()
				if err := n.Connect(t.Context(), addr); !errors.Is(err, ErrHandshake) {
					t.Errorf("Connect: %v", err)
				}
				if d := time.Since(start); d > 11*time.Second {
					t.Errorf("took %v", d)
				}
				ln.Close()
				serving.Wait()
			})
		})
	}
}

func upgradeWith(config *tls.Config, up websocket.Upgrader, header http.Header) func(net.Conn) {
	return func(c net.Conn) {
		ln := &oneConn{conn: tls.Server(c, config), closed: make(chan struct{})}
		server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ws, err := up.Upgrade(w, r, header)
			if err == nil {
				_, _, _ = ws.ReadMessage()
				ws.Close()
			}
			close(ln.closed)
		})}
		_ = server.Serve(ln)
	}
}

// oneConn is a listener for one connection.
type oneConn struct {
	conn   net.Conn
	given  bool
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if !l.given {
		l.given = true
		return l.conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}
func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }

// RFC 8446: a client that offers TLS 1.3 and http/1.1 gets an ordinary certificate.
func TestTLSConfig(t *testing.T) {
	a, err := TLSConfig()
	if err != nil {
		t.Fatal(err)
	}
	b, _ := TLSConfig()
	one, err := x509.ParseCertificate(a.Certificates[0].Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	two, _ := x509.ParseCertificate(b.Certificates[0].Certificate[0])
	if one.PublicKeyAlgorithm != x509.ECDSA || one.IsCA || len(one.DNSNames) != 2 {
		t.Errorf("certificate %v %v %v", one.PublicKeyAlgorithm, one.IsCA, one.DNSNames)
	}
	if now := time.Now(); now.Before(one.NotBefore) || now.After(one.NotAfter) {
		t.Errorf("valid from %v to %v", one.NotBefore, one.NotAfter)
	}
	if one.Subject.CommonName == two.Subject.CommonName || one.SerialNumber.Cmp(two.SerialNumber) == 0 {
		t.Error("two certificates are alike")
	}
	if a.MinVersion != tls.VersionTLS13 {
		t.Error("older TLS is accepted")
	}
}

func TestWhatMayBeDialled(t *testing.T) {
	for _, c := range []struct {
		addr            string
		public, private bool // with AllowPrivate off and on
	}{
		{"11.0.0.1:4000", true, true},
		{"[2a11::1]:4000", true, true},
		{"11.0.0.1:443", true, true},
		{"11.0.0.1:80", true, true},
		{"11.0.0.1:25", false, false},
		{"11.0.0.1:22", false, false},
		{"11.0.0.1:0", false, false},
		{"127.0.0.1:4000", false, true},
		{"[::1]:4000", false, true},
		{"[::ffff:127.0.0.1]:4000", false, true},
		{"10.0.0.1:4000", false, true},
		{"192.168.1.1:4000", false, true},
		{"[fd00::1]:4000", false, true},
		{"169.254.169.254:8080", false, false},
		{"[fe80::1]:4000", false, false},
		{"224.0.0.1:4000", false, false},
		{"0.0.0.0:4000", false, false},
		{"255.255.255.255:4000", false, false},
		{"100.64.0.1:4000", false, false},
	} {
		for _, private := range []bool{false, true} {
			w := &Swarm{cfg: Config{AllowPrivate: private}}
			want := c.public
			if private {
				want = c.private
			}
			if got := w.mayDial(netip.MustParseAddrPort(c.addr)); got != want {
				t.Errorf("mayDial(%s), private %v: %v", c.addr, private, got)
			}
		}
	}
	w := &Swarm{}
	if _, err := w.connect(context.Background(), netip.AddrPort{}); !errors.Is(err, ErrAddress) {
		t.Errorf("connect to the zero address: %v", err)
	}
}
