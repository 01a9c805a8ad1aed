package httpcache

import (
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/peerproxy/peerproxy/resource"
)

const maxPosition = math.MaxInt64

// ContentRange is a Content-Range field of bytes (RFC 9110 section 14.4): which part of a
// representation the content is.
type ContentRange struct {
	Span     Span  // the zero Span in a 416, which has no part
	Complete int64 // length of the whole representation, -1 if it is not known
}

// String is the field's value: "bytes 0-499/1234", "bytes 0-499/*", or "bytes */1234" if the
// span is empty.
func (c ContentRange) String() string {
	b := append(make([]byte, 0, 48), "bytes "...)
	if c.Span.Length == 0 {
		b = append(b, '*')
	} else {
		b = append(strconv.AppendInt(b, c.Span.Offset, 10), '-')
		b = strconv.AppendInt(b, c.Span.End()-1, 10)
	}
	if c.Complete < 0 {
		return string(append(b, "/*"...))
	}
	return string(strconv.AppendInt(append(b, '/'), c.Complete, 10))
}

// ParseContentRange reads the Content-Range field of a 206 or, with an empty Span and a Complete
// that is known, of a 416. It is not ok if the field is missing, repeated with another
// value, of another unit, or invalid: a part that ends before it begins, or not within the
// whole. What it came with must not be joined with anything then (RFC 9110 section 14.4).
func ParseContentRange(h http.Header) (c ContentRange, ok bool) {
	lines := h["Content-Range"]
	if len(lines) == 0 {
		return c, false
	}
	for _, line := range lines[1:] {
		if line != lines[0] {
			return c, false
		}
	}
	unit, rest, ok := strings.Cut(trimBlanks(lines[0]), " ")
	if !ok || !equalFold(unit, "bytes") {
		return c, false
	}
	part, complete, ok := strings.Cut(rest, "/")
	if !ok {
		return c, false
	}
	c.Complete = -1
	if complete != "*" {
		if c.Complete, ok = parsePosition(complete); !ok || c.Complete == maxPosition {
			return ContentRange{}, false
		}
	}
	if part == "*" {
		if c.Complete < 0 {
			return ContentRange{}, false
		}
		return c, true
	}
	if c.Span, ok = parsePart(part); !ok || c.Complete >= 0 && c.Span.End() > c.Complete {
		return ContentRange{}, false
	}
	return c, true
}

// parsePart reads first-last.
func parsePart(s string) (Span, bool) {
	first, last, _ := strings.Cut(s, "-")
	from, ok := parsePosition(first)
	to, okTo := parsePosition(last)
	if !ok || !okTo || to == maxPosition || to < from {
		return Span{}, false
	}
	return Span{from, to - from + 1}, true
}

// PartOf says which bytes of its representation a stored response holds: all of them with status
// 200, and those that Content-Range names with 206. A body that is shorter than its
// Content-Range holds the first of these. It is not ok for responses with other
// statuses, and for a 206 that can't be understood: it must not be used.
func PartOf(ex *resource.Exchange) (held ContentRange, ok bool) {
	size := ex.Body.Length
	switch ex.Status {
	case http.StatusOK:
		return ContentRange{Span{0, size}, size}, true
	case http.StatusPartialContent:
		held, ok = ParseContentRange(ex.Header)
		if !ok || size <= 0 || held.Span.Length < size {
			return ContentRange{}, false
		}
		held.Span.Length = size
		return held, true
	}
	return ContentRange{}, false
}

// contentLength reads Content-Length of a response (RFC 9110 section 8.6). Repeated values
// have to be equal. It is -1 if there is none or it can't be read.
func contentLength(lines []string) int64 {
	length := int64(-1)
	for _, line := range lines {
		for member := range strings.SplitSeq(line, ",") {
			n, err := strconv.ParseUint(trimBlanks(member), 10, 63)
			if err != nil || length >= 0 && int64(n) != length {
				return -1
			}
			length = int64(n)
		}
	}
	return length
}
