package proxy

import (
	"context"
	"net/http"
	"time"

	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/resource"
)

// invalidateTime bounds the removal of what a request has made outdated.
const invalidateTime = 3 * time.Second

// invalidate removes what a successful unsafe request has outdated (RFC 9111 section
// 4.4). It is done before the client hears of the success, so that what it asks for
// next is not the old page.
func (p *Proxy) invalidate(r *http.Request, response *http.Response) {
	if p.cfg.Store == nil {
		return
	}
	target, err := resource.FromURL(r.URL)
	if err != nil {
		return // nothing can be stored under it
	}
	// Whether the client waits for its answer does not matter to others.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), invalidateTime)
	defer cancel()
	for _, u := range httpcache.Invalidates(r.Method, response.StatusCode, target, response.Header) {
		id := resource.NewID(http.MethodGet, u)
		p.flights.outdate(id)
		p.rechecks.outdate(id)
		if err := p.cfg.Store.Delete(ctx, id); err != nil {
			p.log.Warn("what a request has made outdated could not be removed", "error", err)
		}
	}
}
