package httpcache

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/peerproxy/peerproxy/resource"
)

// RFC 9110 section 13.2.2: the order of preconditions, on a stored response.
func TestPreconditions(t *testing.T) {
	before, modified, later := httpDate(-2*hour), httpDate(-hour), httpDate(-hour/2)
	const tag = `"a"`
	stored := fields("ETag", tag, "Last-Modified", modified, "Date", httpDate(0))
	for _, c := range []struct {
		name, section string
		req           http.Header
		status        int
		stored        http.Header
		want          Outcome
	}{
		{"none", "13.2.1", fields(), 200, stored, Proceed},
		{"If-Match", "13.1.1", fields("If-Match", tag), 200, stored, Proceed},
		{"If-Match of several", "13.1.1", fields("If-Match", `"x", "a"`), 200, stored, Proceed},
		{"If-Match on another line", "13.1.1", fields("If-Match", `"x"`, "If-Match", tag), 200, stored, Proceed},
		{"If-Match *", "13.1.1", fields("If-Match", "*"), 200, fields(), Proceed},
		{"If-Match, other", "13.1.1", fields("If-Match", `"x"`), 200, stored, AnswerFailed},
		{"If-Match compares strongly", "8.8.3.2", fields("If-Match", `W/"a"`), 200, fields("ETag", `W/"a"`), AnswerFailed},
		{"If-Match without a tag", "13.1.1", fields("If-Match", tag), 200, fields(), AnswerFailed},
		{"If-Unmodified-Since", "13.1.4", fields("If-Unmodified-Since", modified), 200, stored, Proceed},
		{"If-Unmodified-Since, modified", "13.1.4", fields("If-Unmodified-Since", before), 200, stored, AnswerFailed},
		{"If-Unmodified-Since, no date stored", "13.1.4", fields("If-Unmodified-Since", before), 200, fields("ETag", tag), Proceed},
		{"If-Unmodified-Since, unreadable", "13.1.4", fields("If-Unmodified-Since", "x"), 200, stored, Proceed},
		{"If-Match goes before If-Unmodified-Since", "13.2.2", fields("If-Match", tag, "If-Unmodified-Since", before), 200, stored, Proceed},
		{"If-None-Match", "13.1.2", fields("If-None-Match", tag), 200, stored, AnswerNotModified},
		{"If-None-Match, other", "13.1.2", fields("If-None-Match", `"x"`), 200, stored, Proceed},
		{"If-Modified-Since", "13.1.3", fields("If-Modified-Since", later), 200, stored, AnswerNotModified},
		{"If-Modified-Since, modified", "13.1.3", fields("If-Modified-Since", before), 200, stored, Proceed},
		{"If-None-Match goes before If-Modified-Since", "13.2.2", fields("If-None-Match", `"x"`, "If-Modified-Since", later), 200, stored, Proceed},
		{"412 before 304", "13.2.2", fields("If-Match", `"x"`, "If-None-Match", tag), 200, stored, AnswerFailed},
		{"304 after If-Match holds", "13.2.2", fields("If-Match", tag, "If-None-Match", tag), 200, stored, AnswerNotModified},
		{"304 after If-Unmodified-Since holds", "13.2.2", fields("If-Unmodified-Since", later, "If-Modified-Since", later), 200, stored, AnswerNotModified},
		{"only of success", "13.2.1", fields("If-Match", `"x"`), 404, stored, Proceed},
		{"of a part", "13.2.2", fields("If-None-Match", tag), 206, stored, AnswerNotModified},
	} {
		t.Run("RFC 9110 "+c.section+" "+c.name, func(t *testing.T) {
			got, why := Preconditions(c.req, exchange(c.status, c.stored))
			if got != c.want {
				t.Errorf("got %v: %v", got, why)
			}
			wantReason(t, why)
		})
	}
}

// RFC 9111 section 4.3.4: which of several stored responses a 304 is about.
func TestUpdated(t *testing.T) {
	variant := func(age time.Duration, namesAndValues ...string) *resource.Exchange {
		return exchange(200, fields(append(namesAndValues, "Date", httpDate(-age))...))
	}
	modified := httpDate(-24 * hour)
	a1, a2 := variant(2*hour, "ETag", `"a"`), variant(hour, "ETag", `"a"`)
	w1, w2 := variant(2*hour, "ETag", `W/"w"`), variant(hour, "ETag", `W/"w"`)
	m1, m2 := variant(2*hour, "Last-Modified", modified), variant(hour, "Last-Modified", modified)
	none := variant(hour)
	for _, c := range []struct {
		name  string
		asked []*resource.Exchange
		got   http.Header
		want  []*resource.Exchange
	}{
		{"all with the strong tag, newest first", []*resource.Exchange{a1, w1, a2}, fields("ETag", `"a"`), []*resource.Exchange{a2, a1}},
		{"the newest with the weak tag", []*resource.Exchange{w1, a1, w2}, fields("ETag", `W/"w"`), []*resource.Exchange{w2}},
		{"a weak tag of a strong one", []*resource.Exchange{a1, w1}, fields("ETag", `W/"a"`), []*resource.Exchange{a1}},
		{"a strong tag of a weak one", []*resource.Exchange{w1, w2}, fields("ETag", `"w"`), nil},
		{"all with the strong date", []*resource.Exchange{m1, a1, m2}, fields("Last-Modified", modified, "Date", httpDate(0)), []*resource.Exchange{m2, m1}},
		{"the newest with the weak date", []*resource.Exchange{m1, m2}, fields("Last-Modified", modified), []*resource.Exchange{m2}},
		{"another tag", []*resource.Exchange{a1, w1}, fields("ETag", `"z"`), nil},
		{"another date", []*resource.Exchange{m1}, fields("Last-Modified", httpDate(0)), nil},
		{"no validator, one asked about", []*resource.Exchange{m1}, fields(), []*resource.Exchange{m1}},
		{"no validator anywhere", []*resource.Exchange{none}, fields(), []*resource.Exchange{none}},
		{"no validator, two asked about", []*resource.Exchange{m1, a1}, fields(), nil},
		{"nothing stored", nil, fields("ETag", `"a"`), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, why := Updated(c.asked, c.got)
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v: %v", got, why)
			}
			wantReason(t, why)
		})
	}
}

// RFC 9111 section 4.3.1: variants of which none matches are not asked about by date.
func TestConditionsAmong(t *testing.T) {
	tagged := exchange(200, fields("ETag", `"a"`, "Last-Modified", httpDate(-hour)))
	dated := exchange(200, fields("Last-Modified", httpDate(-hour)))
	part := exchange(206, fields("ETag", `"p"`))
	for _, c := range []struct {
		name   string
		stored []*resource.Exchange
		want   http.Header
	}{
		{"none", nil, http.Header{}},
		{"one", []*resource.Exchange{tagged}, fields("If-None-Match", `"a"`)},
		{"one without tag", []*resource.Exchange{dated}, http.Header{}},
		{"one part", []*resource.Exchange{part}, http.Header{}},
		{"several, each tag once", []*resource.Exchange{dated, tagged, part, tagged, exchange(200, fields("ETag", "junk")), exchange(200, fields("ETag", `W/"b"`))}, fields("If-None-Match", `"a", W/"b"`)},
	} {
		if got := ConditionsAmong(c.stored); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	var crowd []*resource.Exchange
	for i := range 40 {
		crowd = append(crowd, exchange(200, fields("ETag", `"`+strings.Repeat("x", i)+`"`)))
	}
	if n := strings.Count(ConditionsAmong(crowd).Get("If-None-Match"), ","); n != maxTagsSent-1 {
		t.Errorf("%d tags of a crowd", n+1)
	}
}

// RFC 9111 sections 3.5 and 5.2.1.5: what the request forbids to store.
func TestStorableUpdate(t *testing.T) {
	for _, c := range []struct {
		name, directives string
		req              *http.Request
		want             bool
	}{
		{"plain", "max-age=60", get(), true},
		{"no-cache", "max-age=60", get("Cache-Control", "no-cache"), true},
		{"no-store", "max-age=60", get("Cache-Control", "no-store"), false},
		{"credentials", "max-age=60", get("Authorization", "Basic eA=="), false},
		{"credentials, public", "max-age=60, public", get("Authorization", "Basic eA=="), true},
	} {
		ok, why := StorableUpdate(c.req, exchange(200, fields("Cache-Control", c.directives)))
		if wantReason(t, why); ok != c.want {
			t.Errorf("%s: %v, %+v", c.name, ok, why)
		}
	}
}

func TestFreshenAs(t *testing.T) {
	ex := exchange(200, fields("ETag", `"a"`, "Vary", "Foo"))
	ex.Selecting = fields("Foo", "1")
	fresh, ok := FreshenAs(fields("Foo", "2"), ex, fields("ETag", `"a"`), epoch, epoch)
	if !ok || fresh.Selecting.Get("Foo") != "2" || ex.Selecting.Get("Foo") != "1" {
		t.Errorf("got %+v, %v", fresh, ok)
	}
	if _, ok := FreshenAs(fields("Foo", "2"), ex, fields("Vary", "*"), epoch, epoch); ok {
		t.Error("Vary: * selects")
	}
}

// Outdate makes every response stale, whatever its age, and changes nothing else.
func TestOutdate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seconds := rapid.Int64Range(0, 5000)
		ex := exchange(200, fields("Cache-Control", rapid.SampledFrom([]string{"max-age=1000", "s-maxage=9999999999", "max-age=0", "public"}).Draw(t, "cc"),
			"Date", httpDate(-time.Duration(seconds.Draw(t, "date"))*time.Second), "Last-Modified", httpDate(-1000*hour)))
		ex.Requested = epoch.Add(-time.Duration(seconds.Draw(t, "delay")) * time.Second)
		ex.InitialAge = time.Duration(seconds.Draw(t, "age")) * time.Second
		now := epoch.Add(time.Duration(seconds.Draw(t, "now")) * time.Second)
		old := Outdate(ex, now)
		e := Evaluate(get(), old, now)
		if e.Verdict != MustRevalidate || e.Age < Age(ex, now) {
			t.Fatalf("%+v, was %v old", e, Age(ex, now))
		}
		old.InitialAge = ex.InitialAge
		if !reflect.DeepEqual(old, ex) {
			t.Fatalf("got %+v of %+v", old, ex)
		}
	})
}

// Whatever parts of a body come in whatever order, what is combined is true to it.
func TestCombineKeepsTheBytes(t *testing.T) {
	const whole = "abcdefghijklmnopqrstuvwxyz"
	rapid.Check(t, func(t *rapid.T) {
		known := rapid.Bool().Draw(t, "known")
		draw := func() (*resource.Exchange, string) {
			from := rapid.Int64Range(0, int64(len(whole)-1)).Draw(t, "from")
			s := Span{from, rapid.Int64Range(1, int64(len(whole))-from).Draw(t, "length")}
			complete := int64(-1)
			if known || rapid.Bool().Draw(t, "complete") {
				complete = int64(len(whole))
			}
			ex := exchange(206, fields("ETag", `"a"`, "Content-Range", ContentRange{s, complete}.String()))
			ex.Body.Length = s.Length
			return ex, whole[s.Offset:s.End()]
		}
		ex, body := draw()
		for range 6 {
			got, content := draw()
			c, ok, why := Combine(ex, got)
			old, _ := PartOf(ex)
			part, _ := PartOf(got)
			apart := old.Span.End() < part.Span.Offset || part.Span.End() < old.Span.Offset
			if ok == apart {
				t.Fatalf("%v and %v: %v", old, part, why)
			}
			if !ok {
				continue
			}
			joined := ""
			for _, p := range c.Pieces {
				source := body
				if p.Received {
					source = content
				}
				joined += source[p.Offset:][:p.Length]
			}
			ex, body = c.Exchange, joined
			held, valid := PartOf(ex)
			if !valid || held.Span.Length != int64(len(body)) || whole[held.Span.Offset:held.Span.End()] != body || (ex.Status == 200) != (body == whole && held.Complete >= 0) {
				t.Fatalf("%+v is %q", held, body)
			}
		}
	})
}

// RFC 9111 section 3.3.
func TestIncomplete(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		header http.Header
		length int64
		want   string // Content-Range
	}{
		{"broken off", 200, fields("ETag", `"a"`, "Content-Length", "10"), 4, "bytes 0-3/10"},
		{"length unknown", 200, fields("ETag", `"a"`), 4, "bytes 0-3/*"},
		{"by date", 200, fields("Last-Modified", httpDate(-hour), "Date", httpDate(0), "Content-Length", "10"), 4, "bytes 0-3/10"},
		{"by a date too near", 200, fields("Last-Modified", httpDate(0), "Date", httpDate(0), "Content-Length", "10"), 4, ""},
		{"weak tag", 200, fields("ETag", `W/"a"`, "Content-Length", "10"), 4, ""},
		{"no validator", 200, fields("Content-Length", "10"), 4, ""},
		{"nothing of it", 200, fields("ETag", `"a"`, "Content-Length", "10"), 0, ""},
		{"all of it", 200, fields("ETag", `"a"`, "Content-Length", "10"), 10, ""},
		{"no ranges", 200, fields("ETag", `"a"`, "Content-Length", "10", "Accept-Ranges", "None"), 4, ""},
		{"other status", 404, fields("ETag", `"a"`, "Content-Length", "10"), 4, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ex, ok, why := Incomplete(exchange(c.status, c.header), c.length)
			wantReason(t, why)
			if ok != (c.want != "") {
				t.Fatalf("got %v: %v", ok, why)
			}
			if ok && (ex.Status != 206 || ex.Header.Get("Content-Range") != c.want || ex.Body.Length != c.length || ex.Header.Get("Content-Length") != "") {
				t.Errorf("got %+v", ex)
			}
		})
	}
}

// What is invalidated is bounded, of one origin, and the target comes first.
func FuzzInvalidates(f *testing.F) {
	for _, seed := range []string{"/a", "../..", "//other.example/", "http://example.com:80/x#y", "http://u:p@example.com/", "%zz", "?", "http://[::1", "javascript:alert(1)", "a\nb\nc"} {
		f.Add(seed, "POST", 200)
	}
	f.Fuzz(func(t *testing.T, locations, method string, status int) {
		h := http.Header{"Location": strings.Split(locations, "\n"), "Content-Location": {locations}}
		urls := Invalidates(method, status, modelURL, h)
		if len(urls) > maxInvalidated || (len(urls) == 0) != (IsSafe(method) || status < 200 || status > 399) {
			t.Fatalf("%q: %v", locations, urls)
		}
		for i, u := range urls {
			if i == 0 && u != modelURL || !sameOrigin(u, modelURL) || slices.Contains(urls[:i], u) {
				t.Fatalf("%q: %v", locations, urls)
			}
		}
	})
}
