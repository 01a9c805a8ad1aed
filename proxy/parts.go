package proxy

import (
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/resource"
)

// layout is what the content of an answer consists of: all of a body, a range of it, or
// several in the parts of a multipart response (RFC 9110 section 14).
type layout struct {
	status       int
	contentRange string // "" = no such field
	contentType  string // of a multipart response, "" = the stored one
	length       int64  // of the content, -1 = unknown
	verbatim     bool   // what an origin says about its parts is left as it is
	pieces       []piece
}

// piece is a text, followed by bytes of the stored body.
type piece struct {
	text string
	span httpcache.Span // within the body as it is stored
}

// layOut decides how an exchange answers a request. It is not ok if the exchange is a
// part without all that is asked for.
func layOut(r *http.Request, ex *resource.Exchange) (l layout, ok bool) {
	if r.Method != http.MethodGet || r.Header["Range"] == nil && ex.Status != http.StatusPartialContent {
		return wholeLayout(ex), r.Method == http.MethodGet || ex.Status != http.StatusPartialContent
	}
	choice := httpcache.ChooseRanges(r.Header, ex)
	switch choice.Status {
	case httpcache.RangePartial:
		return partialLayout(ex, choice), true
	case httpcache.RangeUnsatisfiable:
		return layout{status: http.StatusRequestedRangeNotSatisfiable, contentRange: httpcache.ContentRange{Complete: choice.Complete}.String()}, true
	}
	return wholeLayout(ex), choice.Status == httpcache.RangeWhole
}

// rangesFor is a request with the ranges that a response of a tier may be cut into. A client joins a part to what
// it has by the validator in If-Range, which in a copy may be made up.
func rangesFor(r *http.Request, tier resource.Tier) *http.Request {
	if !bareFields(tier) || r.Header["Range"] == nil || r.Header["If-Range"] == nil {
		return r
	}
	whole := *r
	whole.Header = r.Header.Clone()
	delete(whole.Header, "Range")
	return &whole
}

func wholeLayout(ex *resource.Exchange) layout {
	return layout{status: ex.Status, length: ex.Body.Length, pieces: []piece{{span: httpcache.Span{Length: ex.Body.Length}}}}
}

func partialLayout(ex *resource.Exchange, c httpcache.Choice) layout {
	l := layout{status: http.StatusPartialContent}
	if len(c.Spans) == 1 {
		s := c.Spans[0]
		l.contentRange, l.length = httpcache.ContentRange{Span: s, Complete: c.Complete}.String(), s.Length
		s.Offset -= c.Base
		l.pieces = []piece{{span: s}}
		return l
	}
	// Nobody who makes a body can know the boundary, so that it does not occur in there.
	multi, ok := httpcache.NewMultipart(c.Spans, c.Complete, ex.Header.Get("Content-Type"), rand.Text())
	if !ok {
		return wholeLayout(ex)
	}
	l.contentType, l.length = multi.ContentType, multi.Length
	for _, part := range multi.Parts {
		part.Span.Offset -= c.Base
		l.pieces = append(l.pieces, piece{part.Head, part.Span})
	}
	l.pieces = append(l.pieces, piece{text: multi.End})
	return l
}

// writeHeader sends the header, which bears the fields of the stored response already.
func (l layout) writeHeader(w http.ResponseWriter) {
	h := w.Header()
	switch {
	case l.verbatim:
	case l.contentType != "": // each part has its own Content-Range
		h["Content-Type"] = []string{l.contentType}
		delete(h, "Content-Range")
	case l.contentRange != "":
		h["Content-Range"] = []string{l.contentRange}
		if l.status == http.StatusRequestedRangeNotSatisfiable { // nothing of the stored content is sent
			delete(h, "Content-Encoding")
			h["Content-Type"] = nil
		}
	}
	if hasContent(l.status) && l.length >= 0 {
		h["Content-Length"] = []string{strconv.FormatInt(l.length, 10)}
	}
	w.WriteHeader(l.status)
}

// write sends the content from a stored body. The first bytes are read before anything is
// written, so that a body that is lost or damaged is noticed in time for another way: then it
// returns false.
func (p *Proxy) write(w http.ResponseWriter, l layout, body io.ReaderAt, notes *noteTaker, describe func()) bool {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	out := pieceWriter{w: w, notes: notes, body: body, buf: *buf, deadline: p.deadline(w), left: l.length}
	out.begin = func() {
		describe()
		l.writeHeader(w)
	}
	for _, piece := range l.pieces {
		if err := out.write(piece); err != nil {
			return p.brokenOff(err, out.begin == nil)
		}
	}
	out.start()
	notes.complete()
	return true
}

// brokenOff is the end of an answer that could not be written to its end.
func (p *Proxy) brokenOff(err error, begun bool) bool {
	if errors.Is(err, errClientGone) {
		return true
	}
	p.log.Warn("stored response not readable", "err", err)
	if begun {
		panic(http.ErrAbortHandler) // the client must notice that this is not all
	}
	return false
}

// errClientGone says that nobody reads the answer any more.
var errClientGone = errors.New("proxy: client has gone")

// pieceWriter writes pieces one after the other.
type pieceWriter struct {
	w        http.ResponseWriter
	notes    *noteTaker
	body     io.ReaderAt
	buf      []byte
	begin    func() // sends the header; nil once that is done
	deadline func()
	left     int64 // bytes of the content that have not been written
}

func (o *pieceWriter) start() {
	if o.begin != nil {
		o.begin()
		o.begin = nil
	}
}

func (o *pieceWriter) write(p piece) error {
	text := p.text
	for at := p.span.Offset; at < p.span.End() || text != ""; text = "" {
		n := copy(o.buf, text)
		read, err := readFull(o.body, o.buf[n:], at, p.span.End())
		if err != nil {
			return err
		}
		if err := o.send(o.buf[:n+read]); err != nil {
			return err
		}
		at += int64(read)
	}
	return nil
}

func (o *pieceWriter) send(b []byte) error {
	o.start()
	if o.left -= int64(len(b)); o.left > 0 {
		o.deadline()
	}
	if _, err := o.w.Write(b); err != nil {
		return errClientGone
	}
	o.notes.take(b)
	return nil
}

// readFull reads as much of [offset, end) as fits.
func readFull(body io.ReaderAt, buf []byte, offset, end int64) (int, error) {
	buf = buf[:min(int64(len(buf)), end-offset)]
	if len(buf) == 0 {
		return 0, nil
	}
	n, err := body.ReadAt(buf, offset)
	if n == len(buf) {
		return n, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
