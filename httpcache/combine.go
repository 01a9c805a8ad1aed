package httpcache

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// noYear is where a date's century does not matter, since two dates are read alike.
var noYear = time.Unix(0, 0).UTC()

// Piece is a run of bytes for a combined body: Length bytes from Offset on, counted within the
// received body or else within the stored one.
type Piece struct {
	Received       bool
	Offset, Length int64
}

// Combination is what becomes of two parts: the exchange, in which only root and digest of the
// body are left to the caller, and the pieces of the body in order.
type Combination struct {
	Exchange *resource.Exchange
	Pieces   []Piece
}

// Combine joins a part that has been received (206, with Body.Length set and hop-by-hop fields
// removed) with what is stored of the same representation (RFC 9110 section 15.3.7.3, RFC 9111
// section 3.4). Both must have the same strong validator, agree on the length of the whole, and
// overlap or touch. The result has status 200 if it is all, else 206. Its fields are those of
// the stored response, updated by the received ones. It has no signatures.
func Combine(stored, received *resource.Exchange) (c Combination, ok bool, why Reason) {
	const section = "RFC 9110 section 15.3.7.3"
	old, okOld := PartOf(stored)
	got, okGot := PartOf(received)
	complete := max(old.Complete, got.Complete)
	union := Span{min(old.Span.Offset, got.Span.Offset), 0}
	union.Length = max(old.Span.End(), got.Span.End()) - union.Offset
	text := ""
	switch {
	case !okOld || !okGot || received.Status != http.StatusPartialContent || isMultipart(received.Header):
		text = "not two parts"
	case !strongly(stored.Header, received.Header):
		text = "no strong validator says that both are of the same representation"
	case old.Complete >= 0 && got.Complete >= 0 && old.Complete != got.Complete, complete >= 0 && union.End() > complete:
		text = "the parts disagree about the length of the whole"
	case union.Length > old.Span.Length+got.Span.Length:
		text = "there is a gap between the parts"
	default:
		c = Combination{combined(stored, received, ContentRange{union, complete}), pieces(old.Span, got.Span)}
		return c, true, Reason{"combined with the stored part", section}
	}
	return c, false, Reason{"not combined: " + text, section}
}

func combined(stored, received *resource.Exchange, held ContentRange) *resource.Exchange {
	ex := Freshen(stored, received.Header, received.Requested, received.Received)
	ex.InitialAge = received.InitialAge
	ex = asPart(ex, held)
	if whole, ok := WholePart(ex); ok {
		return whole
	}
	return ex
}

// pieces are the bytes of the union in order. Where both have the same ones, the received
// are taken.
func pieces(old, got Span) []Piece {
	var p []Piece
	if before := got.Offset - old.Offset; before > 0 {
		p = append(p, Piece{false, 0, before})
	}
	p = append(p, Piece{true, 0, got.Length})
	if after := old.End() - got.End(); after > 0 {
		p = append(p, Piece{false, old.Length - after, after})
	}
	return p
}

// Completion are the fields that ask the origin for what is missing of a stored part to answer
// a GET request with these fields (RFC 9111 section 3.4): Range, and If-Range with the strong
// validator. They replace the client's own. A 206 that comes back goes through [Combine]; a 200
// replaces what is stored; on a 416 the request has to be repeated without them. It is not ok
// if the part has no strong validator, or if what is missing is not one range next to it:
// then the request goes to the origin as the client sent it.
func Completion(reqHeader http.Header, ex *resource.Exchange) (fields http.Header, ok bool, why Reason) {
	const section = "RFC 9111 section 3.4"
	held, isPart := PartOf(ex)
	validator := StrongValidator(ex)
	if !isPart || ex.Status != http.StatusPartialContent || validator == "" {
		return nil, false, Reason{"not to be completed: no strong validator", section}
	}
	wanted, ok := wantedSpan(reqHeader, ex, held)
	if !ok {
		return nil, false, Reason{"not to be completed: other bytes are asked for", section}
	}
	var set Spans
	set.Add(held.Span)
	missing := set.Missing(wanted)
	if len(missing) != 1 || missing[0].End() != held.Span.Offset && missing[0].Offset != held.Span.End() {
		return nil, false, Reason{"not to be completed: what is missing is not next to what is stored", section}
	}
	fields = http.Header{"Range": {rangeOf(missing[0], held.Complete)}, "If-Range": {validator}}
	return fields, true, Reason{"the missing bytes are asked for", section}
}

// wantedSpan is the one span that a request asks for, the whole included.
func wantedSpan(reqHeader http.Header, ex *resource.Exchange, held ContentRange) (Span, bool) {
	size := held.Complete
	if size < 0 {
		size = math.MaxInt64 // as far as it goes
	}
	specs, _ := wantedRanges(reqHeader, ex)
	switch {
	case specs == nil:
		return Span{0, size}, true
	case len(specs) > 1 || specs[0].suffix() && held.Complete < 0:
		return Span{}, false
	}
	return specs[0].Of(size)
}

// rangeOf is the value of a Range field for one span.
func rangeOf(s Span, complete int64) string {
	b := strconv.AppendInt([]byte("bytes="), s.Offset, 10)
	b = append(b, '-')
	if end := s.End(); end != complete && end != math.MaxInt64 {
		b = strconv.AppendInt(b, end-1, 10)
	}
	return string(b)
}
