package httpcache

import (
	"net/http"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
	"pgregory.net/rapid"
)

func TestLifetime(t *testing.T) {
	const hour = time.Hour
	for _, c := range []struct {
		name, section string
		status        int
		header        http.Header
		want          time.Duration
		heuristic     bool
		text          string
	}{
		{"max-age", "4.2.1", 200, fields("Cache-Control", "max-age=3600"), hour, false, "fresh for 1 h by max-age"},
		{"max-age=0", "4.2.1", 200, fields("Cache-Control", "max-age=0"), 0, false, "stale at once by max-age"},
		{"max-age unreadable", "4.2.1", 200, fields("Cache-Control", "max-age=1h"), 0, false, "stale at once: max-age can't be read"},
		{"max-age over past Expires", "5.3", 200, fields("Cache-Control", "max-age=5400", "Expires", httpDate(-2*hour)), 90 * time.Minute, false, "fresh for 1 h 30 min by max-age"},
		{"max-age over invalid Expires", "5.3", 200, fields("Cache-Control", "max-age=90", "Expires", "0"), 90 * second, false, "fresh for 1 min 30 s by max-age"},
		{"max-age=0 over future Expires", "5.3", 200, fields("Cache-Control", "max-age=0", "Expires", httpDate(hour)), 0, false, "stale at once by max-age"},
		{"unreadable max-age over future Expires", "4.2.1", 200, fields("Cache-Control", "max-age=x", "Expires", httpDate(hour)), 0, false, "stale at once: max-age can't be read"},
		{"s-maxage", "5.2.2.10", 200, fields("Cache-Control", "s-maxage=7"), 7 * second, false, "fresh for 7 s by s-maxage"},
		{"short s-maxage over long max-age", "5.2.2.10", 200, fields("Cache-Control", "max-age=3600, s-maxage=1"), second, false, "fresh for 1 s by s-maxage"},
		{"long s-maxage over short max-age", "5.2.2.10", 200, fields("Cache-Control", "s-maxage=3600", "Cache-Control", "max-age=1"), hour, false, "fresh for 1 h by s-maxage"},
		{"s-maxage over max-age=0 and past Expires", "5.2.2.10", 200, fields("Cache-Control", "s-maxage=3600, max-age=0", "Expires", httpDate(-10*second)), hour, false, "fresh for 1 h by s-maxage"},
		{"huge max-age", "1.2.2", 200, fields("Cache-Control", "max-age=99999999999"), MaxDelta, false, "fresh for 24855 d 3 h by max-age"},

		{"Expires", "5.3", 200, fields("Date", httpDate(0), "Expires", httpDate(hour)), hour, false, "fresh for 1 h by Expires"},
		{"Expires and Date both fast", "4.2.1", 200, fields("Date", httpDate(400*second), "Expires", httpDate(300*second)), 0, false, "stale at once by Expires"},
		{"Expires equals Date", "4.2.1", 200, fields("Date", httpDate(0), "Expires", httpDate(0)), 0, false, "stale at once by Expires"},
		{"Expires past", "4.2.1", 200, fields("Date", httpDate(0), "Expires", httpDate(-hour)), 0, false, "stale at once by Expires"},
		{"Expires without Date", "5.3", 200, fields("Expires", httpDate(hour)), hour, false, "fresh for 1 h by Expires"},
		{"Expires with an invalid Date", "5.3", 200, fields("Date", "foo", "Expires", httpDate(hour)), hour, false, "fresh for 1 h by Expires"},
		{"Expires: 0", "5.3", 200, fields("Date", httpDate(0), "Expires", "0"), 0, false, "stale at once: Expires can't be read"},
		{"Expires: -1", "5.3", 200, fields("Expires", "-1"), 0, false, "stale at once: Expires can't be read"},
		{"Expires in a foreign zone", "4.2", 200, fields("Date", httpDate(0), "Expires", "Thu, 18 Aug 2050 02:01:18 AEST"), 0, false, "stale at once: Expires can't be read"},
		{"invalid Expires rules heuristics out", "4.2.2", 200, fields("Expires", "0", "Last-Modified", httpDate(-hour)), 0, false, "stale at once: Expires can't be read"},
		{"contradicting Expires", "4.2.1", 200, fields("Expires", httpDate(hour), "Expires", httpDate(2*hour)), 0, false, "stale at once: Expires can't be read"},
		{"Expires far in the future", "1.2.2", 200, fields("Expires", "Fri, 31 Dec 9999 23:59:59 GMT"), MaxDelta, false, "fresh for 24855 d 3 h by Expires"},

		{"a tenth of the time since Last-Modified", "4.2.2", 200, fields("Date", httpDate(0), "Last-Modified", httpDate(-10*hour)), hour, true, "fresh for 1 h by a tenth of the time since Last-Modified"},
		{"without Date", "4.2.2", 404, fields("Last-Modified", httpDate(-10*hour)), hour, true, "fresh for 1 h by a tenth of the time since Last-Modified"},
		{"at most a day", "4.2.2", 200, fields("Last-Modified", "Thu, 01 Jan 1970 00:00:00 GMT"), 24 * hour, true, "fresh for 1 d by a tenth of the time since Last-Modified"},
		{"Last-Modified in the future", "4.2.2", 200, fields("Date", httpDate(0), "Last-Modified", httpDate(hour)), 0, true, "stale at once by a tenth of the time since Last-Modified"},
		{"unreadable Last-Modified", "4.2.2", 200, fields("Last-Modified", "yesterday"), 0, false, "stale at once: nothing says how long it is fresh"},
		{"no Last-Modified", "4.2.2", 200, fields(), 0, false, "stale at once: nothing says how long it is fresh"},
		{"status that does not allow it", "4.2.2", 302, fields("Last-Modified", httpDate(-10*hour)), 0, false, "stale at once: nothing says how long it is fresh"},
		{"status that does not allow it, but public", "4.2.2", 599, fields("Last-Modified", httpDate(-10*hour), "Cache-Control", "public"), hour, true, "fresh for 1 h by a tenth of the time since Last-Modified"},
		{"a cookie and nothing said", "7.3", 200, fields("Last-Modified", httpDate(-10*hour), "Set-Cookie", "a=b"), 0, false, "stale at once: nothing says how long it is fresh, and it sets a cookie"},
		{"a cookie, but public", "7.3", 200, fields("Last-Modified", httpDate(-10*hour), "Set-Cookie", "a=b", "Cache-Control", "public"), hour, true, "fresh for 1 h by a tenth of the time since Last-Modified"},
	} {
		t.Run(c.section+" "+c.name, func(t *testing.T) {
			got, heuristic, why := Lifetime(exchange(c.status, c.header))
			if got != c.want || heuristic != c.heuristic || why.Text != c.text {
				t.Errorf("got %v, %v, %q", got, heuristic, why.Text)
			}
			wantReason(t, why)
		})
	}
}

// Statuses for which heuristics are allowed: RFC 9110 section 15.1.
func TestHeuristicStatuses(t *testing.T) {
	allowed := map[int]bool{200: true, 203: true, 204: true, 206: true, 300: true, 301: true, 308: true, 404: true, 405: true, 410: true, 414: true, 501: true}
	for status := 200; status < 600; status++ {
		d, _, _ := Lifetime(exchange(status, fields("Last-Modified", httpDate(-24*time.Hour))))
		if (d > 0) != allowed[status] {
			t.Errorf("%d is fresh for %v", status, d)
		}
	}
}

// RFC 9111 section 4.2.3.
func TestAge(t *testing.T) {
	for _, c := range []struct {
		name                string
		header              http.Header
		initial             time.Duration
		requested, received time.Duration // from the epoch
		now                 time.Duration
		want                time.Duration
	}{
		{"at reception", fields("Date", httpDate(0)), 0, 0, 0, 0, 0},
		{"resident time", fields("Date", httpDate(0)), 0, 0, 0, time.Hour, time.Hour},
		{"no Date", fields(), 0, 0, 0, time.Minute, time.Minute},
		{"invalid Date", fields("Date", "foo"), 0, 0, 0, time.Minute, time.Minute},
		{"apparent age", fields("Date", httpDate(-time.Hour)), 0, 0, 0, time.Minute, 61 * time.Minute},
		{"Date in the future", fields("Date", httpDate(time.Hour)), 0, 0, 0, time.Minute, time.Minute},
		{"Age field", fields("Date", httpDate(0)), time.Hour, 0, 0, time.Minute, 61 * time.Minute},
		{"Age field older than Date", fields("Date", httpDate(-10*second)), 25 * second, 0, 0, 0, 25 * second},
		{"Date older than Age field", fields("Date", httpDate(-25*second)), 10 * second, 0, 0, 0, 25 * second},
		{"time under way", fields("Date", httpDate(0)), 0, -4 * second, 0, 0, 4 * second},
		{"time under way adds to Age", fields("Date", httpDate(0)), 10 * second, -4 * second, 0, second, 15 * second},
		{"received before it was asked for", fields(), 0, 5 * second, 0, 0, 0},
		{"now before it was received", fields(), 10 * second, 0, 0, -time.Hour, 10 * second},
		{"negative Age", fields(), -10 * second, 0, 0, 0, 0},
		{"Date of the year 1", fields("Date", "Mon, 01 Jan 0001 00:00:00 GMT"), MaxDelta, 0, 0, 1e6 * time.Hour, MaxDelta},
	} {
		t.Run(c.name, func(t *testing.T) {
			ex := exchange(200, c.header)
			ex.InitialAge, ex.Requested, ex.Received = c.initial, epoch.Add(c.requested), epoch.Add(c.received)
			if got := Age(ex, epoch.Add(c.now)); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	ex := exchange(200, fields())
	ex.Requested = time.Time{}
	if got := Age(ex, epoch); got != 0 {
		t.Errorf("unknown time of request: got %v", got)
	}
}

// anyExchange draws an exchange as an attacker may have made it.
func anyExchange(t *rapid.T) *resource.Exchange {
	date := func(name string) string {
		return rapid.OneOf(
			rapid.Just("foo"), rapid.Just(""),
			rapid.Map(rapid.Int64Range(-1e11, 1e11), func(s int64) string {
				return epoch.Add(time.Duration(s%1e9) * second).Format(http.TimeFormat)
			})).Draw(t, name)
	}
	ex := exchange(rapid.IntRange(100, 599).Draw(t, "status"), fields(
		"Date", date("date"), "Expires", date("expires"), "Last-Modified", date("modified"),
		"Cache-Control", rapid.SampledFrom([]string{"", "max-age=60", "max-age=99999999999", "public", "s-maxage=5", "no-cache", "must-revalidate", "stale-while-revalidate=9"}).Draw(t, "cc")))
	ex.InitialAge = time.Duration(rapid.Int64().Draw(t, "initial"))
	ex.Requested = time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "requested"), 0)
	ex.Received = time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "received"), 0)
	return ex
}

// Time makes nothing younger: the age never falls, and what has become stale stays stale.
func TestAgeMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ex := anyExchange(t)
		now := time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "now"), 0)
		later := now.Add(time.Duration(rapid.Int64Range(0, 1<<62).Draw(t, "later")))
		before, after := Evaluate(get(), ex, now), Evaluate(get(), ex, later)
		for _, e := range []Evaluation{before, after} {
			if e.Age < 0 || e.Age > MaxDelta || e.Lifetime < 0 || e.Lifetime > MaxDelta {
				t.Fatalf("out of bounds: %+v", e)
			}
			if e.Verdict == Fresh && e.Age >= e.Lifetime {
				t.Fatalf("fresh beyond its lifetime: %+v", e)
			}
		}
		if after.Age < before.Age {
			t.Fatalf("age fell from %v to %v", before.Age, after.Age)
		}
		if after.Verdict == Fresh && before.Verdict != Fresh {
			t.Fatalf("became fresh again: %+v, then %+v", before, after)
		}
	})
}

func TestReasonDurations(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0 s": 0, "59 s": 59 * second, "1 min": time.Minute, "1 h 1 min": time.Hour + time.Minute + 59*second,
		"1 h": time.Hour + 59*second, "1 d": 24*time.Hour + time.Minute, "2 d 3 h": 51 * time.Hour,
	} {
		if got := sentence("", d, ""); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	if got := (Reason{"fresh", "RFC 9111 section 4.2"}).String(); got != "fresh (RFC 9111 section 4.2)" {
		t.Errorf("got %q", got)
	}
	if got := (Reason{Text: "fresh"}).String(); got != "fresh" {
		t.Errorf("got %q", got)
	}
}
