package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/peerproxy/peerproxy/document"
	"github.com/peerproxy/peerproxy/integrity"
	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

const (
	maxChecked   = 8 << 20  // bytes of a copy that is held in memory while it is checked
	maxUnpacked  = 32 << 20 // and of its content without Content-Encoding
	checksAtOnce = 4
)

var errOtherBytes = errors.New("proxy: not the bytes that were demanded")

// demands are what proven documents and the sites themselves have said of the bytes of resources.
// A copy that fits is resource.Content. The zero value is not ready.
type demands struct {
	notes integrity.Notes // of documents, by resource
	sites keyRing         // keys with which sites sign
	slots chan struct{}   // one for each copy that is being checked
}

func newDemands() *demands { return &demands{slots: make(chan struct{}, checksAtOnce)} }

// on are the demands that a copy has to meet one of: hashes and keys from documents, and keys that
// the site has used before. Those are only for what is not proven better.
func (d *demands) on(ex *resource.Exchange, p *Proxy) []integrity.Metadata {
	var list []integrity.Metadata
	noted := d.notes.Get(ex.ID())
	if to := byMediaType(contentTypeOf(ex.Header)); ex.Status == 200 && (to == toScript || to == toStyle) {
		for _, m := range noted {
			if m.Hashed() {
				list = append(list, m)
			}
		}
	}
	keys := d.sites.of(ex.URL)
	for _, m := range noted {
		for _, k := range m.Keys() {
			keys = append(keys, trust.Key(k))
		}
	}
	if len(keys) == 0 {
		return list
	}
	digest, _, err := trust.VerifyOrigin(ex, keys, p.cfg.Now())
	if err != nil {
		return list
	}
	if digest.SHA512 != nil {
		return append(list, integrity.OfSHA512([64]byte(digest.SHA512)))
	}
	return append(list, integrity.OfSHA256([32]byte(digest.SHA256)))
}

// proven raises a copy to resource.Content if its bytes are what a proven document or the site demands.
// It reads all of it then. One that nobody else vouches for and that was to have other bytes is refused.
func (p *Proxy) proven(ctx context.Context, c *resource.Copy) error {
	ex := c.Exchange
	if c.Tier >= resource.Content || ex.Body.Length > maxChecked {
		return nil
	}
	wanted := p.demands.on(ex, p)
	if len(wanted) == 0 {
		return nil
	}
	select {
	case p.demands.slots <- struct{}{}:
		defer func() { <-p.demands.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	body, err := holdBody(c.Body, ex.Body.Length)
	if err != nil {
		return err
	}
	c.Body = body
	switch {
	case meets(ex, body.bytes, wanted):
		c.Tier = resource.Content
	case weak(c.Tier):
		return &unfitError{"it has not the bytes that the page or the site demands"}
	}
	return nil
}

// heldBody is a body that has been read.
type heldBody struct {
	*bytes.Reader
	bytes []byte
}

// Close implements io.Closer.
func (heldBody) Close() error { return nil }

// holdBody reads a body of a known length, which it closes.
func holdBody(body io.ReadCloser, length int64) (*heldBody, error) {
	defer body.Close()
	var b bytes.Buffer // grows with what comes, not with what is said
	n, err := io.Copy(&b, io.LimitReader(body, length+1))
	if err == nil && n != length {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	return &heldBody{bytes.NewReader(b.Bytes()), b.Bytes()}, nil
}

// meets reports whether content, without its coding, is what one of the demands wants.
func meets(ex *resource.Exchange, content []byte, wanted []integrity.Metadata) bool {
	plain, err := document.Decode(ex.Header["Content-Encoding"], bytes.NewReader(content))
	if err != nil {
		return false
	}
	defer plain.Close()
	checks := make([]*integrity.Check, len(wanted))
	writers := make([]io.Writer, len(wanted))
	for i, m := range wanted {
		checks[i] = m.NewCheck()
		writers[i] = checks[i]
	}
	n, err := io.Copy(io.MultiWriter(writers...), io.LimitReader(plain, maxUnpacked+1))
	if err != nil || n > maxUnpacked {
		return false
	}
	for _, c := range checks {
		if c.OK() {
			return true
		}
	}
	return false
}
