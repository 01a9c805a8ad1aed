package httpcache

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// testingT is what testing.T and rapid.T have in common here.
type testingT interface {
	Fatalf(format string, args ...any)
}

func checkRange(t testingT, req http.Header, size int64) {
	ex := exchange(http.StatusOK, fields("ETag", `"a"`))
	ex.Body.Length = size
	c := ChooseRanges(req, ex)
	if c.Base != 0 || c.Complete != size {
		t.Fatalf("%v of %d: %+v", req, size, c)
	}
	switch c.Status {
	case RangeWhole:
		if len(c.Spans) != 1 || c.Spans[0] != (Span{0, size}) {
			t.Fatalf("%v of %d: whole is %+v", req, size, c)
		}
	case RangePartial:
		for _, s := range c.Spans {
			if !s.Valid() || s.End() > size {
				t.Fatalf("%v of %d: %+v", req, size, c)
			}
		}
		if len(c.Spans) == 0 {
			t.Fatalf("%v of %d: %+v", req, size, c)
		}
	case RangeUnsatisfiable:
		if len(c.Spans) != 0 {
			t.Fatalf("%v of %d: unsatisfiable has %+v", req, size, c)
		}
	case RangeMissing:
		t.Fatalf("%v of %d: nothing is missing of a whole", req, size)
	}
}

func FuzzCacheControl(f *testing.F) {
	for _, seed := range []string{
		"public, max-age=31536000, immutable", "private, no-cache, no-store, max-age=0, must-revalidate, pre-check=0, post-check=0",
		"max-age=0, private, s-maxage=0", `no-cache="Set-Cookie, Set-Cookie2", max-age="60"`, "s-maxage=3600, stale-while-revalidate=120, stale-if-error=86400",
		"max-age=604800;", "max-age = 60", `ext="a\", no-store`, "no-store,no-cache\nmax-age=1", "max-stale, min-fresh=5, only-if-cached", "public,,max-age=-1", "must-understand, no-store",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		lines := strings.Split(value, "\n")
		d := ParseCacheControl(http.Header{"Cache-Control": lines})
		for _, delta := range []Delta{d.MaxAge, d.SMaxAge, d.MinFresh, d.MaxStale, d.StaleIfError, d.StaleWhileRevalidate} {
			if delta.Value < 0 || delta.Value > MaxDelta || delta.Invalid && delta.Value != 0 || !delta.Set && delta != (Delta{}) {
				t.Fatalf("%q: %+v", value, delta)
			}
		}
		if !d.NoCache && d.NoCacheFields != nil || !d.Private && d.PrivateFields != nil {
			t.Fatalf("%q: fields of a directive that is not there", value)
		}
		// One more line never makes a response more reusable than it is.
		more := ParseCacheControl(http.Header{"Cache-Control": append(lines, "no-store, private, no-cache, max-age=0")})
		if !more.NoStore || !more.Private || !more.NoCache || more.MaxAge.Value != 0 || more.NoCacheFields != nil {
			t.Fatalf("%q: a further line is lost: %+v", value, more)
		}
		ex := exchange(http.StatusOK, http.Header{"Cache-Control": lines})
		if e := Evaluate(&http.Request{Header: ex.Header}, ex, epoch.Add(MaxDelta)); e.Verdict == Fresh {
			t.Fatalf("%q: fresh after %v", value, MaxDelta)
		}
	})
}

func FuzzDate(f *testing.F) {
	for _, seed := range []string{
		"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "0", "-1",
		"Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 29 Feb 2024 23:59:60 GMT", "Thu, 18 Aug 2050 02:01:18 UTC", "Thursday, 31-Nov-50 02:01:18 GMT",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, ok := ParseDate(value, epoch)
		if !ok {
			return
		}
		if got.Nanosecond() != 0 || got.Location() != time.UTC {
			t.Fatalf("%q: %v", value, got)
		}
		again, ok := ParseDate(got.Format(http.TimeFormat), epoch)
		if !ok || !again.Equal(got) {
			t.Fatalf("%q is %v, written and read again %v", value, got, again)
		}
		// Where net/http reads it, it reads the same; years of two digits it takes for others.
		if std, err := http.ParseTime(value); err == nil && !strings.Contains(value, "-") && !std.Equal(got) {
			t.Fatalf("%q: %v, by net/http %v", value, got, std)
		}
	})
}

func FuzzVaryKey(f *testing.F) {
	for _, seed := range [][2]string{
		{"Accept-Encoding", "gzip, deflate, br, zstd"}, {"accept-encoding", "br;q=1.0, gzip;q=0.8, *;q=0.1"}, {"Accept-Language", "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7"},
		{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"}, {"Accept", `a/b;x="c, d";q=0.5`},
		{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"}, {"Cookie", "a=1; b=\"2"}, {"*", ""}, {"Foo, Bar", "\"a\n\"b ,c\""}, {"Foo", `"a\ ,b`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, vary, value string) {
		lines := strings.Split(value, "\n")
		req := http.Header{}
		for _, name := range append(strings.Split(vary, ","), "Foo") {
			req[http.CanonicalHeaderKey(trimBlanks(name))] = lines
		}
		resp := fields("Vary", vary)
		sel, ok := Selecting(req, resp)
		ex := exchange(http.StatusOK, resp)
		ex.Selecting = sel
		if Matches(req, ex) != ok {
			t.Fatalf("Vary %q, %q: matches its own response: %v", vary, lines, !ok)
		}
		if again, _ := Selecting(sel, resp); !reflect.DeepEqual(again, sel) {
			t.Fatalf("%q, then %q", sel, again)
		}
	})
}

func FuzzRange(f *testing.F) {
	for _, seed := range []string{"bytes=0-499", "bytes=500-", "bytes=-500", "bytes=0-0,-1", "bytes=9-1", "bytes=-0", "bytes=99999999999999999999-", "items=0-5", "bytes=", "bytes=-"} {
		f.Add(seed, "", int64(1000))
	}
	f.Add("bytes=0-1", `"a"`, int64(0))
	f.Add("bytes=0-1", "Sun, 06 Nov 1994 08:49:37 GMT", int64(1))
	f.Fuzz(func(t *testing.T, value, ifRange string, size int64) {
		req := fields("Range", value)
		if ifRange != "" {
			req.Set("If-Range", ifRange)
		}
		checkRange(t, req, max(size, 0))
	})
}

func FuzzEntityTags(f *testing.F) {
	for _, seed := range [][2]string{
		{`"abc"`, `"x", W/"abc"`}, {`W/"abc"`, `"abc"`}, {`"a,b"`, `"a,b"`}, {"abc", "abc"}, {"*", "*"}, {`"a"`, `"a"b, "a`}, {`"`, `""`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, tag, list string) {
		ex := exchange(http.StatusOK, fields("ETag", tag))
		NotModified(fields("If-None-Match", list), ex)
		// What is sent to the origin as a condition holds for the stored response itself.
		if condition := ConditionalHeaders(ex); len(condition) > 0 && !NotModified(condition, ex) {
			t.Fatalf("%q: its own condition %v does not hold", tag, condition)
		}
	})
}

// readFields makes a header of lines "name: value".
func readFields(text string) http.Header {
	h := http.Header{}
	for line := range strings.SplitSeq(text, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && isToken(name) {
			h.Add(name, trimBlanks(value))
		}
	}
	return h
}

// Whatever fields two strangers send, every decision has its reason and none contradicts
// another.
func FuzzDecisions(f *testing.F) {
	for _, seed := range [][2]string{
		{"Range: bytes=0-1\nIf-Range: \"a\"", "ETag: \"a\"\nCache-Control: max-age=60\nContent-Range: bytes 0-999/2000"},
		{"If-None-Match: \"a\", W/\"b\"\nIf-Match: *", "ETag: W/\"b\"\nVary: Accept-Language\nLast-Modified: Sun, 01 Mar 2026 11:00:00 GMT"},
		{"Cache-Control: max-stale, stale-if-error=5\nPragma: no-cache", "Cdn-Cache-Control: max-age=5\nCache-Control: no-store"},
		{"Authorization: x\nCache-Control: only-if-cached", "Expires: 0\nVary: *\nContent-Location: page\nContent-Length: 1, 1"},
	} {
		f.Add(seed[0], seed[1], 200, int64(60))
		f.Add(seed[0], seed[1], 206, int64(-60))
	}
	f.Fuzz(func(t *testing.T, request, response string, status int, seconds int64) {
		req := &http.Request{Method: http.MethodGet, Header: readFields(request)}
		ex := exchange(status, readFields(response))
		now := epoch.Add(time.Duration(seconds%(1<<31)) * time.Second)
		for _, p := range []Policy{{}, cdn} {
			checkDecisions(t, p, req, ex, now)
		}
		c := ChooseRanges(req.Header, ex)
		if fields, ok, _ := Completion(req.Header, ex); ok {
			if specs, ok := ParseRange(fields["Range"]); !ok || len(specs) != 1 || c.Status == RangePartial {
				t.Fatalf("asks for %v, chooses %+v", fields, c)
			}
		}
		if whole, ok := WholePart(ex); ok && ChooseRanges(nil, whole).Status != RangeWhole {
			t.Fatalf("no whole: %+v", whole)
		}
		if outcome, _ := Preconditions(req.Header, ex); (outcome == AnswerNotModified) != (NotModified(req.Header, ex) && outcome != AnswerFailed) {
			t.Fatalf("outcome %v", outcome)
		}
		if effect, _ := OfHead(ex, http.StatusOK, ex.Header); effect == HeadOutdates && status == http.StatusOK && ex.Header["Content-Length"] == nil && StrongValidator(ex) != "" {
			t.Fatalf("a response outdates itself: %v", ex.Header)
		}
	})
}

func checkDecisions(t *testing.T, p Policy, req *http.Request, ex *resource.Exchange, now time.Time) {
	stored, why := p.Storable(req, ex.Status, ex.Header)
	part, partly := p.StorablePart(req, ex.Header, ex.Body.Length)
	wantReason(t, why)
	wantReason(t, partly)
	said, _ := p.Directives(ex.Header)
	if (stored || part) && (said.Private || said.NoStore && !said.MustUnderstand) {
		t.Fatalf("stored: %v", why)
	}
	e := p.Evaluate(req, ex, now)
	if e.Verdict == Fresh && (e.Age >= e.Lifetime || said.NoCache) || e.StaleIfServerError && !e.StaleIfError || said.NoCache && e.StaleIfError {
		t.Fatalf("%+v of %+v", e, said)
	}
	if p.Evaluate(get(), p.Outdate(ex, now), now).Verdict != MustRevalidate {
		t.Fatal("outdated, but reusable")
	}
	for _, finding := range p.Explain(req, ex, now) {
		wantReason(t, finding.Reason)
	}
}
