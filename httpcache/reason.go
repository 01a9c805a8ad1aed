package httpcache

import (
	"strconv"
	"time"
)

// Reason says in words for the user why something was decided, and which section
// of which standard decides it.
type Reason struct {
	Text    string // for example "fresh for 1 h by max-age, now 5 min old"
	Section string // for example "RFC 9111 section 4.2"
}

// String is the text with its section in brackets.
func (r Reason) String() string {
	if r.Section == "" {
		return r.Text
	}
	return r.Text + " (" + r.Section + ")"
}

// appendDuration appends d in its two largest units, rounded down: "1 h 30 min".
func appendDuration(b []byte, d time.Duration) []byte {
	seconds := int64(max(d, 0) / time.Second)
	units := [...]struct {
		size int64
		name string
	}{{86400, " d"}, {3600, " h"}, {60, " min"}, {1, " s"}}
	written := 0
	for i, u := range units {
		n := seconds / u.size
		seconds %= u.size
		if n == 0 && (written > 0 || i < len(units)-1) {
			if written > 0 {
				break // "1 d 5 s" would feign a precision that the middle lacks
			}
			continue
		}
		if written > 0 {
			b = append(b, ' ')
		}
		b = append(strconv.AppendInt(b, n, 10), u.name...)
		if written++; written == 2 {
			break
		}
	}
	return b
}

// sentence joins words and durations into the text of a reason with one allocation.
func sentence(before string, d time.Duration, after string) string {
	var buf [128]byte
	return string(append(appendDuration(append(buf[:0], before...), d), after...))
}
