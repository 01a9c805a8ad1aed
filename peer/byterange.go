package peer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// rangeUnit is the range unit of the protocol (RFC 9110 section 14.1): offsets into
// the body, answered with the bao slice that proves them.
const rangeUnit = "bao"

var errRange = errors.New("range not satisfiable")

// span is a part of a body: n bytes from offset.
type span struct{ offset, n int64 }

// parseRange reads a Range field for a body of the given length. Present is false
// if there is no range in our unit, so that the whole is meant. One range of the
// forms "bao=a-b" and "bao=a-" is understood, where b may lie beyond the end; all
// else is refused, as RFC 9110 section 14.2 permits, since who asks in this unit has
// no use for a whole body in its place.
func parseRange(field string, length int64) (s span, present bool, err error) {
	unit, set, ok := strings.Cut(field, "=")
	if !ok || !strings.EqualFold(strings.TrimSpace(unit), rangeUnit) {
		return span{}, false, nil
	}
	first, last, ok := strings.Cut(strings.TrimSpace(set), "-")
	if !ok {
		return span{}, true, errRange
	}
	a, err := parseOffset(first)
	if err != nil || a >= length {
		return span{}, true, errRange
	}
	b := length - 1
	if last != "" {
		if b, err = parseOffset(last); err != nil || b < a {
			return span{}, true, errRange
		}
		b = min(b, length-1)
	}
	return span{a, b - a + 1}, true, nil
}

// parseOffset reads digits only; the sign that strconv takes is no part of the grammar.
func parseOffset(s string) (int64, error) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, errRange
	}
	return strconv.ParseInt(s, 10, 64)
}

// rangeField is the Range field that asks for s.
func (s span) rangeField() string {
	return fmt.Sprintf("%s=%d-%d", rangeUnit, s.offset, s.offset+s.n-1)
}

// contentRange is the Content-Range field of s in a body of the given length.
func (s span) contentRange(length int64) string {
	return fmt.Sprintf("%s %d-%d/%d", rangeUnit, s.offset, s.offset+s.n-1, length)
}

// unsatisfied is the Content-Range field of a 416 answer.
func unsatisfied(length int64) string { return fmt.Sprintf("%s */%d", rangeUnit, length) }

// etag is the entity tag of a body: its root.
func etag(root fmt.Stringer) string { return `"` + root.String() + `"` }

// matchesTag reports whether an If-Match field names tag, by strong comparison (RFC
// 9110 section 13.1.1). Our tags have no comma in them.
func matchesTag(field, tag string) bool {
	for one := range strings.SplitSeq(field, ",") {
		if one = strings.TrimSpace(one); one == tag || one == "*" {
			return true
		}
	}
	return false
}
