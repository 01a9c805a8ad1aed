package peer

import (
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/gorilla/websocket"
)

// countingListener counts what its connections write to the network.
type countingListener struct {
	net.Listener
	writes atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return countingConn{c, &l.writes}, err
}

type countingConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countingConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// A message takes four TLS records, and one write where the accepted connection was
// wrapped below TLS.
func TestWrapConn(t *testing.T) {
	for name, c := range map[string]struct {
		over   func(testing.TB, net.Listener) *upgrader
		writes int64
	}{
		"wrapped": {newUpgrader, 1},
		"plain":   {newPlainUpgrader, 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.end()
				f, addr := w.fake(), w.address()
				ln := &countingListener{Listener: w.net.listen(addr)}
				accepter := c.over(t, ln)
				defer accepter.stop()
				ws := f.dial(addr)
				accepted, err := accepter.Accept(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer accepted.Close()
				synctest.Wait()
				before := ln.writes.Load()
				message := randomBody(maxFrame)
				if _, err := newWSConn(accepted).Write(message); err != nil {
					t.Fatal(err)
				}
				kind, got, err := ws.ReadMessage()
				if err != nil || kind != websocket.BinaryMessage {
					t.Fatalf("message of type %d, %v", kind, err)
				}
				equalBody(t, got, message)
				if n := ln.writes.Load() - before; n != c.writes {
					t.Errorf("%d writes, want %d", n, c.writes)
				}
			})
		})
	}
}
