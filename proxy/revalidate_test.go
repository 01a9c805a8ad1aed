package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// A stored part that is gone when its rest comes is no reason not to answer: no failure of the store is
// seen as long as the origin has the bytes.
func TestPartLostBeforeItsRestComes(t *testing.T) {
	l := newLab(t, nil, nil)
	l.origin.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Etag", `"1"`)
		if r.Header["If-Range"] != nil {
			l.store.lose()
		}
		http.ServeContent(w, r, "x.txt", time.Time{}, strings.NewReader("0123456789"))
	})
	l.get(site+"/v", "Range: bytes=0-3").want(t, 206, "0123")
	l.settle()
	l.get(site+"/v").want(t, 200, "0123456789")
	l.settle()
	if l.store.open != 0 {
		t.Errorf("%d open", l.store.open)
	}
}

// A 304 with another Vary than the stored response has makes it fresh all the same (RFC 9111
// sections 4.1 and 4.3.4).
func TestVaryOfA304(t *testing.T) {
	for name, c := range map[string][2]string{
		"more": {"", "Accept-Language"},
		"less": {"Accept-Language, X-Kind", "Accept-Language"},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			clock := &clock{}
			store := newStrictStore()
			l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
				clock.stamp(w)
				w.Header().Set("Cache-Control", "max-age=60")
				w.Header().Set("Etag", `"1"`)
				if asked.Add(1) == 1 {
					if c[0] != "" {
						w.Header().Set("Vary", c[0])
					}
					fmt.Fprint(w, "text")
					return
				}
				w.Header().Set("Vary", c[1])
				w.WriteHeader(304)
			}, func(cfg *Config) { cfg.Now, cfg.Store = clock.now, store })
			fields := []string{"Accept-Language: de", "X-Kind: 1"}
			l.get(site+"/v", fields...).want(t, 200, "text")
			l.settle()
			clock.advance(2 * time.Minute)
			l.get(site+"/v", fields...).want(t, 200, "text", "cache:fwd=stale")
			l.settle()
			l.get(site+"/v", fields...).want(t, 200, "text", "cache:hit")
			if asked.Load() != 2 {
				t.Errorf("asked %d times", asked.Load())
			}
			// What is not known to be right for another request is not used for it.
			l.get(site+"/v", "X-Kind: 1").want(t, 200, "text", "cache:!hit")
		})
	}
}

// Stale-while-revalidate is for requests on whose behalf the origin may be asked in the background:
// where nothing would be kept of the answer, the client waits for it (RFC 5861 section 3).
func TestNotStaleWhileNobodyRevalidates(t *testing.T) {
	for name, field := range map[string]string{"no-store": "Cache-Control: no-store", "credentials": "Authorization: Basic eA=="} {
		t.Run(name, bubble(func(t *testing.T) {
			b := newBench(t, nil)
			b.control = "public, max-age=60, stale-while-revalidate=600"
			b.get("http://example.com/")
			time.Sleep(2 * time.Minute)
			a, _ := b.get("http://example.com/", field)
			a.want(t, 200, "from origin", "cache:!hit")
			if n := b.origin.asked.Load(); n != 2 {
				t.Errorf("asked %d times", n)
			}
		}))
	}
}

// What the origin gives in the background, and what is not to be stored, is not fetched for nobody.
func TestBackgroundEndsWithoutUse(t *testing.T) {
	clock := &clock{}
	ended := make(chan error, 1)
	var asked atomic.Int32
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		clock.stamp(w)
		w.Header().Set("Cache-Control", "max-age=60, stale-while-revalidate=600")
		if asked.Add(1) == 1 {
			fmt.Fprint(w, "text")
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done() // it has no end, and nobody waits for that
		ended <- r.Context().Err()
	}, func(cfg *Config) { cfg.Now = clock.now })
	l.get(site + "/v")
	l.settle()
	clock.advance(2 * time.Minute)
	l.get(site+"/v").want(t, 200, "text", "cache:detail=stale-while-revalidate")
	select {
	case <-ended:
	case <-time.After(patienceOfTests):
		t.Error("it is still fetched")
	}
}

// What a client says to caches is about its own request, not about the one in the background: with
// only-if-cached a cache behind this one would not ask the origin (RFC 9111 section 5.2.1.7).
func TestBackgroundIsNotTheClientsRequest(t *testing.T) {
	clock := &clock{}
	var seen []string
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		clock.stamp(w)
		seen = append(seen, r.Header.Get("Cache-Control"))
		w.Header().Set("Cache-Control", "max-age=60, stale-while-revalidate=600")
		fmt.Fprint(w, "text")
	}, func(cfg *Config) { cfg.Now = clock.now })
	l.get(site + "/v")
	l.settle()
	clock.advance(2 * time.Minute)
	l.get(site+"/v", "Cache-Control: only-if-cached").want(t, 200, "text", "cache:detail=stale-while-revalidate")
	l.settle()
	if len(seen) != 2 || seen[1] != "" {
		t.Errorf("the origin saw %q", seen)
	}
}

// A stored part is no copy that could be shown when the origin fails, and is not spoken of as one.
func TestPartIsNoCopyToShow(t *testing.T) {
	var down atomic.Bool
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Etag", `"1"`)
		http.ServeContent(w, r, "x.txt", time.Time{}, strings.NewReader("0123456789"))
	}, nil)
	l.get(site+"/v", "Range: bytes=0-3").want(t, 206, "0123")
	l.settle()
	down.Store(true)
	a := l.get(site+"/v", "Accept: text/html")
	if a.StatusCode != 502 || strings.Contains(a.text, "does not allow it to be shown") {
		t.Errorf("%d %s", a.StatusCode, a.text)
	}
	l.get(site+"/v", "Range: bytes=1-2").want(t, 206, "12", "cache:hit")
}

// strictStore is a memStore whose Freshen, like the real one's, only changes what is stored under the
// same selecting fields.
type strictStore struct{ *memStore }

func newStrictStore() strictStore { return strictStore{newMemStore()} }

var errNoSuch = errors.New("fake store: no such response")

func (s strictStore) Freshen(ctx context.Context, st *resource.Stored) error {
	variants, _ := s.Lookup(st.Exchange.ID())
	if !slices.ContainsFunc(variants, func(old *resource.Stored) bool { return sameVariant(old, st) }) {
		return errNoSuch
	}
	return s.memStore.Freshen(ctx, st)
}
