package peer

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// What a node says about its catalog to a peer that answers in all ways.
func TestTelling(t *testing.T) {
	type told struct {
		method string
		at     time.Duration
	}
	for _, c := range []struct {
		name    string
		answers []int // statuses, in turn, 0 for none; 204 afterwards
		want    []told
	}{
		{"all is well", nil, []told{{"PUT", 0}, {"PATCH", 10 * time.Second}, {"PATCH", 12 * time.Second}}},
		{"the peer has lost it", []int{204, 409}, []told{{"PUT", 0}, {"PATCH", 10 * time.Second}, {"PUT", 14 * time.Second}}},
		{"too much for the peer", []int{204, 429}, []told{{"PUT", 0}, {"PATCH", 10 * time.Second}, {"PUT", 14 * time.Second}}},
		{"too slow", []int{0}, []told{{"PUT", 0}, {"PUT", 30 * time.Second}}},
		{"too slow for a change", []int{204, 0}, []told{{"PUT", 0}, {"PATCH", 10 * time.Second}, {"PUT", 40 * time.Second}}},
		{"too slow again and again", []int{408, 0}, []told{{"PUT", 0}, {"PUT", 15 * time.Second}, {"PUT", 60 * time.Second}}},
		{"the peer does not want it", []int{413}, []told{{"PUT", 0}}},
		{"the peer does not know it", []int{404}, []told{{"PUT", 0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.end()
				n, f := w.node(), w.fake()
				var mu sync.Mutex
				var got []told
				start := time.Now()
				f.serve(func(rw http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body)
					mu.Lock()
					got = append(got, told{r.Method, time.Since(start)})
					status := http.StatusNoContent
					if len(got) <= len(c.answers) {
						status = c.answers[len(got)-1]
					}
					mu.Unlock()
					if status == 0 {
						<-r.Context().Done()
						return
					}
					rw.WriteHeader(status)
				})
				if err := n.Connect(t.Context(), f.addr); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Second)
				n.share("https://example.org/1", nil) // told at once
				time.Sleep(100 * time.Millisecond)
				n.share("https://example.org/2", nil) // collected
				n.share("https://example.org/3", nil)
				time.Sleep(time.Minute)
				mu.Lock()
				defer mu.Unlock()
				if !slices.Equal(got, c.want) {
					t.Errorf("told %v, want %v", got, c.want)
				}
			})
		})
	}
}

// A digest that leaves things out makes nobody believe that they are not there: who was
// found for the site is asked all the same.
func TestPartialDigest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		a := w.node(func(c *Config) { c.Limits.DigestEntries = 5 })
		b := w.node()
		for i := range 20 {
			a.share(fmt.Sprintf("https://example.org/%d", i), []byte("hello"))
		}
		if err := b.Connect(t.Context(), a.addr); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := b.Status().Sessions[0].Digest; got != 5 {
			t.Errorf("%d entries", got)
		}
		w.announce("example.org", a.addr)
		for i := range 20 {
			b.mustFetch(fmt.Sprintf("https://example.org/%d", i))
		}
	})
}

// A peer whose digest promises what it does not have costs a question each, and is
// asked last in the end.
func TestLyingDigest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		w.net.latency = 10 * time.Millisecond
		honest, reader, liar := w.node(), w.node(), w.fake()
		const parts = 40
		for i := range parts {
			url := fmt.Sprintf("https://example.org/%d", i)
			honest.share(url, []byte("hello"))
			liar.claims.prefixes = append(liar.claims.prefixes, prefix(query(url).ID().Blind(testSecret)))
		}
		liar.claims.prefixes = sortedSet(liar.claims.prefixes)
		var mu sync.Mutex
		asked := 0
		liar.serve(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path != pathDigest {
				mu.Lock()
				asked++
				mu.Unlock()
			}
			rw.WriteHeader(http.StatusNotFound)
		})
		if err := reader.Connect(t.Context(), liar.addr); err != nil {
			t.Fatal(err)
		}
		if err := reader.Connect(t.Context(), honest.addr); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		reader.affinity.put("example.org", liar.identity.Key(), time.Hour)
		for i := range parts {
			start := time.Now()
			reader.mustFetch(fmt.Sprintf("https://example.org/%d", i))
			if d := time.Since(start); d > 100*time.Millisecond {
				t.Errorf("part %d took %v", i, d)
			}
		}
		if asked > maxMisses {
			t.Errorf("the liar was asked %d times", asked)
		}
	})
}
