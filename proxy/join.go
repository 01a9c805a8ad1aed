package proxy

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/resource"
)

// joint is a response that consists of what an origin sent and of what is stored: a part that
// was completed (RFC 9111 section 3.4), or a variant that the origin has chosen for a request
// for which it was not stored (section 4.3.4).
type joint struct {
	stored *resource.Stored // whose body the bytes are of that were not received
	httpcache.Combination
}

// join finds out what the origin's answer means for what is stored. It returns false if it
// fits nothing of that, so that the origin has to be asked anew.
func (p *Proxy) join(f *fetch, a *answer) bool {
	switch a.response.StatusCode {
	case http.StatusNotModified:
		return len(f.asked) == 0 || p.chosen(f, a)
	case http.StatusPartialContent:
		return !f.fills || p.completed(f, a)
	case http.StatusRequestedRangeNotSatisfiable:
		return !f.fills
	}
	return true
}

// chosen is join for a 304. What it confirms of the variant that the request selects needs
// no joint: its body stays where it is, unless the 304 has changed what the variant is selected by.
func (p *Proxy) chosen(f *fetch, a *answer) bool {
	about, why := httpcache.Updated(exchangesOf(f.asked), a.response.Header)
	p.tell(f.request, "validated", why)
	if len(about) == 0 {
		return false
	}
	ex, ok := httpcache.FreshenAs(f.in.Header, about[0], a.response.Header, a.requested, a.received)
	if f.known != nil && (!ok || !revaries(f.known.Exchange, a.response.Header) || maps.EqualFunc(ex.Selecting, about[0].Selecting, slices.Equal)) {
		return true
	}
	if !ok {
		return false
	}
	for _, st := range f.asked {
		if st.Exchange == about[0] {
			whole := httpcache.Piece{Length: ex.Body.Length}
			a.joined = &joint{st, httpcache.Combination{Exchange: ex, Pieces: []httpcache.Piece{whole}}}
		}
	}
	return true
}

// completed is join for a part that was asked for to complete a stored one.
func (p *Proxy) completed(f *fetch, a *answer) bool {
	c, ok, why := httpcache.Combine(f.known.Exchange, p.partOf(f, a))
	p.tell(f.request, "parts", why)
	if ok {
		a.joined = &joint{f.known, c}
	}
	return ok
}

// partOf is the exchange of a 206 whose body has still to come.
func (p *Proxy) partOf(f *fetch, a *answer) *resource.Exchange {
	ex := exchangeOf(f, a)
	ex.Header = ex.Header.Clone()
	endToEnd(ex.Header)
	if ex.Body.Length = a.response.ContentLength; ex.Body.Length < 0 {
		held, _ := httpcache.ParseContentRange(ex.Header)
		ex.Body.Length = held.Span.Length
	}
	return ex
}

// open is the body of a joint, and its length. It closes received in the end.
func (p *Proxy) open(j *joint, received io.ReadCloser) (io.ReadCloser, error) {
	stored, err := p.cfg.Store.OpenBody(j.stored)
	if err != nil {
		return nil, fmt.Errorf("open the stored part: %w", err)
	}
	readers := make([]io.Reader, len(j.Pieces))
	for i, piece := range j.Pieces {
		readers[i] = io.NewSectionReader(stored, piece.Offset, piece.Length)
		if piece.Received {
			readers[i] = &exactly{received, piece.Length}
		}
	}
	return &joinedBody{io.MultiReader(readers...), received, stored}, nil
}

func (j *joint) length() (n int64) {
	for _, piece := range j.Pieces {
		n += piece.Length
	}
	return n
}

// joinedBody closes what a joint is read from.
type joinedBody struct {
	io.Reader
	received, stored io.Closer
}

// Close implements io.Closer.
func (b *joinedBody) Close() error { return errors.Join(b.received.Close(), b.stored.Close()) }

// exactly reads a number of bytes, and no end before them: what follows would be at the
// wrong place.
type exactly struct {
	io.Reader
	left int64
}

// Read implements io.Reader.
func (e *exactly) Read(b []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n, err := e.Reader.Read(b[:min(int64(len(b)), e.left)])
	if e.left -= int64(n); e.left > 0 && errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
