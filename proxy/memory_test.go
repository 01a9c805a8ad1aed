package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"testing"

	"github.com/peerproxy/peerproxy/resource"
)

// A large body passes in bounded memory, stored or not.
func TestBoundedMemory(t *testing.T) {
	const size = 96 << 20
	p := newProxy(t, Config{Transport: endless(size), Store: &sinkStore{}, Dialer: &Dialer{}})
	for _, path := range []string{"/stored", "/unstored"} {
		peak, before := int64(0), liveHeap()
		w := &discardWriter{header: http.Header{}, each: func(n int64) {
			if n%(16<<20) < bufferSize {
				peak = max(peak, liveHeap()-before)
			}
		}}
		r, _ := http.NewRequestWithContext(t.Context(), "GET", site+path, nil)
		p.ServeHTTP(w, r)
		settle(p)
		if w.n != size || peak > 16<<20 {
			t.Errorf("%s: %d bytes, heap of %d MiB", path, w.n, peak>>20)
		}
	}
}

// liveHeap is what is in use, whatever tests before have left behind.
func liveHeap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func endless(size int64) transportFunc {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{"Cache-Control": {"max-age=60"}}
		if r.URL.Path == "/unstored" {
			h.Set("Cache-Control", "no-store")
		}
		return &http.Response{StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, Header: h, ContentLength: size, Body: io.NopCloser(io.LimitReader(zeros{}, size)), Request: r}, nil
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error)            { clear(p); return len(p), nil }
func (zeros) ReadAt(p []byte, _ int64) (int, error) { clear(p); return len(p), nil }

// sinkStore takes everything and keeps nothing.
type sinkStore struct{}

func (*sinkStore) Lookup(resource.ID) ([]*resource.Stored, error)  { return nil, nil }
func (*sinkStore) OpenBody(*resource.Stored) (Body, error)         { return nil, errors.New("nothing there") }
func (*sinkStore) Create() (Writer, error)                         { return sinkWriter{}, nil }
func (*sinkStore) Freshen(context.Context, *resource.Stored) error { return nil }
func (*sinkStore) Delete(context.Context, resource.ID) error       { return nil }

type sinkWriter struct{ zeros }

func (sinkWriter) Write(p []byte) (int, error)                    { return len(p), nil }
func (sinkWriter) Body() resource.Body                            { return resource.Body{} }
func (sinkWriter) Commit(context.Context, *resource.Stored) error { return nil }
func (sinkWriter) Abort() error                                   { return nil }

type discardWriter struct {
	header http.Header
	status int
	n      int64
	each   func(int64)
}

func (w *discardWriter) Header() http.Header    { return w.header }
func (w *discardWriter) WriteHeader(status int) { w.status = status }
func (w *discardWriter) Flush()                 {}
func (w *discardWriter) Write(p []byte) (int, error) {
	w.n += int64(len(p))
	if w.each != nil {
		w.each(w.n)
	}
	return len(p), nil
}
