package httpcache

import (
	"net/http"
	"strings"
	"time"
)

// ParseDate reads an HTTP-date in one of the three forms of RFC 9110 section 5.6.7 and in
// no other: what a lenient reader would take for a date could make stale things fresh.
// Letters may be of any case, as RFC 9111 section 4.2 asks of caches, and the day of the
// week has to be one, but not the right one. Zones other than GMT are refused.
//
// The year of the form with two digits is the one within 50 years of about, so that the
// result does not depend on when this program runs.
func ParseDate(s string, about time.Time) (t time.Time, ok bool) {
	r := dateReader{rest: s, ok: true}
	var d civil
	switch comma := strings.IndexByte(s, ','); {
	case comma == 3:
		d = r.fixdate()
	case comma > 3:
		d = r.rfc850(about)
	default:
		d = r.asctime()
	}
	if !r.ok || r.rest != "" {
		return time.Time{}, false
	}
	return d.time()
}

// civil is a date and a time of day as it was read.
type civil struct {
	year, day, hour, minute, second int
	month                           time.Month
}

func (d civil) time() (t time.Time, ok bool) {
	if d.hour > 23 || d.minute > 59 || d.second > 60 {
		return t, false
	}
	// A leap second is the nearest earlier time (RFC 9111 section 4.2).
	t = time.Date(d.year, d.month, d.day, d.hour, d.minute, min(d.second, 59), 0, time.UTC)
	return t, t.Day() == d.day
}

// dateReader consumes a text from its beginning. ok stays false after the first thing
// that is not as expected.
type dateReader struct {
	rest string
	ok   bool
}

// fixdate reads the preferred form: Sun, 06 Nov 1994 08:49:37 GMT
func (r *dateReader) fixdate() (d civil) {
	r.name(shortDays)
	r.literal(", ")
	d.day = r.digits(2)
	r.literal(" ")
	d.month = time.Month(r.name(months) + 1)
	r.literal(" ")
	d.year = r.digits(4)
	r.literal(" ")
	r.clock(&d)
	r.literal(" GMT")
	return d
}

// rfc850 reads the obsolete form: Sunday, 06-Nov-94 08:49:37 GMT
func (r *dateReader) rfc850(about time.Time) (d civil) {
	r.name(longDays)
	r.literal(", ")
	d.day = r.digits(2)
	r.literal("-")
	d.month = time.Month(r.name(months) + 1)
	r.literal("-")
	d.year = r.digits(2)
	r.literal(" ")
	r.clock(&d)
	r.literal(" GMT")
	d.year = fullYear(d, about.UTC())
	return d
}

// asctime reads the form of ANSI C: Sun Nov  6 08:49:37 1994
func (r *dateReader) asctime() (d civil) {
	r.name(shortDays)
	r.literal(" ")
	d.month = time.Month(r.name(months) + 1)
	r.literal(" ")
	if strings.HasPrefix(r.rest, " ") {
		r.literal(" ")
		d.day = r.digits(1)
	} else {
		d.day = r.digits(2)
	}
	r.literal(" ")
	r.clock(&d)
	r.literal(" ")
	d.year = r.digits(4)
	return d
}

func (r *dateReader) clock(d *civil) {
	d.hour = r.digits(2)
	r.literal(":")
	d.minute = r.digits(2)
	r.literal(":")
	d.second = r.digits(2)
}

// fullYear completes a year of two digits: a time that appears to be more than 50 years
// in the future means the last such year in the past (RFC 9110 section 5.6.7).
func fullYear(d civil, about time.Time) int {
	d.year += about.Year() / 100 * 100
	latest := about.AddDate(50, 0, 0)
	if d.year+100 <= latest.Year() {
		d.year += 100
	}
	if time.Date(d.year, d.month, d.day, d.hour, d.minute, d.second, 0, time.UTC).After(latest) {
		return d.year - 100
	}
	return d.year
}

var (
	shortDays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	longDays  = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}
	months    = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
)

// name reads one of names and returns its index.
func (r *dateReader) name(names []string) int {
	for i, n := range names {
		if len(r.rest) >= len(n) && equalFold(r.rest[:len(n)], n) {
			r.rest = r.rest[len(n):]
			return i
		}
	}
	r.ok = false
	return 0
}

func (r *dateReader) literal(s string) {
	if len(r.rest) < len(s) || !equalFold(r.rest[:len(s)], s) {
		r.ok = false
		return
	}
	r.rest = r.rest[len(s):]
}

func (r *dateReader) digits(n int) (value int) {
	if len(r.rest) < n {
		r.ok = false
		return 0
	}
	for i := range n {
		c := r.rest[i]
		if c < '0' || '9' < c {
			r.ok = false
			return 0
		}
		value = value*10 + int(c-'0')
	}
	r.rest = r.rest[n:]
	return value
}

// equalFold compares by ASCII case alone: strings.EqualFold would take the Kelvin sign
// for a K.
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		if x|0x20 != y|0x20 || x|0x20 < 'a' || 'z' < x|0x20 {
			return false
		}
	}
	return true
}

// dateField reads a field that holds one date. Lines that contradict each other are no
// valid date.
func dateField(h http.Header, name string, about time.Time) (t time.Time, present, valid bool) {
	lines := h[name]
	if len(lines) == 0 {
		return t, false, false
	}
	for _, line := range lines[1:] {
		if line != lines[0] {
			return t, true, false
		}
	}
	t, valid = ParseDate(trimBlanks(lines[0]), about)
	return t, true, valid
}
