package httpcache

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/peerproxy/peerproxy/resource"
)

// partOverhead is about what a part of a multipart response takes beside its bytes (RFC 9110
// section 15.3.7.2). A gap that is no longer is sent along rather than left out.
const partOverhead = 80

// manyRanges is from how many ranges on they have to be asked for in ascending order.
const manyRanges = 8

// Choice is which bytes of a stored response answer a request.
type Choice struct {
	Status RangeStatus
	// Spans are the positions in the representation, in the order in which they are to be sent.
	// With RangeWhole there is one, of no length if the body is empty; with RangePartial one,
	// or several for a multipart response (see [NewMultipart]), none of which overlap; else none.
	Spans []Span
	// Base is the position of the first byte of the stored body: byte p of the representation
	// is byte p-Base of it. It is 0 unless a part is stored.
	Base int64
	// Complete is the length of the whole representation, -1 if it is not known.
	Complete int64
	Why      Reason
}

// ChooseRanges decides which bytes of a stored response answer a GET request (RFC 9110 section
// 14.2, RFC 9111 section 3.4). The response may be a whole one or a part (206) as
// [StorablePart] and [Combine] make it. Preconditions come first: see [Preconditions].
func ChooseRanges(reqHeader http.Header, ex *resource.Exchange) Choice {
	held, ok := PartOf(ex)
	switch {
	case !ok && ex.Status == http.StatusPartialContent:
		return Choice{Complete: -1}.missing("nobody knows which bytes are stored")
	case !ok:
		return wholeOf(ex, Reason{"the whole response: there are no parts of it", "RFC 9110 section 14.2"})
	}
	c := Choice{Base: held.Span.Offset, Complete: held.Complete}
	specs, why := wantedRanges(reqHeader, ex)
	if specs == nil {
		return c.whole(ex, why)
	}
	spans, why := c.resolve(specs)
	switch {
	case why.Text != "":
		return c.whole(ex, why)
	case c.Complete < 0 && spans == nil:
		return c.missing("the length of the whole is not known, and the range depends on it")
	case len(spans) == 0:
		c.Status = RangeUnsatisfiable
		c.Why = Reason{"no such bytes: the whole has " + strconv.FormatInt(c.Complete, 10), "RFC 9110 section 15.5.17"}
		return c
	}
	for _, s := range spans {
		if !held.Span.Contains(s) {
			return c.missing("not all bytes that are asked for are stored")
		}
	}
	c.Status, c.Spans, c.Why = RangePartial, spans, Reason{"the stored bytes that are asked for", "RFC 9110 section 14.2"}
	return c
}

// wantedRanges reads the Range field. Without result it has to be ignored, for the reason given.
func wantedRanges(reqHeader http.Header, ex *resource.Exchange) ([]RangeSpec, Reason) {
	if len(reqHeader["Range"]) == 0 {
		return nil, Reason{"the whole is asked for", "RFC 9110 section 14.2"}
	}
	specs, ok := ParseRange(reqHeader["Range"])
	if !ok {
		return nil, Reason{"the whole: the Range field can't be honoured", "RFC 9110 section 14.2"}
	}
	if !IfRangeHolds(reqHeader, ex) {
		return nil, Reason{"the whole: the client's part is of another representation", "RFC 9110 section 13.1.5"}
	}
	return specs, Reason{}
}

func wholeOf(ex *resource.Exchange, why Reason) Choice {
	return Choice{Spans: []Span{{0, ex.Body.Length}}, Complete: ex.Body.Length, Why: why}
}

func (c Choice) whole(ex *resource.Exchange, why Reason) Choice {
	if ex.Status == http.StatusPartialContent { // see WholePart for one that is all
		return c.missing("only a part is stored")
	}
	return wholeOf(ex, why)
}

func (c Choice) missing(text string) Choice {
	c.Status, c.Why = RangeMissing, Reason{text, "RFC 9111 section 3.4"}
	return c
}

// resolve turns ranges into positions. The result is nil if one of them depends on a length
// that is not known, and empty if no range can be satisfied. With a reason, the ranges are
// better ignored.
func (c Choice) resolve(specs []RangeSpec) ([]Span, Reason) {
	spans := make([]Span, 0, len(specs))
	for _, spec := range specs {
		size := c.Complete
		if size < 0 {
			if spec.suffix() || spec.Last == maxPosition {
				return nil, Reason{}
			}
			size = spec.Last + 1
		}
		if c.Complete == 0 && spec.suffix() && spec.Last > 0 {
			return nil, Reason{"the whole: it is empty", "RFC 9110 section 14.1.2"}
		}
		if s, ok := spec.Of(size); ok {
			spans = append(spans, s)
		}
	}
	if why := abusive(spans); why.Text != "" {
		return nil, why
	}
	spans = coalesce(spans)
	total := int64(0)
	for _, s := range spans {
		total += s.Length + partOverhead
	}
	if len(spans) > 1 && c.Complete >= 0 && total >= c.Complete {
		return nil, Reason{"the whole: it is no longer than the parts", "RFC 9110 section 14.2"}
	}
	return spans, Reason{}
}

// abusive reports ranges that no honest client asks for: more than two that overlap, or many
// out of order (RFC 9110 sections 14.2 and 17.15).
func abusive(spans []Span) Reason {
	if len(spans) >= manyRanges && !slices.IsSortedFunc(spans, byOffset) {
		return Reason{"the whole: many ranges, and not in ascending order", "RFC 9110 section 17.15"}
	}
	sorted := slices.SortedFunc(slices.Values(spans), byOffset)
	overlapping, end := 0, int64(0)
	for _, s := range sorted {
		if s.Offset < end {
			overlapping++
		}
		end = max(end, s.End())
	}
	if overlapping > 1 { // the first of an overlap is not counted
		return Reason{"the whole: more than two ranges overlap", "RFC 9110 section 17.15"}
	}
	return Reason{}
}

func byOffset(a, b Span) int {
	switch {
	case a.Offset < b.Offset:
		return -1
	case a.Offset > b.Offset:
		return 1
	}
	return 0
}

// coalesce joins spans that overlap, touch or have only a small gap between them. The result
// is in the order of the first request for each (RFC 9110 section 15.3.7.2).
func coalesce(spans []Span) []Span {
	if len(spans) < 2 {
		return spans
	}
	joined := slices.SortedFunc(slices.Values(spans), byOffset)
	n := 0
	for _, s := range joined[1:] {
		if last := &joined[n]; s.Offset-last.End() <= partOverhead {
			last.Length = max(last.End(), s.End()) - last.Offset
			continue
		}
		n++
		joined[n] = s
	}
	joined = joined[:n+1]
	first := func(j Span) int {
		return slices.IndexFunc(spans, func(s Span) bool { return j.Contains(s) })
	}
	slices.SortFunc(joined, func(a, b Span) int { return first(a) - first(b) })
	return joined
}
