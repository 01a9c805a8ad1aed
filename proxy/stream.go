package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// stream delivers what a flight is receiving. It reports whether the client is
// satisfied with less than all; it is not done, with nothing written, if what comes does not
// have all that is asked for.
func (p *Proxy) stream(w http.ResponseWriter, x *fetch, s seat, cs cacheStatus) (satisfied, done bool) {
	out := &s.outcome
	ex := out.exchange
	cs.stored = out.storing
	ps := proxyStatus{received: out.status}
	if out.tier != resource.Origin {
		cs.detail, cs.fwdStatus = "peer", 0
		ps = proxyStatus{details: tierWords(p.tierFor(x.request, ex, out.tier))}
	}
	r := x.answered(s)
	src := provenance{exchange: ex, tier: p.tierFor(r, ex, out.tier), witnesses: out.witnesses, witnessed: out.witnessed, newer: out.newer}
	d := p.delivery(r, src)
	if p.keepBack(w, r, src, d, cs, ps) {
		return true, true
	}
	if !d.banner && p.precondition(w, r, src, d, out.proto, cs, ps) {
		return true, true
	}
	cut, ok := x.cut(out)
	if !ok {
		return false, false
	}
	hasBody := x.in.Method != http.MethodHead && hasContent(cut.status)
	if hasBody && out.length != 0 {
		if err := s.reader.first(x.in.Context()); err != nil { // while the client can still be told
			return false, p.deliverNothing(w, x, out, cs, err)
		}
	}
	describe := func() {
		p.describe(w.Header(), src.seen(), nil, out.proto, cs, ps)
		if !s.first && x.in.Header["Cookie"] != nil {
			delete(w.Header(), "Set-Cookie") // it is the first client's
		}
		p.dress(w.Header(), r, src, d)
	}
	if d.banner && hasBody {
		if served, ok := p.writeBannered(w, r, src, d, s.reader.in(x.in.Context()), describe); ok {
			if !served {
				return false, p.deliverNothing(w, x, out, cs, io.ErrUnexpectedEOF)
			}
			return true, true
		}
	}
	describe()
	if d.banner && !hasBody && p.mayInsert(r, src) {
		cut.length = -1 // as it would be with the banner
	}
	if out.length >= 0 {
		cut.writeHeader(w)
	} else {
		announceTrailer(w.Header(), x.in, out.announced)
		w.WriteHeader(ex.Status)
	}
	if hasBody {
		p.streamBody(w, x, s, src, cut)
	}
	return true, true
}

// streamBody delivers the content, and the trailer fields if its length was not known before.
func (p *Proxy) streamBody(w http.ResponseWriter, x *fetch, s seat, src provenance, cut layout) {
	out := &s.outcome
	var notes *noteTaker
	if cut.status == http.StatusOK {
		notes = p.takeNotes(src, src.exchange.Header["Content-Encoding"])
	}
	err := p.pour(x.in.Context(), w, s.reader, cut, out.length, notes)
	if err == nil {
		notes.complete()
	}
	notes.close()
	if err != nil {
		panic(http.ErrAbortHandler) // the client must notice that this is not all
	}
	if out.length < 0 {
		writeTrailer(w.Header(), out.trailer, out.announced)
	}
}

// cut is the layout of an answer from a body that is being received: all of it, or one range.
// Several are not cut out of it, which RFC 9110 section 14.2 leaves to the server. What the
// origin says to a client's own Range is passed on as it is.
func (x *fetch) cut(out *outcome) (l layout, ok bool) {
	ex := *out.exchange
	ex.Body.Length = max(out.length, 0)
	if !out.verbatim && out.length >= 0 {
		if l, ok = layOut(rangesFor(x.in, out.tier), &ex); !ok || len(l.pieces) < 2 {
			return l, ok
		}
	}
	l = wholeLayout(&ex)
	l.verbatim = true
	return l, true
}

// pour copies a reader's body, or a piece of it, to a client. What has come is flushed before
// it waits for more. A piece at the end of the body is read to the body's end, so that it is
// known to be whole.
func (p *Proxy) pour(ctx context.Context, w http.ResponseWriter, rd *reader, l layout, length int64, notes *noteTaker) error {
	left := int64(-1)
	if length >= 0 {
		if len(l.pieces) == 0 {
			return nil // 416
		}
		span := l.pieces[0].span
		if rd.skip(span.Offset); span.End() < length {
			left = span.Length
		}
	}
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	control, deadline := http.NewResponseController(w), p.deadline(w)
	for left != 0 {
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
			_ = flush(control) // the client gets what has come
			return err
		}
		if left > 0 {
			n = int(min(int64(n), left))
			left -= int64(n)
		}
		deadline()
		if _, err := w.Write((*buf)[:n]); err != nil {
			return err
		}
		notes.take((*buf)[:n])
	}
	return nil
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
