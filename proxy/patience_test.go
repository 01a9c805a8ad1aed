package proxy

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// No budget for what can't be stored: an upload may take its time.
func TestNoBudgetForPost(t *testing.T) {
	bubble(func(t *testing.T) {
		b := newBench(t, nil)
		b.origin.after = 5 * time.Minute
		a, took := b.send(httptest.NewRequest("POST", "http://example.com/", nil))
		a.want(t, 200, "from origin", "cache:fwd=method")
		wantTook(t, took, 5*time.Minute)
	})(t)
}

// An origin that stalls within a body is broken off after the idle time. Time in which
// the client does not read does not count.
func TestStalledBody(t *testing.T) {
	bubble(func(t *testing.T) {
		for _, cacheControl := range []string{"max-age=60", "no-store"} {
			for _, method := range []string{"GET", "POST"} {
				pr, pw := io.Pipe()
				b := newBench(t, nil)
				b.proxy.transport = transportFunc(func(r *http.Request) (*http.Response, error) {
					context.AfterFunc(r.Context(), func() { pr.CloseWithError(r.Context().Err()) })
					return &http.Response{StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, ContentLength: 100, Header: http.Header{"Cache-Control": {cacheControl}}, Body: pr}, nil
				})
				go func() { _, _ = io.WriteString(pw, "half") }()
				start := time.Now()
				func() {
					defer func() {
						if recover() == nil {
							t.Error("the client was not told")
						}
					}()
					b.send(httptest.NewRequest(method, "http://example.com/", nil))
				}()
				settle(b.proxy)
				wantTook(t, time.Since(start), 5*time.Minute)
				if len(b.store.all()) != 0 || b.store.open != 0 {
					t.Error("stored, or left open")
				}
				_ = b.proxy.Close()
			}
		}
	})(t)
}

// Back-pressure: while its only reader stands still, a fetch stops.
func TestRunAhead(t *testing.T) {
	bubble(func(t *testing.T) {
		for path, most := range map[string]int64{"/stored": runAhead + bufferSize, "/unstored": (passBuffers + 2) * bufferSize} {
			var body *counted
			b := newBench(t, nil)
			b.proxy.transport = transportFunc(func(r *http.Request) (*http.Response, error) {
				res, err := endless(16 << 20)(r)
				body = &counted{ReadCloser: res.Body}
				res.Body = body
				return res, err
			})
			still, w := make(chan struct{}), &discardWriter{header: http.Header{}}
			w.each = func(n int64) {
				if n >= 1<<20 {
					<-still
				}
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				b.proxy.ServeHTTP(w, httptest.NewRequest("GET", "http://example.com"+path, nil))
			}()
			synctest.Wait()
			if ahead := body.n.Load() - w.n; ahead > most || w.n > 2<<20 {
				t.Errorf("%s: %d bytes ahead of %d", path, ahead, w.n)
			}
			close(still)
			<-done
			settle(b.proxy)
			if body.n.Load() != 16<<20 || w.n != 16<<20 {
				t.Errorf("%s: %d fetched, %d delivered", path, body.n.Load(), w.n)
			}
			_ = b.proxy.Close()
		}
	})(t)
}

type counted struct {
	io.ReadCloser
	n atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// Close breaks off what is under way and waits for it.
func TestCloseEndsFlights(t *testing.T) {
	bubble(func(t *testing.T) {
		b := newBench(t, nil)
		b.origin.after, b.peers.after = -1, -1
		done := make(chan answered)
		go func() {
			w := httptest.NewRecorder()
			b.proxy.ServeHTTP(w, httptest.NewRequest("GET", "http://example.com/", nil))
			done <- answered{w.Result(), w.Body.String()}
		}()
		synctest.Wait()
		_ = b.proxy.Close()
		a := <-done
		a.want(t, 503, "*")
	})(t)
}
