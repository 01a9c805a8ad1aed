package httpcache

import (
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// RangeStatus says how a request's Range field is to be honoured.
type RangeStatus int

const (
	// RangeWhole: the whole response is to be sent, with its own status.
	RangeWhole RangeStatus = iota
	// RangePartial: the range is to be sent, with 206 (Partial Content).
	RangePartial
	// RangeUnsatisfiable: 416 (Range Not Satisfiable) is to be sent.
	RangeUnsatisfiable
)

// Range decides which part of a stored response a GET request wants (RFC 9110 section 14.2).
// The part begins at offset and has length bytes; with RangeWhole it is the whole body. Only a
// single range of bytes is honoured, and only of a response with status 200; a Range field
// of any other form is ignored, as is one whose If-Range does not hold (section 13.1.5).
// Conditions come first: see [NotModified].
func Range(reqHeader http.Header, ex *resource.Exchange) (offset, length int64, status RangeStatus) {
	size := ex.Body.Length
	lines := reqHeader["Range"]
	if len(lines) != 1 || ex.Status != http.StatusOK || !ifRangeHolds(reqHeader, ex) {
		return 0, size, RangeWhole
	}
	spec, ok := singleRange(lines[0])
	if !ok {
		return 0, size, RangeWhole
	}
	return spec.within(size)
}

// byteRange is "first-last", or "-suffix" with first = -1. A last that is not given is the
// greatest number.
type byteRange struct{ first, last int64 }

// singleRange reads a Range field that holds one range of bytes (RFC 9110 section 14.1.2).
func singleRange(value string) (r byteRange, ok bool) {
	unit, set, ok := strings.Cut(trimBlanks(value), "=")
	if !ok || !equalFold(unit, "bytes") {
		return r, false
	}
	first, last, ok := strings.Cut(trimBlanks(set), "-")
	if !ok {
		return r, false
	}
	r = byteRange{first: -1, last: math.MaxInt64}
	if first != "" {
		if r.first, ok = parsePosition(first); !ok {
			return r, false
		}
	} else if last == "" {
		return r, false
	}
	if last != "" {
		if r.last, ok = parsePosition(last); !ok {
			return r, false
		}
	}
	return r, r.first <= r.last
}

// parsePosition reads digits. A number too great for an int64 counts as the greatest.
func parsePosition(s string) (n int64, ok bool) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < '0' || '9' < c {
			return 0, false
		}
		if n > (math.MaxInt64-9)/10 {
			n = math.MaxInt64
			continue
		}
		n = n*10 + int64(c-'0')
	}
	return n, s != ""
}

// within applies the range to a body of size bytes.
func (r byteRange) within(size int64) (offset, length int64, status RangeStatus) {
	switch {
	case r.first < 0 && r.last == 0, r.first >= size:
		return 0, 0, RangeUnsatisfiable
	case r.first >= 0:
		return r.first, min(r.last, size-1) - r.first + 1, RangePartial
	case size == 0:
		return 0, 0, RangeWhole // nothing that a Content-Range could describe
	}
	length = min(r.last, size)
	return size - length, length, RangePartial
}

// ifRangeHolds evaluates If-Range, with a strong comparison: a part of one representation
// must never be joined with a part of another (RFC 9110 section 13.1.5).
func ifRangeHolds(reqHeader http.Header, ex *resource.Exchange) bool {
	lines := reqHeader["If-Range"]
	if len(lines) == 0 {
		return true
	}
	if wanted, ok := parseETag(lines); ok {
		stored, _ := parseETag(ex.Header["Etag"])
		return wanted.strongly(stored)
	}
	wanted, _, valid := dateField(reqHeader, "If-Range", ex.Received)
	modified, _, modifiedValid := dateField(ex.Header, "Last-Modified", ex.Received)
	date, _, dateValid := dateField(ex.Header, "Date", ex.Received)
	// A date is a strong validator if the origin could no longer change the
	// representation within the same second (RFC 9110 section 8.8.2.2).
	strong := modifiedValid && dateValid && date.Sub(modified) >= time.Second
	return valid && strong && wanted.Equal(modified)
}
