package proxy

import (
	"cmp"
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
		says   int // the status of the copy, 0 = 200
	}{
		"newer":                               {resource.Signer, 200, true, resource.Signer, newer, true, 0},
		"older":                               {resource.Signer, 200, true, resource.Signer, older, false, 0},
		"the same":                            {resource.Signer, 200, true, resource.Signer, 0, false, 0},
		"newer, less proven":                  {resource.Signer, 200, true, resource.Unproven, newer, false, 0},
		"older, better proven":                {resource.Unproven, 200, true, resource.Signer, older, true, 0},
		"older, of one that is not shown":     {resource.Origin, 200, false, resource.Signer, older, false, 0},
		"newer, of one that is not shown":     {resource.Origin, 200, false, resource.Signer, newer, true, 0},
		"older than an error":                 {resource.Origin, 404, false, resource.Signer, older, true, 0},
		"older than a part of it":             {resource.Origin, 206, false, resource.Signer, older, true, 0},
		"older, better proven, not shown yet": {resource.Witnessed, 200, false, resource.Content, older, true, 0},
		"error in place of what is shown":     {resource.Witnessed, 200, true, resource.Signer, newer, false, 404},
		"error in place of an error":          {resource.Witnessed, 404, true, resource.Signer, newer, true, 410},
		"error where nothing can be shown":    {resource.Witnessed, 200, false, resource.Signer, newer, true, 404},
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
		err := p.supersedes(f, &resource.Copy{Exchange: exchange(now.Add(tt.than), cmp.Or(tt.says, 200)), Tier: tt.copy})
		if (err == nil) != tt.want || err != nil && !errors.Is(err, errUnfit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := p.supersedes(&fetch{}, &resource.Copy{Exchange: &resource.Exchange{}, Tier: resource.Unproven}); err != nil {
		t.Errorf("nothing is stored: %v", err)
	}
}
