package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// What the store does not take is passed on whole, but not offered to it: it would
// drop other things to make room, for nothing.
func TestLargerThanTheStore(t *testing.T) {
	text := strings.Repeat("x", 200_000)
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		if r.URL.Path == "/known" {
			w.Header().Set("Content-Length", fmt.Sprint(len(text)))
		}
		body := text
		if r.URL.Path == "/fits" {
			body = text[:100_000]
		}
		_, _ = io.WriteString(w, body)
	}, func(c *Config) { c.MaxBody = 100_000 })
	l.get(site+"/known").want(t, 200, text, "cache:fwd=uri-miss", "cache:!stored")
	l.settle()
	if l.store.created != 0 {
		t.Error("the store was asked to take it")
	}
	l.get(site+"/unknown").want(t, 200, text, "cache:fwd=uri-miss")
	l.settle()
	if n := len(l.store.all()); n != 0 {
		t.Errorf("stored %d", n)
	}
	l.get(site+"/fits").want(t, 200, text[:100_000], "cache:stored")
	l.settle()
	l.get(site+"/fits").want(t, 200, text[:100_000], "cache:hit")
}

func TestCopyLargerThanTheStore(t *testing.T) {
	bubble(func(t *testing.T) {
		b := newBench(t, func(c *Config) { c.MaxBody = 4 })
		b.origin.err = syscall.ECONNREFUSED
		a, _ := b.get("http://example.com/")
		a.want(t, 200, "from peers", "cache:detail=peer", "cache:!stored")
		if b.store.created != 0 {
			t.Error("the store was asked to take it")
		}
	})(t)
}

// logBook is a log to be read while it is written.
type logBook struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

// That nothing is stored any more has to be seen, but not once for each response; and
// no URL is in the log for that.
func TestFailedCommitIsSeen(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		lines int
	}{
		"disk full": {errors.New("no space left on device"), 2},
		"weaker":    {fmt.Errorf("store: %w", ErrWeaker), 0},
	} {
		t.Run(name, bubble(func(t *testing.T) {
			var log logBook
			b := newBench(t, func(cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			b.store.commit = func(*resource.Stored) error { return c.err }
			for i := range 10 {
				b.get(fmt.Sprintf("http://www.example.com/%d", i))
			}
			time.Sleep(2 * time.Minute)
			b.get("http://www.example.com/last")
			text := log.String()
			if n := strings.Count(text, "response not stored"); n != c.lines || strings.Contains(text, "example.com") {
				t.Errorf("%d lines, want %d: %s", n, c.lines, text)
			}
		}))
	}
}

// A store that hangs does not keep the proxy from ending in time.
func TestHangingStoreAndClose(t *testing.T) {
	const u = "http://www.example.com/"
	for name, prepare := range map[string]func(*bench){
		"commit":  func(*bench) {},
		"freshen": func(b *bench) { b.get(u); time.Sleep(2 * time.Minute); b.origin.status = 304 },
	} {
		t.Run(name, bubble(func(t *testing.T) {
			b := newBench(t, nil)
			prepare(b)
			b.store.stalls = true
			done := make(chan struct{})
			go func() {
				defer close(done)
				b.proxy.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", u, nil))
			}()
			time.Sleep(time.Second)
			start := time.Now()
			_ = b.proxy.Close()
			if took := time.Since(start); took > closingTime {
				t.Errorf("took %v", took)
			}
			<-done
		}))
	}
}

// slowBody is a copy's body that heeds nothing but Close.
type slowBody struct {
	once   sync.Once
	closed chan struct{}
}

func (b *slowBody) Read([]byte) (int, error) { <-b.closed; return 0, io.ErrClosedPipe }
func (b *slowBody) Close() error             { b.once.Do(func() { close(b.closed) }); return nil }

// When nobody reads a copy any more, its transfer ends.
func TestAbandonedCopy(t *testing.T) {
	bubble(func(t *testing.T) {
		body := &slowBody{closed: make(chan struct{})}
		b := newBench(t, func(cfg *Config) {
			cfg.Peers = fakePeers(func(_ context.Context, q resource.Query) (*resource.Copy, error) {
				made := copyOf(q.URL.String(), "from peers", http.Header{"Cache-Control": {"max-age=9"}}, time.Now())
				made.Body = body
				return made, nil
			})
		})
		b.origin.err = syscall.ECONNREFUSED
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		func() {
			defer func() { _ = recover() }() // the answer breaks off
			b.proxy.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "http://example.com/", nil).WithContext(ctx))
		}()
		settle(b.proxy)
		if took := time.Since(start); took != time.Second {
			t.Errorf("the transfer ended after %v", took)
		}
	})(t)
}
