package intercept_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerproxy/peerproxy/intercept"
)

// secured is what an opened connection offers.
type secured interface {
	ConnectionState() tls.ConnectionState
}

// result is what became of a tunnel.
type result struct {
	conn net.Conn
	err  error
}

// tunnel is one tunnel in memory: what talk says as a client, and what comes of it.
func tunnel(t *testing.T, i *intercept.Interceptor, authority string, talk func(net.Conn)) result {
	t.Helper()
	client, server := net.Pipe()
	return over(t, client, server, i, authority, talk)
}

// tunnelTCP is one over a socket, for clients that speak up while the server is writing.
func tunnelTCP(t *testing.T, i *intercept.Interceptor, authority string, talk func(net.Conn)) result {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return over(t, client, server, i, authority, talk)
}

func over(t *testing.T, client, server net.Conn, i *intercept.Interceptor, authority string, talk func(net.Conn)) result {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		talk(client)
	}()
	conn, err := i.Intercept(t.Context(), server, authority)
	t.Cleanup(func() {
		server.Close()
		client.Close()
		<-done
	})
	return result{conn, err}
}

func (r result) opened() bool {
	_, ok := r.conn.(secured)
	return ok
}

// blind checks that a tunnel is blind, and that it yields what the client has sent.
func (r result) blind(t *testing.T, sent []byte) {
	t.Helper()
	if r.err != nil || r.conn == nil || r.opened() {
		t.Fatalf("not blind: %v, %v", r.conn, r.err)
	}
	got := make([]byte, len(sent))
	if n, err := io.ReadFull(r.conn, got); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("a blind tunnel yields %d bytes, %v; %d were sent", n, err, len(sent))
	}
}

// hello is a ClientHello as crypto/tls writes it.
func hello(t testing.TB, cfg *tls.Config) []byte {
	t.Helper()
	client, server := net.Pipe()
	cfg = cfg.Clone()
	cfg.InsecureSkipVerify = true
	go func() {
		_ = tls.Client(client, cfg).Handshake()
		client.Close()
	}()
	defer server.Close()
	head := make([]byte, 5)
	if _, err := io.ReadFull(server, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint16(head[3:]))
	if _, err := io.ReadFull(server, body); err != nil {
		t.Fatal(err)
	}
	return append(head, body...)
}

// split puts a hello into records with so many bytes.
func split(record []byte, size int) (out []byte) {
	for body := record[5:]; len(body) > 0; {
		n := min(size, len(body))
		out = append(out, record[0], record[1], record[2], byte(n>>8), byte(n))
		out, body = append(out, body[:n]...), body[n:]
	}
	return out
}

func web(name string) *tls.Config {
	return &tls.Config{ServerName: name, NextProtos: []string{"h2", "http/1.1"}}
}

func TestOpens(t *testing.T) {
	ca := newCA(t)
	i := intercept.New(intercept.Config{Issue: ca.Issue})
	for name, c := range map[string]struct {
		authority string
		config    *tls.Config
		protocol  string
		shown     string
	}{
		"h2":              {"www.example.com:443", web("www.example.com"), "h2", "www.example.com"},
		"http/1.1":        {"www.example.com:443", &tls.Config{ServerName: "www.example.com", NextProtos: []string{"http/1.1"}}, "http/1.1", "www.example.com"},
		"no ALPN":         {"www.example.com:443", &tls.Config{ServerName: "www.example.com"}, "", "www.example.com"},
		"another port":    {"www.example.com:7443", web("www.example.com"), "h2", "www.example.com"},
		"SNI decides":     {"192.0.2.1:443", web("www.example.com"), "h2", "www.example.com"},
		"no SNI, a name":  {"www.example.com:443", web(""), "h2", "www.example.com"},
		"no SNI, IPv4":    {"192.0.2.1:443", web("192.0.2.1"), "h2", "192.0.2.1"},
		"no SNI, IPv6":    {"[2001:db8::1]:443", web("2001:db8::1"), "h2", "2001:db8::1"},
		"capital letters": {"WWW.Example.com:443", web("WWW.Example.com"), "h2", "www.example.com"},
		"TLS 1.2":         {"www.example.com:443", &tls.Config{ServerName: "www.example.com", NextProtos: []string{"h2"}, MaxVersion: tls.VersionTLS12}, "h2", "www.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			state := make(chan tls.ConnectionState, 1)
			r := tunnel(t, i, c.authority, func(conn net.Conn) {
				c.config.RootCAs = ca.pool()
				if c.config.ServerName == "" {
					c.config.InsecureSkipVerify = true
				}
				secure := tls.Client(conn, c.config)
				if err := secure.Handshake(); err != nil {
					t.Error(err)
				}
				state <- secure.ConnectionState()
				_, _ = io.WriteString(secure, "hello")
			})
			if !r.opened() {
				t.Fatalf("not opened: %v", r.err)
			}
			got := <-state
			if got.NegotiatedProtocol != c.protocol {
				t.Errorf("protocol %q", got.NegotiatedProtocol)
			}
			if err := got.PeerCertificates[0].VerifyHostname(c.shown); err != nil {
				t.Error(err)
			}
			text := make([]byte, 5)
			if _, err := io.ReadFull(r.conn, text); err != nil || string(text) != "hello" {
				t.Errorf("%q %v", text, err)
			}
		})
	}
}

// What is not HTTP over TLS goes through untouched, with all that the client has sent.
func TestBlind(t *testing.T) {
	ca := newCA(t)
	bypassed, err := intercept.ParsePattern("*.bank.example")
	if err != nil {
		t.Fatal(err)
	}
	i := intercept.New(intercept.Config{
		Issue: func(name string) (*tls.Certificate, error) {
			if name == "broken.example" {
				return nil, errors.New("no")
			}
			return ca.Issue(name)
		},
		Permits: func(name string) bool { return name != "limited.example" },
		Bypass:  []intercept.Pattern{bypassed},
	})
	plain := hello(t, web("www.example.com"))
	for name, c := range map[string]struct {
		authority string
		sent      []byte
	}{
		"HTTP":              {"www.example.com:443", []byte("GET / HTTP/1.1\r\n\r\n")},
		"SSH":               {"www.example.com:443", []byte("SSH-2.0-x\r\n")},
		"one byte":          {"www.example.com:443", []byte("x")},
		"SSL 2":             {"www.example.com:443", []byte{0x80, 0x2e, 1, 0, 2}},
		"other major":       {"www.example.com:443", []byte{22, 4, 1, 0, 1, 1}},
		"an alert":          {"www.example.com:443", []byte{21, 3, 1, 0, 2, 2, 40}},
		"no hello":          {"www.example.com:443", []byte{22, 3, 1, 0, 4, 2, 0, 0, 0}},
		"malformed":         {"www.example.com:443", []byte{22, 3, 1, 0, 8, 1, 0, 0, 4, 3, 3, 0, 0}},
		"endless":           {"www.example.com:443", append([]byte{22, 3, 1, 0xff, 0xff, 1, 0xff, 0xff, 0xff}, make([]byte, 100<<10)...)},
		"bypassed":          {"www.example.com:443", hello(t, web("my.bank.example"))},
		"bypassed in front": {"my.bank.example:443", plain},
		"not permitted":     {"www.example.com:443", hello(t, web("limited.example"))},
		"not issued":        {"www.example.com:443", hello(t, web("broken.example"))},
		"odd name":          {"www.example.com:443", hello(t, web("a..b"))},
		"large name":        {"www.example.com:443", hello(t, web(strings.Repeat("a.", 200)+"example"))},
		"mail by ALPN":      {"www.example.com:443", hello(t, &tls.Config{ServerName: "www.example.com", NextProtos: []string{"imap"}})},
		"mail by port":      {"www.example.com:993", hello(t, &tls.Config{ServerName: "www.example.com"})},
		"too old":           {"www.example.com:443", hello(t, &tls.Config{ServerName: "www.example.com", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})},
	} {
		t.Run(name, func(t *testing.T) {
			r := tunnel(t, i, c.authority, func(conn net.Conn) {
				_, _ = conn.Write(c.sent)
			})
			r.blind(t, c.sent)
		})
	}
}

// A hello may come in small records and small pieces (RFC 8446 section 5.1).
func TestSplitHello(t *testing.T) {
	ca := newCA(t)
	bypassed, _ := intercept.ParsePattern("www.example.com")
	for _, size := range []int{1, 3, 100} {
		sent := split(hello(t, web("www.example.com")), size)
		for _, piece := range []int{1, 7, 1 << 20} {
			talk := func(conn net.Conn) {
				for rest := sent; len(rest) > 0; {
					n, err := conn.Write(rest[:min(piece, len(rest))])
					if err != nil {
						return
					}
					rest = rest[n:]
				}
			}
			i := intercept.New(intercept.Config{Issue: ca.Issue, Bypass: []intercept.Pattern{bypassed}})
			tunnel(t, i, "other.example:443", talk).blind(t, sent)
		}
	}
	if ca.count("www.example.com") != 0 {
		t.Error("a certificate was issued for a bypassed host")
	}
}

// Clients that wait for the server, or for ever, are dealt with in time.
func TestSlowClients(t *testing.T) {
	whole := hello(t, web("www.example.com"))
	synctest.Test(t, func(t *testing.T) {
		i := intercept.New(intercept.Config{Issue: newCA(t).Issue})
		for _, c := range []struct {
			authority string
			sent      []byte
			takes     time.Duration
			ends      bool
		}{
			{"mail.example.com:587", nil, time.Second, false},
			{"www.example.com:443", nil, 30 * time.Second, false},
			{"www.example.com:443", whole[:1], 10 * time.Second, true},
			{"www.example.com:443", whole[:40], 10 * time.Second, true},
			{"www.example.com:443", whole, 10 * time.Second, true}, // but no word in answer to the server
		} {
			start := time.Now()
			r := tunnel(t, i, c.authority, func(conn net.Conn) {
				if len(c.sent) == 0 {
					return
				}
				_, _ = conn.Write(c.sent)
				if len(c.sent) == len(whole) {
					_, _ = io.Copy(io.Discard, conn)
				}
			})
			if took := time.Since(start); took != c.takes || (r.err != nil) != c.ends || (r.conn == nil) != c.ends {
				t.Errorf("%s with %d bytes: %v, %v after %v", c.authority, len(c.sent), r.conn, r.err, took)
			}
		}
	})
}

// A byte now and then doesn't keep a hello alive.
func TestSlowHello(t *testing.T) {
	sent := hello(t, web("www.example.com"))
	synctest.Test(t, func(t *testing.T) {
		i := intercept.New(intercept.Config{Issue: newCA(t).Issue})
		start := time.Now()
		r := tunnel(t, i, "www.example.com:443", func(conn net.Conn) {
			for _, b := range sent {
				time.Sleep(time.Second)
				if _, err := conn.Write([]byte{b}); err != nil {
					return
				}
			}
		})
		if r.err == nil || time.Since(start) > 12*time.Second {
			t.Errorf("%v after %v", r.err, time.Since(start))
		}
	})
}

// Parallel connections wait for one certificate, and the cache is bounded.
func TestLeaves(t *testing.T) {
	ca := newCA(t)
	now := &clock{now: time.Now()}
	ca.now = now.Now
	i := intercept.New(intercept.Config{Issue: ca.Issue, Now: now.Now, MaxLeaves: 4})
	visit := func(name string) {
		r := tunnel(t, i, name+":443", func(conn net.Conn) {
			cfg := web(name)
			cfg.RootCAs, cfg.Time = ca.pool(), now.Now
			if err := tls.Client(conn, cfg).Handshake(); err != nil {
				t.Error(err)
			}
		})
		if !r.opened() {
			t.Error(r.err)
		}
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { visit("www.example.com") })
	}
	wg.Wait()
	if n := ca.count("www.example.com"); n != 1 {
		t.Errorf("%d certificates for parallel connections", n)
	}
	for n := range 12 {
		visit(fmt.Sprintf("host%d.example", n))
		visit("www.example.com")
	}
	if n := ca.count("www.example.com"); n != 1 {
		t.Errorf("%d certificates for the host that is used most", n)
	}
	visit("host0.example")
	if n := ca.count("host0.example"); n != 2 {
		t.Errorf("%d certificates for the host that was used least: the cache is not bounded", n)
	}
	now.pass(18*time.Hour - time.Second)
	visit("www.example.com")
	if n := ca.count("www.example.com"); n != 1 {
		t.Errorf("%d certificates before the time", n)
	}
	now.pass(time.Second)
	visit("www.example.com")
	if n := ca.count("www.example.com"); n != 2 {
		t.Errorf("%d certificates when three quarters of the time are over", n)
	}
}

// When the client's connection is closed from outside, as by the proxy's end, Intercept returns.
func TestClosedFromOutside(t *testing.T) {
	i := intercept.New(intercept.Config{Issue: newCA(t).Issue})
	whole := hello(t, web("www.example.com"))
	for _, sent := range [][]byte{nil, whole[:20], whole} {
		client, server := net.Pipe()
		done := make(chan error, 1)
		go func() {
			_, err := i.Intercept(context.Background(), server, "www.example.com:443")
			done <- err
		}()
		if len(sent) > 0 {
			_, _ = client.Write(sent)
		}
		server.Close()
		if err := <-done; err == nil {
			t.Error("no error")
		}
		client.Close()
	}
}

// Whatever comes first, it ends in an error or is yielded as it came: nothing is lost, added or
// answered.
func FuzzFirstBytes(f *testing.F) {
	whole := hello(f, web("www.example.com"))
	for _, seed := range [][]byte{
		nil, {22}, {22, 3}, {22, 3, 1, 0, 0}, whole, whole[:30], split(whole, 2), []byte("GET / HTTP/1.1\r\n\r\n"),
		{22, 3, 1, 0, 4, 1, 0, 0, 0}, append([]byte{22, 3, 3, 0x40, 0, 1, 0, 0x3f, 0xfc}, make([]byte, 0x3ffc)...),
		hello(f, &tls.Config{ServerName: "x", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}),
	} {
		f.Add(seed)
	}
	i := intercept.New(intercept.Config{Issue: func(string) (*tls.Certificate, error) { return nil, errors.New("none") }})
	f.Fuzz(func(t *testing.T, sent []byte) {
		conn := &said{in: bytes.NewReader(sent)}
		got, err := i.Intercept(t.Context(), conn, "www.example.com:443")
		if (got == nil) == (err == nil) {
			t.Fatalf("%v, %v", got, err)
		}
		if conn.answered > 0 {
			t.Fatal("the client got an answer")
		}
		if err != nil {
			return
		}
		if again, err := io.ReadAll(got); err != nil || !bytes.Equal(again, sent) {
			t.Fatalf("%d bytes of %d come again: %v", len(again), len(sent), err)
		}
	})
}

// said is a client that says something and waits for nothing.
type said struct {
	net.Conn
	in       io.Reader
	answered int
}

func (s *said) Read(p []byte) (int, error)       { return s.in.Read(p) }
func (s *said) Write(p []byte) (int, error)      { s.answered += len(p); return len(p), nil }
func (s *said) Close() error                     { return nil }
func (s *said) LocalAddr() net.Addr              { return nil }
func (s *said) RemoteAddr() net.Addr             { return nil }
func (s *said) SetDeadline(time.Time) error      { return nil }
func (s *said) SetReadDeadline(time.Time) error  { return nil }
func (s *said) SetWriteDeadline(time.Time) error { return nil }
