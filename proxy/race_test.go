package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// An origin that answers within the patience time is alone.
func TestPatientWithOrigin(t *testing.T) {
	bubble(func(t *testing.T) {
		b := newBench(t, nil)
		b.origin.after = 1900 * time.Millisecond
		a, took := b.get("http://example.com/")
		a.want(t, 200, "from origin", "cache:fwd=uri-miss", "cache:!detail")
		wantTook(t, took, 1900*time.Millisecond)
		b.wantAsked(1, 0)
	})(t)
}

func TestSilentOriginPeersBeside(t *testing.T) {
	bubble(func(t *testing.T) {
		b := newBench(t, nil)
		b.origin.after, b.peers.after = -1, time.Second
		a, took := b.get("http://example.com/", "Cookie: secret", "Accept-Language: de", "X-Private: 1")
		a.want(t, 200, "from peers", "cache:fwd=uri-miss", "cache:detail=peer", "cache:stored", "proxy:details", "proxy:!error")
		wantTook(t, took, 3*time.Second)
		if b.origin.lost.Load() != 1 {
			t.Error("the loser was not cancelled")
		}
		if a.Header.Get("Age") != "3600" && a.Header.Get("Age") != "3603" {
			t.Errorf("Age %q", a.Header.Get("Age"))
		}
		if len(b.query.Header) != 1 || b.query.Header.Get("Accept-Language") != "de" || b.query.URL.String() != "http://example.com/" {
			t.Errorf("peers were told %v", b.query)
		}
		st := b.store.all()[0]
		if st.Tier != resource.Unproven || st.Signer != "friend" || len(st.Exchange.Signatures) != 1 {
			t.Errorf("stored %+v", st)
		}
		// The origin was silent all the time: the next part of the page comes from peers at once.
		a, took = b.get("http://img.example.com/2")
		a.want(t, 200, "from peers", "cache:detail=peer")
		wantTook(t, took, time.Second)
		b.wantAsked(1, 2)
	})(t)
}

// The origin may still win while peers are asked beside it.
func TestSlowOriginWins(t *testing.T) {
	bubble(func(t *testing.T) {
		b := newBench(t, nil)
		b.origin.after, b.peers.after = 5*time.Second, -1
		a, took := b.get("http://example.com/")
		a.want(t, 200, "from origin", "cache:!detail")
		wantTook(t, took, 5*time.Second)
		if b.peers.lost.Load() != 1 || b.proxy.health.failing("example.com") {
			t.Error("peers were not cancelled, or the site counts as failing")
		}
	})(t)
}

// Every kind of failure makes the site count as failing for FailedFor, and peers help.
func TestFailingOrigin(t *testing.T) {
	bubble(func(t *testing.T) {
		for name, fail := range map[string]func(*side){
			"dns":     func(s *side) { s.err = &net.DNSError{Err: "no such host", IsNotFound: true} },
			"refused": func(s *side) { s.err = syscall.ECONNREFUSED },
			"reset":   func(s *side) { s.err = syscall.ECONNRESET },
			"tls":     func(s *side) { s.err = errors.New("remote error: tls: handshake failure") },
			"bogon":   func(s *side) { s.err = ErrForbiddenAddress },
			"451":     func(s *side) { s.status = 451 },
			"500":     func(s *side) { s.status = 500 },
			"503":     func(s *side) { s.status = 503 },
		} {
			b := newBench(t, nil)
			b.peers.after = time.Second
			fail(&b.origin)
			a, took := b.get("http://www.example.com/")
			if a.text != "from peers" || took != time.Second {
				t.Errorf("%s: %q after %v", name, a.text, took)
			}
			b.wantAsked(1, 1)
			b.get("http://www.example.com/2")
			b.wantAsked(1, 2) // peers at once
			time.Sleep(30 * time.Second)
			b.origin.err, b.origin.status = nil, 200
			a, _ = b.get("http://www.example.com/3")
			a.want(t, 200, "from origin")
			b.wantAsked(2, 2)
			_ = b.proxy.Close()
		}
	})(t)
}

// When peers have nothing, the failing origin is tried all the same, and found to work again.
func TestFailingOriginRecovers(t *testing.T) {
	bubble(func(t *testing.T) {
		b := newBench(t, nil)
		b.proxy.health.failed("example.com")
		b.peers.err, b.peers.after = errors.New("nobody"), 500*time.Millisecond
		a, took := b.get("http://example.com/")
		a.want(t, 200, "from origin")
		wantTook(t, took, 500*time.Millisecond)
		if b.proxy.health.failing("example.com") {
			t.Error("still counts as failing")
		}
		// And if peers are slow, it is tried beside them.
		b.proxy.health.failed("example.com")
		b.peers.after = -1
		_, took = b.get("http://example.com/2")
		wantTook(t, took, 2*time.Second)
	})(t)
}

// Never a hang.
// Where nobody but the origin can answer, it has all the time that it takes: the proxy does not know
// better than the client how long to wait.
func TestSlowOriginAlone(t *testing.T) {
	for name, peers := range map[string]int32{"no peers": 0, "peers that have none": 1} {
		t.Run(name, bubble(func(t *testing.T) {
			b := newBench(t, func(c *Config) {
				if peers == 0 {
					c.Peers = nil
				}
			})
			b.origin.after, b.peers.err = time.Minute, errNoPeer
			a, took := b.get("http://example.com/")
			a.want(t, 200, "from origin")
			wantTook(t, took, time.Minute)
			b.wantAsked(1, peers)
		}))
	}
}

func TestBudget(t *testing.T) {
	bubble(func(t *testing.T) {
		b := newBench(t, nil)
		b.origin.after, b.peers.after = -1, -1
		a, took := b.get("http://example.com/")
		a.want(t, 504, "*", "proxy:error=http_response_timeout", "cache:fwd=uri-miss", "cache:!fwd-status")
		wantTook(t, took, 10*time.Second)
		if !strings.Contains(a.text, "The site was asked. It did not answer in time.") || !strings.Contains(a.text, "Peers were asked: no answer in time.") {
			t.Errorf("page: %s", a.text)
		}
		if b.origin.lost.Load() != 1 || b.peers.lost.Load() != 1 || !b.proxy.health.failing("example.com") {
			t.Error("not cancelled, or not remembered")
		}
	})(t)
}

func TestBothFail(t *testing.T) {
	bubble(func(t *testing.T) {
		b := newBench(t, nil)
		b.origin.err, b.peers.err = &net.DNSError{Err: "no such host", IsNotFound: true}, errors.New("internal <secret>")
		a, took := b.get("http://example.com/")
		a.want(t, 502, "*", "proxy:error=dns_error")
		wantTook(t, took, 0)
		if !strings.Contains(a.text, "Peers were asked: none has it.") || strings.Contains(a.text, "secret") {
			t.Errorf("page: %s", a.text)
		}
		// An origin that says 503 itself says it to the client if nobody knows better.
		b.origin.err, b.origin.status = nil, 503
		a, _ = b.get("http://example.com/2")
		a.want(t, 503, "from origin", "cache:fwd-status=503", "cache:stored", "proxy:received-status=503", "proxy:!error")
	})(t)
}

// Who must not be told of is in ARCHITECTURE.md, "What may be shared".
func TestPeersAreNotAsked(t *testing.T) {
	bubble(func(t *testing.T) {
		for name, r := range map[string]*http.Request{
			"authorization": httptest.NewRequest("GET", "http://example.com/", nil),
			"POST":          httptest.NewRequest("POST", "http://example.com/", nil),
			"private host":  httptest.NewRequest("GET", "http://router.local/", nil),
			"single label":  httptest.NewRequest("GET", "http://intranet/", nil),
			"private IP":    httptest.NewRequest("GET", "http://192.168.1.1/", nil),
			"secret":        httptest.NewRequest("GET", "http://example.com/?token=abc", nil),
			"user info":     httptest.NewRequest("GET", "http://user:pw@example.com/", nil),
		} {
			b := newBench(t, nil)
			b.origin.err = syscall.ECONNREFUSED
			if name == "authorization" {
				r.Header.Set("Authorization", "Basic eA==")
			}
			a, _ := b.send(r)
			if a.StatusCode != 502 || b.peers.asked.Load() != 0 {
				t.Errorf("%s: %d, peers asked %d times", name, a.StatusCode, b.peers.asked.Load())
			}
			_ = b.proxy.Close()
		}
	})(t)
}

// Not every copy will do.
func TestUnfitCopies(t *testing.T) {
	bubble(func(t *testing.T) {
		for name, spoil := range map[string]func(*resource.Copy){
			"other URL":    func(c *resource.Copy) { c.Exchange.URL, _ = resource.ParseURL("http://example.com/other") },
			"other method": func(c *resource.Copy) { c.Exchange.Method = "POST" },
			"own tier":     func(c *resource.Copy) { c.Tier = resource.Origin },
			"no tier":      func(c *resource.Copy) { c.Tier = 0 },
			"variant": func(c *resource.Copy) {
				c.Exchange.Header.Set("Vary", "Accept-Language")
				c.Exchange.Selecting = http.Header{"Accept-Language": {"fr"}}
			},
			"sets a cookie":   func(c *resource.Copy) { c.Exchange.Header.Set("Set-Cookie", "a=b") },
			"private":         func(c *resource.Copy) { c.Exchange.Header.Set("Cache-Control", "private") },
			"redirect by 302": func(c *resource.Copy) { c.Exchange.Status = 302 },
			"must-revalidate": func(c *resource.Copy) { c.Exchange.Header.Set("Cache-Control", "max-age=1, must-revalidate") },
			"hop-by-hop":      func(c *resource.Copy) { c.Exchange.Header.Set("Transfer-Encoding", "chunked") },
			"connection":      func(c *resource.Copy) { c.Exchange.Header.Set("Connection", "close") },
			"age in header":   func(c *resource.Copy) { c.Exchange.Header.Set("Age", "1") },
			"no exchange":     func(c *resource.Copy) { c.Exchange = nil },
		} {
			closed := false
			b := newBench(t, func(cfg *Config) {
				cfg.Peers = fakePeers(func(_ context.Context, q resource.Query) (*resource.Copy, error) {
					c := copyOf(q.URL.String(), "copy", nil, time.Now().Add(-time.Hour))
					c.Body = closer{c.Body, &closed}
					spoil(c)
					return c, nil
				})
			})
			b.origin.err = syscall.ECONNREFUSED
			a, _ := b.get("http://example.com/", "Accept-Language: de")
			if a.StatusCode != 502 || !closed || len(b.store.all()) != 0 || !strings.Contains(a.text, "of no use here") {
				t.Errorf("%s: %d %q, closed %v", name, a.StatusCode, a.text, closed)
			}
			_ = b.proxy.Close()
		}
	})(t)
}

type closer struct {
	io.ReadCloser
	closed *bool
}

func (c closer) Close() error { *c.closed = true; return c.ReadCloser.Close() }

// A peer that lies about the bytes or ends early: nothing is stored, the client notices.
func TestLyingPeerBody(t *testing.T) {
	bubble(func(t *testing.T) {
		for name, body := range map[string]io.Reader{
			"short": strings.NewReader("from"), "long": strings.NewReader("from peers and more"), "other": strings.NewReader("FROM PEERS"),
			"broken": io.MultiReader(strings.NewReader("from"), errReader{}),
		} {
			b := newBench(t, func(cfg *Config) {
				cfg.Peers = fakePeers(func(_ context.Context, q resource.Query) (*resource.Copy, error) {
					c := copyOf(q.URL.String(), "from peers", nil, time.Now().Add(-time.Hour))
					c.Body = io.NopCloser(body)
					return c, nil
				})
			})
			b.origin.err = syscall.ECONNREFUSED
			func() {
				defer func() {
					if recover() == nil && name != "other" { // the fetcher verifies; this is the second door
						t.Errorf("%s: the client was not told", name)
					}
				}()
				b.get("http://example.com/")
			}()
			settle(b.proxy)
			if len(b.store.all()) != 0 {
				t.Errorf("%s: stored", name)
			}
			_ = b.proxy.Close()
		}
	})(t)
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("broken") }

// A peer's copy stands in while the site fails; then the origin's word comes first.
func TestCopyGivesWayToOrigin(t *testing.T) {
	bubble(func(t *testing.T) {
		b := newBench(t, nil)
		b.header = http.Header{"Cache-Control": {"max-age=86400"}}
		b.origin.err = syscall.ECONNREFUSED
		a, _ := b.get("http://example.com/")
		a.want(t, 200, "from peers", "cache:detail=peer")
		a, _ = b.get("http://example.com/")
		a.want(t, 200, "from peers", "cache:hit", "proxy:details") // still labelled
		b.wantAsked(1, 1)
		time.Sleep(time.Minute)
		a, _ = b.get("http://example.com/", "Cache-Control: only-if-cached")
		a.want(t, 200, "from peers", "cache:hit")
		a, _ = b.get("http://example.com/") // fresh, and the origin still down: peers are not needed
		a.want(t, 200, "from peers", "cache:fwd=miss", "cache:ttl=82740", "cache:detail=origin-failed", "proxy:details")
		b.wantAsked(2, 1)
		time.Sleep(time.Minute)
		b.origin.err = nil
		a, _ = b.get("http://example.com/")
		a.want(t, 200, "from origin", "cache:fwd-status=200")
		a, _ = b.get("http://example.com/")
		a.want(t, 200, "from origin", "cache:hit")
		if all := b.store.all(); len(all) != 1 || all[0].Tier != resource.Origin {
			t.Errorf("stored %v", all)
		}
	})(t)
}

// An own stale copy and a failing origin: peers are asked for something newer; what is
// no newer does not count.
func TestStaleOrNewer(t *testing.T) {
	bubble(func(t *testing.T) {
		b := newBench(t, nil)
		a, _ := b.get("http://example.com/")
		a.want(t, 200, "from origin")
		time.Sleep(2 * time.Minute)
		b.origin.err = syscall.ECONNREFUSED
		a, _ = b.get("http://example.com/")
		a.want(t, 200, "from origin", "cache:fwd=stale", "cache:detail=stale-if-error", "proxy:error=connection_refused")
		b.wantAsked(2, 1)
		time.Sleep(2 * time.Hour) // the peers' copy is of an hour ago
		a, _ = b.get("http://example.com/")
		a.want(t, 200, "from peers", "cache:fwd=stale", "cache:detail=peer")
		// The stronger copy stays stored.
		if all := b.store.all(); len(all) != 1 || all[0].Tier != resource.Origin {
			t.Errorf("stored %v", all)
		}
		// Where the site is known to fail and a copy is at hand, nobody waits for the whole budget.
		b.origin.after, b.peers.after = -1, -1
		a, took := b.get("http://example.com/")
		a.want(t, 200, "from origin", "cache:detail=stale-if-error")
		wantTook(t, took, 2*time.Second)
	})(t)
}

func TestSources(t *testing.T) {
	bubble(func(t *testing.T) {
		b := newBench(t, nil)
		ask := func(s Source) answered {
			r := httptest.NewRequest("GET", "http://example.com/", nil)
			a, _ := b.send(r.WithContext(WithSource(r.Context(), s)))
			return a
		}
		ask(SourceCache).want(t, 504, "*", "cache:fwd=uri-miss")
		b.wantAsked(0, 0)
		ask(SourcePeers).want(t, 200, "from peers", "cache:fwd=bypass", "cache:detail=peer")
		b.wantAsked(0, 1)
		ask(SourceCache).want(t, 200, "from peers", "cache:hit")
		ask(SourceOrigin).want(t, 200, "from origin", "cache:fwd=bypass")
		b.wantAsked(1, 1)
		time.Sleep(time.Hour)
		ask(SourceCache).want(t, 200, "from origin", "cache:hit", "cache:ttl=-3540")
		b.origin.err, b.peers.err = syscall.ECONNREFUSED, errors.New("nobody")
		ask(SourceOrigin).want(t, 502, "*", "proxy:error=connection_refused")
		ask(SourcePeers).want(t, 504, "*", "proxy:error=destination_unavailable")
		b.wantAsked(2, 2)
	})(t)
}

func TestParseSource(t *testing.T) {
	for text, want := range map[string]Source{"": SourceAny, "any": SourceAny, "cache": SourceCache, "peers": SourcePeers, "origin": SourceOrigin} {
		if got, err := ParseSource(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	if _, err := ParseSource("everywhere"); !errors.Is(err, ErrBadSource) {
		t.Errorf("got %v", err)
	}
}

// HEAD is answered from a peer's copy, without its body.
func TestHeadFromPeers(t *testing.T) {
	bubble(func(t *testing.T) {
		b := newBench(t, nil)
		b.origin.err = syscall.ECONNREFUSED
		a, _ := b.send(httptest.NewRequest("HEAD", "http://example.com/", nil))
		a.want(t, 200, "", "cache:detail=peer", "cache:!stored")
		if a.Header.Get("Content-Length") != "10" || len(b.store.all()) != 0 {
			t.Errorf("header %v", a.Header)
		}
	})(t)
}
