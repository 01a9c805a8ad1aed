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
	// RangeWhole means: the whole response is to be sent, with its own status.
	RangeWhole RangeStatus = iota
	// RangePartial means: the range is to be sent, with 206 (Partial Content).
	RangePartial
	// RangeUnsatisfiable means: 416 (Range Not Satisfiable) is to be sent.
	RangeUnsatisfiable
	// RangeMissing means: what is asked for is not all in the stored part, so that the origin has to
	// be asked: see [Completion].
	RangeMissing
)

// MaxRanges is how many ranges a request may ask for at once; one with more is answered as if
// it had none. Viewers of documents ask for a few dozen at the very most.
const MaxRanges = 64

// RangeSpec is one range of a Range field as it stands there (RFC 9110 section 14.1.2):
// positions First to Last, both included. Last is the greatest int64 if it is left open.
// With First -1 it is the last Last bytes.
type RangeSpec struct{ First, Last int64 }

func (r RangeSpec) suffix() bool { return r.First < 0 }

// Of is the part of a representation with size bytes that the range means. It is not ok
// if there is none: then the range can't be satisfied.
func (r RangeSpec) Of(size int64) (s Span, ok bool) {
	if r.suffix() {
		length := min(r.Last, size)
		s = Span{size - length, length}
	} else if r.First < size {
		s = Span{r.First, min(r.Last, size-1) - r.First + 1}
	}
	return s, s.Valid()
}

// ParseRange reads the lines of a Range field (RFC 9110 section 14.2). It is not ok, so that
// the field is to be ignored, if there is none or more than one, if its unit is not bytes, if
// one of the ranges is invalid, or if there are more than [MaxRanges].
func ParseRange(lines []string) (specs []RangeSpec, ok bool) {
	if len(lines) != 1 {
		return nil, false
	}
	unit, set, ok := strings.Cut(trimBlanks(lines[0]), "=")
	if !ok || !equalFold(unit, "bytes") {
		return nil, false
	}
	for member := range strings.SplitSeq(set, ",") {
		member = trimBlanks(member)
		if member == "" {
			continue // RFC 9110 section 5.6.1.2
		}
		spec, ok := parseRangeSpec(member)
		if !ok || len(specs) == MaxRanges {
			return nil, false
		}
		specs = append(specs, spec)
	}
	return specs, len(specs) > 0
}

// parseRangeSpec reads first-last, first- or -suffix.
func parseRangeSpec(s string) (r RangeSpec, ok bool) {
	first, last, ok := strings.Cut(s, "-")
	if !ok || first == "" && last == "" {
		return r, false
	}
	r = RangeSpec{First: -1, Last: math.MaxInt64}
	if first != "" {
		if r.First, ok = parsePosition(first); !ok {
			return r, false
		}
	}
	if last != "" {
		if r.Last, ok = parsePosition(last); !ok {
			return r, false
		}
	}
	return r, r.First <= r.Last
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

// IfRangeHolds evaluates If-Range, with a strong comparison: a part of one representation
// must never be joined with a part of another (RFC 9110 section 13.1.5). Without the field it
// holds. Where it does not, the request is to be answered as if it had no Range.
func IfRangeHolds(reqHeader http.Header, ex *resource.Exchange) bool {
	lines := reqHeader["If-Range"]
	if len(lines) == 0 {
		return true
	}
	if wanted, ok := parseETag(lines); ok {
		stored, _ := parseETag(ex.Header["Etag"])
		return wanted.strongly(stored)
	}
	wanted, _, valid := dateField(reqHeader, "If-Range", ex.Received)
	modified, strong := strongDate(ex.Header, ex.Received)
	return valid && strong && wanted.Equal(modified)
}

// strongDate is the date of modification if it is a strong validator: the origin could no
// longer change the representation within the same second (RFC 9110 section 8.8.2.2).
func strongDate(h http.Header, received time.Time) (modified time.Time, strong bool) {
	modified, _, valid := dateField(h, "Last-Modified", received)
	date, _, dateValid := dateField(h, "Date", received)
	return modified, valid && dateValid && date.Sub(modified) >= time.Second
}
