package peer

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"iter"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

// item is a resource with a body, as a node has it.
type item struct {
	exchange *resource.Exchange
	body     []byte
	outboard []byte
}

// makeItem is a signed copy of a resource. Time.Now is when it was received.
func makeItem(t testing.TB, signer *trust.Identity, url string, body []byte) *item {
	t.Helper()
	u, err := resource.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	h := resource.NewHasher()
	h.Write(body)
	var outboard bytes.Buffer
	if err := h.WriteOutboard(&outboard); err != nil {
		t.Fatal(err)
	}
	ex := &resource.Exchange{
		Method:    "GET",
		URL:       u,
		Status:    200,
		Header:    http.Header{"Content-Type": {"text/html"}},
		Body:      h.Body(),
		Requested: time.Now().Add(-time.Second).Round(0),
		Received:  time.Now().Round(0),
	}
	if err := signer.Sign(ex); err != nil {
		t.Fatal(err)
	}
	return &item{ex, body, outboard.Bytes()}
}

func query(url string) resource.Query {
	u, err := resource.ParseURL(url)
	if err != nil {
		panic(err)
	}
	return resource.Query{Method: "GET", URL: u}
}

func randomBody(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// shelf is a Source in memory. Wrap may put something in front of the body.
type shelf struct {
	mu     sync.Mutex
	items  map[resource.ID]*item
	opened int
	closed int
	fields http.Header // of the last question
	wrap   func(io.ReaderAt) io.ReaderAt
	err    error
}

func (s *shelf) Open(_ context.Context, id resource.ID, fields http.Header) (*Shared, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.items[id]
	if s.err != nil {
		return nil, s.err
	}
	if it == nil {
		return nil, ErrNotHeld
	}
	s.opened++
	s.fields = fields
	var data io.ReaderAt = bytes.NewReader(it.body)
	if s.wrap != nil {
		data = s.wrap(data)
	}
	return &Shared{
		Exchange: it.exchange,
		Data:     data,
		Outboard: bytes.NewReader(it.outboard),
		Close: func() error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.closed++
			return nil
		},
	}, nil
}

func (s *shelf) counts() (opened, closed int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened, s.closed
}

// signposts is a Finder that knows all.
type signposts struct {
	mu    sync.Mutex
	sites map[string][]netip.AddrPort
	exact map[resource.ID][]netip.AddrPort
	asked []Target
	vague bool // what it finds for a site was announced for many sites
	calls int
	delay time.Duration // before each address
	err   error
}

func (f *signposts) FindPeers(ctx context.Context, t Target) iter.Seq2[Found, error] {
	f.mu.Lock()
	f.calls++
	f.asked = append(f.asked, t)
	addrs, delay, err, named := f.sites[t.Site], f.delay, f.err, !f.vague || t.Exact()
	if t.Exact() {
		addrs = f.exact[t.ID]
	}
	f.mu.Unlock()
	return func(yield func(Found, error) bool) {
		if err != nil {
			yield(Found{}, err)
			return
		}
		for _, a := range addrs {
			if !sleepAfter(ctx, nil, delay) || !yield(Found{a, named}, nil) {
				return
			}
		}
	}
}

func (f *signposts) called() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls
}
