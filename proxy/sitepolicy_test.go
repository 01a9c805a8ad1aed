package proxy

import (
	"errors"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/peerproxy/peerproxy/resource"
)

func TestSitePolicies(t *testing.T) {
	s, err := NewSitePolicies([]SitePolicy{
		{Site: "example.org", Accept: resource.Signer, Plain: true},
		{Site: "www.example.org", Accept: resource.Unproven},
		{Site: "bank.example", Private: true},
		{Site: "open.bank.example", Plain: true},
		{Site: "192.0.2.1", Private: true},
		{Site: "2001:db8::1", Private: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	standard := SitePolicy{Accept: resource.Witnessed}
	tests := []struct {
		url  string
		want SitePolicy
	}{
		{"https://example.org/", SitePolicy{Site: "example.org", Accept: resource.Signer, Plain: true}},
		{"https://a.b.example.org:8443/x", SitePolicy{Site: "example.org", Accept: resource.Signer, Plain: true}},
		{"http://www.example.org/", SitePolicy{Site: "www.example.org", Accept: resource.Unproven}},
		{"http://a.www.example.org/", SitePolicy{Site: "example.org", Accept: resource.Signer, Plain: true}},
		{"https://bank.example/", SitePolicy{Site: "bank.example", Accept: resource.Witnessed, Private: true}},
		{"https://open.bank.example/", SitePolicy{Site: "open.bank.example", Accept: resource.Witnessed, Plain: true, Private: true}},
		{"http://192.0.2.1:81/", SitePolicy{Site: "192.0.2.1", Accept: resource.Witnessed, Private: true}},
		{"http://[2001:DB8::1]/", SitePolicy{Site: "2001:db8::1", Accept: resource.Witnessed, Private: true}},
		{"http://notexample.org/", standard},
		{"http://org/", standard},
	}
	for _, tt := range tests {
		u, err := resource.ParseURL(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.For(u); got != tt.want {
			t.Errorf("%s: got %+v", tt.url, got)
		}
		if got := SitePolicies(nil).For(u); got != standard {
			t.Errorf("%s, nothing set: got %+v", tt.url, got)
		}
	}
}

// TestAskFor: peers do not hear of a site that they are not to be asked for, neither when
// its origin fails nor when they alone are to be asked; and the setting may change.
func TestAskFor(t *testing.T) {
	bubble(func(t *testing.T) {
		var ask atomic.Bool
		b := newBench(t, func(c *Config) {
			c.AskFor = func(u resource.URL) bool { return ask.Load() && u.Host() == "example.com" }
		})
		b.origin.err = syscall.ECONNREFUSED
		a, _ := b.send(httptest.NewRequest("GET", "http://example.com/", nil))
		if a.StatusCode != 502 || !strings.Contains(a.text, "Peers were not asked") {
			t.Errorf("status %d, page %s", a.StatusCode, a.text)
		}
		a = b.ask(SourcePeers, "http://example.com/")
		a.want(t, 504, "*", "proxy:error=destination_unavailable")
		if !strings.Contains(a.text, "Peers were not asked") || strings.Contains(a.text, "none has it") {
			t.Errorf("the page does not say that peers were not asked:\n%s", a.text)
		}
		b.wantAsked(1, 0)
		ask.Store(true)
		b.ask(SourcePeers, "http://example.com/").want(t, 200, "from peers")
		b.ask(SourcePeers, "http://example.org/").want(t, 504, "*")
		b.wantAsked(1, 1)
	})(t)
}

func TestSitePoliciesRefuse(t *testing.T) {
	for name, list := range map[string][]SitePolicy{
		"no site":        {{}},
		"not canonical":  {{Site: "Example.org"}},
		"with a path":    {{Site: "example.org/x"}},
		"with a port":    {{Site: "example.org:80"}},
		"no tier":        {{Site: "example.org", Accept: resource.Origin + 1}},
		"the same twice": {{Site: "example.org"}, {Site: "example.org", Private: true}},
	} {
		if s, err := NewSitePolicies(list); !errors.Is(err, ErrBadSitePolicy) || s != nil {
			t.Errorf("%s: got %v, %v", name, s, err)
		}
	}
}
