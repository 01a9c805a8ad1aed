package httpcache

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

func TestExplain(t *testing.T) {
	stored := fields("Date", httpDate(0), "Cache-Control", "max-age=60, stale-if-error=60", "ETag", `"a"`, "Vary", "Accept-Language")
	ex := exchange(200, stored)
	ex.Selecting = fields("Accept-Language", "de")
	for _, c := range []struct {
		name  string
		req   *http.Request
		ex    *resource.Exchange
		after time.Duration
		want  string
	}{
		{"fresh", get("Accept-Language", "DE"), ex, time.Second, `
stored: the response says how long it is fresh (RFC 9111 section 3)
variants: answers requests with Accept-Language: de, such as this one (RFC 9111 section 4.1)
fresh: fresh for 1 min by max-age (RFC 9111 section 4.2.1)
age: 1 s old (RFC 9111 section 4.2.3)
now: used as it is: fresh for 1 min by max-age, now 1 s old (RFC 9111 section 4.2.1)
origin fails: used then: it is still fresh (RFC 9111 section 4.2)`},
		{"stale, conditional, in part", get("If-None-Match", `"a"`, "Range", "bytes=0-1"), ex, time.Hour, `
stored: the response says how long it is fresh (RFC 9111 section 3)
variants: answers requests with Accept-Language: de, unlike this one (RFC 9111 section 4.1)
fresh: fresh for 1 min by max-age (RFC 9111 section 4.2.1)
age: 1 h old (RFC 9111 section 4.2.3)
now: not used without asking the origin: stale for 59 min by max-age (RFC 9111 section 4.2)
validation: asks the origin by entity tag "a" (RFC 9111 section 4.3.1)
origin fails: used if it can't be reached, but not in place of its errors: stale-if-error has run out (RFC 5861 section 4)
conditions: the client has this representation, by its entity tag (RFC 9110 section 13.1.2)
ranges: the stored bytes that are asked for (RFC 9110 section 14.2)`},
		{"forbidden to be stale", get(), exchange(404, fields("Cache-Control", "must-revalidate", "Last-Modified", httpDate(0))), time.Hour, `
stored: status 404 may be stored unless something forbids it (RFC 9110 section 15.1)
variants: answers every request for the URL: it has no Vary field (RFC 9111 section 4.1)
fresh: stale at once by a tenth of the time since Last-Modified (RFC 9111 section 4.2.2)
age: 1 h old (RFC 9111 section 4.2.3)
now: not used without asking the origin: stale at once by a tenth of the time since Last-Modified (RFC 9111 section 4.2.2)
validation: asks the origin by date ` + httpDate(0) + ` (RFC 9111 section 4.3.1)
origin fails: not used then: must-revalidate forbids to use it stale (RFC 9111 section 5.2.2.2)`},
		{"validated meanwhile", get("Cache-Control", "only-if-cached"), exchange(200, fields("Cache-Control", "max-age=1, stale-while-revalidate=9")), 2 * time.Second, `
stored: the response says how long it is fresh (RFC 9111 section 3)
variants: answers every request for the URL: it has no Vary field (RFC 9111 section 4.1)
fresh: fresh for 1 s by max-age (RFC 9111 section 4.2.1)
age: 2 s old (RFC 9111 section 4.2.3)
now: used as it is and validated meanwhile, by stale-while-revalidate: stale for 1 s by max-age (RFC 5861 section 3)
validation: has no validator: the origin is asked for all of it (RFC 9111 section 4.3.1)
origin fails: used then: nothing forbids to use it stale while the origin can't be reached (RFC 9111 section 4.2.4)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b strings.Builder
			for _, f := range Explain(c.req, c.ex, epoch.Add(c.after)) {
				wantReason(t, f.Reason)
				fmt.Fprintf(&b, "\n%v", f)
			}
			if b.String() != c.want {
				t.Errorf("got %s\nwant %s", b.String(), c.want)
			}
		})
	}
}
