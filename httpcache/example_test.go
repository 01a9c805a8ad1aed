package httpcache_test

import (
	"fmt"
	"net/http"
	"time"

	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/resource"
)

// A proxy asks in this order: may the response be stored, and later, may it be used?
func Example() {
	arrived := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	req := &http.Request{Method: "GET", Header: http.Header{}}
	header := http.Header{"Cache-Control": {"max-age=3600"}, "Etag": {`"v1"`}}

	ok, why := httpcache.Storable(req, http.StatusOK, header)
	fmt.Println(ok, why)

	stored := &resource.Exchange{Status: http.StatusOK, Header: header, Requested: arrived, Received: arrived}
	for _, later := range []time.Duration{5 * time.Minute, 2 * time.Hour} {
		e := httpcache.Evaluate(req, stored, arrived.Add(later))
		fmt.Println(e.Verdict, "-", e.Why)
	}
	fmt.Println(httpcache.ConditionalHeaders(stored))
	// Output:
	// true stored: the response says how long it is fresh (RFC 9111 section 3)
	// fresh - fresh for 1 h by max-age, now 5 min old (RFC 9111 section 4.2.1)
	// to be validated - stale for 1 h by max-age (RFC 9111 section 4.2)
	// map[If-None-Match:["v1"]]
}
