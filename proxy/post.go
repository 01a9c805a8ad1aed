package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// posted is the response to a POST that is stored as the one to GET while the client gets it
// (RFC 9110 section 9.3.3). It stands in place of the response's body.
type posted struct {
	io.ReadCloser // the body

	w      Writer
	ex     *resource.Exchange // all but its body
	cookie bool
	length int64 // that the body should have, -1 = unknown
	size   int64 // that it has so far
	failed error // of the store
	whole  bool  // its end has come
}

// keepPosted makes a response to POST be stored if it is to be; else it returns nil. Closing
// it is the caller's part. Requested is when the request was sent.
func (p *Proxy) keepPosted(r *http.Request, sent http.Header, response *http.Response, requested time.Time) *posted {
	if p.cfg.Store == nil || r.Method != http.MethodPost || sourceOf(r.Context()) != SourceAny {
		return nil
	}
	target, err := resource.FromURL(r.URL)
	if err != nil || hasDotSegment(r.URL.Path) {
		return nil
	}
	ok, why := p.cfg.Policy.StorablePost(r, target, response.StatusCode, response.Header)
	f := &fetch{request: &request{in: r, url: target, id: resource.NewID(http.MethodGet, target), source: SourceAny}, fields: sent}
	a := &answer{response: response, requested: requested, received: p.cfg.Now()}
	if ok {
		ok, why = p.storableHere(f, a, why)
	}
	p.log.Debug("response to POST", "storable", ok, "why", why.Text, "url", target.String())
	if !ok || endUncertain(response) || !p.takes(response.ContentLength) {
		return nil
	}
	w := p.create()
	if w == nil {
		return nil
	}
	ex := exchangeOf(f, a)
	ex.Header = ex.Header.Clone() // the client's answer is made of the other
	endToEnd(ex.Header)
	return &posted{ReadCloser: response.Body, w: w, ex: ex, cookie: hasCookie(f), length: response.ContentLength}
}

// Read implements io.Reader.
func (k *posted) Read(b []byte) (int, error) {
	n, err := k.ReadCloser.Read(b)
	if n > 0 && k.failed == nil {
		k.size += int64(n)
		_, k.failed = k.w.Write(b[:n])
	}
	k.whole = errors.Is(err, io.EOF)
	return n, err
}

// Close implements io.Closer. What was not committed is dropped.
func (k *posted) Close() error { return errors.Join(k.ReadCloser.Close(), k.w.Abort()) }

// commitPosted stores the response if all of it has come. It is never shared: the content of
// the POST may be anything.
func (p *Proxy) commitPosted(ctx context.Context, k *posted) {
	if !k.whole || k.failed != nil || k.length >= 0 && k.size != k.length {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), invalidateTime)
	defer cancel()
	k.ex.Body = k.w.Body()
	err := p.sign(k.ex)
	if err == nil {
		err = p.put(ctx, k.w, &resource.Stored{Exchange: k.ex, Tier: resource.Origin, StoredAt: p.cfg.Now(), WithCookie: k.cookie})
	}
	if err != nil {
		p.notStored(err, k.ex.URL.String())
	}
}
