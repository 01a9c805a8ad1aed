package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// anyOrigin is an origin in memory that notes what it was asked, and when.
type anyOrigin struct {
	handler http.HandlerFunc

	mu    sync.Mutex
	asked []*http.Request
	times []time.Time
}

func (o *anyOrigin) RoundTrip(r *http.Request) (*http.Response, error) {
	o.mu.Lock()
	o.asked, o.times = append(o.asked, r), append(o.times, time.Now())
	o.mu.Unlock()
	w := httptest.NewRecorder()
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	o.handler(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	res := w.Result()
	res.Request, res.ContentLength = r, int64(w.Body.Len())
	return res, nil
}

// second are the requests that came without a cookie.
func (o *anyOrigin) second() (list []*http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.asked {
		if r.Header["Cookie"] == nil {
			list = append(list, r)
		}
	}
	return list
}

// recheckBench is a bench in front of an origin that rechecks.
func recheckBench(t *testing.T, handler http.HandlerFunc, change func(*Config)) (*bench, *anyOrigin) {
	o := &anyOrigin{handler: handler}
	return newBench(t, func(c *Config) {
		c.Transport, c.Peers, c.Recheck.On = o, nil, true
		if change != nil {
			change(c)
		}
	}), o
}

const recheckURL = "http://www.example.com/page"

// What was fetched with a cookie is shared if the same comes without one, and passes the whole rule.
// Whatever differs leaves the user's own page as it is.
func TestSecondFetch(t *testing.T) {
	write := func(w http.ResponseWriter, text string) {
		if w.Header()["Cache-Control"] == nil {
			w.Header().Set("Cache-Control", "max-age=600")
		}
		_, _ = io.WriteString(w, text)
	}
	plain := func(w http.ResponseWriter, _ *http.Request) { write(w, "for all") }
	// unlike answers those who have no cookie in another way.
	unlike := func(change func(http.ResponseWriter)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.Header["Cookie"] == nil {
				change(w)
			}
			write(w, "for all")
		}
	}
	set := func(name, value string) http.HandlerFunc {
		return unlike(func(w http.ResponseWriter) { w.Header().Set(name, value) })
	}
	for name, c := range map[string]struct {
		origin http.HandlerFunc
		change func(*Config)
		url    string
		fields []string
		again  int // second fetches
		shared bool
	}{
		"the same":          {origin: plain, again: 1, shared: true},
		"of another server": {origin: set("Server", "b"), again: 1, shared: true},
		"with another tag":  {origin: set("Etag", `"2"`), again: 1, shared: true},
		"a page for one":    {origin: func(w http.ResponseWriter, r *http.Request) { write(w, "for "+r.Header.Get("Cookie")) }, again: 1},
		"a longer page":     {origin: unlike(func(w http.ResponseWriter) { _, _ = io.WriteString(w, "please log in") }), again: 1},
		"a failure":         {origin: unlike(func(w http.ResponseWriter) { w.WriteHeader(500) }), again: 1},
		"another status":    {origin: unlike(func(w http.ResponseWriter) { w.WriteHeader(404) }), again: 1},
		"sets a cookie":     {origin: set("Set-Cookie", "a=b"), again: 1},
		"private":           {origin: set("Cache-Control", "private, max-age=600"), again: 1},
		"another lifetime":  {origin: set("Cache-Control", "max-age=1"), again: 1},
		"varies":            {origin: set("Vary", "Cookie"), again: 1},
		"of another type":   {origin: set("Content-Type", "text/csv"), again: 1},
		"open to others":    {origin: set("Access-Control-Allow-Origin", "*"), again: 1},
		"switched off":      {origin: plain, change: func(c *Config) { c.Recheck.On = false }},
		"metered":           {origin: plain, change: func(c *Config) { c.Recheck.Metered = func(context.Context) bool { return true } }},
		"a private site":    {origin: plain, change: func(c *Config) { c.Sites = SitePolicies{"example.com": {Site: "example.com", Private: true}} }},
		"too large":         {origin: plain, change: func(c *Config) { c.Recheck.MaxBody = 6 }},
		"no larger":         {origin: plain, change: func(c *Config) { c.Recheck.MaxBody = 7 }, again: 1, shared: true},
		"a secret URL":      {origin: plain, url: recheckURL + "?token=1"},
		"an inner host":     {origin: plain, url: "http://wiki.intranet/page"},
		"with an API key":   {origin: plain, fields: []string{"X-Api-Key: 1"}},
		"with Authorization": {origin: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "public, max-age=600")
			write(w, "x")
		}, fields: []string{"Authorization: Basic x"}},
		"was private at first":   {origin: func(w http.ResponseWriter, _ *http.Request) { w.Header().Add("Set-Cookie", "a=b"); write(w, "x") }},
		"for some sites, public": {origin: set("Access-Control-Allow-Origin", "http://a.example"), again: 1},
	} {
		t.Run(name, bubble(func(t *testing.T) {
			b, o := recheckBench(t, c.origin, c.change)
			u := recheckURL
			if c.url != "" {
				u = c.url
			}
			first, _ := b.get(u, append(c.fields, "Cookie: user=ann")...)
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := len(o.second()); got != c.again {
				t.Errorf("fetched again %d times, want %d", got, c.again)
			}
			stored := b.store.all()
			if len(stored) != 1 {
				t.Fatalf("%d responses are stored", len(stored))
			}
			if st := stored[0]; st.Shareable != c.shared || st.WithCookie == c.shared {
				t.Errorf("shareable %v, with cookie %v, want %v", st.Shareable, st.WithCookie, c.shared)
			}
			after, _ := b.get(u, append(c.fields, "Cookie: user=ann")...)
			if after.text != first.text || after.StatusCode != first.StatusCode {
				t.Errorf("the user's page has become %d %q", after.StatusCode, after.text)
			}
		}))
	}
}

// A second fetch says nothing of who asked: no cookie, no validator, which could be unique to one
// user, nor what page he came from.
func TestSecondFetchTellsNobody(t *testing.T) {
	bubble(func(t *testing.T) {
		b, o := recheckBench(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Cache-Control", "max-age=0")
			w.Header().Set("Etag", `"user-4711"`)
			w.Header().Set("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")
		}, nil)
		b.get(recheckURL, "Cookie: user=ann", "User-Agent: Firefox", "Accept: text/html", "Accept-Language: de", "Accept-Encoding: gzip",
			"Referer: http://www.example.com/ann", "Sec-Fetch-Site: same-origin", "If-None-Match: \"mine\"", "Origin: http://www.example.com", "Dnt: 1")
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(o.second()) != 1 {
			t.Fatalf("%d second fetches", len(o.second()))
		}
		got := o.second()[0].Header
		want := map[string]string{"User-Agent": "Firefox", "Accept": "text/html", "Accept-Language": "de", "Accept-Encoding": "gzip", "Cache-Control": "no-cache"}
		for name, value := range want {
			if got.Get(name) != value {
				t.Errorf("%s: %q", name, got.Get(name))
			}
		}
		for name := range got {
			if want[name] == "" && name != "Via" {
				t.Errorf("sent %s: %q", name, got[name])
			}
		}
	})(t)
}

// Second fetches come slowly: one a second, three at once of one site and then one in five seconds,
// while those of other sites go past; of too many, the latest are made.
func TestSecondFetchesAreSlow(t *testing.T) {
	bubble(func(t *testing.T) {
		b, o := recheckBench(t, fixed("x", "max-age=600"), nil)
		for i := range 6 {
			b.get(fmt.Sprintf("http://www.example.com/%d", i), "Cookie: a=b")
		}
		synctest.Wait()
		for i := range 3 {
			b.get(fmt.Sprintf("http://www.site%d.example/", i), "Cookie: a=b")
		}
		start := time.Now()
		time.Sleep(time.Minute)
		synctest.Wait()
		var after []int
		for i, r := range o.asked {
			if r.Header["Cookie"] == nil {
				after = append(after, int(o.times[i].Sub(start)/time.Second))
			}
		}
		if want := []int{0, 0, 0, 1, 1, 1, 5, 10, 15}; !slices.Equal(after, want) {
			t.Errorf("second fetches after %v s, want %v", after, want)
		}
	})(t)
	bubble(func(t *testing.T) {
		b, o := recheckBench(t, fixed("x", "max-age=600"), nil)
		for i := range 300 {
			b.get(fmt.Sprintf("http://www.site%d.example/", i), "Cookie: a=b")
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		got := o.second()
		if len(got) > maxRechecks+recheckBurst || got[len(got)-1].URL.Host != "www.site299.example" {
			t.Errorf("%d second fetches, the last from %s", len(got), got[len(got)-1].URL.Host)
		}
	})(t)
}

// What was tried is not tried again within the hour.
func TestSecondFetchIsNotRepeated(t *testing.T) {
	bubble(func(t *testing.T) {
		n := 0
		b, o := recheckBench(t, func(w http.ResponseWriter, _ *http.Request) {
			n++
			w.Header().Set("Cache-Control", "max-age=0")
			fmt.Fprint(w, n)
		}, nil)
		for _, want := range []int{1, 1, 1, 2} {
			b.get(recheckURL, "Cookie: a=b")
			time.Sleep(25 * time.Minute)
			synctest.Wait()
			if got := len(o.second()); got != want {
				t.Errorf("%d second fetches, want %d", got, want)
			}
		}
	})(t)
}

// While a site fails it is not asked for what nobody waits for.
func TestNoSecondFetchFromFailingSite(t *testing.T) {
	bubble(func(t *testing.T) {
		b, o := recheckBench(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "max-age=600")
			if r.URL.Path == "/down" {
				w.WriteHeader(503)
			}
		}, func(c *Config) { c.Recheck.Every = time.Second })
		for range recheckBurst {
			b.proxy.rechecks.all.Allow() // none may be made at once
		}
		b.get(recheckURL, "Cookie: a=b")
		b.get("http://www.example.com/down", "Cookie: a=b")
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := len(o.second()); got != 0 {
			t.Errorf("%d second fetches", got)
		}
	})(t)
}

// What an unsafe request has changed while it was fetched again does not come back.
func TestSecondFetchIsOutdated(t *testing.T) {
	bubble(func(t *testing.T) {
		var o *anyOrigin
		b, o := recheckBench(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "max-age=600")
			if r.Method == "GET" && r.Header["Cookie"] == nil {
				time.Sleep(2 * time.Second)
			}
		}, nil)
		b.get(recheckURL, "Cookie: a=b")
		time.Sleep(time.Second)
		b.send(httptest.NewRequest("POST", recheckURL, strings.NewReader("new text")))
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(o.second()) < 1 || len(b.store.all()) != 0 {
			t.Errorf("%d requests without a cookie, %d stored", len(o.second()), len(b.store.all()))
		}
	})(t)
}

// Close breaks a second fetch off and waits for it; nothing comes after it.
func TestCloseEndsSecondFetches(t *testing.T) {
	bubble(func(t *testing.T) {
		ended := false
		b, _ := recheckBench(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "max-age=600")
			if r.Header["Cookie"] == nil {
				<-r.Context().Done()
				ended = true
			}
		}, nil)
		b.get(recheckURL, "Cookie: a=b")
		synctest.Wait()
		_ = b.proxy.Close()
		if !ended {
			t.Error("still under way")
		}
		b.proxy.rechecks.add(&recheck{first: b.store.all()[0]}, func(context.Context, *recheck) bool {
			t.Error("fetched after the end")
			return true
		})
		synctest.Wait()
	})(t)
}

// A body that breaks off the second time is no proof of anything.
func TestSecondFetchBreaksOff(t *testing.T) {
	bubble(func(t *testing.T) {
		b, o := recheckBench(t, fixed("for all", "max-age=600"), nil)
		b.proxy.transport = transportFunc(func(r *http.Request) (*http.Response, error) {
			res, err := o.RoundTrip(r)
			if r.Header["Cookie"] == nil {
				res.Body = io.NopCloser(io.MultiReader(res.Body, brokenReader{}))
			}
			return res, err
		})
		b.get(recheckURL, "Cookie: a=b")
		time.Sleep(time.Minute)
		synctest.Wait()
		if st := b.store.all()[0]; len(o.second()) != 1 || st.Shareable {
			t.Errorf("shareable %v after %d", st.Shareable, len(o.second()))
		}
	})(t)
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("reset") }

// A shared page that its origin confirms to somebody with a cookie stays shared, unless the
// update has brought anything but new dates.
func TestConfirmedWithCookieStaysShared(t *testing.T) {
	for name, c := range map[string]struct {
		field  string
		shared bool
	}{
		"dates only": {"Expires", true}, "a new field": {"X-User", false}, "a cookie": {"Set-Cookie", false},
	} {
		t.Run(name, bubble(func(t *testing.T) {
			b, _ := recheckBench(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Cache-Control", "max-age=1")
				w.Header().Set("Etag", `"1"`)
				if r.Header["If-None-Match"] != nil {
					w.Header().Set(c.field, "Sun, 06 Nov 1994 08:49:37 GMT")
					w.WriteHeader(304)
				}
			}, func(cfg *Config) { cfg.Recheck.On = false })
			b.get(recheckURL)
			time.Sleep(5 * time.Second)
			a, _ := b.get(recheckURL, "Cookie: a=b")
			a.want(t, 200, "", "cache:fwd-status=304")
			if got := b.store.all()[0].Shareable; got != c.shared {
				t.Errorf("shareable %v", got)
			}
		}))
	}
}

// Sites that know the other end of a connection (NTLM) do not know that of a second fetch.
func TestSecondFetchHasItsOwnConnection(t *testing.T) {
	var mu sync.Mutex
	from := map[bool][]string{}
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		known := r.Header["Cookie"] != nil
		from[known] = append(from[known], r.RemoteAddr)
		w.Header().Set("Cache-Control", "max-age=600")
	}, func(c *Config) { c.Recheck.On = true })
	l.get(site+"/1", "Cookie: a=b")
	l.settle()
	l.get(site+"/2", "Cookie: a=b")
	l.settle()
	l.proxy.rechecks.wg.Wait()
	mu.Lock()
	defer mu.Unlock()
	if len(from[true]) != 2 || len(from[false]) != 2 || from[true][0] != from[true][1] {
		t.Fatalf("connections %v", from)
	}
	for _, address := range from[false] {
		if slices.Contains(from[true], address) {
			t.Error("a second fetch came over the user's connection")
		}
	}
}

// Over TLS the second fetch speaks what the site speaks, verifies it as the first did, and leaves no
// connection behind.
func TestSecondFetchOverTLS(t *testing.T) {
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) {
			var mu sync.Mutex
			var asked []string
			open := map[string]http.ConnState{}
			secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				asked = append(asked, r.Proto+" "+r.Header.Get("Cookie"))
				w.Header().Set("Cache-Control", "max-age=600")
				_, _ = io.WriteString(w, "for all")
			}))
			secure.EnableHTTP2 = protocol == "HTTP/2.0"
			secure.Config.ConnState = func(c net.Conn, state http.ConnState) {
				mu.Lock()
				defer mu.Unlock()
				open[c.RemoteAddr().String()] = state
			}
			secure.StartTLS()
			t.Cleanup(secure.Close)
			l := newLab(t, nil, func(c *Config) {
				c.Recheck.On = true
				c.Dialer.Resolve = append(c.Dialer.Resolve, Resolve{Host: "example.com", Port: 443, Addr: addrOf(secure.Listener)})
			})
			l.proxy.ownedPool.TLSClientConfig = &tls.Config{RootCAs: secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
			r := httptest.NewRequest("GET", "https://example.com/", nil)
			r.Header.Set("Cookie", "a=b")
			w := httptest.NewRecorder()
			l.proxy.ServeHTTP(w, r)
			l.settle()
			l.proxy.rechecks.wg.Wait()
			if st := l.store.all(); w.Body.String() != "for all" || len(st) != 1 || !st[0].Shareable {
				t.Fatalf("%d %q, stored %v", w.Code, w.Body, st)
			}
			if want := []string{protocol + " a=b", protocol + " "}; !slices.Equal(asked, want) {
				t.Errorf("asked %q", asked)
			}
			for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) { // for the server's side of a real socket
				mu.Lock()
				gone, all := 0, len(open)
				for _, state := range open {
					if state == http.StateClosed {
						gone++
					}
				}
				mu.Unlock()
				if all == 2 && gone == 1 {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("%d connections, %d of them closed", all, gone)
				}
			}
		})
	}
}
