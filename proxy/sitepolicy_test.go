package proxy

import (
	"errors"
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
