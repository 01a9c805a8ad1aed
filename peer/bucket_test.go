package peer

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/peerproxy/peerproxy/resource"
)

// listening is a fake that others dial. It sends a digest some time after the handshake,
// if it has one, and writes down whatever it is asked for but digests. It has nothing.
type listening struct {
	*fake
	digest *digest
	after  time.Duration

	mu    sync.Mutex
	paths []string
}

func (l *listening) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.URL.Path == pathDigest {
		rw.WriteHeader(http.StatusNoContent)
		return
	}
	l.mu.Lock()
	l.paths = append(l.paths, r.Method+" "+r.URL.Path)
	l.mu.Unlock()
	rw.WriteHeader(http.StatusNotFound)
}

func (l *listening) heard() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.paths)
}

func (l *listening) listen() {
	l.accept(func(ws *websocket.Conn) {
		mux := l.mux(ws, roleAcceptor)
		if mux == nil {
			return
		}
		if l.digest != nil {
			l.claims = *l.digest
			l.tasks.Go(func() {
				if sleepAfter(context.Background(), nil, l.after) {
					l.sendClaims(mux)
				}
			})
		}
		l.run(mux, l)
	})
}

// A peer that was found for a bucket announced one of very many sites. It is asked only
// for what its digest has, so that it does not hear what the user lacks.
func TestBucketNeighbourIsNotAsked(t *testing.T) {
	its := []uint32{prefix(query(page).ID().Blind(testSecret))}
	others := []uint32{its[0] ^ 1}
	for _, c := range []struct {
		name   string
		digest *digest // nil: it sends none
		after  time.Duration
		asked  bool
		most   time.Duration // that the search takes
	}{
		{"its digest is empty", &digest{}, 0, false, time.Second},
		{"its digest has other things", &digest{prefixes: others}, 0, false, time.Second},
		{"its digest is not complete", &digest{prefixes: others, partial: true}, 0, false, time.Second},
		{"its digest comes late, with other things", &digest{prefixes: others}, 2 * time.Second, false, 3 * time.Second},
		{"it sends no digest", nil, 0, false, 6 * time.Second},
		{"its digest comes too late", &digest{prefixes: its}, 8 * time.Second, false, 6 * time.Second},
		{"its digest has it", &digest{prefixes: its}, 0, true, time.Second},
		{"its digest comes late, and has it", &digest{prefixes: its}, 2 * time.Second, true, 3 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.end()
				w.finder.vague = true
				n, l := w.node(), &listening{fake: w.fake(), digest: c.digest, after: c.after}
				l.listen()
				w.announce("example.org", l.addr)
				start := time.Now()
				for range 2 { // also when it is known already
					if _, err := n.Fetch(t.Context(), query(page)); err == nil {
						t.Fatal("fetched what nobody has")
					}
					if d := time.Since(start); d > c.most {
						t.Errorf("took %v, want %v at most", d, c.most)
					}
					start = time.Now()
				}
				if w.net.dialled(l.addr) == 0 {
					t.Error("it was not dialled")
				}
				want := 0
				if c.asked {
					want = 2
				}
				if got := l.heard(); len(got) != want || c.asked && got[0] != "GET "+pathOf(page) {
					t.Errorf("it was asked for %q", got)
				}
				time.Sleep(30 * time.Second) // the look-up and its result are over
				synctest.Wait()
				if got := l.heard(); len(got) != want {
					t.Errorf("it was asked for %q afterwards", got)
				}
			})
		})
	}
}

// Among the many of a bucket the one that has the page gives it, and no other hears of it.
func TestBucketHolderIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.finder.vague = true
		w.net.latency = 20 * time.Millisecond
		var neighbours []*listening
		for i := range 10 {
			l := &listening{fake: w.fake(), digest: &digest{prefixes: []uint32{uint32(i)}}}
			if i%3 == 0 {
				l.digest = nil
			}
			l.listen()
			neighbours = append(neighbours, l)
			w.announce("example.org", l.addr)
		}
		holder, reader := w.node(), w.node()
		want := randomBody(100_000)
		holder.share(page, want)
		w.announce("example.org", holder.addr)
		start := time.Now()
		_, got := reader.mustFetch(page)
		equalBody(t, got, want)
		if d := time.Since(start); d > 3*time.Second {
			t.Errorf("took %v", d)
		}
		reader.fetchError("https://example.org/other", ErrNotFound)
		for _, l := range neighbours {
			if paths := l.heard(); len(paths) > 0 {
				t.Errorf("a neighbour was asked for %q", paths)
			}
		}
	})
}

// A look-up for a resource that takes long does not keep the site's from helping.
func TestSlowExactLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.finder.exact = map[resource.ID][]netip.AddrPort{query(page).ID(): {w.address(), w.address(), w.address()}}
		w.finder.delay = 2 * time.Second
		holder, reader := w.node(), w.node(func(c *Config) { c.Exact = true })
		holder.share(page, []byte("hello"))
		w.announce("example.org", holder.addr)
		start := time.Now()
		reader.mustFetch(page)
		if d := time.Since(start); d > 4*time.Second {
			t.Errorf("took %v", d)
		}
	})
}

// With exact look-ups the resource comes first and the site after it, once for all its resources.
func TestExactLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		rare, missing := query("https://example.org/rare"), query("https://example.org/missing")
		w.finder.exact = map[resource.ID][]netip.AddrPort{}
		rareHolder, siteHolder := w.node(), w.node()
		reader := w.node(func(c *Config) { c.Exact = true })
		rareHolder.share("https://example.org/rare", []byte("rare"))
		siteHolder.share("https://example.org/other", []byte("other"))
		w.finder.exact[rare.ID()] = []netip.AddrPort{rareHolder.addr}
		w.announce("example.org", siteHolder.addr)
		reader.mustFetch("https://example.org/rare")
		synctest.Wait()
		reader.mustFetch("https://example.org/other")
		reader.fetchError("https://example.org/missing", ErrNotFound)
		synctest.Wait()
		w.finder.mu.Lock()
		defer w.finder.mu.Unlock()
		asked := w.finder.asked
		if len(asked) < 2 || asked[0] != (Target{"example.org", rare.ID()}) || asked[1] != (Target{Site: "example.org"}) {
			t.Fatalf("looked up %v", asked)
		}
		if slices.Contains(asked[2:], asked[1]) || !slices.Contains(asked, Target{"example.org", missing.ID()}) {
			t.Errorf("looked up %v", asked)
		}
	})
}
