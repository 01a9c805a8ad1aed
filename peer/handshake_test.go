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

	"github.com/peerproxy/peerproxy/trust"
)

// badHellos are the ways to begin a connection falsely, for either role. Each script
// runs in the place of the handshake.
func badHellos() map[string]func(f *fake, ws *websocket.Conn, own trust.Role) {
	valid := func(f *fake, ws *websocket.Conn, own trust.Role) hello {
		secret, err := exporter(ws)
		if err != nil {
			f.t.Errorf("exporter: %v", err)
		}
		return hello{version: helloVersion, role: own, key: f.identity.Key(), signature: f.identity.SignChannel(own, secret)}
	}
	send := func(ws *websocket.Conn, b []byte) { _ = ws.WriteMessage(websocket.BinaryMessage, b) }
	var mu sync.Mutex
	var recorded []byte
	return map[string]func(f *fake, ws *websocket.Conn, own trust.Role){
		"key of somebody else": func(f *fake, ws *websocket.Conn, own trust.Role) {
			h := valid(f, ws, own)
			h.key = trust.NewIdentity().Key()
			send(ws, h.encode())
		},
		"signature over another channel": func(f *fake, ws *websocket.Conn, own trust.Role) {
			h := valid(f, ws, own)
			h.signature = f.identity.SignChannel(own, randomBody(exporterSize))
			send(ws, h.encode())
		},
		"replayed": func(f *fake, ws *websocket.Conn, own trust.Role) {
			mu.Lock()
			defer mu.Unlock()
			if recorded == nil { // by an honest node, on a channel of its own
				recorded = hello{helloVersion, own, f.identity.Key(), f.identity.SignChannel(own, randomBody(exporterSize))}.encode()
			}
			send(ws, recorded)
		},
		"reflected": func(f *fake, ws *websocket.Conn, own trust.Role) {
			_, b, err := ws.ReadMessage()
			if err == nil {
				send(ws, b)
			}
		},
		"in the other's role": func(f *fake, ws *websocket.Conn, own trust.Role) {
			send(ws, valid(f, ws, otherRole(own)).encode())
		},
		"version 0": func(f *fake, ws *websocket.Conn, own trust.Role) {
			h := valid(f, ws, own)
			h.version = 0
			send(ws, h.encode())
		},
		"critical field": func(f *fake, ws *websocket.Conn, own trust.Role) {
			send(ws, appendField(valid(f, ws, own).encode(), criticalField, nil))
		},
		"empty":   func(f *fake, ws *websocket.Conn, own trust.Role) { send(ws, nil) },
		"garbage": func(f *fake, ws *websocket.Conn, own trust.Role) { send(ws, randomBody(200)) },
		"long": func(f *fake, ws *websocket.Conn, own trust.Role) {
			send(ws, appendField(valid(f, ws, own).encode(), 9, randomBody(2000)))
		},
		"larger than a message": func(f *fake, ws *websocket.Conn, own trust.Role) { send(ws, randomBody(10<<20)) },
		"text": func(f *fake, ws *websocket.Conn, own trust.Role) {
			_ = ws.WriteMessage(websocket.TextMessage, valid(f, ws, own).encode())
		},
		"cut off": func(f *fake, ws *websocket.Conn, own trust.Role) { ws.Close() },
		"never": func(f *fake, ws *websocket.Conn, own trust.Role) {
			_, _, _ = ws.ReadMessage()
			_, _, _ = ws.ReadMessage()
		},
		"not heard": func(f *fake, ws *websocket.Conn, own trust.Role) { <-f.t.Context().Done() },
	}
}

func TestHelloOfAcceptor(t *testing.T) {
	for name, script := range badHellos() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.end()
				n, f := w.node(), w.fake()
				stop, cancel := context.WithCancel(t.Context())
				f.t = withContext{t, stop}
				defer cancel()
				f.accept(func(ws *websocket.Conn) {
					script(f, ws, roleAcceptor)
					_, _, _ = ws.ReadMessage()
				})
				start := time.Now()
				err := n.Connect(t.Context(), f.addr)
				if !errors.Is(err, ErrHandshake) {
					t.Errorf("Connect: %v", err)
				}
				if d := time.Since(start); d > 11*time.Second {
					t.Errorf("took %v", d)
				}
				if st := n.Status(); len(st.Sessions) != 0 {
					t.Errorf("%d sessions", len(st.Sessions))
				}
			})
		})
	}
}

func TestHelloOfDialler(t *testing.T) {
	for name, script := range badHellos() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.end()
				n, f := w.node(), w.fake()
				stop, cancel := context.WithCancel(t.Context())
				f.t = withContext{t, stop}
				ws := f.dial(n.addr)
				var playing sync.WaitGroup
				playing.Go(func() { script(f, ws, roleDialler) })
				time.Sleep(11 * time.Second)
				if st := n.Status(); len(st.Sessions) != 0 {
					t.Errorf("%d sessions", len(st.Sessions))
				}
				cancel()
				ws.Close()
				playing.Wait()
			})
		})
	}
}

// withContext is a test whose context ends when the test says so.
type withContext struct {
	testing.TB
	ctx context.Context
}

func (c withContext) Context() context.Context { return c.ctx }

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

func TestSelfConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		n := w.node()
		if err := n.Connect(t.Context(), n.addr); !errors.Is(err, ErrSelf) {
			t.Errorf("Connect: %v", err)
		}
		if err := n.Connect(t.Context(), n.addr); !errors.Is(err, ErrShunned) {
			t.Errorf("second Connect: %v", err)
		}
		synctest.Wait()
		if st := n.Status(); len(st.Sessions) != 0 {
			t.Errorf("%d sessions", len(st.Sessions))
		}
	})
}

// Two nodes that dial each other at once end up with one connection, the same on both sides.
func TestDuplicateConnections(t *testing.T) {
	for range 5 {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			defer w.end()
			w.net.latency = 20 * time.Millisecond
			a, b := w.node(), w.node()
			var dialling sync.WaitGroup
			for _, pair := range [][2]*testNode{{a, b}, {b, a}} {
				dialling.Go(func() {
					if err := pair[0].Connect(t.Context(), pair[1].addr); err != nil {
						t.Errorf("Connect: %v", err)
					}
				})
			}
			dialling.Wait()
			time.Sleep(time.Minute)
			for _, n := range []*testNode{a, b} {
				n.sessions.mu.Lock()
				if n.sessions.count != 1 {
					t.Errorf("%d connections, want 1", n.sessions.count)
				}
				n.sessions.mu.Unlock()
			}
			want := randomBody(10_000)
			a.share("https://a.example/", want)
			b.share("https://b.example/", want)
			time.Sleep(5 * time.Second)
			_, got := a.mustFetch("https://b.example/")
			equalBody(t, got, want)
			_, got = b.mustFetch("https://a.example/")
			equalBody(t, got, want)
		})
	}
}

// A peer that comes back before its old connection is known to be dead gets a new one.
func TestReconnectReplacesDeadConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		n, f := w.node(), w.fake()
		mute := f.dial(n.addr)
		if _, err := f.swarm.exchangeHellos(newWSConn(mute), roleDialler); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // from here on that connection says nothing
		live := f.session(n.addr)
		time.Sleep(20 * time.Second)
		if live.IsClosed() {
			t.Fatal("the live connection was closed")
		}
		n.sessions.mu.Lock()
		defer n.sessions.mu.Unlock()
		if n.sessions.count != 1 {
			t.Errorf("%d connections, want 1", n.sessions.count)
		}
	})
}

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
