package proxy

import (
	"io"
	"net/http"
	"testing"
)

// RFC 9111 section 4.4: a successful unsafe request outdates what is stored for its
// target, and for Location and Content-Location of the same origin.
func TestUnsafeRequestsInvalidate(t *testing.T) {
	const site = "http://www.example.com"
	for _, test := range []struct {
		name, method, header, value string
		status                      int
		stays                       bool // what is stored for /page
	}{
		{"POST", "POST", "", "", 200, false},
		{"PUT", "PUT", "", "", 204, false},
		{"DELETE", "DELETE", "", "", 200, false},
		{"an unknown method", "FROBNICATE", "", "", 200, false},
		{"a redirect after POST", "POST", "", "", 303, false},
		{"a safe method", "OPTIONS", "", "", 200, true},
		{"refused", "POST", "", "", 403, true},
		{"failed", "POST", "", "", 500, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet {
					w.WriteHeader(test.status)
					return
				}
				w.Header().Set("Cache-Control", "max-age=3600")
				_, _ = io.WriteString(w, "page")
			}, nil)
			l.get(site + "/page")
			l.settle()
			l.do(test.method, site+"/page")
			want := "cache:fwd=uri-miss"
			if test.stays {
				want = "cache:hit"
			}
			l.get(site+"/page").want(t, 200, "page", want)
		})
	}
}

func TestInvalidationReachesTheSameOriginOnly(t *testing.T) {
	const site = "http://www.example.com"
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			w.Header().Set("Location", "/list")
			w.Header().Set("Content-Location", "http://other.example/list")
			w.WriteHeader(http.StatusCreated)
			return
		}
		w.Header().Set("Cache-Control", "max-age=3600")
		_, _ = io.WriteString(w, "list")
	}, func(cfg *Config) {
		other := cfg.Dialer.Resolve[0]
		other.Host = "other.example"
		cfg.Dialer.Resolve = append(cfg.Dialer.Resolve, other)
	})
	for _, u := range []string{site + "/list", site + "/else", "http://other.example/list"} {
		l.get(u)
	}
	l.settle()
	l.do("POST", site+"/new")
	l.get(site+"/list").want(t, 200, "list", "cache:fwd=uri-miss")
	l.get(site+"/else").want(t, 200, "list", "cache:hit")
	l.get("http://other.example/list").want(t, 200, "list", "cache:hit")
}
