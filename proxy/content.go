package proxy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/peerproxy/peerproxy/document"
	"github.com/peerproxy/peerproxy/integrity"
	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

const (
	maxChecked   = 8 << 20  // bytes of a copy that is held in memory while it is checked
	maxUnpacked  = 32 << 20 // and of its content without Content-Encoding
	maxHeldAll   = 64 << 20 // of all copies that are in memory for a check, until they are delivered or stored
	checksAtOnce = 4
	vouchedTime  = 24 * time.Hour // how long a check need not be made again
)

// demands are what proven documents and the sites themselves have said of the bytes of resources.
// A copy that fits is resource.Content: for everybody if its own site has said so, and else for the pages
// of that site which has. Any page can name a hash for any URL, so that no page's word counts for
// another site's pages.
type demands struct {
	notes   integrity.Notes // of documents, by their origin and resource: see noteKey
	sites   keyRing         // keys with which sites sign
	vouched *expiring       // what fits the notes of an origin: see vouchKey
	slots   chan struct{}   // one for each body that is being hashed
	memory  *semaphore.Weighted
}

func newDemands(now func() time.Time) *demands {
	return &demands{vouched: newExpiring(now), slots: make(chan struct{}, checksAtOnce), memory: semaphore.NewWeighted(maxHeldAll)}
}

// noteKey names what the documents of an origin demand of a resource.
func noteKey(origin string, id resource.ID) [32]byte {
	return sha256.Sum256(append([]byte(origin+"\x00"), id[:]...))
}

func vouchKey(origin string, ex *resource.Exchange) string {
	return origin + " " + ex.ID().String() + " " + ex.Body.Root.String()
}

// requester is the origin of the page that asks for a part, "" if it does not say (Fetch standard, sections
// 3.1 and 3.5). No page can say that it is another's.
func requester(r *http.Request) string {
	text := r.Header.Get("Origin")
	if text == "" {
		text = r.Header.Get("Referer")
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return ""
	}
	page, err := resource.FromURL(&url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"})
	if err != nil {
		return ""
	}
	return originName(page)
}

// vouching is the origin of the page whose word counts for an answer: that of the requester, for scripts and styles
// that are to be part of it. To other pages it may lead, or have them in a frame, but there what it has vouched for would
// act in the name of their site. "" = no page's word counts.
func vouching(r *request, ex *resource.Exchange) string {
	if to := destinationOf(r.in, contentTypeOf(ex.Header)); to != toStyle && (to != toScript || isWorker(r.in)) {
		return ""
	}
	return requester(r.in)
}

// isWorker reports whether a script is to run by itself, and not as a part of the page.
func isWorker(r *http.Request) bool {
	return r.Header["Service-Worker"] != nil || strings.Contains(r.Header.Get("Sec-Fetch-Dest"), "worker")
}

// hashes are the hashes that documents of an origin demand of a response, and those that the site has
// signed with one of the keys that it, or these documents, name.
func (d *demands) hashes(origin string, ex *resource.Exchange, now time.Time) (list []integrity.Metadata) {
	if to := byMediaType(contentTypeOf(ex.Header)); ex.Status != http.StatusOK || to == toProgram {
		return nil
	}
	var keys []trust.Key
	if origin == originName(ex.URL) {
		keys = d.sites.of(ex.URL)
	}
	for _, m := range d.notes.Get(noteKey(origin, ex.ID())) {
		// A note is about a script or a style: as another type it is not what it vouches for.
		if to := byMediaType(contentTypeOf(ex.Header)); to != toScript && to != toStyle {
			break
		}
		if m.Hashed() {
			list = append(list, m)
		}
		for _, k := range m.Keys() {
			keys = append(keys, trust.Key(k))
		}
	}
	if signed, ok := signedHash(ex, keys, now); ok {
		list = append(list, signed)
	}
	return list
}

// signedHash is what the site itself has signed of the bytes.
func signedHash(ex *resource.Exchange, keys []trust.Key, now time.Time) (m integrity.Metadata, ok bool) {
	if len(keys) == 0 {
		return m, false
	}
	digest, _, err := trust.VerifyOrigin(ex, keys, now)
	switch {
	case err != nil:
		return m, false
	case digest.SHA512 != nil:
		return integrity.OfSHA512([64]byte(digest.SHA512)), true
	}
	return integrity.OfSHA256([32]byte(digest.SHA256)), true
}

// proven raises a copy to resource.Content if its bytes are what its site demands, and notes if they are
// what the asking page does. It reads all of it then. One that nobody else vouches for and that was
// to have other bytes is refused.
func (p *Proxy) proven(ctx context.Context, r *request, c *resource.Copy) error {
	ex := c.Exchange
	if c.Tier >= resource.Content || ex.Body.Length > maxChecked {
		return nil
	}
	page := vouching(r, ex)
	bySite, byPage := p.demands.hashes(originName(ex.URL), ex, p.cfg.Now()), p.demands.hashes(page, ex, p.cfg.Now())
	if len(bySite)+len(byPage) == 0 {
		return nil
	}
	body, err := p.demands.hold(ctx, c)
	if err != nil {
		return err
	}
	right := p.demands.met(ctx, ex, bytes.NewReader(body.bytes), bySite)
	if right {
		c.Tier = resource.Content
	}
	if p.demands.met(ctx, ex, bytes.NewReader(body.bytes), byPage) {
		right = true
		p.demands.vouched.give(vouchKey(page, ex), vouchedTime)
	}
	if !right && weak(c.Tier) {
		return &unfitError{"it has not the bytes that the page or the site demands"}
	}
	return nil
}

// hold reads the body of a copy, which then is in memory until it is closed. When ctx ends it does,
// too: a peer may send as slowly as it likes.
func (d *demands) hold(ctx context.Context, c *resource.Copy) (*heldBody, error) {
	size := max(c.Exchange.Body.Length, 1)
	if d.memory.Acquire(ctx, size) != nil {
		return nil, context.Cause(ctx)
	}
	received := c.Body
	stop := context.AfterFunc(ctx, func() { _ = received.Close() })
	body, err := holdBody(received, c.Exchange.Body.Length)
	if !stop() && err != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		d.memory.Release(size)
		return nil, err
	}
	body.release = func() { d.memory.Release(size) }
	c.Body = body
	return body, nil
}

// met reports whether content is what one of the demands wants; not if ctx ends before it was its turn.
func (d *demands) met(ctx context.Context, ex *resource.Exchange, content io.Reader, wanted []integrity.Metadata) bool {
	if len(wanted) == 0 {
		return false
	}
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
		return meets(ex, content, wanted)
	case <-ctx.Done():
		return false
	}
}

// tierFor is what a response of a tier is worth to the page that asks for it.
func (p *Proxy) tierFor(r *request, ex *resource.Exchange, tier resource.Tier) resource.Tier {
	if weak(tier) && p.demands.vouched.given(vouchKey(vouching(r, ex), ex)) {
		return resource.Content
	}
	return tier
}

// storedTier is like tierFor, for a stored response. It looks at the body if that has not been done yet.
func (p *Proxy) storedTier(r *request, st *resource.Stored) resource.Tier {
	ex := st.Exchange
	tier := p.tierFor(r, ex, p.tierOf(st))
	if !weak(tier) || ex.Body.Length > maxChecked {
		return tier
	}
	page := vouching(r, ex)
	if page == "" {
		return tier
	}
	wanted := p.demands.hashes(page, ex, p.cfg.Now())
	if len(wanted) == 0 {
		return tier
	}
	body, err := p.cfg.Store.OpenBody(st)
	if err != nil {
		return tier // which shows again when it is to be delivered
	}
	defer body.Close()
	if !p.demands.met(r.in.Context(), ex, io.NewSectionReader(body, 0, body.Size()), wanted) {
		return tier
	}
	p.demands.vouched.give(vouchKey(page, ex), vouchedTime)
	return resource.Content
}

// heldBody is a body that has been read. It is safe for concurrent use.
type heldBody struct {
	release func() // nil = nobody counts what is held

	mu     sync.Mutex
	bytes  []byte
	at     int
	closed bool
}

// Read implements io.Reader.
func (b *heldBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return 0, io.ErrClosedPipe
	case b.at == len(b.bytes):
		return 0, io.EOF
	}
	n := copy(p, b.bytes[b.at:])
	b.at += n
	return n, nil
}

// Close implements io.Closer.
func (b *heldBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.release != nil {
		b.release()
	}
	b.release, b.bytes, b.closed = nil, nil, true
	return nil
}

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
	return &heldBody{bytes: b.Bytes()}, nil
}

// meets reports whether content, without its coding, is what one of the demands wants.
func meets(ex *resource.Exchange, content io.Reader, wanted []integrity.Metadata) bool {
	plain, err := document.Decode(ex.Header["Content-Encoding"], content)
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
	return slices.ContainsFunc(checks, (*integrity.Check).OK)
}
