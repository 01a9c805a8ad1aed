package peer

import (
	"context"
	"errors"
	"io"
	"iter"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

const page = "https://example.org/index.html"

func TestFetchWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		a, b := w.node(), w.node()
		want := randomBody(300_000)
		it := a.share(page, want)
		w.announce("example.org", a.addr)

		c, got := b.mustFetch(page)
		equalBody(t, got, want)
		if c.Exchange.Body != it.exchange.Body || c.Exchange.Status != 200 {
			t.Errorf("exchange %+v", c.Exchange)
		}
		if c.Tier != resource.Unproven || c.Signer != a.identity.Key().String() || c.Peer != a.identity.Key().String() {
			t.Errorf("tier %v signer %v peer %v", c.Tier, c.Signer, c.Peer)
		}
	})
}

func TestFetchSizes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		a, b := w.node(), w.node()
		w.announce("example.org", a.addr)
		for _, n := range []int{0, 1, 16 << 10, 16<<10 + 1, 1 << 20, 5_000_000} {
			url := "https://example.org/" + time.Duration(n).String()
			want := randomBody(n)
			a.share(url, want) // its digest does not have it yet
			_, got := b.mustFetch(url)
			equalBody(t, got, want)
		}
	})
}

// A node that can't be reached serves over the connection that it opened.
func TestBothDirectionsOverOneConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		hidden, open := w.node(), w.node()
		if err := hidden.Connect(context.Background(), open.addr); err != nil {
			t.Fatal(err)
		}
		want := randomBody(100_000)
		hidden.share("https://hidden.example/", want)
		open.share(page, want)
		time.Sleep(3 * time.Second) // for the digests

		_, got := open.mustFetch("https://hidden.example/")
		equalBody(t, got, want)
		_, got = hidden.mustFetch(page)
		equalBody(t, got, want)
		if n := w.net.dialled(hidden.addr); n != 0 {
			t.Errorf("the hidden node was dialled %d times", n)
		}
		if n := w.net.dialled(open.addr); n != 1 {
			t.Errorf("the open node was dialled %d times, want once", n)
		}
	})
}

func TestDigestAvoidsLookUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		a, b := w.node(), w.node()
		a.share(page, []byte("hello"))
		if err := b.Connect(context.Background(), a.addr); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		b.mustFetch(page)
		if n := w.finder.called(); n != 0 {
			t.Errorf("%d look-ups, want none", n)
		}
		// What comes later is told too.
		a.share("https://example.org/later", []byte("hello"))
		time.Sleep(3 * time.Second)
		b.mustFetch("https://example.org/later")
		if n := w.finder.called(); n != 0 {
			t.Errorf("%d look-ups after a delta, want none", n)
		}
		if got := b.Status().Sessions[0].Digest; got != 2 {
			t.Errorf("digest has %d entries, want 2", got)
		}
		a.catalog.Remove(query(page).ID())
		time.Sleep(3 * time.Second)
		if got := b.Status().Sessions[0].Digest; got != 1 {
			t.Errorf("digest has %d entries after a removal, want 1", got)
		}
		// Who says that it has none is not asked.
		opened, _ := a.shelf.counts()
		b.fetchError("https://example.org/missing", ErrNotFound)
		if now, _ := a.shelf.counts(); now != opened {
			t.Error("a peer was asked for what its digest does not have")
		}
	})
}

func TestErrorsSayWhatWasTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		a, b := w.node(), w.node()
		if fe := b.fetchError("https://nobody.example/", ErrNoPeers); fe.Found != 0 || fe.Tried != 0 {
			t.Errorf("%+v", fe)
		}
		w.announce("example.org", a.addr, w.address())
		if _, err := b.Fetch(t.Context(), resource.Query{Method: "POST", URL: query(page).URL}); err == nil {
			t.Error("POST was asked for")
		}
		if fe := b.fetchError(page, ErrNotFound); fe.Found != 2 || fe.Dialled != 2 || fe.Tried != 1 || fe.Absent != 1 {
			t.Errorf("%+v", fe)
		} else if text := fe.Error(); strings.Contains(text, "example") || !strings.Contains(text, "2 dialled") {
			t.Errorf("error text %q", text)
		}
		a.share("https://broken.example/", []byte("x"))
		a.shelf.mu.Lock()
		a.shelf.err = errors.New("disk on fire")
		a.shelf.mu.Unlock()
		w.announce("broken.example", a.addr)
		time.Sleep(3 * time.Second)
		if fe := b.fetchError("https://broken.example/", ErrRefused); fe.Failed != 1 {
			t.Errorf("%+v", fe)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := b.Fetch(ctx, query(page)); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled fetch: %v", err)
		}
		b.stop()
		if _, err := b.Fetch(context.Background(), query(page)); !errors.Is(err, ErrClosed) {
			t.Errorf("fetch after the end: %v", err)
		}
		if err := b.Connect(context.Background(), a.addr); !errors.Is(err, ErrClosed) {
			t.Errorf("connect after the end: %v", err)
		}
	})
}

func TestBodyIsClosedEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		a, b := w.node(), w.node()
		a.share(page, randomBody(10<<20))
		w.announce("example.org", a.addr)
		c, err := b.Fetch(context.Background(), query(page))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c.Body, make([]byte, 100_000)); err != nil {
			t.Fatal(err)
		}
		c.Body.Close()
		if _, err := c.Body.Read(make([]byte, 1<<20)); err == nil {
			t.Error("read after Close")
		}
		synctest.Wait()
		if opened, closed := a.shelf.counts(); opened != 1 || closed != 1 {
			t.Errorf("opened %d, closed %d", opened, closed)
		}
		if st := a.Status(); st.Serving != 0 {
			t.Errorf("still serving %d", st.Serving)
		}
	})
}

// The same over real sockets, both ways, with a dial function of the operating system.
func TestOverLoopback(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.MustParseAddrPort(ln.Addr().String())
	accepter := newUpgrader(t, ln)
	defer accepter.stop()
	want := randomBody(3_000_000)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	var swarms []*Swarm
	for i, url := range []string{"https://one.example/", "https://two.example/"} {
		id := trust.NewIdentity()
		it := makeItem(t, id, url, want)
		catalog := NewCatalog(testSecret)
		catalog.Add(it.exchange.ID())
		s, err := New(Config{
			Identity: id, Verifier: trust.Policy{Any: true}, Secret: testSecret, Catalog: catalog, AllowPrivate: true,
			Source: &shelf{items: map[resource.ID]*item{it.exchange.ID(): it}},
			Finder: waiting{}, // so that a search goes on until the other's digest has come
		})
		if err != nil {
			t.Fatal(err)
		}
		swarms = append(swarms, s)
		var a Accepter
		if i == 0 {
			a = accepter
		}
		running.Go(func() {
			if err := s.Run(ctx, a); err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
	defer running.Wait()
	defer cancel()
	if err := swarms[1].Connect(ctx, addr); err != nil {
		t.Fatal(err)
	}
	for i, url := range []string{"https://one.example/", "https://two.example/"} {
		c, err := swarms[1-i].Fetch(ctx, query(url))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c.Body)
		if err != nil {
			t.Fatal(err)
		}
		equalBody(t, got, want)
		c.Body.Close()
	}
}

// waiting is a Finder that searches for as long as it may, and finds nothing.
type waiting struct{}

func (waiting) FindPeers(ctx context.Context, _ Target) iter.Seq2[Found, error] {
	return func(func(Found, error) bool) { <-ctx.Done() }
}

// An accepter that fails ends Run, with its error and without leaving anything behind.
func TestRunReturnsAcceptError(t *testing.T) {
	s, err := New(Config{Identity: trust.NewIdentity(), Verifier: trust.Policy{}})
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("no socket")
	if err := s.Run(t.Context(), accepterFunc(func(context.Context) (*websocket.Conn, error) { return nil, broken })); !errors.Is(err, broken) {
		t.Errorf("Run: %v", err)
	}
}

type accepterFunc func(context.Context) (*websocket.Conn, error)

func (f accepterFunc) Accept(ctx context.Context) (*websocket.Conn, error) { return f(ctx) }
