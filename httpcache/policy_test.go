package httpcache

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

var cdn = Policy{Targets: []string{"CDN-Cache-Control"}}

// RFC 9213: a targeted field that can be read replaces Cache-Control and Expires.
func TestTargeted(t *testing.T) {
	const c, cc = "CDN-Cache-Control", "Cache-Control"
	for _, test := range []struct {
		name, section string
		header        http.Header
		lifetime      int64 // seconds, -1 = not storable
		verdict       Verdict
	}{
		{"max-age", "2.2", fields(c, "max-age=3600"), 3600, Fresh},
		{"max-age of 2^31 seconds", "2.2", fields(c, "max-age=2147483648"), 1 << 31, Fresh},
		{"max-age beyond", "2.2", fields(c, "max-age=99999999999"), 1 << 31, Fresh},
		{"max-age of 0", "2.2", fields(c, "max-age=0"), 0, MustRevalidate},
		{"negative max-age", "2.2", fields(c, "max-age=-1", cc, "max-age=60"), 0, MustRevalidate},
		{"s-maxage first", "2.1", fields(c, "max-age=1, s-maxage=60"), 60, Fresh},
		{"unknown directives and parameters", "2.1", fields(c, "foobar, max-age=3600;a=1"), 3600, Fresh},
		{"the last of several lines", "2.1", fields(c, "max-age=1", c, "max-age=60"), 60, Fresh},
		{"over a past Expires", "2.2", fields(c, "max-age=3600", "Expires", httpDate(-time.Hour)), 3600, Fresh},
		{"over an invalid Expires", "2.2", fields(c, "max-age=3600", "Expires", "0"), 3600, Fresh},
		{"over a future Expires", "2.2", fields(c, "max-age=0", "Expires", httpDate(time.Hour)), 0, MustRevalidate},
		{"Expires does not count at all", "2.2", fields(c, "public", "Expires", httpDate(time.Hour)), 0, MustRevalidate},
		{"over a shorter max-age", "2.2", fields(c, "max-age=3600", cc, "max-age=1"), 3600, Fresh},
		{"over a longer max-age", "2.2", fields(c, "max-age=1", cc, "max-age=3600"), 1, Fresh},
		{"private", "2.2", fields(c, "private", cc, "max-age=3600"), -1, 0},
		{"private with fields", "2.2", fields(c, `private="set-cookie"`, cc, "max-age=3600"), -1, 0},
		{"no-store", "2.2", fields(c, "no-store", cc, "max-age=3600"), -1, 0},
		{"over no-store", "2.2", fields(c, "max-age=3600", cc, "no-store"), 3600, Fresh},
		{"no-cache", "2.2", fields(c, "no-cache, max-age=60", cc, "max-age=3600"), 60, MustRevalidate},
		{"no-cache with fields", "2.2", fields(c, `no-cache=("a" "b"), max-age=60`), 60, MustRevalidate},
		{"switched off", "2.1", fields(c, "no-store=?0, no-cache=?0, max-age=60"), 60, Fresh},

		{"no dictionary", "2.1", fields(c, "max-age=10000, &&&&&", cc, "no-store"), -1, 0},
		{"number in quotes", "2.1", fields(c, `max-age="10000"`, cc, "no-store"), -1, 0},
		{"fraction", "2.1", fields(c, "max-age=10000.0", cc, "max-age=5"), 5, Fresh},
		{"number where none belongs", "2.1", fields(c, "no-store=1", cc, "max-age=5"), 5, Fresh},
		{"blank before =", "2.1", fields(c, "max-age =100", cc, "max-age=5"), 5, Fresh},
		{"blank after =", "2.1", fields(c, "max-age= 100", cc, "max-age=5"), 5, Fresh},
		{"upper case is no key", "2.1", fields(c, "MaX-aGe=3600", cc, "max-age=5"), 5, Fresh},
		{"empty", "2.1", fields(c, "", cc, "max-age=5"), 5, Fresh},
		{"absurdly long", "2.1", fields(c, strings.Repeat("a", 9000), cc, "max-age=5"), 5, Fresh},
		{"not there", "2.2", fields(cc, "max-age=5"), 5, Fresh},
	} {
		t.Run("RFC 9213 "+test.section+" "+test.name, func(t *testing.T) {
			ok, why := cdn.Storable(get(), 200, test.header)
			wantReason(t, why)
			if ok != (test.lifetime >= 0) {
				t.Fatalf("storable: %v, %v", ok, why)
			}
			if !ok {
				return
			}
			ex := exchange(200, test.header)
			d, _, why := cdn.Lifetime(ex)
			wantReason(t, why)
			if d != time.Duration(test.lifetime)*time.Second {
				t.Errorf("lifetime %v: %v", d, why)
			}
			if e := cdn.Evaluate(get(), ex, epoch); e.Verdict != test.verdict {
				t.Errorf("got %+v", e)
			}
		})
	}
}

// RFC 9213 section 2.2: the first target that is there and can be read, and none by default.
func TestTargets(t *testing.T) {
	h := fields("Cache-Control", "max-age=1", "CDN-Cache-Control", "max-age=2", "Example-Cache-Control", "max-age=3", "Bad-Cache-Control", "=")
	for _, c := range []struct {
		targets []string
		want    int64
		field   string
	}{
		{nil, 1, "Cache-Control"},
		{[]string{"cdn-cache-control", "Example-Cache-Control"}, 2, "Cdn-Cache-Control"},
		{[]string{"Example-Cache-Control", "CDN-Cache-Control"}, 3, "Example-Cache-Control"},
		{[]string{"Bad-Cache-Control", "None-Cache-Control", "CDN-Cache-Control"}, 2, "Cdn-Cache-Control"},
	} {
		d, field := Policy{Targets: c.targets}.Directives(h)
		if d.MaxAge.Value != time.Duration(c.want)*time.Second || field != c.field {
			t.Errorf("%q: %v of %s", c.targets, d.MaxAge, field)
		}
	}
	_, _, why := cdn.Lifetime(exchange(200, h))
	if want := (Reason{"fresh for 2 s by max-age of Cdn-Cache-Control", "RFC 9213 section 2.2"}); why != want {
		t.Errorf("got %v", why)
	}
}

// RFC 5861 section 4.
func TestStaleIfError(t *testing.T) {
	for _, c := range []struct {
		name, asked, said string
		stale             time.Duration
		want              bool
	}{
		{"nothing said", "", "max-age=60", time.Hour, true},
		{"within", "", "max-age=60, stale-if-error=600", 599 * time.Second, true},
		{"beyond", "", "max-age=60, stale-if-error=600", 600 * time.Second, false},
		{"not at all", "", "max-age=60, stale-if-error=0", 0, false},
		{"unreadable", "", "max-age=60, stale-if-error=x", time.Hour, true},
		{"by the request", "stale-if-error=600", "max-age=60", 599 * time.Second, true},
		{"beyond the request's", "stale-if-error=600", "max-age=60", 600 * time.Second, false},
		{"the longer one, of the request", "stale-if-error=600", "max-age=60, stale-if-error=60", 500 * time.Second, true},
		{"the longer one, of the response", "stale-if-error=60", "max-age=60, stale-if-error=600", 500 * time.Second, true},
		{"beyond both", "stale-if-error=60", "max-age=60, stale-if-error=600", 700 * time.Second, false},
		{"against must-revalidate", "stale-if-error=600", "max-age=60, must-revalidate", time.Second, false},
		{"against no-cache", "stale-if-error=600", "max-age=60, no-cache", -time.Second, false},
		{"fresh", "no-cache, stale-if-error=0", "max-age=60", -time.Second, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := Evaluate(get("Cache-Control", c.asked), exchange(200, fields("Cache-Control", c.said)), epoch.Add(time.Minute+c.stale))
			if e.StaleIfServerError != c.want {
				t.Errorf("got %+v", e)
			}
			forbidden := strings.Contains(c.said, "no-cache") || strings.Contains(c.said, "must-revalidate")
			if e.StaleIfError == forbidden { // RFC 9111 section 4.2.4: the limit is none for who is disconnected
				t.Errorf("disconnected: %+v", e)
			}
			wantReason(t, e.Failing)
		})
	}
}

// What cannot be read as a dictionary changes nothing, and what can keeps within its bounds.
func FuzzTargeted(f *testing.F) {
	for _, seed := range []string{"max-age=60, must-revalidate", "no-store", `private="a, b", max-age=1;x=2`, "max-age=99999999999", "max-age=-1", "no-cache=(a b)", "&&&", "a=1\nmax-age=2", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		h := http.Header{"Cdn-Cache-Control": strings.Split(value, "\n"), "Cache-Control": {"max-age=7"}}
		d, field := cdn.Directives(h)
		if field == "Cache-Control" && d.MaxAge.Value != 7*time.Second {
			t.Fatalf("%q: %+v", value, d)
		}
		for _, delta := range []Delta{d.MaxAge, d.SMaxAge, d.StaleIfError, d.StaleWhileRevalidate} {
			if delta.Value < 0 || delta.Value > MaxDelta || !delta.Set && delta != (Delta{}) {
				t.Fatalf("%q: %+v", value, delta)
			}
		}
	})
}
