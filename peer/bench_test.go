package peer

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

const benchSize = 1 << 30

// pattern is a body of any length that needs no memory: one MiB over and over.
type pattern struct {
	block  []byte
	length int64
}

// ReadAt implements io.ReaderAt.
func (p *pattern) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) && off < p.length {
		from := off % int64(len(p.block))
		m := copy(b[n:min(len(b), n+int(min(int64(len(b)), p.length-off)))], p.block[from:])
		n += m
		off += int64(m)
	}
	if n < len(b) {
		err = io.EOF
	}
	return n, err
}

// memoryTree is an outboard in memory.
type memoryTree []byte

// ReadAt implements io.ReaderAt.
func (m memoryTree) ReadAt(b []byte, off int64) (int, error) {
	n := copy(b, m[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// Write implements io.Writer.
func (m *memoryTree) Write(b []byte) (int, error) {
	*m = append(*m, b...)
	return len(b), nil
}

// bigSource shares one body of pattern.
type bigSource struct {
	exchange *resource.Exchange
	data     *pattern
	tree     memoryTree
}

// Open implements Source.
func (s *bigSource) Open(context.Context, resource.ID, http.Header) (*Shared, error) {
	return &Shared{Exchange: s.exchange, Data: s.data, Outboard: s.tree, Close: func() error { return nil }}, nil
}

// BenchmarkFetch1GiB fetches 1 GiB from one peer over loopback, once from a node
// that was dialled and once from one that dialled (its frames are masked). In the same
// run 1 GiB is copied over plain TLS; "ratio" is our throughput by that one's.
func BenchmarkFetch1GiB(b *testing.B) {
	for name, sharerDials := range map[string]bool{"loopback": false, "loopback-masked": true} {
		b.Run(name, func(b *testing.B) {
			var ours, plain time.Duration
			fetch := benchFetch(b, benchSize, sharerDials, nil)
			copyTLS := benchTLS(b, benchSize)
			for b.Loop() {
				plain += timed(b, copyTLS)
				ours += timed(b, fetch)
			}
			report(b, ours)
			b.ReportMetric(plain.Seconds()/ours.Seconds(), "ratio")
			b.ReportMetric(benchSize/1e6*float64(b.N)/plain.Seconds(), "TLS-MB/s")
		})
	}
	b.Run("rtt=50ms", func(b *testing.B) {
		var ours time.Duration
		fetch := benchFetch(b, benchSize, false, func(to net.Addr) net.Addr { return relay(b, to, 25*time.Millisecond) })
		for b.Loop() {
			ours += timed(b, fetch)
		}
		report(b, ours)
	})
}

// BenchmarkAsk is what one small resource costs over an open session.
func BenchmarkAsk(b *testing.B) {
	fetch := benchFetch(b, 1<<10, false, nil)
	for b.Loop() {
		if err := fetch(); err != nil {
			b.Fatal(err)
		}
	}
}

func report(b *testing.B, d time.Duration) {
	b.ReportMetric(benchSize/1e6*float64(b.N)/d.Seconds(), "MB/s")
	b.ReportMetric(0, "ns/op")
}

func timed(b *testing.B, f func() error) time.Duration {
	start := time.Now()
	if err := f(); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// benchFetch starts two nodes and returns what fetches size bytes from one to the
// other. Via may put something between them.
func benchFetch(b *testing.B, size int64, sharerDials bool, via func(net.Addr) net.Addr) func() error {
	b.Helper()
	sharer := trust.NewIdentity()
	src := newBigSource(b, sharer, size)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	to := ln.Addr()
	if via != nil {
		to = via(to)
	}
	catalog := NewCatalog(testSecret)
	catalog.Add(src.exchange.ID())
	accepter := newUpgrader(b, ln)
	b.Cleanup(accepter.stop)
	configs := []Config{
		{Identity: sharer, Verifier: trust.Policy{Any: true}, Secret: testSecret, AllowPrivate: true, Catalog: catalog, Source: src},
		{Identity: trust.NewIdentity(), Verifier: trust.Policy{Any: true}, Secret: testSecret, AllowPrivate: true},
	}
	for i := range configs {
		configs[i].Finder = waiting{} // so that the first search goes on until the digest has come
	}
	if sharerDials {
		slices.Reverse(configs)
	}
	acceptor, dialler := runSwarm(b, configs[0], accepter), runSwarm(b, configs[1], nil)
	if err := dialler.Connect(context.Background(), netip.MustParseAddrPort(to.String())); err != nil {
		b.Fatal(err)
	}
	asker := dialler
	if sharerDials {
		asker = acceptor
	}
	first, err := asker.Fetch(context.Background(), query(page)) // waits for the digest
	if err != nil {
		b.Fatal(err)
	}
	first.Body.Close()
	return func() error {
		c, err := asker.Fetch(context.Background(), query(page))
		if err != nil {
			return err
		}
		defer c.Body.Close()
		n, err := io.Copy(io.Discard, c.Body)
		if err == nil && n != size {
			err = fmt.Errorf("%d bytes", n)
		}
		return err
	}
}

func newBigSource(t testing.TB, signer *trust.Identity, size int64) *bigSource {
	t.Helper()
	src := &bigSource{data: &pattern{randomBody(1 << 20), size}}
	h := resource.NewHasher()
	if _, err := io.Copy(h, io.NewSectionReader(src.data, 0, size)); err != nil {
		t.Fatal(err)
	}
	if err := h.WriteOutboard(&src.tree); err != nil {
		t.Fatal(err)
	}
	src.exchange = makeItem(t, signer, page, nil).exchange
	src.exchange.Body, src.exchange.Signatures = h.Body(), nil
	if err := signer.Sign(src.exchange); err != nil {
		t.Fatal(err)
	}
	return src
}

func runSwarm(b *testing.B, cfg Config, a Accepter) *Swarm {
	b.Helper()
	w, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.Run(ctx, a); err != nil {
			b.Error(err)
		}
	})
	b.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return w
}

// benchTLS returns what copies size bytes over a new TLS 1.3 connection.
func benchTLS(b *testing.B, size int64) func() error {
	b.Helper()
	config, err := TLSConfig()
	if err != nil {
		b.Fatal(err)
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ln.Close() })
	data := &pattern{randomBody(1 << 20), size}
	return func() error {
		var sending sync.WaitGroup
		var sendErr error
		sending.Go(func() {
			c, err := ln.Accept()
			if err != nil {
				sendErr = err
				return
			}
			defer c.Close()
			_, sendErr = io.Copy(c, io.NewSectionReader(data, 0, size))
		})
		c, err := tls.Dial("tcp", ln.Addr().String(), clientTLS())
		if err != nil {
			return err
		}
		defer c.Close()
		n, err := io.Copy(io.Discard, c)
		sending.Wait()
		if err == nil && n != size {
			err = fmt.Errorf("%d bytes", n)
		}
		if err == nil {
			err = sendErr
		}
		return err
	}
}
