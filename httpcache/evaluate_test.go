package httpcache

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestEvaluate(t *testing.T) {
	const minute = time.Minute
	cc := func(value string, more ...string) http.Header {
		return fields(append([]string{"Date", httpDate(0), "Cache-Control", value}, more...)...)
	}
	ask := func(value string) *http.Request { return get("Cache-Control", value) }
	for _, c := range []struct {
		name, section string
		req           *http.Request
		header        http.Header
		age           time.Duration
		want          Verdict
		ifError       bool // StaleIfError
		text          string
	}{
		{"fresh", "9111 4.2", get(), cc("max-age=3600"), 5 * minute, Fresh, true, "fresh for 1 h by max-age, now 5 min old"},
		{"fresh to the last second", "9111 4.2", get(), cc("max-age=60"), 59 * second, Fresh, true, "fresh for"},
		{"stale at its end", "9111 4.2", get(), cc("max-age=60"), 60 * second, MustRevalidate, true, "stale for 0 s by max-age"},
		{"stale", "9111 4.2", get(), cc("max-age=60"), 6 * minute, MustRevalidate, true, "stale for 5 min by max-age"},
		{"nothing said", "9111 4.2.2", get(), fields(), 0, MustRevalidate, true, "stale at once: nothing says"},
		{"HEAD from a stored GET", "9111 4", &http.Request{Method: "HEAD"}, cc("max-age=60"), 0, Fresh, true, "fresh for"},
		{"POST", "9111 4", &http.Request{Method: "POST"}, cc("max-age=60"), 0, MustRevalidate, true, "only GET and HEAD"},
		{"unknown method", "9111 4", &http.Request{Method: "FOO"}, cc("max-age=60"), 0, MustRevalidate, true, "only GET and HEAD"},

		{"no-cache in the response", "9111 5.2.2.4", get(), cc("no-cache, max-age=60"), 0, MustRevalidate, false, "the response says no-cache"},
		{"no-cache for a field", "9111 5.2.2.4", get(), cc(`no-cache="a", max-age=60`), 0, MustRevalidate, false, "the response says no-cache"},
		{"private by now", "9111 5.2.2.7", get(), cc("private, max-age=60"), 0, MustRevalidate, false, "the response has come to say private"},
		{"no-store by now", "9111 5.2.2.5", get(), cc("no-store, max-age=60"), 2 * minute, MustRevalidate, false, "the response has come to say private or no-store"},
		{"no-store that must-understand overrides", "9111 5.2.2.3", get(), cc("must-understand, no-store, max-age=60"), 0, Fresh, true, "fresh for"},
		{"must-revalidate, fresh", "9111 5.2.2.2", get(), cc("must-revalidate, max-age=60"), 0, Fresh, true, "fresh for"},
		{"must-revalidate, stale", "9111 5.2.2.2", get(), cc("must-revalidate, max-age=60"), 2 * minute, MustRevalidate, false, "stale for"},
		{"proxy-revalidate, stale", "9111 5.2.2.8", get(), cc("proxy-revalidate, max-age=60"), 2 * minute, MustRevalidate, false, "stale for"},
		{"s-maxage means proxy-revalidate", "9111 5.2.2.10", get(), cc("s-maxage=60"), 2 * minute, MustRevalidate, false, "stale for"},
		{"stale-if-error against must-revalidate", "9111 4.2.1", get(), cc("must-revalidate, max-age=60, stale-if-error=600"), 2 * minute, MustRevalidate, false, "stale for"},
		{"stale-if-error", "5861 4", get(), cc("max-age=60, stale-if-error=600"), 2 * minute, MustRevalidate, true, "stale for"},
		{"Pragma in the response means nothing", "9111 5.4", get(), cc("max-age=60", "Pragma", "no-cache"), 0, Fresh, true, "fresh for"},

		{"no-cache in the request", "9111 5.2.1.4", ask("no-cache"), cc("max-age=60"), 0, MustRevalidate, true, "the request says no-cache"},
		{"Pragma in the request", "9111 5.4", get("Pragma", "no-cache"), cc("max-age=60"), 0, MustRevalidate, true, "the request says no-cache"},
		{"unknown Pragma", "9111 5.4", get("Pragma", "foo"), cc("max-age=60"), 0, Fresh, true, "fresh for"},
		{"unknown directive in the request", "9111 5.2.3", ask("foo, bar=1"), cc("max-age=60"), 0, Fresh, true, "fresh for"},
		{"no-store in the request is no matter here", "9111 5.2.1.5", ask("no-store"), cc("max-age=60"), 0, Fresh, true, "fresh for"},
		{"request's max-age, young enough", "9111 5.2.1.1", ask("max-age=10"), cc("max-age=60"), 10 * second, Fresh, true, "fresh for"},
		{"request's max-age, too old", "9111 5.2.1.1", ask("max-age=10"), cc("max-age=60"), 11 * second, MustRevalidate, true, "11 s old, more than the request's max-age"},
		{"request's max-age=0, not a moment old", "9111 5.2.1.1", ask("max-age=0"), cc("max-age=60"), 0, MustRevalidate, true, "0 s old"},
		{"request's max-age unreadable", "9111 4.2.1", ask("max-age=x"), cc("max-age=60"), 1 * second, MustRevalidate, true, "1 s old"},
		{"min-fresh, long enough", "9111 5.2.1.3", ask("min-fresh=50"), cc("max-age=60"), 10 * second, Fresh, true, "fresh for"},
		{"min-fresh, not long enough", "9111 5.2.1.3", ask("min-fresh=51"), cc("max-age=60"), 10 * second, MustRevalidate, true, "not fresh for as long"},
		{"max-stale, enough", "9111 5.2.1.2", ask("max-stale=60"), cc("max-age=60"), 120 * second, StaleAllowed, true, "stale for 1 min, which the request's max-stale allows"},
		{"max-stale, not enough", "9111 5.2.1.2", ask("max-stale=60"), cc("max-age=60"), 121 * second, MustRevalidate, true, "stale for"},
		{"max-stale, any", "9111 5.2.1.2", ask("max-stale"), cc("max-age=60"), 1e6 * minute, StaleAllowed, true, "stale for"},
		{"max-stale unreadable", "9111 5.2.1.2", ask("max-stale=x"), cc("max-age=60"), 60 * second, MustRevalidate, true, "stale for"},
		{"max-stale against must-revalidate", "9111 4.2.4", ask("max-stale"), cc("max-age=60, must-revalidate"), 2 * minute, MustRevalidate, false, "stale for"},
		{"max-stale against s-maxage", "9111 4.2.4", ask("max-stale"), cc("s-maxage=60"), 2 * minute, MustRevalidate, false, "stale for"},
		{"max-stale against no-cache", "9111 4.2.4", ask("max-stale"), cc("max-age=60, no-cache"), 2 * minute, MustRevalidate, false, "the response says no-cache"},
		{"max-stale when fresh", "9111 5.2.1.2", ask("max-stale"), cc("max-age=60"), 0, Fresh, true, "fresh for"},

		{"immutable, ordinary reload", "8246 2", ask("max-age=0"), cc("max-age=60, immutable"), second, Fresh, true, "fresh for"},
		{"immutable, forced reload", "8246 2", ask("no-cache"), cc("max-age=60, immutable"), second, MustRevalidate, true, "the request says no-cache"},
		{"immutable, stale", "8246 2", ask("max-age=0"), cc("max-age=60, immutable"), 2 * minute, MustRevalidate, true, "2 min old"},
		{"If-Match", "9111 4.3.2", get("If-Match", `"a"`), cc("max-age=60"), 0, MustRevalidate, true, "only the origin can check"},
		{"If-Unmodified-Since", "9111 4.3.2", get("If-Unmodified-Since", httpDate(0)), cc("max-age=60"), 0, MustRevalidate, true, "only the origin can check"},
		{"Authorization in the request", "9111 3.5", get("Authorization", "Basic eA=="), cc("max-age=60"), 0, Fresh, true, "fresh for"},
	} {
		t.Run("RFC "+c.section+" "+c.name, func(t *testing.T) {
			ex := exchange(http.StatusOK, c.header)
			e := Evaluate(c.req, ex, epoch.Add(c.age))
			if e.Verdict != c.want || e.StaleIfError != c.ifError || !strings.HasPrefix(e.Why.Text, c.text) {
				t.Errorf("got %+v", e)
			}
			lifetime, _, _ := Lifetime(ex)
			if e.Age != Age(ex, epoch.Add(c.age)) || e.Lifetime != lifetime {
				t.Errorf("age %v, lifetime %v", e.Age, e.Lifetime)
			}
			if e.Verdict.Reusable() != (c.want != MustRevalidate) || e.Verdict.String() == "" {
				t.Errorf("verdict %v reusable: %v", e.Verdict, e.Verdict.Reusable())
			}
			wantReason(t, e.Why)
			wantReason(t, e.Failing)
		})
	}
}

func TestEvaluateStoredRefusal(t *testing.T) {
	ex := exchange(http.StatusUnauthorized, fields("Cache-Control", "max-age=60"))
	if e := Evaluate(get(), ex, epoch); e.Verdict != Fresh {
		t.Errorf("without credentials: %+v", e)
	}
	if e := Evaluate(get("Authorization", "Basic eA=="), ex, epoch); e.Verdict != MustRevalidate {
		t.Errorf("with credentials: %+v", e)
	}
}

// RFC 5861 section 3.
func TestStaleWhileRevalidate(t *testing.T) {
	for _, c := range []struct {
		name, request, response string
		age                     time.Duration
		want                    bool
	}{
		{"within the window", "", "max-age=60, stale-while-revalidate=30", 89 * second, true},
		{"at the end of the window", "", "max-age=60, stale-while-revalidate=30", 90 * second, false},
		{"fresh", "", "max-age=60, stale-while-revalidate=30", 0, false},
		{"not allowed", "", "max-age=60", 60 * second, false},
		{"unreadable", "", "max-age=60, stale-while-revalidate=x", 60 * second, false},
		{"must-revalidate forbids it", "", "max-age=60, stale-while-revalidate=30, must-revalidate", 61 * second, false},
		{"s-maxage forbids it", "", "s-maxage=60, stale-while-revalidate=30", 61 * second, false},
		{"no-cache forbids it", "", "no-cache, stale-while-revalidate=30", 0, false},
		{"the client wants validation", "no-cache", "max-age=60, stale-while-revalidate=30", 61 * second, false},
		{"the client reloads", "max-age=0", "max-age=60, stale-while-revalidate=30", 61 * second, false},
		{"not needed with max-stale", "max-stale", "max-age=60, stale-while-revalidate=30", 61 * second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := Evaluate(get("Cache-Control", c.request), exchange(200, fields("Cache-Control", c.response)), epoch.Add(c.age))
			if e.StaleWhileRevalidate != c.want || c.want && e.Verdict != MustRevalidate {
				t.Errorf("got %+v", e)
			}
		})
	}
}

// RFC 9111 section 4.2.4: why a response may or may not stand in for a failed origin.
func TestFailingReason(t *testing.T) {
	for response, section := range map[string]string{
		"max-age=600":                      "RFC 9111 section 4.2",
		"max-age=1":                        "RFC 9111 section 4.2.4",
		"max-age=1, stale-if-error=3600":   "RFC 5861 section 4",
		"max-age=1, stale-if-error=5":      "RFC 9111 section 4.2.4",
		"max-age=1, must-revalidate":       "RFC 9111 section 5.2.2.2",
		"max-age=1, proxy-revalidate":      "RFC 9111 section 5.2.2.8",
		"s-maxage=1, stale-if-error=3600":  "RFC 9111 section 5.2.2.10",
		"max-age=600, no-cache":            "RFC 9111 section 5.2.2.4",
		"":                                 "RFC 9111 section 4.2.4",
		"max-age=1, stale-if-error=junk":   "RFC 9111 section 4.2.4",
		"max-age=1, s-maxage=600, foo=bar": "RFC 9111 section 4.2",
	} {
		e := Evaluate(get(), exchange(200, fields("Cache-Control", response)), epoch.Add(time.Minute))
		if e.Failing.Section != section {
			t.Errorf("%q: %v", response, e.Failing)
		}
	}
}

func TestOnlyIfCached(t *testing.T) {
	for request, want := range map[string]bool{"only-if-cached": true, "Only-If-Cached, max-age=1": true, "": false, "only-if-cached=1": false} {
		e := Evaluate(get("Cache-Control", request), exchange(200, fields("Cache-Control", "max-age=60")), epoch)
		if e.OnlyIfCached != want || e.Verdict != Fresh {
			t.Errorf("%q: %+v", request, e)
		}
	}
}

// A hit is the hot path: one allocation, for the text of the reason.
func TestEvaluateAllocations(t *testing.T) {
	ex := exchange(200, fields("Date", httpDate(0), "Cache-Control", "public, max-age=3600"))
	req := get("Accept", "*/*")
	if n := testing.AllocsPerRun(100, func() { Evaluate(req, ex, epoch) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}
