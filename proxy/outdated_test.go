package proxy

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// What a successful POST has made outdated is not given to whoever asks after it, nor stored, although
// it is still on its way (RFC 9111 section 4.4).
func TestPostOutdatesWhatIsUnderWay(t *testing.T) {
	var comments atomic.Int32
	release, begun := make(chan struct{}), make(chan struct{}, 1)
	goOn := sync.OnceFunc(func() { close(release) })
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == "POST" {
			comments.Add(1)
			return
		}
		n := comments.Load()
		if n == 0 {
			begun <- struct{}{}
			<-release
		}
		w.Header().Set("Cache-Control", "max-age=60")
		fmt.Fprint(w, n, " comments")
	}, nil)
	t.Cleanup(goOn) // before the origin is closed
	before := make(chan answered, 1)
	go func() {
		a, err := l.try("GET", site+"/page")
		if err != nil {
			t.Error(err)
		}
		before <- a
	}()
	<-begun
	l.do("POST", site+"/page").want(t, 200, "")
	after := make(chan answered, 1)
	go func() {
		a, err := l.try("GET", site+"/page")
		if err != nil {
			t.Error(err)
		}
		after <- a
	}()
	select {
	case a := <-after:
		a.want(t, 200, "1 comments")
	case <-time.After(patienceOfTests):
		t.Error("it waits for what was asked for before")
	}
	goOn()
	(<-before).want(t, 200, "0 comments")
	l.settle()
	l.get(site+"/page").want(t, 200, "1 comments", "cache:hit")
}

// A request in the background does not keep a proxy from closing.
func TestClosesWhileRevalidating(t *testing.T) {
	bubble(func(t *testing.T) {
		b := newBench(t, nil)
		b.control = "max-age=60, stale-while-revalidate=600"
		b.get("http://example.com/")
		time.Sleep(2 * time.Minute)
		b.origin.after, b.peers.after = -1, -1
		w := httptest.NewRecorder()
		b.proxy.ServeHTTP(w, httptest.NewRequest("GET", "http://example.com/", nil))
		synctest.Wait()
		start := time.Now()
		if err := b.proxy.Close(); err != nil {
			t.Error(err)
		}
		wantTook(t, time.Since(start), 0)
		if b.store.open != 0 || b.origin.lost.Load() != 1 {
			t.Errorf("%d open, %d cancelled", b.store.open, b.origin.lost.Load())
		}
	})(t)
}

// After a reload has shown that a page is gone, the copy of it is not fresh any more: neither the next
// visit nor another client gets it unasked. It is still there for when the origin fails.
func TestGoneIsNotFresh(t *testing.T) {
	for _, status := range []int{404, 410} {
		var state atomic.Int32
		l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "max-age=600")
			if n := state.Load(); n != 0 {
				w.WriteHeader(int(n))
				return
			}
			fmt.Fprint(w, "page")
		}, nil)
		l.store.commit = func(st *resource.Stored) error {
			if st.Exchange.Status >= 400 {
				return errWeaker // as the real store does
			}
			return nil
		}
		l.get(site+"/page").want(t, 200, "page")
		l.settle()
		state.Store(int32(status))
		l.get(site+"/page", "Cache-Control: no-cache").want(t, status, "")
		l.settle()
		l.get(site+"/page").want(t, status, "", "cache:fwd=stale")
		l.settle()
		state.Store(503)
		l.get(site+"/page").want(t, 200, "page", "cache:detail=stale-if-error")
	}
}
