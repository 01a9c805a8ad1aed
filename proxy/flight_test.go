package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// begin sends a GET and returns the response with its body unread.
func (l *lab) begin(ctx context.Context, u string) *http.Response {
	l.t.Helper()
	r, _ := http.NewRequestWithContext(ctx, "GET", u, nil)
	res, err := l.client.Do(r)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { res.Body.Close() })
	return res
}

func TestHundredClientsOneFetch(t *testing.T) {
	var asked, arrived atomic.Int32
	text := strings.Repeat("0123456789", 20_000)
	release := make(chan struct{})
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		<-release
		w.Header().Set("Cache-Control", "max-age=60")
		fmt.Fprint(w, text)
	}, nil)
	var wg sync.WaitGroup
	var collapsed atomic.Int32
	for range 100 {
		wg.Go(func() {
			arrived.Add(1)
			a, err := l.try("GET", site+"/slow")
			if err != nil || a.text != text {
				t.Errorf("%v, %d bytes", err, len(a.text))
				return
			}
			if has(a.cacheStatus(), "collapsed", true) {
				collapsed.Add(1)
			}
		})
	}
	eventually(t, func() bool { return readersOf(l.proxy) == 100 })
	close(release)
	wg.Wait()
	if asked.Load() != 1 || collapsed.Load() != 99 {
		t.Errorf("origin asked %d times, %d answers collapsed", asked.Load(), collapsed.Load())
	}
	l.settle()
	if l.store.open != 0 || len(l.store.all()) != 1 {
		t.Errorf("%d open, %d stored", l.store.open, len(l.store.all()))
	}
}

// readersOf counts the readers of all flights.
func readersOf(p *Proxy) (n int) {
	p.flights.mu.Lock()
	defer p.flights.mu.Unlock()
	for f := range p.flights.all {
		f.spool.mu.Lock()
		n += len(f.spool.readers)
		f.spool.mu.Unlock()
	}
	return n
}

// eventually waits for what other goroutines do; only a broken test reaches its end.
func eventually(t *testing.T, done func() bool) {
	t.Helper()
	for start := time.Now(); !done(); runtime.Gosched() {
		if time.Since(start) > 20*time.Second {
			t.Fatal("did not happen")
		}
	}
}

// steps is an origin that sends as many bytes as it is told to.
type steps struct {
	header http.Header
	length int
	send   chan int
	ended  chan error // what writing came to
	asked  atomic.Int32
}

func newSteps(length int, cacheControl string) *steps {
	return &steps{header: http.Header{"Cache-Control": {cacheControl}}, length: length, send: make(chan int), ended: make(chan error, 9)}
}

func (s *steps) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	for name, lines := range s.header {
		w.Header()[name] = lines
	}
	if s.length > 0 {
		w.Header().Set("Content-Length", fmt.Sprint(s.length))
	}
	control := http.NewResponseController(w)
	_ = control.Flush()
	at := 0
	for {
		select {
		case n, more := <-s.send:
			if !more {
				s.ended <- nil
				return
			}
			_, _ = w.Write(pattern(at, n))
			_ = control.Flush()
			at += n
		case <-r.Context().Done():
			s.ended <- r.Context().Err()
			return
		}
	}
}

// pattern is n bytes of an endless sequence that shows where they are from.
func pattern(at, n int) []byte {
	b := make([]byte, n)
	for done := 0; done < n; {
		done += copy(b[done:], patternBytes[(at+done)%patternPeriod:])
	}
	return b
}

const patternPeriod = 20480 // of the sequence below

var patternBytes = func() []byte {
	b := make([]byte, 8*patternPeriod)
	for i := range b {
		b[i] = byte(i * 7 >> (i % 5))
	}
	return b
}()

func readN(t *testing.T, r io.Reader, at, n int) {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatalf("at %d: %v", at, err)
	}
	if string(b) != string(pattern(at, n)) {
		t.Fatalf("at %d: wrong bytes", at)
	}
}

func TestLateJoiner(t *testing.T) {
	o := newSteps(3000, "max-age=60")
	l := newLab(t, o.ServeHTTP, nil)
	first := l.begin(t.Context(), site+"/l")
	o.send <- 1000
	readN(t, first.Body, 0, 1000)
	late := l.begin(t.Context(), site+"/l")
	if item := (answered{late, ""}).cacheStatus(); !has(item, "collapsed", true) {
		t.Errorf("Cache-Status %q", late.Header["Cache-Status"])
	}
	readN(t, late.Body, 0, 1000)
	o.send <- 2000
	readN(t, late.Body, 1000, 2000)
	readN(t, first.Body, 1000, 2000)
	if o.asked.Load() != 1 {
		t.Errorf("asked %d times", o.asked.Load())
	}
}

// A client that wants news does not get what began to come before it asked (RFC 9111
// section 5.2.1.4).
func TestReloadDoesNotJoinLate(t *testing.T) {
	o := newSteps(2000, "max-age=60")
	l := newLab(t, o.ServeHTTP, nil)
	first := l.begin(t.Context(), site+"/l")
	o.send <- 1000
	readN(t, first.Body, 0, 1000)
	r, _ := http.NewRequest("GET", site+"/l", nil)
	r.Header.Set("Cache-Control", "no-cache")
	second, err := l.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	second.Body.Close()
	if o.asked.Load() != 2 {
		t.Errorf("asked %d times", o.asked.Load())
	}
}

func TestLeaderLeaves(t *testing.T) {
	o := newSteps(3000, "max-age=60")
	l := newLab(t, o.ServeHTTP, nil)
	ctx, cancel := context.WithCancel(t.Context())
	leader := l.begin(ctx, site+"/l")
	o.send <- 1000
	readN(t, leader.Body, 0, 1000)
	follower := l.begin(t.Context(), site+"/l")
	cancel()
	eventually(t, func() bool { return readersOf(l.proxy) == 1 })
	o.send <- 2000
	readN(t, follower.Body, 0, 3000)
	l.settle()
	if all := l.store.all(); o.asked.Load() != 1 || len(all) != 1 || all[0].Exchange.Body.Length != 3000 {
		t.Errorf("asked %d times, stored %d", o.asked.Load(), len(all))
	}
}

func TestLastReaderLeaves(t *testing.T) {
	o := newSteps(3000, "max-age=60")
	l := newLab(t, o.ServeHTTP, nil)
	ctx, cancel := context.WithCancel(t.Context())
	for range 2 {
		readN(t, l.begin(ctx, site+"/l").Body, 0, 0)
	}
	o.send <- 1000
	cancel()
	if err := <-o.ended; !errors.Is(err, context.Canceled) {
		t.Errorf("origin ended with %v", err)
	}
	l.settle()
	if len(l.store.all()) != 0 || l.store.aborted != 1 || l.store.open != 0 {
		t.Errorf("stored %d, aborted %d, open %d", len(l.store.all()), l.store.aborted, l.store.open)
	}
}

// A client that leaves before the response header has come ends the fetch as well.
func TestLeavesWhileWaiting(t *testing.T) {
	asked, ended := make(chan struct{}), make(chan struct{})
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
		close(ended)
	}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	r, _ := http.NewRequestWithContext(ctx, "GET", site+"/w", nil)
	if res, err := l.client.Do(r); err == nil {
		res.Body.Close()
		t.Error("got an answer")
	}
	<-ended
	l.settle()
}

// An origin that breaks off: nothing is stored, and the client sees it, too.
func TestTruncatedResponses(t *testing.T) {
	for name, response := range map[string]string{
		"Content-Length": "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 1000\r\n\r\n" + strings.Repeat("x", 400),
		"chunked":        "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nwor",
		"no last chunk":  "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"unstored":       "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Length: 1000\r\n\r\n" + strings.Repeat("x", 400),
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, nil, nil)
			origin := rawOrigin(t, func(c net.Conn) { fmt.Fprint(c, response); c.Close() })
			l.proxy.dialer.Resolve = []Resolve{{Host: "www.example.com", Port: 80, Addr: origin}}
			for _, method := range []string{"GET", "POST"} {
				if a, err := l.try(method, site+"/t"); err == nil {
					t.Errorf("%s: client got %d bytes as a whole", method, len(a.text))
				}
			}
			l.settle()
			if len(l.store.all()) != 0 || l.store.open != 0 {
				t.Errorf("stored %d, open %d", len(l.store.all()), l.store.open)
			}
		})
	}
}

// Two readers of one large body, one of them slow: the fast one gets all of it, the
// slow one too, and the store has it.
func TestSlowAndFastReader(t *testing.T) {
	const size = 12 << 20
	l := newLab(t, patternOrigin(size, "max-age=60"), nil)
	slow := l.begin(t.Context(), site+"/big")
	readN(t, slow.Body, 0, 1000)
	fast := l.begin(t.Context(), site+"/big")
	readAll(t, fast.Body, 0, size)
	readAll(t, slow.Body, 1000, size)
	l.settle()
	if all := l.store.all(); len(all) != 1 || all[0].Exchange.Body.Length != size {
		t.Errorf("stored %d", len(all))
	}
}

func patternOrigin(size int, cacheControl string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", cacheControl)
		w.Header().Set("Content-Length", fmt.Sprint(size))
		for at := 0; at < size; at += 1 << 16 {
			if _, err := w.Write(pattern(at, min(1<<16, size-at))); err != nil {
				return
			}
		}
	}
}

func readAll(t *testing.T, r io.Reader, at, size int) {
	t.Helper()
	br := bufio.NewReaderSize(r, 1<<16)
	for ; at < size; at += 1 << 16 {
		readN(t, br, at, min(1<<16, size-at))
	}
	if _, err := br.ReadByte(); err != io.EOF {
		t.Fatalf("after the end: %v", err)
	}
}

// The store gives up half way: all readers still get everything, nothing is stored.
func TestStoreFailsMidway(t *testing.T) {
	const size = 6 << 20
	l := newLab(t, patternOrigin(size, "max-age=60"), nil)
	l.store.limit = 1 << 20
	var wg sync.WaitGroup
	for range 3 {
		res := l.begin(t.Context(), site+"/big")
		wg.Go(func() { readAll(t, res.Body, 0, size) })
	}
	wg.Wait()
	l.settle()
	if len(l.store.all()) != 0 || l.store.open != 0 {
		t.Errorf("stored %d, open %d", len(l.store.all()), l.store.open)
	}
}

// A commit that fails is nobody's loss.
func TestCommitFails(t *testing.T) {
	const size = 3 << 20
	l := newLab(t, patternOrigin(size, "max-age=60"), nil)
	l.store.commit = func(*resource.Stored) error { return errors.New("disk full") }
	for range 2 {
		readAll(t, l.begin(t.Context(), site+"/big").Body, 0, size)
		l.settle()
	}
	if len(l.store.all()) != 0 || l.store.open != 0 || l.store.aborted != 2 {
		t.Errorf("stored %d, open %d, aborted %d", len(l.store.all()), l.store.open, l.store.aborted)
	}
}

// A slow reader reads on after the commit.
func TestReadsOnAfterCommit(t *testing.T) {
	const size = 3 << 20 // fetched to the end at once, but more than sockets hold
	committed := make(chan struct{})
	l := newLab(t, patternOrigin(size, "max-age=60"), func(c *Config) {
		c.Stored = func(*resource.Stored) { close(committed) }
	})
	res := l.begin(t.Context(), site+"/big")
	readN(t, res.Body, 0, 1000)
	<-committed
	readAll(t, res.Body, 1000, size)
	l.settle()
	if l.store.open != 0 {
		t.Errorf("%d open", l.store.open)
	}
}

// When the response turns out to be for one client only, the others fetch their own.
func TestUnstorableIsNotShared(t *testing.T) {
	var asked atomic.Int32
	release := make(chan struct{})
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		n := asked.Add(1)
		<-release
		w.Header().Set("Cache-Control", "private")
		fmt.Fprint(w, "for client ", n)
	}, nil)
	var wg sync.WaitGroup
	var texts sync.Map
	for range 5 {
		wg.Go(func() {
			a, err := l.try("GET", site+"/p")
			if _, twice := texts.LoadOrStore(a.text, true); err != nil || twice {
				t.Errorf("%v %q", err, a.text)
			}
		})
	}
	eventually(t, func() bool { return readersOf(l.proxy) == 5 })
	close(release)
	wg.Wait()
	if asked.Load() != 5 {
		t.Errorf("asked %d times", asked.Load())
	}
}

// no-cache forbids to give one response to two requests (RFC 9111 section 5.2.2.4);
// a response that is stale at once may serve those that waited for it (section 4).
func TestCollapsedRequestsShareWhatTheyMay(t *testing.T) {
	for cacheControl, want := range map[string]int32{"no-cache": 4, "max-age=0": 1} {
		var asked atomic.Int32
		release := make(chan struct{})
		l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
			asked.Add(1)
			<-release
			fixed("x", cacheControl)(w, r)
		}, nil)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { _, _ = l.try("GET", site+"/c") })
		}
		eventually(t, func() bool { return readersOf(l.proxy) == 4 })
		close(release)
		wg.Wait()
		if asked.Load() != want {
			t.Errorf("%s: asked %d times, want %d", cacheControl, asked.Load(), want)
		}
	}
}

// Many clients on one stale response: one validation.
func TestRevalidationStorm(t *testing.T) {
	c := &clock{}
	var asked atomic.Int32
	release := make(chan struct{})
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		c.stamp(w)
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Etag", `"1"`)
		if asked.Add(1) > 1 {
			<-release
		}
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(304)
			return
		}
		fmt.Fprint(w, "x")
	}, func(cfg *Config) { cfg.Now = c.now })
	l.get(site+"/s").want(t, 200, "x")
	l.settle()
	c.advance(2 * time.Minute)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if a, err := l.try("GET", site+"/s"); err != nil || a.text != "x" || !has(a.cacheStatus(), "fwd", "stale") {
				t.Errorf("%v %q %v", err, a.text, a.Header)
			}
		})
	}
	eventually(t, func() bool { return readersOf(l.proxy) == 50 })
	close(release)
	wg.Wait()
	if asked.Load() != 2 {
		t.Errorf("asked %d times", asked.Load())
	}
}

// A client whose condition holds gets its 304 and leaves; the rest, if it is not
// much, is fetched and stored all the same.
func TestSatisfiedReaderLeavesSmallBody(t *testing.T) {
	o := newSteps(2000, "max-age=60")
	o.header["Etag"] = []string{`"1"`}
	l := newLab(t, o.ServeHTTP, nil)
	l.get(site+"/s", `If-None-Match: "1"`).want(t, 304, "")
	o.send <- 2000
	l.settle()
	if len(l.store.all()) != 1 {
		t.Error("not stored")
	}
}
