package proxy

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// What is stored gives way to copies that are newer or better proven, and to no others: nobody's
// claim to be new keeps a proven copy away, and no replay brings back what the site has replaced (RFC 9111
// section 4).
func TestSupersedes(t *testing.T) {
	p := newBench(t, func(c *Config) { c.Sites = nil }).proxy
	u, err := resource.ParseURL("http://example.com/")
	if err != nil {
		t.Fatal(err)
	}
	older, newer := -time.Hour, time.Hour
	for name, tt := range map[string]struct {
		known  resource.Tier
		status int
		usable bool
		copy   resource.Tier
		than   time.Duration // when it was received, counted from what is stored
		want   bool
	}{
		"newer":                               {resource.Signer, 200, true, resource.Signer, newer, true},
		"older":                               {resource.Signer, 200, true, resource.Signer, older, false},
		"the same":                            {resource.Signer, 200, true, resource.Signer, 0, false},
		"newer, less proven":                  {resource.Signer, 200, true, resource.Unproven, newer, false},
		"older, better proven":                {resource.Unproven, 200, true, resource.Signer, older, true},
		"older, of one that is not shown":     {resource.Origin, 200, false, resource.Signer, older, false},
		"newer, of one that is not shown":     {resource.Origin, 200, false, resource.Signer, newer, true},
		"older than an error":                 {resource.Origin, 404, false, resource.Signer, older, true},
		"older than a part of it":             {resource.Origin, 206, false, resource.Signer, older, true},
		"older, better proven, not shown yet": {resource.Witnessed, 200, false, resource.Content, older, true},
	} {
		now := time.Now()
		exchange := func(at time.Time, status int) *resource.Exchange {
			return &resource.Exchange{Method: http.MethodGet, URL: u, Status: status, Received: at,
				Header: http.Header{"Content-Range": {"bytes 0-4/10"}}, Body: resource.Body{Length: 5}}
		}
		f := &fetch{
			request: &request{in: httptest.NewRequest(http.MethodGet, "http://example.com/", nil), url: u},
			known:   &resource.Stored{Exchange: exchange(now, tt.status), Tier: tt.known}, usable: tt.usable,
		}
		err := p.supersedes(f, &resource.Copy{Exchange: exchange(now.Add(tt.than), 200), Tier: tt.copy})
		if (err == nil) != tt.want || err != nil && !errors.Is(err, errUnfit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := p.supersedes(&fetch{}, &resource.Copy{Exchange: &resource.Exchange{}, Tier: resource.Unproven}); err != nil {
		t.Errorf("nothing is stored: %v", err)
	}
}
