package listener

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

func TestAcceptedConnectionCarriesMessages(t *testing.T) {
	l := open(t, Config{})
	client := mustDial(t, l)
	server := mustAccept(t, l)
	passes(t, client, server)
	passes(t, server, client)
	if _, ok := server.NetConn().(*net.TCPConn); !ok {
		t.Errorf("NetConn is %T", server.NetConn())
	}
}

func TestTLSStateIsReachable(t *testing.T) {
	cfg := serverTLS(t)
	cfg.NextProtos = []string{"h2", "acme"} // must not get through
	l := open(t, Config{TLS: cfg})
	client, _, err := dial(t, l, websocket.Dialer{TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"},
	}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	server := mustAccept(t, l)
	passes(t, client, server)
	conn, ok := server.NetConn().(*tls.Conn)
	if !ok {
		t.Fatalf("NetConn is %T", server.NetConn())
	}
	state := conn.ConnectionState()
	ours, err := state.ExportKeyingMaterial("EXPORTER-test", nil, 32)
	if err != nil || !state.HandshakeComplete || state.NegotiatedProtocol != "http/1.1" {
		t.Errorf("state %+v, %v", state, err)
	}
	theirs := client.NetConn().(*tls.Conn).ConnectionState()
	if exported, err := theirs.ExportKeyingMaterial("EXPORTER-test", nil, 32); err != nil || !slices.Equal(exported, ours) {
		t.Errorf("the two ends export different keys: %v", err)
	}
}

// wrapped is what a program puts around its connections.
type wrapped struct{ net.Conn }

func TestWrapConnIsBelowTLS(t *testing.T) {
	for name, cfg := range map[string]Config{"TLS": {TLS: serverTLS(t)}, "plain": {}} {
		t.Run(name, func(t *testing.T) {
			cfg.WrapConn = func(c net.Conn) net.Conn { return wrapped{c} }
			cfg.MaxHandshakesPerIP = 1
			l := open(t, cfg)
			for range 3 { // each handshake ends for the limit, too
				client := mustDial(t, l)
				server := mustAccept(t, l)
				passes(t, client, server)
				if conn, ok := raw(server.NetConn()).(wrapped); !ok {
					t.Errorf("below TLS is %T", conn)
				}
			}
		})
	}
}

// Order of preference is the listener's (RFC 6455 section 4.2.2, item 5 under
// /subprotocol/), whether the client uses one field line or several.
func TestSubprotocolSelection(t *testing.T) {
	tests := []struct {
		name    string
		spoken  []string
		offered []string // field lines
		want    string
		status  int // 0 = accepted
	}{
		{"the one", []string{"chat"}, []string{"chat"}, "chat", 0},
		{"ours comes first", []string{"chat.2", "chat.1"}, []string{"chat.1, chat.2"}, "chat.2", 0},
		{"several lines", []string{"chat"}, []string{"mail", "news, chat"}, "chat", 0},
		{"none in common", []string{"chat"}, []string{"mail"}, "", 400},
		{"none offered", []string{"chat"}, nil, "", 400},
		{"case matters", []string{"chat"}, []string{"Chat"}, "", 400},
		{"none spoken", nil, []string{"chat"}, "", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := open(t, Config{Subprotocols: test.spoken})
			_, resp, err := dial(t, l, websocket.Dialer{}, http.Header{"Sec-Websocket-Protocol": test.offered})
			if test.status != 0 {
				if err == nil || resp == nil || resp.StatusCode != test.status {
					t.Errorf("got %v, %v", resp, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := mustAccept(t, l).Subprotocol(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestBacklog(t *testing.T) {
	l := open(t, Config{Backlog: 2})
	mustDial(t, l)
	mustDial(t, l)
	for range 3 {
		_, resp, err := dial(t, l, websocket.Dialer{}, nil)
		if err == nil || resp == nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
			t.Fatalf("beyond the backlog: %v, %v", resp, err)
		}
	}
	mustAccept(t, l)
	mustDial(t, l)
	mustAccept(t, l)
	mustAccept(t, l)
	passes(t, mustDial(t, l), mustAccept(t, l))
}

func TestCloseEndsEverythingButWhatWasHandedOut(t *testing.T) {
	l := open(t, Config{TLS: serverTLS(t)})
	taken := mustDial(t, l)
	server := mustAccept(t, l)
	left := mustDial(t, l)
	half, err := net.Dial("tcp", l.Addr().String()) // never says a word
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	blocked := make(chan error)
	go func() {
		for { // takes what is left, or not: both are right
			ws, err := l.Accept(t.Context())
			if err != nil {
				blocked <- err
				return
			}
			ws.Close()
		}
	}()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-blocked; !errors.Is(err, ErrClosed) {
		t.Errorf("blocked Accept: %v", err)
	}
	if _, err := l.Accept(t.Context()); !errors.Is(err, ErrClosed) || l.State() != Closed {
		t.Errorf("Accept in state %v: %v", l.State(), err)
	}
	if _, _, err := left.ReadMessage(); err == nil {
		t.Error("a connection that nobody took is open")
	}
	timeToClose(half)
	passes(t, taken, server)
	passes(t, server, taken)
	if err := l.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	again, err := net.Listen("tcp", l.Addr().String())
	if err != nil {
		t.Fatalf("port is not free: %v", err)
	}
	again.Close()
}

func TestConnectionThatNobodyTookIsToldGoingAway(t *testing.T) {
	l := open(t, Config{})
	client := mustDial(t, l)
	l.Close()
	if _, _, err := client.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Errorf("error %v", err)
	}
}

func TestAcceptEndsWithContext(t *testing.T) {
	l := open(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Accept(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestListenersContextGovernsListenAlone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l, err := Listen(ctx, Config{Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cancel()
	mustDial(t, l)
	mustAccept(t, l)
}

func TestStatesFollowOneAnother(t *testing.T) {
	var mu sync.Mutex
	var states []State
	notify := func(s Status) {
		mu.Lock()
		defer mu.Unlock()
		states = append(states, s.State)
	}
	l := open(t, Config{Notify: notify})
	if l.State() != Listening {
		t.Errorf("state %v", l.State())
	}
	l.Close()
	if want := []State{Opening, Listening, Closed}; !slices.Equal(states, want) {
		t.Errorf("states %v, want %v", states, want)
	}
	states = nil
	_, err := Listen(t.Context(), Config{Addr: "127.0.0.1:99999", Notify: notify})
	if err == nil || !slices.Equal(states, []State{Opening, Closed}) {
		t.Errorf("states %v, %v", states, err)
	}
}

func TestListenSaysWhatIsWrong(t *testing.T) {
	l := open(t, Config{})
	_, err := Listen(t.Context(), Config{Addr: l.Addr().String()})
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("taken port: %v", err)
	}
	for name, cfg := range map[string]Config{
		"negative":    {Backlog: -1},
		"subprotocol": {Subprotocols: []string{"a b"}},
		"empty name":  {Subprotocols: []string{""}},
		"certificate": {TLS: &tls.Config{}},
		"address":     {Addr: "here"},
	} {
		if l, err := Listen(t.Context(), cfg); err == nil {
			l.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}

// A socket that fails for good is not the same as one that was closed.
func TestSocketFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, socket := openInMemory(t.Context(), Config{})
		socket.Close()
		if _, err := l.Accept(t.Context()); err == nil || errors.Is(err, ErrClosed) || !errors.Is(err, net.ErrClosed) {
			t.Errorf("error %v", err)
		}
		if l.State() != Closed {
			t.Errorf("state %v", l.State())
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		l, socket := openInMemory(t.Context(), Config{
			Fallback: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }),
		})
		client := socket.connect("192.0.2.1")
		defer client.Close()
		client.Write([]byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
		synctest.Wait()
		began := time.Now()
		if err := l.Close(); err == nil || time.Since(began) != closeTime {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		close(release)
	})
}

func TestManyAtOnce(t *testing.T) {
	const clients = 60
	l := open(t, Config{TLS: serverTLS(t), Backlog: clients, MaxHandshakesPerIP: clients})
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			ws, _, err := dial(t, l, websocket.Dialer{}, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer ws.Close()
			if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
				t.Error(err)
			}
		})
	}
	for range clients {
		ws := mustAccept(t, l)
		ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
	}
	all.Wait()
	if n := len(l.guard.open) + len(l.guard.byIP) + len(l.places); n != 0 {
		t.Errorf("%d records left", n)
	}
}

func BenchmarkHandshake(b *testing.B) {
	for name, cfg := range map[string]Config{"ws": {}, "wss": {TLS: serverTLS(b)}} {
		b.Run(name, func(b *testing.B) {
			l := open(b, cfg)
			for b.Loop() {
				client := mustDial(b, l)
				server := mustAccept(b, l)
				client.Close()
				server.Close()
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "handshakes/s")
		})
	}
}
