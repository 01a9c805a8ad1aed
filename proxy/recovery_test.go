package proxy

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// ask is a request that wants its answer from one source.
func (b *bench) ask(from Source, u string, fields ...string) answered {
	b.t.Helper()
	r := httptest.NewRequest("GET", u, nil)
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Add(name, value)
	}
	a, _ := b.send(r.WithContext(WithSource(r.Context(), from)))
	return a
}

// Who wants peers alone to be asked does not get them asked for what is private.
func TestOnlyPeersButPrivate(t *testing.T) {
	for name, c := range map[string]struct {
		url   string
		field string
		asked int32
	}{
		"public":         {"http://example.com/", "", 1},
		"public, a part": {"http://example.com/", "Range: bytes=0-1", 1},
		"private host":   {"http://192.168.1.1/admin", "", 0},
		"local name":     {"http://nas.local/", "", 0},
		"credentials":    {"http://example.com/", "Authorization: Basic eA==", 0},
		"secret query":   {"http://example.com/?token=abc", "", 0},
		"secret path":    {"http://example.com/reset/4f9d0c2b7a1e4c558a2bd0c1e2f3a4b5", "", 0},
	} {
		t.Run(name, bubble(func(t *testing.T) {
			b := newBench(t, nil)
			var fields []string
			if c.field != "" {
				fields = []string{c.field}
			}
			a := b.ask(SourcePeers, c.url, fields...)
			b.wantAsked(0, c.asked)
			if strings.HasPrefix(c.field, "Range") {
				a.want(t, 206, "fr") // cut out of the whole that the peer gave
				return
			}
			if c.asked > 0 {
				a.want(t, 200, "from peers")
				return
			}
			a.want(t, 504, "*", "proxy:error=destination_unavailable")
			if !strings.Contains(a.text, "Peers were not asked") || strings.Contains(a.text, "none has it") {
				t.Errorf("says %q", a.text)
			}
			if n := len(b.store.all()); n != 0 {
				t.Errorf("stored %d", n)
			}
		}))
	}
}

// A copy is passed on by the same rule as what comes from an origin.
func TestCopyShareableByTheRule(t *testing.T) {
	bubble(func(t *testing.T) {
		for name, c := range map[string]struct {
			spoil func(*resource.Copy)
			fits  bool
		}{
			"public":        {func(c *resource.Copy) { c.Tier = resource.Witnessed }, true},
			"unproven":      {func(*resource.Copy) {}, true},
			"varies by key": {func(c *resource.Copy) { c.Exchange.Header.Set("Vary", "X-Api-Key") }, false},
			"selected by key": {func(c *resource.Copy) {
				c.Exchange.Header.Set("Vary", "Accept")
				c.Exchange.Selecting = http.Header{"X-Api-Key": {"1"}}
			}, false},
		} {
			b := newBench(t, func(cfg *Config) {
				cfg.Peers = fakePeers(func(_ context.Context, q resource.Query) (*resource.Copy, error) {
					made := copyOf(q.URL.String(), "from peers", http.Header{"Cache-Control": {"max-age=9"}}, time.Now())
					c.spoil(made)
					return made, nil
				})
			})
			b.origin.err = syscall.ECONNREFUSED
			a, _ := b.get("http://example.com/")
			if got := a.StatusCode == 200; got != c.fits {
				t.Errorf("%s: status %d", name, a.StatusCode)
			}
			for _, st := range b.store.all() {
				if st.Shareable != (st.Tier > resource.Unproven) {
					t.Errorf("%s: shareable: %t", name, st.Shareable)
				}
			}
		}
	})(t)
}

// A site that came back is noticed, however often and quickly the user asks and
// however slow the peers are.
func TestSiteThatCameBack(t *testing.T) {
	bubble(func(t *testing.T) {
		const u = "http://www.example.com/a"
		b := newBench(t, nil)
		b.get(u)
		time.Sleep(2 * time.Minute)
		b.origin.err, b.peers.err = syscall.ECONNREFUSED, errors.New("none")
		a, _ := b.get(u)
		a.want(t, 200, "from origin", "cache:detail=stale-if-error")

		b.origin.err, b.origin.after = nil, 500*time.Millisecond
		b.peers.err, b.peers.after = nil, -1
		a, took := b.get(u)
		a.want(t, 200, "from origin", "cache:fwd=stale", "cache:!detail", "proxy:!error")
		wantTook(t, took, 1500*time.Millisecond)
		time.Sleep(2 * time.Minute)
		_, took = b.get(u) // it is not failing any more: asked first
		wantTook(t, took, 500*time.Millisecond)
	})(t)
}

// An origin that is asked late and has not had its time is not called failing for
// that: when the time is over in which it counts so, it is asked first again.
func TestShortSilenceIsNoFailure(t *testing.T) {
	bubble(func(t *testing.T) {
		const u = "http://www.example.com/a"
		b := newBench(t, nil)
		b.get(u)
		time.Sleep(2 * time.Minute)
		b.origin.err, b.peers.err = syscall.ECONNREFUSED, errors.New("none")
		b.get(u)
		failed := time.Now()
		b.origin.err, b.origin.after = nil, 1500*time.Millisecond // slower than the time it gets beside peers
		b.peers.err, b.peers.after = nil, -1
		for {
			a, took := b.get(u)
			if has(a.cacheStatus(), "detail", nil) {
				break
			}
			wantTook(t, took, 2*time.Second) // nobody waits longer for a copy that is here
			if time.Since(failed) > time.Minute {
				t.Fatal("the site counts as failing for ever")
			}
			time.Sleep(time.Second)
		}
		if since := time.Since(failed); since < 30*time.Second {
			t.Errorf("forgotten after %v", since)
		}
	})(t)
}

// What says that the site was asked is true.
func TestForbiddenAddressWasNotAsked(t *testing.T) {
	bubble(func(t *testing.T) {
		b := newBench(t, nil)
		b.origin.err, b.peers.err = ErrForbiddenAddress, errors.New("none")
		a, _ := b.get("http://example.com/")
		a.want(t, 403, "*", "proxy:error=destination_ip_prohibited")
		if strings.Contains(a.text, "The site was asked") || !strings.Contains(a.text, "The site was not asked") {
			t.Errorf("says %q", a.text)
		}
	})(t)
}
