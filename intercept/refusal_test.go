package intercept_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/intercept"
)

// refuse is a client that does not trust the certificate it is shown.
func refuse(t *testing.T, i *intercept.Interceptor, name string, pool *testCA) result {
	return tunnelTCP(t, i, name+":443", func(conn net.Conn) {
		cfg := web(name)
		if pool != nil {
			cfg.RootCAs = pool.pool()
		}
		if err := tls.Client(conn, cfg).Handshake(); err == nil {
			t.Error("the client takes the certificate")
		}
		conn.Close()
	})
}

func TestPinnedClient(t *testing.T) {
	ca, other := newCA(t), newCA(t)
	now := &clock{now: time.Now()}
	i := intercept.New(intercept.Config{Issue: ca.Issue, Now: now.Now, MaxBypass: 3})
	if r := refuse(t, i, "pinned.example", other); r.err == nil {
		t.Fatal("the handshake came about")
	}
	if i.Wants("pinned.example:443") || i.Wants("PINNED.example.:8443") || !i.Wants("www.example.com:443") {
		t.Error("wrong hosts are bypassed")
	}
	all := i.Bypassed()
	if len(all) != 1 || all[0].Host != "pinned.example" || all[0].Reason != intercept.Refused || !all[0].Expires.Equal(all[0].Since.Add(time.Hour)) {
		t.Fatalf("listed: %+v", all)
	}
	now.pass(time.Hour)
	if !i.Wants("pinned.example:443") || len(i.Bypassed()) != 0 {
		t.Error("the entry does not expire")
	}
	refuse(t, i, "pinned.example", other)
	if !i.Forget("Pinned.example") || i.Forget("pinned.example") || !i.Wants("pinned.example:443") {
		t.Error("the entry is not removed")
	}
	for n := range 5 {
		refuse(t, i, fmt.Sprintf("host%d.example", n), other)
	}
	if all := i.Bypassed(); len(all) != 3 || all[0].Host != "host4.example" || all[2].Host != "host2.example" {
		t.Errorf("the list is not bounded: %+v", all)
	}
}

// Some clients look at the certificate when the handshake is over, and hang up. One alone may have had
// another reason.
func TestSilentRefusal(t *testing.T) {
	ca := newCA(t)
	visit := func(i *intercept.Interceptor, say string) {
		done := make(chan struct{})
		r := tunnelTCP(t, i, "www.example.com:443", func(conn net.Conn) {
			defer close(done)
			cfg := web("www.example.com")
			cfg.RootCAs = ca.pool()
			secure := tls.Client(conn, cfg)
			if err := secure.Handshake(); err != nil {
				t.Error(err)
			}
			if say != "" {
				_, _ = io.WriteString(secure, say)
			}
			conn.Close()
		})
		if !r.opened() {
			t.Fatal(r.err)
		}
		_, _ = io.Copy(io.Discard, r.conn)
		<-done
		r.conn.Close()
	}
	now := &clock{now: time.Now()}
	i := intercept.New(intercept.Config{Issue: ca.Issue, Now: now.Now})
	wanted := func() {
		t.Helper()
		if !i.Wants("www.example.com:443") {
			t.Fatalf("bypassed too soon: %+v", i.Bypassed())
		}
	}
	for _, say := range []string{"", "", "GET", "", "", "", ""} { // a client that stays proves the others harmless
		visit(i, say)
		wanted()
	}
	now.pass(10 * time.Minute)
	for range 3 {
		wanted()
		visit(i, "")
	}
	if i.Wants("www.example.com:443") {
		t.Error("three times in a row do not count")
	}
	i = intercept.New(intercept.Config{Issue: ca.Issue, Now: now.Now})
	for range 6 {
		visit(i, "")
		now.pass(6 * time.Minute)
	}
	if !i.Wants("www.example.com:443") {
		t.Error("clients that seldom leave count")
	}
}

func TestParsePattern(t *testing.T) {
	for text, want := range map[string]string{
		"example.com": "example.com", "Example.COM.": "example.com", "*.example.com": "*.example.com", "example.com:8443": "example.com:8443",
		"192.0.2.1": "192.0.2.1", "[2001:db8::1]:443": "[2001:db8::1]:443", "2001:DB8::1": "2001:db8::1", "bücher.example": "xn--bcher-kva.example", "localhost": "localhost",
		"": "", "*": "", "*.": "", "a b": "", "*.192.0.2.1": "", "example.com:0": "", "example.com:x": "", "example.com:99999": "", "exa*mple.com": "",
		"http://example.com": "", "a..b": "", "fe80::1%eth0": "", "-a.example": "", ":443": "",
	} {
		p, err := intercept.ParsePattern(text)
		if want == "" {
			if !errors.Is(err, intercept.ErrBadPattern) {
				t.Errorf("%q: %v, %v", text, p, err)
			}
			continue
		}
		if err != nil || p.String() != want {
			t.Errorf("%q is %q, %v", text, p, err)
		}
	}
}

func TestPatternMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, authority string
		want               bool
	}{
		{"example.com", "example.com:443", true},
		{"example.com", "EXAMPLE.com.:8443", true},
		{"example.com", "www.example.com:443", false},
		{"*.example.com", "a.b.example.com:443", true},
		{"*.example.com", "example.com:443", false},
		{"*.example.com", "badexample.com:443", false},
		{"example.com:8443", "example.com:443", false},
		{"example.com:8443", "example.com:8443", true},
		{"2001:db8::1", "[2001:DB8:0::1]:443", true},
	} {
		p, err := intercept.ParsePattern(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		i := intercept.New(intercept.Config{Issue: newCA(t).Issue, Bypass: []intercept.Pattern{p}})
		if got := !i.Wants(c.authority); got != c.want {
			t.Errorf("%s bypasses %s: %v", c.pattern, c.authority, got)
		}
		if all := i.Bypassed(); len(all) != 1 || all[0].Host != c.pattern || all[0].Reason != intercept.Configured {
			t.Errorf("listed %+v", all)
		}
	}
}
