package peer

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

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
