package peer

import (
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-yamux/v5"
)

// curious is a fake that counts what it is asked for, and has nothing.
type curious struct {
	*fake
	asked atomic.Int32
}

func (c *curious) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path == pathDigest {
		rw.WriteHeader(http.StatusNoContent)
		return
	}
	c.asked.Add(1)
	rw.WriteHeader(http.StatusNotFound)
}

// connect opens a session to a node, sends a digest on it if there is one, and answers.
func (c *curious) connect(to netip.AddrPort, claims *digest) *yamux.Session {
	mux := c.session(to)
	if claims != nil {
		c.claims = *claims
		c.sendClaims(mux)
	}
	c.tasks.Go(func() { c.run(mux, c) })
	c.w.close = append(c.w.close, func() { mux.Close(); c.tasks.Wait() })
	return mux
}

// Asking leaks: who is told what the user lacks.
func TestWhoIsAsked(t *testing.T) {
	its := []uint32{prefix(query(page).ID().Blind(testSecret))}
	others := []uint32{its[0] ^ 1}
	for _, c := range []struct {
		name    string
		accepts bool    // the node has dialled the peer; else the peer the node
		site    string  // whose look-up gives the peer
		claims  *digest // nil: it sends none
		asked   bool
	}{
		{"stranger without a digest", false, "", nil, false},
		{"stranger with an empty digest", false, "", &digest{}, false},
		{"stranger with another digest", false, "", &digest{prefixes: others}, false},
		{"stranger with a part of a digest", false, "", &digest{prefixes: others, partial: true}, false},
		{"stranger whose digest has it", false, "", &digest{prefixes: its}, true},
		{"stranger whose part of a digest has it", false, "", &digest{prefixes: its, partial: true}, true},
		{"dialled for another site, without a digest", true, "other.example", nil, false},
		{"dialled for another site, with a part of a digest", true, "other.example", &digest{prefixes: others, partial: true}, false},
		{"dialled for another site, its digest has it", true, "other.example", &digest{prefixes: its}, true},
		{"dialled for the site, without a digest", true, "example.org", nil, true},
		{"dialled for the site, with a part of a digest", true, "example.org", &digest{prefixes: others, partial: true}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.end()
				n, f := w.node(), &curious{fake: w.fake()}
				want := ErrNoPeers
				if c.asked || c.claims != nil && !c.claims.partial {
					want = ErrNotFound // somebody has answered, or its digest has
				}
				if c.accepts {
					if c.claims != nil {
						f.claims = *c.claims
					}
					f.serve(f.ServeHTTP)
					w.announce(c.site, f.addr)
					_, _ = n.Fetch(t.Context(), query("https://"+c.site+"/first"))
					time.Sleep(time.Second)
					f.asked.Store(0)
				} else {
					f.connect(n.addr, c.claims)
				}
				synctest.Wait()
				if len(n.Status().Sessions) != 1 {
					t.Fatal("no session")
				}
				n.fetchError(page, want)
				if asked := f.asked.Load(); (asked > 0) != c.asked {
					t.Errorf("asked %d times", asked)
				}
			})
		})
	}
}

// A node behind NAT, which nobody can dial, is asked over the connection that it
// opened: once its digest has come, and also by a search that began before.
func TestHiddenNodeIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.net.latency = 30 * time.Millisecond
		w.finder.delay = 3 * time.Second
		w.announce("example.org", w.address()) // where nobody is
		hidden, open := w.node(), w.node()
		want := randomBody(100_000)
		hidden.share(page, want)
		time.AfterFunc(time.Second, func() {
			if err := hidden.Connect(t.Context(), open.addr); err != nil {
				t.Errorf("Connect: %v", err)
			}
		})
		start := time.Now()
		_, got := open.mustFetch(page)
		equalBody(t, got, want)
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("took %v", d)
		}
		if n := w.net.dialled(hidden.addr); n != 0 {
			t.Errorf("the hidden node was dialled %d times", n)
		}
	})
}

// A peer that the look-up for a site gave is asked for its other parts without
// another look-up, though its digest leaves things out.
func TestFoundForTheSite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		a, b := w.node(func(c *Config) { c.Limits.DigestEntries = 1 }), w.node()
		for _, part := range []string{"a", "b", "c"} {
			a.share("https://example.org/"+part, []byte(part))
		}
		w.announce("example.org", a.addr)
		b.mustFetch("https://example.org/a")
		time.Sleep(5 * time.Minute) // the look-up is forgotten
		w.finder.delay = time.Hour
		b.mustFetch("https://example.org/b")
		b.mustFetch("https://example.org/c")
	})
}
