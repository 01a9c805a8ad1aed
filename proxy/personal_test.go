package proxy

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// What was fetched with a cookie may be one person's page: it is used without validation only
// if the origin says for how long. What was fetched without is fresh by heuristics, too (RFC 9111
// section 4.2.2).
func TestNoHeuristicsForCookies(t *testing.T) {
	for name, c := range map[string]struct {
		cookie, control string
		hit             bool
	}{
		"no cookie":              {"", "", true},
		"cookie":                 {"Cookie: user=1", "", false},
		"cookie, and it says so": {"Cookie: user=1", "max-age=60", true},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Last-Modified", time.Now().Add(-1000*time.Hour).UTC().Format(http.TimeFormat))
				if c.control != "" {
					w.Header().Set("Cache-Control", c.control)
				}
				fmt.Fprint(w, "for "+r.Header.Get("Cookie"))
			}, nil)
			var fields []string
			if c.cookie != "" {
				fields = []string{c.cookie}
			}
			first := l.get(site+"/", fields...)
			l.settle()
			a := l.get(site + "/")
			if c.hit {
				a.want(t, 200, first.text, "cache:hit")
				return
			}
			a.want(t, 200, "for ", "cache:fwd=stale")
			l.settle()
			// What came without the cookie has taken the other's place.
			l.get(site+"/").want(t, 200, "for ", "cache:hit")
		})
	}
}

// A page that was fetched with a cookie is not confirmed by its date to somebody without one.
func TestDateDoesNotConfirmAnothersPage(t *testing.T) {
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")
		if r.Header.Get("If-Modified-Since") != "" {
			w.WriteHeader(304) // whoever asks
			return
		}
		fmt.Fprint(w, "for "+r.Header.Get("Cookie"))
	}, nil)
	l.get(site+"/", "Cookie: user=1").want(t, 200, "for user=1")
	l.settle()
	l.get(site+"/", "Cookie: user=1").want(t, 200, "for user=1", "cache:fwd-status=304")
	l.settle()
	l.get(site+"/").want(t, 200, "for ", "cache:fwd-status=200")
}

// What an origin confirms to somebody without a cookie is no one person's page.
func TestConfirmedWithoutCookie(t *testing.T) {
	c := &clock{}
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		c.stamp(w)
		w.Header().Set("Last-Modified", c.now().Add(-100*time.Hour).UTC().Format(http.TimeFormat))
		w.Header().Set("Etag", `"1"`)
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(304)
			return
		}
		fmt.Fprint(w, "x")
	}, func(cfg *Config) { cfg.Now = c.now })
	for _, step := range []struct {
		cookie, want string
	}{
		{"user=1", "cache:fwd=uri-miss"},
		{"user=1", "cache:fwd-status=304"},
		{"user=2", "cache:fwd-status=304"},
		{"", "cache:fwd-status=304"},
		{"user=1", "cache:hit"},
	} {
		var fields []string
		if step.cookie != "" {
			fields = []string{"Cookie: " + step.cookie}
		}
		l.get(site+"/", fields...).want(t, 200, "x", step.want)
		l.settle()
	}
}

// A stored response sets its cookie only for clients that have none of the site yet: theirs
// may be newer.
func TestStoredCookies(t *testing.T) {
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Set-Cookie", "session=1")
		fmt.Fprint(w, "x")
	}, nil)
	set := func(a answered) string { return a.Header.Get("Set-Cookie") }
	if got := set(l.get(site+"/", "Cookie: session=0")); got != "session=1" {
		t.Errorf("from the origin: %q", got)
	}
	l.settle()
	if got := set(l.get(site + "/")); got != "session=1" {
		t.Errorf("to a new client: %q", got)
	}
	hit := l.get(site+"/", "Cookie: session=2")
	hit.want(t, 200, "x", "cache:hit")
	if got := set(hit); got != "" {
		t.Errorf("to one that has a session: %q", got)
	}
	if st := l.store.all()[0]; st.Exchange.Header.Get("Set-Cookie") == "" || st.Shareable || !st.WithCookie {
		t.Errorf("stored %+v", st)
	}
}

// A failure that its origin wants to be kept is (RFC 9111 section 3), but it hides nothing that
// peers have.
func TestStoredFailures(t *testing.T) {
	for name, peers := range map[string]bool{"alone": false, "with peers": true} {
		t.Run(name, bubble(func(t *testing.T) {
			b := newBench(t, func(c *Config) {
				if !peers {
					c.Peers = nil
				}
			})
			b.origin.status, b.peers.err = 503, errNoPeer
			a, _ := b.get("http://example.com/")
			a.want(t, 503, "from origin", "cache:stored")
			b.peers.err = nil
			a, _ = b.get("http://example.com/")
			if peers {
				a.want(t, 200, "from peers", "cache:detail=peer")
				return
			}
			a.want(t, 503, "from origin", "cache:hit")
			time.Sleep(2 * time.Minute)
			b.origin.status = 200
			a, _ = b.get("http://example.com/")
			a.want(t, 200, "from origin", "cache:fwd=stale")
		}))
	}
}
