package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

// The parts of a page make one look-up, also when it finds nothing.
func TestLookUpsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		a, b := w.node(), w.node()
		w.finder.delay = 300 * time.Millisecond
		const parts = 20
		for i := range parts {
			a.share(fmt.Sprintf("https://example.org/%d", i), randomBody(1000))
		}
		w.announce("example.org", a.addr)
		var fetching sync.WaitGroup
		for i := range parts {
			fetching.Go(func() { b.mustFetch(fmt.Sprintf("https://example.org/%d", i)) })
		}
		fetching.Wait()
		if n := w.finder.called(); n != 1 {
			t.Errorf("%d look-ups, want 1", n)
		}
		if n := w.net.dialled(a.addr); n != 1 {
			t.Errorf("%d dials, want 1", n)
		}
	})
}

func TestLookUpIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		n := w.node()
		for range 3 {
			n.fetchError("https://nobody.example/a", ErrNoPeers)
		}
		if got := w.finder.called(); got != 1 {
			t.Errorf("%d look-ups for what nobody has, want 1", got)
		}
		time.Sleep(time.Minute)
		n.fetchError("https://nobody.example/b", ErrNoPeers)
		if got := w.finder.called(); got != 2 {
			t.Errorf("%d look-ups a minute later, want 2", got)
		}
		// An error is no result: it is forgotten sooner.
		w.finder.mu.Lock()
		w.finder.err = errors.New("not ready")
		w.finder.mu.Unlock()
		n.fetchError("https://other.example/", ErrNoPeers)
		time.Sleep(10 * time.Second)
		n.fetchError("https://other.example/", ErrNoPeers)
		if got := w.finder.called(); got != 4 {
			t.Errorf("%d look-ups after errors, want 4", got)
		}
	})
}

// Addresses are used while the look-up runs: the first one answers long before its end.
func TestAnswersAreUsedAsTheyArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.net.latency = 50 * time.Millisecond
		a, b := w.node(), w.node()
		a.share(page, []byte("hello"))
		w.finder.delay = time.Second
		w.announce("example.org", a.addr, w.address(), w.address(), w.address(), w.address())
		start := time.Now()
		b.mustFetch(page)
		// The look-up's first address, then TLS (2 round trips with TCP's none here), the
		// upgrade, the hello, the question.
		if d := time.Since(start); d > 1800*time.Millisecond {
			t.Errorf("took %v", d)
		}
	})
}

// Dead addresses do not hold up the living one, and are left alone for a while.
func TestDeadAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		a := w.node()
		silent := w.address()
		ln := w.net.listen(silent) // accepts into a queue that nobody serves
		defer ln.Close()
		b := w.node()
		a.share(page, []byte("hello"))
		refused := w.address()
		w.announce("example.org", refused, silent, a.addr)
		start := time.Now()
		b.mustFetch(page)
		if d := time.Since(start); d > time.Second {
			t.Errorf("took %v", d)
		}
		time.Sleep(10 * time.Second)
		a.stop()
		synctest.Wait() // b has noticed
		b.fetchError("https://example.org/other", ErrNoPeers)
		if got := w.net.dialled(refused); got != 1 {
			t.Errorf("a dead address was dialled %d times", got)
		}
		time.Sleep(10 * time.Minute)
		b.fetchError("https://example.org/other", ErrNoPeers)
		if got := w.net.dialled(refused); got != 2 {
			t.Errorf("a dead address was dialled %d times, 10 minutes later", got)
		}
	})
}

// A look-up that is full of addresses of an attacker's choice makes few dials.
func TestDialBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		n := w.node(func(c *Config) { c.Limits.DialsPerFetch = 10 })
		for range 100 {
			w.announce("example.org", w.address())
		}
		if fe := n.fetchError(page, ErrNoPeers); fe.Dialled != 10 || fe.Found != maxFound {
			t.Errorf("%+v", fe)
		}
	})
}

// The peer that had the last part of a site is asked first for the next.
func TestAffinity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		reader := w.node()
		for range 4 {
			n := w.node()
			for i := range 8 {
				n.share(fmt.Sprintf("https://example.org/%d", i), []byte("hello"))
			}
			if err := reader.Connect(t.Context(), n.addr); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Second)
		first, _ := reader.mustFetch("https://example.org/0")
		for i := 1; i < 8; i++ {
			next, _ := reader.mustFetch(fmt.Sprintf("https://example.org/%d", i))
			if next.Peer != first.Peer {
				t.Errorf("part %d came from another peer", i)
			}
		}
	})
}

func TestMatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		german := func(h http.Header, ex *resource.Exchange) bool { return ex.Header.Get("Content-Language") == "de" }
		a, b := w.node(), w.node(func(c *Config) { c.Matches = german })
		a.share(page, []byte("hello"))
		w.announce("example.org", a.addr)
		b.fetchError(page, ErrNotFound)
	})
}

func TestUntrusted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		a := w.node()
		strict := w.node(func(c *Config) { c.Verifier = trust.Policy{} })
		friend := w.node(func(c *Config) { c.Verifier = trust.Policy{Keys: []trust.Key{a.identity.Key()}} })
		a.share(page, []byte("hello"))
		w.announce("example.org", a.addr)
		if fe := strict.fetchError(page, ErrUnverified); fe.Failed != 1 {
			t.Errorf("%+v", fe)
		}
		if strict.Status().Shunned != 0 {
			t.Error("an unknown signer was shunned")
		}
		if c, _ := friend.mustFetch(page); c.Tier != resource.Signer {
			t.Errorf("tier %v", c.Tier)
		}
	})
}

// The search ends in time, with what was found out by then.
func TestSearchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		n := w.node()
		w.finder.delay = time.Minute
		w.announce("example.org", w.address())
		start := time.Now()
		n.fetchError(page, ErrNoPeers)
		if d := time.Since(start); d != 10*time.Second {
			t.Errorf("took %v", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if _, err := n.Fetch(ctx, query(page)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Fetch: %v", err)
		}
		if d := time.Since(start); d != time.Second {
			t.Errorf("took %v", d)
		}
	})
}

// Run ends in an orderly way whatever is under way.
func TestEndWhileBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		a, b := w.node(), w.node()
		a.share(page, randomBody(20<<20))
		w.announce("example.org", a.addr)
		c, err := b.Fetch(t.Context(), query(page))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Body.Close()
		w.finder.mu.Lock()
		w.finder.delay = time.Hour
		w.finder.sites["slow.example"] = nil
		w.finder.mu.Unlock()
		w.announce("slow.example", a.addr)
		var fetching sync.WaitGroup
		fetching.Go(func() {
			if _, err := b.Fetch(context.Background(), query("https://slow.example/")); err == nil {
				t.Error("found in time")
			}
		})
		synctest.Wait()
		start := time.Now()
		b.stop()
		if d := time.Since(start); d > time.Second {
			t.Errorf("the end took %v", d)
		}
		fetching.Wait()
		if _, err := io.Copy(io.Discard, c.Body); err == nil {
			t.Error("the body went on")
		}
	})
}
