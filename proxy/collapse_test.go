package proxy

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// together sends one request, and a second one while the first is waiting for the origin. The
// origin is let go on when both wait.
func (l *lab) together(u string, release chan struct{}, first, second []string) (a, b answered) {
	l.t.Helper()
	answers := [2]chan answered{make(chan answered, 1), make(chan answered, 1)}
	for i, fields := range [][]string{first, second} {
		go func() {
			a, err := l.try("GET", u, fields...)
			if err != nil {
				l.t.Error(err)
			}
			answers[i] <- a
		}()
		eventually(l.t, func() bool { return readersOf(l.proxy) == i+1 })
	}
	close(release)
	a, b = <-answers[0], <-answers[1]
	l.settle()
	return a, b
}

// What one client's cookie may have made is not given to another that waits beside it, unless the
// origin says that it is for all (RFC 9111 section 4: only what may be reused for a request).
func TestCookiesDoNotCollapse(t *testing.T) {
	for name, c := range map[string]struct {
		control, modified string
		first, second     []string
		shared            bool
	}{
		"nothing said":                      {"", "", []string{"Cookie: user=alice"}, []string{"Cookie: user=bob"}, false},
		"nothing said, one without":         {"", "", []string{"Cookie: user=alice"}, nil, false},
		"nothing said, the first without":   {"", "", nil, []string{"Cookie: user=bob"}, false},
		"stale at once":                     {"max-age=0", "", []string{"Cookie: user=alice"}, []string{"Cookie: user=bob"}, false},
		"modified long ago":                 {"", "Mon, 01 Jan 2001 00:00:00 GMT", []string{"Cookie: user=alice"}, []string{"Cookie: user=bob"}, false},
		"for all":                           {"max-age=60", "", []string{"Cookie: user=alice"}, []string{"Cookie: user=bob"}, true},
		"the same cookie":                   {"", "", []string{"Cookie: user=alice"}, []string{"Cookie: user=alice"}, true},
		"no cookies":                        {"", "", nil, nil, true},
		"no cookies, but the page sets one": {"", "set", nil, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			release := make(chan struct{})
			l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				<-release
				h := w.Header()
				h.Set("Cache-Control", c.control)
				if c.modified == "set" {
					h.Set("Set-Cookie", fmt.Sprint("session=", asked.Load()))
				} else if c.modified != "" {
					h.Set("Last-Modified", c.modified)
				}
				fmt.Fprint(w, "for ", r.Header.Get("Cookie"))
			}, nil)
			first, second := l.together(site+"/page", release, c.first, c.second)
			if got := asked.Load() == 1; got != c.shared {
				t.Errorf("shared: %v, want %v; got %q and %q", got, c.shared, first.text, second.text)
			}
		})
	}
}

// A page that is fetched with a cookie and says nothing of caching is not given to whoever comes while
// it is still being received, either.
func TestCookiesDoNotCollapseLate(t *testing.T) {
	o := newSteps(2000, "")
	o.header = http.Header{"Last-Modified": {"Mon, 01 Jan 2001 00:00:00 GMT"}}
	l := newLab(t, o.ServeHTTP, nil)
	r, _ := http.NewRequest("GET", site+"/page", nil)
	r.Header.Set("Cookie", "user=alice")
	first, err := l.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Body.Close()
	o.send <- 1000
	readN(t, first.Body, 0, 1000)
	second := l.begin(t.Context(), site+"/page")
	second.Body.Close()
	if o.asked.Load() != 2 {
		t.Errorf("asked %d times", o.asked.Load())
	}
}

// A 304 to one client says nothing to another if the stored response has to be validated each time,
// or if the 304 is for one user alone (RFC 9111 sections 5.2.2.4 and 5.2.2.7).
func TestConfirmedForOneAlone(t *testing.T) {
	for name, c := range map[string]struct {
		before, after string
		shared        bool
	}{
		"no-cache":        {"no-cache", "no-cache", false},
		"become private":  {"max-age=60", "private", false},
		"become no-store": {"max-age=60", "no-store", false},
		"for all":         {"max-age=60", "max-age=60", true},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			release := make(chan struct{})
			clock := &clock{}
			l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
				clock.stamp(w)
				w.Header().Set("Etag", `"1"`)
				if asked.Add(1) == 1 {
					w.Header().Set("Cache-Control", c.before)
					fmt.Fprint(w, "text")
					return
				}
				<-release
				w.Header().Set("Cache-Control", c.after)
				w.WriteHeader(304)
			}, func(cfg *Config) { cfg.Now = clock.now })
			l.get(site + "/page")
			l.settle()
			clock.advance(2 * time.Minute)
			l.together(site+"/page", release, nil, nil)
			if got := asked.Load() == 2; got != c.shared {
				t.Errorf("shared: %v, want %v", got, c.shared)
			}
		})
	}
}

// A variant that a 304 has chosen is given to those who wait only if the 304 is not for one user
// alone (RFC 9111 section 5.2.2.7).
func TestChosenForOneAlone(t *testing.T) {
	var asked atomic.Int32
	release := make(chan struct{})
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"1"`)
		w.Header().Set("Vary", "X-Kind")
		if asked.Add(1) == 1 {
			w.Header().Set("Cache-Control", "max-age=60")
			fmt.Fprint(w, "text")
			return
		}
		<-release
		w.Header().Set("Cache-Control", "private")
		w.WriteHeader(304)
	}, nil)
	l.get(site+"/page", "X-Kind: a")
	l.settle()
	l.together(site+"/page", release, []string{"X-Kind: b"}, []string{"X-Kind: b"})
	if asked.Load() != 3 {
		t.Errorf("asked %d times", asked.Load())
	}
}

// An answer of a failing origin that is for one user alone is not shown to another who waits, even if
// nothing else can be: stale-if-error has run out for what is stored (RFC 5861 section 4).
func TestFailureForOneAlone(t *testing.T) {
	var asked atomic.Int32
	release := make(chan struct{})
	clock := &clock{}
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		clock.stamp(w)
		n := asked.Add(1)
		if n == 1 {
			w.Header().Set("Cache-Control", "max-age=60, stale-if-error=10")
			fmt.Fprint(w, "text")
			return
		}
		<-release
		w.Header().Set("Cache-Control", "private")
		w.WriteHeader(503)
		fmt.Fprint(w, "for ", n)
	}, func(cfg *Config) { cfg.Now = clock.now })
	l.get(site + "/page")
	l.settle()
	clock.advance(2 * time.Minute)
	first, second := l.together(site+"/page", release, nil, nil)
	if first.StatusCode != 503 || second.StatusCode != 503 || first.text == second.text {
		t.Errorf("got %d %q and %d %q", first.StatusCode, first.text, second.StatusCode, second.text)
	}
}

// What a 304 sets as a cookie is for the client whose request it answers, be it that the client has
// a cookie already or the stored response itself (RFC 6265 section 5.3); nobody else gets it.
func TestCookieOfA304(t *testing.T) {
	for name, conditional := range map[string]bool{"whole": false, "the client has it": true} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Etag", `"1"`)
				w.Header().Set("Cache-Control", "max-age=0")
				if asked++; asked == 1 {
					fmt.Fprint(w, "text")
					return
				}
				if asked < 4 {
					w.Header().Set("Set-Cookie", fmt.Sprint("session=", asked))
				}
				w.WriteHeader(304)
			}, nil)
			l.get(site + "/page")
			l.settle()
			for n := 2; n < 4; n++ {
				fields := []string{"Cookie: session=old"}
				if conditional {
					fields = append(fields, `If-None-Match: "1"`)
				}
				a := l.get(site+"/page", fields...)
				if want := fmt.Sprint("session=", n); a.Header.Get("Set-Cookie") != want {
					t.Errorf("%d: got %q, want %q", a.StatusCode, a.Header.Get("Set-Cookie"), want)
				}
				l.settle()
			}
			if got := l.get(site + "/page").Header["Set-Cookie"]; got != nil {
				t.Errorf("another client got %q", got)
			}
		})
	}
}
