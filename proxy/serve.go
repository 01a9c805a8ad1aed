package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/resource"
)

// notModifiedFields are what a 304 repeats of the stored response (RFC 9110 section 15.4.5).
var notModifiedFields = []string{"Cache-Control", "Content-Location", "Date", "Etag", "Expires", "Last-Modified", "Vary"}

// part is the piece of a stored body that an answer consists of.
type part struct {
	status         int
	offset, length int64
}

// serveStored answers from the store. It returns false, with nothing written, if the
// stored body can't be read.
func (p *Proxy) serveStored(w http.ResponseWriter, r *request, st *resource.Stored, cs cacheStatus, ps proxyStatus) bool {
	ex := st.Exchange
	if st.Tier != resource.Origin {
		if ps.details != "" {
			ps.details += "; "
		}
		ps.details += tierWords(st.Tier)
	}
	if modifiable(ex.Status) && httpcache.NotModified(r.in.Header, ex) {
		p.describe(w.Header(), ex, notModifiedFields, "1.1", cs, ps)
		w.WriteHeader(http.StatusNotModified)
		return true
	}
	piece := choose(r, ex)
	if r.in.Method == http.MethodHead || piece.length == 0 {
		p.describe(w.Header(), ex, nil, "1.1", cs, ps)
		writePartHeader(w, ex, piece)
		return true
	}
	body, err := p.cfg.Store.OpenBody(st)
	if err != nil {
		p.log.Warn("stored response not readable", "err", err)
		return false
	}
	defer body.Close()
	return p.servePart(w, ex, body, piece, func() { p.describe(w.Header(), ex, nil, "1.1", cs, ps) })
}

func modifiable(status int) bool { return status == http.StatusOK }

// choose picks the part that is asked for: the whole, or one range of a whole
// 200 response (RFC 9110 section 14.2).
func choose(r *request, ex *resource.Exchange) part {
	whole := part{ex.Status, 0, ex.Body.Length}
	if r.in.Header["Range"] == nil || r.in.Method != http.MethodGet || ex.Status != http.StatusOK {
		return whole
	}
	offset, length, status := httpcache.Range(r.in.Header, ex)
	switch status {
	case httpcache.RangePartial:
		return part{http.StatusPartialContent, offset, length}
	case httpcache.RangeUnsatisfiable:
		return part{http.StatusRequestedRangeNotSatisfiable, 0, 0}
	}
	return whole
}

// servePart reads the first bytes before anything is written, so that a body that
// is lost or damaged is noticed in time for another way.
func (p *Proxy) servePart(w http.ResponseWriter, ex *resource.Exchange, body Body, piece part, describe func()) bool {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	end := piece.offset + piece.length
	n, err := readFull(body, *buf, piece.offset, end)
	if err != nil {
		p.log.Warn("stored response not readable", "err", err)
		return false
	}
	describe()
	writePartHeader(w, ex, piece)
	deadline := p.deadline(w)
	for at := piece.offset; ; {
		if end-at > int64(n) {
			deadline()
		}
		if _, err := w.Write((*buf)[:n]); err != nil {
			return true // the client has gone
		}
		if at += int64(n); at == end {
			return true
		}
		if n, err = readFull(body, *buf, at, end); err != nil {
			p.log.Warn("stored response not readable", "err", err)
			panic(http.ErrAbortHandler) // the client must notice that this is not all
		}
	}
}

// readFull reads as much of [offset, end) as fits.
func readFull(body io.ReaderAt, buf []byte, offset, end int64) (int, error) {
	buf = buf[:min(int64(len(buf)), end-offset)]
	n, err := body.ReadAt(buf, offset)
	if n == len(buf) {
		return n, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func writePartHeader(w http.ResponseWriter, ex *resource.Exchange, piece part) {
	h := w.Header()
	length := piece.length
	switch piece.status {
	case http.StatusPartialContent:
		h["Content-Range"] = []string{"bytes " + strconv.FormatInt(piece.offset, 10) + "-" +
			strconv.FormatInt(piece.offset+length-1, 10) + "/" + strconv.FormatInt(ex.Body.Length, 10)}
	case http.StatusRequestedRangeNotSatisfiable:
		h["Content-Range"] = []string{"bytes */" + strconv.FormatInt(ex.Body.Length, 10)}
		delete(h, "Content-Encoding")
		h["Content-Type"] = nil
	}
	if hasContent(piece.status) {
		h["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	}
	w.WriteHeader(piece.status)
}

// hasContent reports whether responses with the status have content, be it empty
// (RFC 9110 section 6.4.1).
func hasContent(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// describe writes the header of an answer that is made from an exchange: the fields
// given by name (nil = all of it), Age, Via, Cache-Status and Proxy-Status. Lines
// are shared with the exchange, never changed.
func (p *Proxy) describe(h http.Header, ex *resource.Exchange, only []string, proto string, cs cacheStatus, ps proxyStatus) {
	if only == nil {
		for name, lines := range ex.Header {
			h[name] = lines[:len(lines):len(lines)]
		}
		delete(h, "Content-Length")
		if h["Content-Type"] == nil {
			h["Content-Type"] = nil // keeps net/http from guessing one
		}
	}
	for _, name := range only {
		if lines := ex.Header[name]; lines != nil {
			h[name] = lines
		}
	}
	now := p.cfg.Now()
	if h["Date"] == nil { // RFC 9110 section 6.6.1: the recipient adds the time of receipt
		h["Date"] = []string{ex.Received.UTC().Format(http.TimeFormat)}
	}
	if age := httpcache.Age(ex, now); cs.fwd == "" || age >= time.Second {
		h["Age"] = []string{strconv.FormatInt(int64(age/time.Second), 10)}
	}
	p.label(h, ex.Header, proto, cs, ps)
}

// label adds what an intermediary has to say about itself. Earlier ones keep theirs.
func (p *Proxy) label(h, from http.Header, proto string, cs cacheStatus, ps proxyStatus) {
	if proto == "1.1" && ps == (proxyStatus{}) && from["Via"] == nil && from["Proxy-Status"] == nil {
		h["Via"], h["Proxy-Status"] = p.names.viaLines, p.names.plainLines // the hot path
	} else {
		h["Via"] = plus(from["Via"], proto+" "+p.names.pseudonym)
		h["Proxy-Status"] = plus(from["Proxy-Status"], p.names.proxyStatus(ps))
	}
	h["Cache-Status"] = plus(from["Cache-Status"], p.names.cacheStatus(cs))
}

func plus(lines []string, line string) []string {
	return append(lines[:len(lines):len(lines)], line)
}

// stream delivers what a flight is receiving. It reports whether the client is
// satisfied with the header alone.
func (p *Proxy) stream(w http.ResponseWriter, x *fetch, s seat, cs cacheStatus) (satisfied bool) {
	out := &s.outcome
	ex, h := out.exchange, w.Header()
	cs.stored = out.storing
	ps := proxyStatus{received: out.status}
	if out.tier != resource.Origin {
		cs.detail, cs.fwdStatus = "peer", 0
		ps = proxyStatus{details: tierWords(out.tier)}
	}
	if modifiable(ex.Status) && x.whole && httpcache.NotModified(x.in.Header, ex) {
		p.describe(h, ex, notModifiedFields, out.proto, cs, ps)
		w.WriteHeader(http.StatusNotModified)
		return true
	}
	p.describe(h, ex, nil, out.proto, cs, ps)
	if out.length >= 0 && hasContent(ex.Status) {
		h["Content-Length"] = []string{strconv.FormatInt(out.length, 10)}
	}
	if out.length < 0 {
		announceTrailer(h, out.announced)
	}
	w.WriteHeader(ex.Status)
	if x.in.Method == http.MethodHead || !hasContent(ex.Status) {
		return true
	}
	if err := p.pour(x.in.Context(), w, s.reader); err != nil {
		panic(http.ErrAbortHandler) // the client must notice that this is not all
	}
	if out.length < 0 {
		writeTrailer(h, out.trailer, out.announced)
	}
	return false
}

// pour copies a reader's body to a client until the end of the body. What has come
// is flushed before it waits for more.
func (p *Proxy) pour(ctx context.Context, w http.ResponseWriter, rd *reader) error {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	control, deadline := http.NewResponseController(w), p.deadline(w)
	for {
		if !rd.ready() {
			if err := flush(control); err != nil {
				return err
			}
		}
		n, err := rd.read(ctx, *buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		deadline()
		if _, err := w.Write((*buf)[:n]); err != nil {
			return err
		}
	}
}

// flush sends what is buffered. Writers that can't be flushed have no client that
// waits.
func flush(control *http.ResponseController) error {
	if err := control.Flush(); !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// deadline returns a function that gives the client some time for the next write.
// net/http takes the deadline off again after the response.
func (p *Proxy) deadline(w http.ResponseWriter) func() {
	control := http.NewResponseController(w)
	return func() {
		// Writers without deadlines (recorders in tests) do not block either.
		_ = control.SetWriteDeadline(time.Now().Add(p.cfg.Idle))
	}
}
