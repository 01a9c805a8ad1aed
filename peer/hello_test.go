package peer

import (
	"context"
	"errors"
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
