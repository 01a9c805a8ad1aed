package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/peerproxy/peerproxy/resource"
)

func TestNewDoH(t *testing.T) {
	for text, ok := range map[string]bool{
		"https://dns.example/dns-query": true, "https://9.9.9.9/dns-query{?dns}": true, "https://[::1]:8443/q?x=1": true,
		"": false, "http://dns.example/dns-query": false, "dns.example": false, "https:///x": false, "https://u:topsecret@dns.example/": false, "https://x/#f": false, "https://%zz/": false,
	} {
		d, err := NewDoH(DoHConfig{URL: text})
		if (err == nil) != ok || err != nil && (!errors.Is(err, ErrBadDoH) || strings.Contains(err.Error(), "topsecret")) {
			t.Errorf("%q: %v", text, err)
		}
		if d != nil {
			_ = d.Close()
		}
	}
}

func addrsOf(texts ...string) (list []netip.Addr) {
	for _, text := range texts {
		list = append(list, netip.MustParseAddr(text))
	}
	return list
}

// Both families come over HTTP/2 connections that are used again, and are kept for as long as they live.
func TestDoH(t *testing.T) {
	s := newDoHServer(t, func(q dnsmessage.Question) dnsmessage.Message {
		value := "9.9.9.9"
		if q.Type == dnsmessage.TypeAAAA {
			value = "2606:4700::1111"
		}
		return dnsmessage.Message{Answers: []dnsmessage.Resource{recordOf(q.Name.String(), 20, "a.example."), recordOf("a.example.", 10, value)}}
	})
	now := time.Unix(1e9, 0)
	d := s.resolver(t, func(c *DoHConfig) { c.Now = func() time.Time { return now } })
	for i, step := range []struct {
		host   string
		later  time.Duration
		asked  int32
		expect string
	}{
		{"www.example.com", 0, 2, ""}, {"WWW.Example.com.", 9 * time.Second, 2, ""}, {"www.example.com", time.Second, 4, ""},
		{"bücher.example", 0, 6, ""}, {"xn--bcher-kva.example", 0, 6, ""},
	} {
		now = now.Add(step.later)
		addrs, err := d.LookupNetIP(t.Context(), step.host)
		if err != nil || len(addrs) != 2 || s.asked.Load() != step.asked {
			t.Fatalf("step %d: %v, %v; asked %d", i, addrs, err, s.asked.Load())
		}
	}
	if s.conns.Load() > 2 || s.proto.Load() != 2 { // the first two questions may each have opened one
		t.Errorf("%d connections, HTTP/%d", s.conns.Load(), s.proto.Load())
	}
}

// Names that mean something only here, and addresses, are nothing to ask others about.
func TestDoHAsksForPublicNamesOnly(t *testing.T) {
	s := newDoHServer(t, answering4(60, "9.9.9.9"))
	d := s.resolver(t, nil)
	for _, host := range []string{"printer", "printer.local", "nas.lan", "x.onion", "127.1", "2130706433", "0x7f.1"} {
		var dns *net.DNSError
		if addrs, err := d.LookupNetIP(t.Context(), host); !errors.As(err, &dns) || !dns.IsNotFound {
			t.Errorf("%s: %v, %v", host, addrs, err)
		}
	}
	for _, host := range []string{"localhost", "a.localhost", "9.9.9.9", "::1"} {
		if addrs, err := d.LookupNetIP(t.Context(), host); err != nil || len(addrs) == 0 {
			t.Errorf("%s: %v, %v", host, addrs, err)
		}
	}
	for _, host := range []string{"", "a b.example", "a..b", strings.Repeat("a", 64) + ".example"} {
		if addrs, err := d.LookupNetIP(t.Context(), host); err == nil {
			t.Errorf("%q: %v", host, addrs)
		}
	}
	if s.asked.Load() != 0 {
		t.Error("the server was asked")
	}
}

// What the server says does not open a way to special addresses, the first time or later.
func TestDoHRebinding(t *testing.T) {
	var private atomic.Bool
	s := newDoHServer(t, func(q dnsmessage.Question) dnsmessage.Message {
		if private.Load() {
			return answering4(0, "127.0.0.1")(q)
		}
		return answering4(0, "9.9.9.9")(q)
	})
	d := s.resolver(t, nil)
	if addrs, err := d.LookupNetIP(t.Context(), "www.example.com"); err != nil || addrs[0] != addrsOf("9.9.9.9")[0] {
		t.Fatal(addrs, err)
	}
	private.Store(true)
	l := newLab(t, fixed("inner", "max-age=60"), func(c *Config) { c.Dialer = &Dialer{DoH: d} })
	_, port, _ := net.SplitHostPort(l.origin.Listener.Addr().String())
	for _, host := range []string{"www.example.com", "localhost", "127.0.0.1"} {
		l.get("http://"+host+":"+port+"/").want(t, 403, "*", "proxy:error=destination_ip_prohibited")
	}
	l.proxy.dialer.AllowPrivate = true
	for _, host := range []string{"www.example.com", "localhost", "127.0.0.1"} {
		l.get("http://"+host+":"+port+"/").want(t, 200, "inner")
	}
	l.settle()
	for _, st := range l.store.all() {
		if st.Shareable {
			t.Errorf("%s is not public", st.Exchange.URL)
		}
	}
}

// Answers that are not to be trusted are answers of nobody, and nobody else is asked.
func TestDoHHostile(t *testing.T) {
	var current atomic.Value // name of a handler; one of a request that was given up may run late
	handlers := map[string]func(w http.ResponseWriter, query dnsmessage.Message){
		"status": func(w http.ResponseWriter, _ dnsmessage.Message) { w.WriteHeader(500) },
		"redirect": func(w http.ResponseWriter, _ dnsmessage.Message) {
			http.Redirect(w, &http.Request{}, "/x", http.StatusTemporaryRedirect)
		},
		"web page":  func(w http.ResponseWriter, _ dnsmessage.Message) { fmt.Fprint(w, "<html>") },
		"no type":   func(w http.ResponseWriter, _ dnsmessage.Message) { w.Header()["Content-Type"] = []string{";;"} },
		"cut off":   func(w http.ResponseWriter, _ dnsmessage.Message) { panic(http.ErrAbortHandler) },
		"huge":      func(w http.ResponseWriter, _ dnsmessage.Message) { asDNS(w, make([]byte, 1<<20)) },
		"endless":   endlessDNS,
		"big field": func(w http.ResponseWriter, _ dnsmessage.Message) { w.Header().Set("X", strings.Repeat("x", 64<<10)) },
	}
	for name, b := range hostileAnswers() {
		handlers["message: "+name] = func(w http.ResponseWriter, _ dnsmessage.Message) { asDNS(w, b) }
	}
	s := newRawDoHServer(t, func(w http.ResponseWriter, query dnsmessage.Message) {
		handlers[current.Load().(string)](w, query)
	})
	for name := range handlers {
		current.Store(name)
		d := s.resolver(t, nil)
		addrs, err := d.LookupNetIP(t.Context(), "www.example.com")
		if f := explain(err); err == nil || !errors.Is(err, errDoH) || f.kind != "dns_error" || f.title != failedDoH.title {
			t.Errorf("%s: %v, %v, %v", name, addrs, err, f)
		}
		if len(d.known) != 0 {
			t.Errorf("%s: a failure was kept", name)
		}
		_ = d.Close()
	}
	stranger := s.resolver(t, func(c *DoHConfig) { c.RootCAs = nil })
	if _, err := stranger.LookupNetIP(t.Context(), "www.example.com"); !errors.Is(err, errDoH) {
		t.Errorf("a server that could not prove who it is: %v", err)
	}
}

func asDNS(w http.ResponseWriter, b []byte) {
	w.Header().Set("Content-Type", dnsMediaType)
	_, _ = w.Write(b)
}

func endlessDNS(w http.ResponseWriter, _ dnsmessage.Message) {
	w.Header().Set("Content-Type", dnsMediaType)
	for {
		if _, err := w.Write(make([]byte, 32<<10)); err != nil {
			return
		}
	}
}

// A silent server costs the timeout and no more; a silent half of the answer less.
func TestDoHSlow(t *testing.T) {
	release := make(chan struct{})
	var halves atomic.Bool
	s := newRawDoHServer(t, func(w http.ResponseWriter, query dnsmessage.Message) {
		q := query.Questions[0]
		if q.Type == dnsmessage.TypeAAAA || !halves.Load() {
			<-release
			return
		}
		m := answering4(3600, "9.9.9.9")(q)
		m.Response, m.Questions = true, query.Questions
		b, _ := m.Pack()
		asDNS(w, b)
	})
	defer close(release)
	d := s.resolver(t, func(c *DoHConfig) { c.Timeout = 50 * time.Millisecond })
	l := newLab(t, nil, func(c *Config) {
		c.Dialer = &Dialer{DoH: d}
		c.Peers = fakePeers(func(_ context.Context, q resource.Query) (*resource.Copy, error) {
			if strings.HasSuffix(q.URL.String(), "/shared") {
				return copyOf(q.URL.String(), "from a peer", http.Header{"Cache-Control": {"max-age=60"}}, time.Now()), nil
			}
			return nil, errNoPeer
		})
	})
	l.get(site+"/").want(t, 504, "*", "proxy:error=dns_timeout")
	l.get(site+"/shared").want(t, 200, "from a peer")
	halves.Store(true)
	patient := s.resolver(t, func(c *DoHConfig) { c.Timeout = time.Minute })
	if addrs, err := patient.LookupNetIP(t.Context(), "www.example.com"); err != nil || len(addrs) != 1 {
		t.Error(addrs, err)
	}
	if until := patient.known["www.example.com"].until; time.Until(until) > partialTTL {
		t.Errorf("half of an answer is kept until %v", until)
	}
}

// Who gives up waiting does not take the answer from others; the last one ends the look-up.
func TestDoHCollapsed(t *testing.T) {
	release := make(chan struct{})
	s := newRawDoHServer(t, func(w http.ResponseWriter, query dnsmessage.Message) {
		<-release
		m := answering4(60, "9.9.9.9")(query.Questions[0])
		m.Response, m.Questions = true, query.Questions
		b, _ := m.Pack()
		asDNS(w, b)
	})
	d := s.resolver(t, func(c *DoHConfig) { c.Timeout = time.Minute })
	first, cancel := context.WithCancelCause(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := d.LookupNetIP(first, "www.example.com"); !errors.Is(err, errAbandoned) {
			t.Error(err)
		}
	})
	for range 20 {
		wg.Go(func() {
			if addrs, err := d.LookupNetIP(t.Context(), "www.example.com"); err != nil || len(addrs) != 1 {
				t.Error(addrs, err)
			}
		})
	}
	waiters := func(n int) func() bool {
		return func() bool {
			d.mu.Lock()
			defer d.mu.Unlock()
			l := d.running["www.example.com"]
			return l != nil && l.waiters == n || n == 0 && l == nil
		}
	}
	eventually(t, waiters(21))
	cancel(errAbandoned)
	eventually(t, waiters(20))
	close(release)
	wg.Wait()
	if s.asked.Load() != 2 {
		t.Errorf("asked %d times", s.asked.Load())
	}
}

func TestDoHAbandonedAndClosed(t *testing.T) {
	release := make(chan struct{})
	s := newRawDoHServer(t, func(http.ResponseWriter, dnsmessage.Message) { <-release })
	defer close(release)
	d := s.resolver(t, func(c *DoHConfig) { c.Timeout = time.Minute })
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = d.LookupNetIP(ctx, "a.example") })
	wg.Go(func() {
		if _, err := d.LookupNetIP(t.Context(), "b.example"); !errors.Is(err, errDoH) {
			t.Error(err)
		}
	})
	eventually(t, func() bool { return s.asked.Load() == 4 })
	cancel()
	eventually(t, func() bool { d.mu.Lock(); defer d.mu.Unlock(); return len(d.running) == 1 })
	_ = d.Close()
	wg.Wait()
	if _, err := d.LookupNetIP(t.Context(), "c.example"); !errors.Is(err, errDoH) {
		t.Error(err)
	}
}

// That there is no such name is believed for as long as the zone says; what is kept is
// bounded.
func TestDoHKeeps(t *testing.T) {
	s := newDoHServer(t, func(dnsmessage.Question) (m dnsmessage.Message) {
		soa(20, 10)(&m)
		return m
	})
	now := time.Unix(1e9, 0)
	d := s.resolver(t, func(c *DoHConfig) { c.Now = func() time.Time { return now } })
	for i, want := range []int32{2, 2, 4} {
		now = now.Add(time.Duration(i) * 5 * time.Second)
		var dns *net.DNSError
		if _, err := d.LookupNetIP(t.Context(), "gone.example"); !errors.As(err, &dns) || !dns.IsNotFound || explain(err).kind != "dns_error" {
			t.Error(err)
		}
		if got := s.asked.Load(); got != want {
			t.Errorf("step %d: asked %d times, want %d", i, got, want)
		}
	}
	for i := range 2 * maxNames {
		d.finish(fmt.Sprint(i), &dohLookup{answer: dnsAnswer{ttl: time.Duration(1+i%5) * time.Second}})
		if i%100 == 0 {
			now = now.Add(time.Second)
		}
	}
	if len(d.known) > maxNames {
		t.Errorf("%d names are kept", len(d.known))
	}
}

func TestJoin(t *testing.T) {
	six, four := dnsAnswer{addrs: addrsOf("2606:4700::1111"), ttl: time.Hour}, dnsAnswer{addrs: addrsOf("9.9.9.9"), ttl: time.Minute}
	none, missing, bad := dnsAnswer{ttl: time.Second}, dnsAnswer{missing: true, ttl: time.Second}, errors.New("bad")
	for name, c := range map[string]struct {
		a, b       dnsAnswer
		aErr, bErr error
		n          int
		ttl        time.Duration
		ok         bool
	}{
		"both":                  {six, four, nil, nil, 2, time.Minute, true},
		"one":                   {none, four, nil, nil, 1, time.Minute, true},
		"the other":             {six, none, nil, nil, 1, time.Hour, true},
		"neither":               {none, missing, nil, nil, 0, time.Second, true},
		"half failed":           {six, dnsAnswer{}, nil, bad, 1, partialTTL, true},
		"other half failed":     {dnsAnswer{}, four, bad, nil, 1, partialTTL, true},
		"no address, half":      {none, dnsAnswer{}, nil, bad, 0, 0, false}, // nobody knows then
		"no name, half":         {missing, dnsAnswer{}, nil, bad, 0, time.Second, true},
		"both failed":           {dnsAnswer{}, dnsAnswer{}, bad, bad, 0, 0, false},
		"no name, other failed": {dnsAnswer{}, missing, bad, nil, 0, time.Second, true},
	} {
		a, err := join(c.a, c.b, c.aErr, c.bErr)
		if (err == nil) != c.ok || err == nil && (len(a.addrs) != c.n || a.ttl != c.ttl) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

// RFC 8484 section 5.1: what lay in a cache is older.
func TestDoHAge(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 0, "5": 5 * time.Second, "nonsense": maxTTL, "-1": maxTTL, "99999999": maxTTL} {
		if got := age(http.Header{"Age": {text}}); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestInterleave(t *testing.T) {
	got := interleave(addrsOf("1.1.1.1", "1.1.1.2", "1.1.1.3", "2606::1"))
	if fmt.Sprint(got) != "[2606::1 1.1.1.1 1.1.1.2 1.1.1.3]" {
		t.Error(got)
	}
}

// The next address is tried at once after a failure, and beside a silent one after a
// while; attempts that lost are closed.
func TestDialFirst(t *testing.T) {
	refused := fmt.Errorf("dial: %w", syscall.ECONNREFUSED)
	unroutable := fmt.Errorf("dial: %w", syscall.ENETUNREACH)
	for name, c := range map[string]struct {
		answers []any // of the addresses in turn: an error, or after what time there is a connection
		took    time.Duration
		err     error
	}{
		"first":        {[]any{time.Millisecond}, time.Millisecond, nil},
		"second":       {[]any{refused, time.Millisecond}, time.Millisecond, nil},
		"beside":       {[]any{time.Hour, time.Millisecond}, attemptDelay + time.Millisecond, nil},
		"all fail":     {[]any{unroutable, refused, unroutable}, 0, syscall.ECONNREFUSED},
		"forbidden":    {[]any{ErrForbiddenAddress, refused}, 0, ErrForbiddenAddress},
		"nobody":       {[]any{time.Hour, time.Hour}, 10 * time.Second, context.DeadlineExceeded},
		"first at end": {[]any{attemptDelay + time.Second, time.Hour}, attemptDelay + time.Second, nil},
	} {
		t.Run(name, bubble(func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			start, open := time.Now(), atomic.Int32{}
			addrs := make([]netip.Addr, len(c.answers))
			for i := range addrs {
				addrs[i] = netip.AddrFrom4([4]byte{9, 9, 9, byte(i)})
			}
			conn, err := dialFirst(ctx, addrs, func(ctx context.Context, ip netip.Addr) (net.Conn, error) {
				switch answer := c.answers[ip.As4()[3]].(type) {
				case error:
					return nil, answer
				case time.Duration:
					select {
					case <-time.After(answer):
						open.Add(1)
						return &countedConn{closed: func() { open.Add(-1) }}, nil
					case <-ctx.Done():
						return nil, ctx.Err()
					}
				}
				return nil, nil
			})
			if !errors.Is(err, c.err) || (err == nil) != (conn != nil) || time.Since(start) != c.took {
				t.Errorf("%v, %v after %v", conn, err, time.Since(start))
			}
			if conn != nil {
				conn.Close()
			}
			synctest.Wait()
			if open.Load() != 0 {
				t.Errorf("%d connections are left open", open.Load())
			}
		}))
	}
}

type countedConn struct {
	net.Conn
	closed func()
}

func (c *countedConn) Close() error { c.closed(); return nil }
