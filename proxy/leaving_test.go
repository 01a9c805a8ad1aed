package proxy

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// A client that has all the bytes that were announced may leave before it is known that no more come: what has
// come is stored all the same.
func TestLeavesWithAllBytes(t *testing.T) {
	bubble(func(t *testing.T) {
		end := make(chan struct{})
		b := newBench(t, func(cfg *Config) {
			cfg.Peers = fakePeers(func(_ context.Context, q resource.Query) (*resource.Copy, error) {
				c := copyOf(q.URL.String(), "all of it", http.Header{"Cache-Control": {"max-age=60"}}, time.Now())
				c.Tier = resource.Signer
				c.Body = &lingering{Reader: strings.NewReader("all of it"), end: end, closed: make(chan struct{})}
				return c, nil
			})
		})
		b.origin.err = syscall.ECONNREFUSED
		ctx, leave := context.WithCancel(t.Context())
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			defer func() { _ = recover() }() // the answer is broken off
			b.proxy.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://example.com/", nil).WithContext(ctx))
		}()
		synctest.Wait()
		leave()
		<-gone
		synctest.Wait()
		close(end)
		settle(b.proxy)
		if all := b.store.all(); len(all) != 1 || all[0].Tier != resource.Signer {
			t.Errorf("stored: %v", all)
		}
	})(t)
}

// lingering is a body whose end is not known until the channel is closed.
type lingering struct {
	io.Reader
	end, closed chan struct{}
	once        sync.Once
}

// Read implements io.Reader.
func (l *lingering) Read(p []byte) (int, error) {
	if n, _ := l.Reader.Read(p); n > 0 {
		return n, nil
	}
	select {
	case <-l.closed: // first: a body that was given up has no end
		return 0, io.ErrClosedPipe
	default:
	}
	select {
	case <-l.end:
		return 0, io.EOF
	case <-l.closed:
		return 0, io.ErrClosedPipe
	}
}

// Close implements io.Closer.
func (l *lingering) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}
