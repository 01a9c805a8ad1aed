package proxy

import (
	"fmt"
	"net/http"
	"testing"
)

// RFC 9110 section 9.3.3: what a POST gave is reused for GET if the response says so.
func TestPostReused(t *testing.T) {
	for name, c := range map[string]struct {
		location string
		control  string
		stored   bool
	}{
		"its own location, explicitly fresh": {"/form", "max-age=60", true},
		"absolute location":                  {site + "/form", "max-age=60", true},
		"another location":                   {"/result", "max-age=60", false},
		"no explicit freshness":              {"/form", "public", false},
		"no-store":                           {"/form", "max-age=60, no-store", false},
		"private":                            {"/form", "max-age=60, private", false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Location", c.location)
				w.Header().Set("Cache-Control", c.control)
				fmt.Fprint(w, "by "+r.Method)
			}, nil)
			l.get(site+"/form").want(t, 200, "by GET", "cache:fwd=uri-miss")
			l.settle()
			posted := l.do("POST", site+"/form")
			posted.want(t, 200, "by POST", "cache:fwd=method")
			if _, told := posted.cacheStatus().Params.Get("stored"); told != c.stored {
				t.Errorf("Cache-Status %q", posted.Header["Cache-Status"])
			}
			if c.stored {
				l.get(site+"/form").want(t, 200, "by POST", "cache:hit")
				for _, st := range l.store.all() {
					if st.Shareable || st.Exchange.Method != http.MethodGet {
						t.Errorf("stored %+v", st)
					}
				}
				return
			}
			l.get(site+"/form").want(t, 200, "by GET", "cache:fwd=uri-miss") // RFC 9111 section 4.4
		})
	}
}

// A response to POST that breaks off is not stored.
func TestBrokenPostNotStored(t *testing.T) {
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Location", "/form")
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "some")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}, nil)
	if _, err := l.try("POST", site+"/form"); err == nil {
		t.Error("the client did not notice")
	}
	l.settle()
	if n := len(l.store.all()); n != 0 || l.store.open != 0 {
		t.Errorf("%d stored, %d open", n, l.store.open)
	}
}
