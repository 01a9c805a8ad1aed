package httpcache

import (
	"net/http"
	"strings"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// InitialAge reads the Age field of a response that arrives, for the field of the same
// name in [resource.Exchange]. Of several values the first counts; a value that is no
// number of seconds is ignored (RFC 9111 section 5.1).
func InitialAge(h http.Header) time.Duration {
	lines := h["Age"]
	if len(lines) == 0 {
		return 0
	}
	first, _, _ := strings.Cut(lines[0], ",")
	age, _ := parseDelta(trimBlanks(first))
	return age
}

// Age is the current age of a stored response: the time since it was generated or last
// validated at the origin (RFC 9111 section 4.2.3). It is never negative, never more than
// [MaxDelta], and never falls while now rises.
func Age(ex *resource.Exchange, now time.Time) time.Duration {
	apparent := time.Duration(0)
	if date, _, valid := dateField(ex.Header, "Date", ex.Received); valid {
		apparent = elapsed(date, ex.Received)
	}
	delay := time.Duration(0)
	if !ex.Requested.IsZero() {
		delay = elapsed(ex.Requested, ex.Received)
	}
	corrected := min(max(ex.InitialAge, 0), MaxDelta) + delay
	resident := elapsed(ex.Received, now)
	return min(max(apparent, corrected)+resident, MaxDelta)
}

// elapsed is the time between two instants of the wall clock, between 0 and MaxDelta. The
// monotonic clock is left aside because it stands still while a machine sleeps.
func elapsed(from, to time.Time) time.Duration {
	return min(max(to.Round(0).Sub(from), 0), MaxDelta)
}
