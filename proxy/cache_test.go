package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

func TestMissThenHit(t *testing.T) {
	var asked atomic.Int32
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("X-Own", "kept")
		fmt.Fprint(w, "hello")
	}, nil)
	l.get(site+"/a").want(t, 200, "hello", "cache:fwd=uri-miss", "cache:stored", "cache:fwd-status=200", "cache:!hit", "proxy:received-status=200", "proxy:!error")
	l.settle()
	hit := l.get(site + "/a")
	hit.want(t, 200, "hello", "cache:hit", "cache:ttl", "cache:!fwd")
	if asked.Load() != 1 {
		t.Errorf("origin asked %d times, want 1", asked.Load())
	}
	if hit.Header.Get("X-Own") != "kept" || hit.Header.Get("Age") == "" || hit.Header.Get("Via") != "1.1 peerproxy" || hit.ContentLength != 5 {
		t.Errorf("header of a hit: %v", hit.Header)
	}
	// Another spelling of the same URL (RFC 3986 section 6.2.2).
	l.get("http://WWW.example.com:80/%61").want(t, 200, "hello", "cache:hit")
}

func TestStoredExchange(t *testing.T) {
	var signed, hooked []*resource.Exchange
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "max-age=60")
		h.Set("Age", "7")
		h.Set("Vary", "Accept-Language")
		h.Set("Connection", "X-Hop")
		h.Set("X-Hop", "1")
		h.Set("Keep-Alive", "timeout=9")
		h.Set("Content-Security-Policy", "default-src 'self'")
		fmt.Fprint(w, strings.Repeat("x", 70_000))
	}, func(c *Config) {
		c.Signer = signerFunc(func(ex *resource.Exchange) error {
			signed = append(signed, ex)
			ex.Signatures = []resource.Signature{{Input: "own"}}
			return nil
		})
		c.Stored = func(st *resource.Stored) { hooked = append(hooked, st.Exchange) }
	})
	l.get(site+"/x", "Accept-Language: de").want(t, 200, "*")
	l.settle()
	all := l.store.all()
	if len(all) != 1 || len(signed) != 1 || len(hooked) != 1 || hooked[0] != all[0].Exchange || signed[0] != all[0].Exchange {
		t.Fatalf("stored %d, signed %d, hooked %d", len(all), len(signed), len(hooked))
	}
	st, ex := all[0], all[0].Exchange
	if ex.Header["X-Hop"] != nil || ex.Header["Keep-Alive"] != nil || ex.Header["Connection"] != nil || ex.Header["Age"] != nil || ex.Header["Via"] != nil {
		t.Errorf("fields of the hop were stored: %v", ex.Header)
	}
	if ex.InitialAge != 7*time.Second || ex.Selecting.Get("Accept-Language") != "de" || ex.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("exchange: %+v", ex)
	}
	if ex.Body.Length != 70_000 || len(ex.Signatures) != 1 || st.Tier != resource.Origin || !st.Shareable || ex.Received.Before(ex.Requested) {
		t.Errorf("stored: %+v, %+v", st, ex)
	}
}

type signerFunc func(*resource.Exchange) error

func (f signerFunc) Sign(ex *resource.Exchange) error { return f(ex) }

func TestNotStored(t *testing.T) {
	for name, origin := range map[string]http.HandlerFunc{
		"no-store": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-store")
			fmt.Fprint(w, "x")
		},
		"private": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "private, max-age=9")
			fmt.Fprint(w, "x")
		},
		"vary *": func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Vary", "*"); fmt.Fprint(w, "x") },
		"event stream": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("Cache-Control", "max-age=60")
			fmt.Fprint(w, "x")
		},
		"private, but Connection hides it": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "private, max-age=9")
			w.Header().Set("Connection", "Cache-Control")
			fmt.Fprint(w, "x")
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, origin, nil)
			l.get(site+"/").want(t, 200, "x", "cache:fwd=uri-miss", "cache:!stored")
			l.settle()
			if n := len(l.store.all()); n != 0 || l.store.open != 0 {
				t.Errorf("%d stored, %d open", n, l.store.open)
			}
		})
	}
}

// A body that only the end of its connection delimits counts as whole (RFC 9112 section 8), but
// it may have been cut off: it is never confirmed but fetched anew, never shared, and fresh
// only if its origin says so.
func TestCloseDelimited(t *testing.T) {
	c := &clock{}
	var conditional atomic.Int32
	control := "Cache-Control: max-age=60\r\n"
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match")+r.Header.Get("If-Modified-Since") != "" {
			conditional.Add(1)
		}
		conn, _, _ := http.NewResponseController(w).Hijack()
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n%sEtag: \"1\"\r\nDate: %s\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: close\r\n\r\nx",
			control, c.now().UTC().Format(http.TimeFormat))
	}, func(cfg *Config) { cfg.Now = c.now })
	l.get(site+"/").want(t, 200, "x", "cache:fwd=uri-miss", "cache:stored")
	l.settle()
	l.get(site+"/").want(t, 200, "x", "cache:hit")
	c.advance(2 * time.Minute)
	control = ""
	l.get(site+"/").want(t, 200, "x", "cache:fwd=stale", "cache:fwd-status=200")
	l.settle()
	l.get(site+"/").want(t, 200, "x", "cache:fwd=stale")
	l.settle()
	if st := l.store.all(); len(st) != 1 || st[0].Shareable || !st[0].EndUncertain || conditional.Load() != 0 {
		t.Errorf("stored %+v, asked conditionally %d times", st, conditional.Load())
	}
}

// Requests decide too: RFC 9111 sections 5.2.1.5 and 3.5.
func TestRequestForbidsStoring(t *testing.T) {
	l := newLab(t, fixed("x", "max-age=60"), nil)
	l.get(site+"/a", "Cache-Control: no-store").want(t, 200, "x", "cache:fwd=bypass", "cache:!stored")
	l.get(site+"/b", "Authorization: Basic eA==").want(t, 200, "x", "cache:!stored")
	l.settle()
	if n := len(l.store.all()); n != 0 {
		t.Errorf("%d stored", n)
	}
	l.get(site+"/c").want(t, 200, "x", "cache:stored")
	l.settle()
	l.get(site+"/c", "Cache-Control: no-store").want(t, 200, "x", "cache:hit") // may be served, though
}

func fixed(text, cacheControl string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", cacheControl)
		fmt.Fprint(w, text)
	}
}

// Conditions of the client are judged here (RFC 9110 section 13.2.2), on a hit and on a miss.
func TestClientConditions(t *testing.T) {
	var seen []http.Header
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header)
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Etag", `"v1"`)
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, "hello")
	}, nil)
	for _, when := range []string{"miss", "hit"} {
		a := l.get(site+"/e", `If-None-Match: "v1"`)
		a.want(t, 304, "")
		if a.Header.Get("Etag") != `"v1"` || a.Header.Get("Content-Type") != "" || a.Header.Get("Content-Length") != "" {
			t.Errorf("%s: header of 304: %v", when, a.Header)
		}
		l.settle()
	}
	if len(seen) != 1 || seen[0]["If-None-Match"] != nil {
		t.Errorf("origin saw %v", seen)
	}
	l.get(site+"/e", `If-None-Match: "other"`).want(t, 200, "hello", "cache:hit")
}

// RFC 9110 section 14: a single range of a stored body.
func TestRangeOfStored(t *testing.T) {
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Etag", `"v1"`)
		fmt.Fprint(w, "0123456789")
	}, nil)
	l.get(site+"/r").want(t, 200, "0123456789")
	l.settle()
	for _, c := range []struct {
		fields  []string
		status  int
		text    string
		content string
	}{
		{[]string{"Range: bytes=2-4"}, 206, "234", "bytes 2-4/10"},
		{[]string{"Range: bytes=-3"}, 206, "789", "bytes 7-9/10"},
		{[]string{"Range: bytes=8-"}, 206, "89", "bytes 8-9/10"},
		{[]string{"Range: bytes=10-"}, 416, "", "bytes */10"},
		{[]string{"Range: bytes=0-1,4-5"}, 206, "012345", "bytes 0-5/10"},  // section 15.3.7.2: the gap is shorter than what it would cost
		{[]string{"Range: bytes=0-1", `If-None-Match: "v1"`}, 304, "", ""}, // section 13.2.2: conditions come first
		{[]string{"Range: bytes=0-1", `If-Range: "v1"`}, 206, "01", "bytes 0-1/10"},
		{[]string{"Range: bytes=0-1", `If-Range: "v0"`}, 200, "0123456789", ""},
		{[]string{"Range: nonsense"}, 200, "0123456789", ""},
	} {
		a := l.get(site+"/r", c.fields...)
		a.want(t, c.status, c.text, "cache:hit")
		if a.Header.Get("Content-Range") != c.content {
			t.Errorf("%v: Content-Range %q, want %q", c.fields, a.Header.Get("Content-Range"), c.content)
		}
	}
	head := l.do("HEAD", site+"/r")
	head.want(t, 200, "", "cache:hit")
	if head.ContentLength != 10 {
		t.Errorf("HEAD: length %d", head.ContentLength)
	}
}

// A Range on a miss goes to the origin, and its part is stored (RFC 9111 section 3.3).
func TestRangeOnMiss(t *testing.T) {
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		http.ServeContent(w, r, "x.txt", time.Now().Add(-time.Hour), strings.NewReader("0123456789"))
	}, nil)
	l.get(site+"/r", "Range: bytes=2-4").want(t, 206, "234", "cache:fwd=uri-miss", "cache:stored", "cache:fwd-status=206")
	l.settle()
	l.get(site+"/r", "Range: bytes=3-3").want(t, 206, "3", "cache:hit")
	l.get(site+"/r", "Range: bytes=4-6").want(t, 206, "456", "cache:fwd=partial", "cache:stored", "cache:fwd-status=206")
	l.settle()
	l.get(site+"/r", "Range: bytes=2-6").want(t, 206, "23456", "cache:hit")
	l.get(site+"/r").want(t, 200, "0123456789")
}

func TestHeadOnMiss(t *testing.T) {
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Content-Length", "77")
		w.Header().Set("X-Method", r.Method)
	}, nil)
	a := l.do("HEAD", site+"/h")
	a.want(t, 200, "", "cache:fwd=uri-miss", "cache:!stored")
	if a.Header.Get("X-Method") != "HEAD" || a.ContentLength != 77 {
		t.Errorf("header %v", a.Header)
	}
}

// clock is the proxy's own time, set by hand.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// stamp dates a response by the clock.
func (c *clock) stamp(w http.ResponseWriter) {
	w.Header().Set("Date", c.now().UTC().Format(http.TimeFormat))
}

func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// RFC 9111 section 4.3: a stale response is validated with the origin.
func TestRevalidation(t *testing.T) {
	var version atomic.Value
	version.Store("1")
	var conditions []string
	c, signed := &clock{}, 0
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		c.stamp(w)
		v := version.Load().(string)
		conditions = append(conditions, r.Header.Get("If-None-Match"))
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Etag", `"`+v+`"`)
		w.Header().Set("X-Count", fmt.Sprint(len(conditions)))
		if r.Header.Get("If-None-Match") == `"`+v+`"` {
			w.WriteHeader(304)
			return
		}
		fmt.Fprint(w, "version "+v)
	}, func(cfg *Config) {
		cfg.Now = c.now
		cfg.Signer = signerFunc(func(ex *resource.Exchange) error { signed++; return nil })
	})
	l.get(site+"/v").want(t, 200, "version 1", "cache:fwd=uri-miss")
	l.settle()
	c.advance(2 * time.Minute)
	a := l.get(site + "/v")
	a.want(t, 200, "version 1", "cache:fwd=stale", "cache:fwd-status=304", "cache:ttl")
	if a.Header.Get("X-Count") != "2" {
		t.Errorf("field of the 304 was not taken over: %v", a.Header)
	}
	l.settle()
	l.get(site+"/v").want(t, 200, "version 1", "cache:hit") // fresh again
	c.advance(2 * time.Minute)
	version.Store("2")
	l.get(site+"/v").want(t, 200, "version 2", "cache:fwd=stale", "cache:fwd-status=200", "cache:stored")
	l.settle()
	// A reload by the user: RFC 9111 section 5.2.1.4.
	l.get(site+"/v", "Cache-Control: no-cache").want(t, 200, "version 2", "cache:fwd=request", "cache:fwd-status=304")
	// ... and one with a condition that holds.
	l.get(site+"/v", "Cache-Control: max-age=0", `If-None-Match: "2"`).want(t, 304, "", "cache:fwd=request")
	l.settle()
	want := []string{"", `"1"`, `"1"`, `"2"`, `"2"`}
	if fmt.Sprint(conditions) != fmt.Sprint(want) || signed != 5 {
		t.Errorf("origin saw %q, want %q; signed %d times", conditions, want, signed)
	}
	if all := l.store.all(); len(all) != 1 || all[0].Tier != resource.Origin {
		t.Errorf("stored %v", all)
	}
}

// A 304 for another validator than the one that was sent confirms nothing.
func TestConfusedOrigin(t *testing.T) {
	c := &clock{}
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		if r.Header.Get("If-None-Match") != "" {
			w.Header().Set("Etag", `"2"`)
			w.WriteHeader(304)
			return
		}
		w.Header().Set("Etag", `"1"`)
		fmt.Fprint(w, "whole")
	}, func(cfg *Config) { cfg.Now = c.now })
	l.get(site+"/v").want(t, 200, "whole")
	l.settle()
	c.advance(2 * time.Minute)
	l.get(site+"/v").want(t, 200, "whole", "cache:fwd=stale", "cache:fwd-status=200")
}

// An error never takes the place of a good copy (field notes: "accept conservatively,
// serve liberally"); what may not be served stale is not (RFC 9111 section 4.2.4).
func TestStaleIfError(t *testing.T) {
	for _, c := range []struct {
		name, cacheControl string
		fail               func(l *lab)
		stale              bool
		kind               string
	}{
		{"down", "max-age=60", func(l *lab) { l.origin.Close() }, true, "connection_refused"},
		{"500", "max-age=60", nil, true, ""},
		{"must-revalidate, down", "max-age=60, must-revalidate", func(l *lab) { l.origin.Close() }, false, "connection_refused"},
		{"must-revalidate, 500", "max-age=60, must-revalidate", nil, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			clk, failing := &clock{}, atomic.Bool{}
			l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
				if failing.Load() {
					w.Header().Set("Cache-Control", "max-age=60")
					http.Error(w, "broken", 500)
					return
				}
				fixed("good", c.cacheControl)(w, r)
			}, func(cfg *Config) { cfg.Now = clk.now })
			l.get(site+"/s").want(t, 200, "good")
			l.settle()
			clk.advance(2 * time.Minute)
			failing.Store(true)
			if c.fail != nil {
				c.fail(l)
			}
			a := l.get(site + "/s")
			switch {
			case c.stale:
				a.want(t, 200, "good", "cache:fwd=stale", "cache:detail=stale-if-error", "cache:ttl")
			case c.kind == "":
				a.want(t, 500, "broken\n", "cache:fwd=stale", "cache:fwd-status=500", "proxy:received-status=500")
			default:
				a.want(t, 502, "*", "cache:fwd=stale")
				if !strings.Contains(a.text, "stored here, but its site does not allow") {
					t.Errorf("page does not tell of the copy: %s", a.text)
				}
			}
			if c.kind != "" && !has(a.proxyStatus(), "error", c.kind) {
				t.Errorf("Proxy-Status %q", a.Header["Proxy-Status"])
			}
			l.settle()
			if all := l.store.all(); len(all) != 1 || all[0].Exchange.Status != 200 {
				t.Errorf("the good copy was replaced")
			}
		})
	}
}

func TestOnlyIfCached(t *testing.T) { // RFC 9111 section 5.2.1.7
	l := newLab(t, fixed("x", "max-age=60"), nil)
	l.get(site+"/o", "Cache-Control: only-if-cached").want(t, 504, "*", "cache:fwd=uri-miss")
	l.get(site+"/o").want(t, 200, "x")
	l.settle()
	l.get(site+"/o", "Cache-Control: only-if-cached").want(t, 200, "x", "cache:hit")
}

func TestVariants(t *testing.T) { // RFC 9111 section 4.1
	asked := 0
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Vary", "Accept-Encoding")
		w.Header().Set("Content-Encoding", r.Header.Get("Accept-Encoding"))
		fmt.Fprint(w, "in "+r.Header.Get("Accept-Encoding"))
	}, nil)
	l.get(site+"/v", "Accept-Encoding: gzip").want(t, 200, "in gzip", "cache:fwd=uri-miss")
	l.settle()
	l.get(site+"/v", "Accept-Encoding: br").want(t, 200, "in br", "cache:fwd=vary-miss")
	l.settle()
	l.get(site+"/v", "Accept-Encoding: gzip").want(t, 200, "in gzip", "cache:hit")
	l.get(site+"/v", "Accept-Encoding: br").want(t, 200, "in br", "cache:hit")
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
}

// A body that the store has lost is fetched again; one that is stored but can't be
// read right after a 304 too.
func TestUnreadableBody(t *testing.T) {
	c := &clock{}
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Etag", `"1"`)
		if r.Header.Get("If-None-Match") != "" {
			w.WriteHeader(304)
			return
		}
		fmt.Fprint(w, "whole")
	}, func(cfg *Config) { cfg.Now = c.now })
	l.get(site+"/u").want(t, 200, "whole")
	l.settle()
	l.store.lose()
	l.get(site+"/u").want(t, 200, "whole", "cache:fwd=uri-miss")
	l.settle()
	l.store.lose()
	c.advance(2 * time.Minute)
	l.get(site+"/u").want(t, 200, "whole", "cache:fwd=stale", "cache:fwd-status=200")
}

// Spellings that an origin may take for something else are not for the cache.
func TestDotSegments(t *testing.T) {
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		fmt.Fprint(w, r.RequestURI)
	}, nil)
	l.get(site+"/a/%2e%2e/b").want(t, 200, "/a/%2e%2e/b", "cache:fwd=bypass")
	l.settle()
	if len(l.store.all()) != 0 {
		t.Error("stored under another name")
	}
	l.get(site+"/caf%c3%a9").want(t, 200, "/caf%c3%a9", "cache:stored") // as asked for (RFC 9110 section 7.7)
}
