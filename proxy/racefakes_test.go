package proxy

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// bench is a proxy between fakes: an origin and peers that answer after some time.
// It is for synctest bubbles, where that time costs nothing.
type bench struct {
	t         *testing.T
	proxy     *Proxy
	store     *memStore
	origin    side
	peers     side
	text      string        // what peers have
	control   string        // Cache-Control of the origin's answers
	media     string        // Content-Type of these
	header    http.Header   // of the peers' copy
	tier      resource.Tier // of the peers' copy; 0 = unproven
	witnesses int           // of it
	witnessed time.Time
	query     resource.Query
}

// side is how one of the contenders behaves.
type side struct {
	after  time.Duration // silence until the answer; negative = for ever
	err    error
	status int
	asked  atomic.Int32
	lost   atomic.Int32 // times its context ended before the answer
}

func newBench(t *testing.T, change func(*Config)) *bench {
	b := &bench{t: t, store: newMemStore(), text: "from peers", control: "max-age=60"}
	b.origin.status = 200
	cfg := Config{Store: b.store, Transport: transportFunc(b.roundTrip), Peers: fakePeers(b.fetch), Sites: unasked, Dialer: &Dialer{}}
	if change != nil {
		change(&cfg)
	}
	b.proxy = newProxy(t, cfg)
	return b
}

func (s *side) wait(ctx context.Context) error {
	s.asked.Add(1)
	if s.after < 0 {
		<-ctx.Done()
		s.lost.Add(1)
		return ctx.Err()
	}
	select {
	case <-time.After(s.after):
		return s.err
	case <-ctx.Done():
		s.lost.Add(1)
		return ctx.Err()
	}
}

func (b *bench) roundTrip(r *http.Request) (*http.Response, error) {
	if err := b.origin.wait(r.Context()); err != nil {
		return nil, err
	}
	text := "from origin"
	h := http.Header{"Cache-Control": {b.control}, "Date": {time.Now().UTC().Format(http.TimeFormat)}, "Etag": {`"1"`}}
	if b.media != "" {
		h.Set("Content-Type", b.media)
	}
	return &http.Response{
		StatusCode: b.origin.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h,
		ContentLength: int64(len(text)), Body: io.NopCloser(strings.NewReader(text)), Request: r,
	}, nil
}

func (b *bench) fetch(ctx context.Context, q resource.Query) (*resource.Copy, error) {
	b.query = q
	if err := b.peers.wait(ctx); err != nil {
		return nil, err
	}
	c := copyOf(q.URL.String(), b.text, b.header.Clone(), time.Now().Add(-time.Hour))
	if b.tier.Valid() {
		c.Tier, c.Witnesses, c.WitnessedAt = b.tier, b.witnesses, b.witnessed
	}
	return c, nil
}

// get asks the proxy and says how long that took.
func (b *bench) get(u string, fields ...string) (answered, time.Duration) {
	b.t.Helper()
	r := httptest.NewRequest("GET", u, nil)
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Add(name, value)
	}
	return b.send(r)
}

func (b *bench) send(r *http.Request) (answered, time.Duration) {
	b.t.Helper()
	w, start := httptest.NewRecorder(), time.Now()
	b.proxy.ServeHTTP(w, r)
	took := time.Since(start)
	settle(b.proxy)
	return answered{w.Result(), w.Body.String()}, took
}

func (b *bench) wantAsked(origin, peers int32) {
	b.t.Helper()
	if b.origin.asked.Load() != origin || b.peers.asked.Load() != peers {
		b.t.Fatalf("origin asked %d times, peers %d; want %d and %d", b.origin.asked.Load(), b.peers.asked.Load(), origin, peers)
	}
}

func wantTook(t *testing.T, took, want time.Duration) {
	t.Helper()
	if took != want {
		t.Fatalf("took %v, want %v", took, want)
	}
}

// bubble runs a test in fake time.
func bubble(f func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) { synctest.Test(t, f) }
}
