package proxy

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// crowd is how many clients ask at once for the same thing.
const crowd = 1000

// ask sends the same request for each of a crowd, and returns all answers.
func (b *bench) crowd(u string) []answered {
	answers := make([]answered, crowd)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			w := httptest.NewRecorder()
			b.proxy.ServeHTTP(w, httptest.NewRequest("GET", u, nil))
			answers[i] = answered{w.Result(), w.Body.String()}
		})
	}
	wg.Wait()
	settle(b.proxy)
	return answers
}

// A crowd on one resource is one request to the origin (RFC 9111 section 4, collapsed
// requests), whether nothing is stored, or a stale response that the origin confirms or
// replaces, or one that may be shown meanwhile.
func TestCrowd(t *testing.T) {
	for name, c := range map[string]struct {
		control   string // of what is stored before, "" = nothing
		status    int    // that the origin answers then
		collapsed int    // answers that waited for somebody else's
		hits      int
	}{
		"nothing stored":            {"", 200, crowd - 1, 0},
		"stale and confirmed":       {"max-age=60", 304, crowd - 1, 0},
		"stale and replaced":        {"max-age=60", 200, crowd - 1, 0},
		"stale, shown meanwhile":    {"max-age=60, stale-while-revalidate=600", 304, 0, crowd},
		"stale, replaced meanwhile": {"max-age=60, stale-while-revalidate=600", 200, 0, crowd},
	} {
		t.Run(name, bubble(func(t *testing.T) {
			b := newBench(t, nil)
			asked := int32(1)
			if c.control != "" {
				asked++
				b.control = c.control
				b.get("http://example.com/")
				time.Sleep(2 * time.Minute)
			}
			b.origin.after, b.origin.status = time.Second, c.status
			collapsed, hits := 0, 0
			for _, a := range b.crowd("http://example.com/") {
				if a.StatusCode != 200 || a.text != "from origin" {
					t.Fatalf("got %d %q, %v", a.StatusCode, a.text, a.Header)
				}
				if has(a.cacheStatus(), "collapsed", true) {
					collapsed++
				}
				if has(a.cacheStatus(), "hit", true) {
					hits++
				}
			}
			if collapsed != c.collapsed || hits != c.hits {
				t.Errorf("%d collapsed, %d hits; want %d and %d", collapsed, hits, c.collapsed, c.hits)
			}
			b.wantAsked(asked, 0)
			b.get("http://example.com/") // and now it is fresh
			b.wantAsked(asked, 0)
		}))
	}
}

// A client that has got all of a response finds it stored, even if the store is not ready yet:
// also for what the client could not have joined.
func TestFindsWhatIsBeingStored(t *testing.T) {
	for name, control := range map[string]string{"fresh": "max-age=60", "to be validated": "no-cache"} {
		t.Run(name, bubble(func(t *testing.T) {
			b := newBench(t, nil)
			b.control = control
			release := make(chan struct{})
			b.store.commit = func(*resource.Stored) error { <-release; return nil }
			ask := func(language string) answered {
				r, w := httptest.NewRequest("GET", "http://example.com/", nil), httptest.NewRecorder()
				r.Header.Set("Accept-Language", language)
				b.proxy.ServeHTTP(w, r)
				return answered{w.Result(), w.Body.String()}
			}
			ask("en").want(t, 200, "from origin")
			b.origin.status = 304
			second := make(chan answered)
			go func() { second <- ask("en, ") }()
			synctest.Wait()
			close(release)
			a := <-second
			if control == "no-cache" {
				a.want(t, 200, "from origin", "cache:fwd-status=304")
			} else {
				a.want(t, 200, "from origin", "cache:hit")
			}
			settle(b.proxy)
		}))
	}
}

// A store that takes long is not waited for.
func TestDoesNotWaitForASlowStore(t *testing.T) {
	bubble(func(t *testing.T) {
		b := newBench(t, nil)
		release := make(chan struct{})
		b.store.commit = func(*resource.Stored) error { <-release; return nil }
		start := time.Now()
		for range 2 {
			r := httptest.NewRequest("GET", "http://example.com/", nil)
			r.Header.Set("Cache-Control", "no-cache") // can't join what has come already
			w := httptest.NewRecorder()
			b.proxy.ServeHTTP(w, r)
			answered{w.Result(), w.Body.String()}.want(t, 200, "from origin", "cache:fwd=uri-miss")
		}
		wantTook(t, time.Since(start), storePatience)
		b.wantAsked(2, 0)
		close(release)
		settle(b.proxy)
	})(t)
}

// RFC 5861 section 3: the client does not wait, whatever becomes of the request to the origin.
func TestStaleWhileRevalidate(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*bench)
		after  string // Cache-Status of the next request
	}{
		"confirmed":  {func(b *bench) { b.origin.status = 304 }, "cache:ttl=59"},
		"replaced":   {func(*bench) {}, "cache:ttl=59"},
		"failed":     {func(b *bench) { b.origin.status = 503 }, "cache:detail=stale-while-revalidate"},
		"not there":  {func(b *bench) { b.origin.err = http.ErrServerClosed }, "cache:detail=stale-while-revalidate"},
		"over night": {func(*bench) { time.Sleep(time.Hour) }, "cache:ttl=60"},
	} {
		t.Run(name, bubble(func(t *testing.T) {
			b := newBench(t, nil)
			b.control = "max-age=60, stale-while-revalidate=600"
			b.get("http://example.com/")
			time.Sleep(2 * time.Minute)
			c.change(b)
			b.origin.after = time.Second
			a, took := b.get("http://example.com/", "Range: bytes=0-3")
			if name == "over night" {
				a.want(t, 200, "from origin", "cache:fwd=stale") // the window is over, and the origin knows no ranges
				return
			}
			a.want(t, 206, "from", "cache:hit", "cache:detail=stale-while-revalidate", "cache:ttl=-60")
			wantTook(t, took, 0)
			if n := b.origin.asked.Load(); n != 2 {
				t.Errorf("origin asked %d times", n)
			}
			a, _ = b.get("http://example.com/")
			a.want(t, 200, "from origin", "cache:hit", c.after)
		}))
	}
}
