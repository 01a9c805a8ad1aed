package http1

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// verdict is what a Scanner makes of a stream.
type verdict struct {
	begin, end []int // of the messages; what is between is empty lines
	passed     int   // bytes that were taken
	err        error
	content    bool // the error is in content
}

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

// judge feeds a stream in pieces. Nothing that it asks for is granted.
func judge(t tester, stream string, piece func(at int) int) verdict {
	t.Helper()
	s := NewScanner(Limits{})
	var v verdict
	for fresh := true; v.passed < len(stream); {
		p := []byte(stream[v.passed:min(len(stream), v.passed+piece(v.passed))])
		from, to, err := s.Feed(p)
		if from < 0 || from > to || to > len(p) || err == nil && to == 0 {
			t.Fatalf("Feed(%q) = %d, %d, %v", p, from, to, err)
		}
		if fresh && from < to {
			v.begin, fresh = append(v.begin, v.passed+from), false
		}
		if v.passed += to; err != nil {
			v.err, v.content = err, s.InContent()
			if _, to, again := s.Feed([]byte("x")); to != 0 || !errors.Is(again, err) {
				t.Fatalf("a refused stream goes on: %d, %v", to, again)
			}
			break
		}
		if s.state == atStart && from < to || s.Awaiting() != NoChange {
			v.end, fresh = append(v.end, v.passed), true
			s.Resume()
		}
	}
	return v
}

func whole(int) int { return 1 << 30 }

// sameHoweverCut fails if the verdict depends on the cut.
func sameHoweverCut(t *testing.T, stream string, want verdict) {
	t.Helper()
	for _, size := range []int{1, 2, 3, 7} {
		if got := judge(t, stream, func(int) int { return size }); !reflect.DeepEqual(got, want) {
			t.Errorf("in pieces of %d: %+v, want %+v", size, got, want)
		}
	}
	if len(stream) > 2<<10 {
		return
	}
	for cut := 1; cut < len(stream); cut++ {
		got := judge(t, stream, func(at int) int {
			if at < cut {
				return cut - at
			}
			return len(stream)
		})
		if !reflect.DeepEqual(got, want) {
			t.Errorf("cut at %d: %+v, want %+v", cut, got, want)
		}
	}
}

func TestAccepted(t *testing.T) {
	for _, c := range accepted {
		t.Run(c.name, func(t *testing.T) {
			got := judge(t, c.stream, whole)
			if got.err != nil || got.passed != len(c.stream) || len(got.end) != c.requests || got.end[c.requests-1] != len(c.stream) {
				t.Errorf("%+v", got)
			}
			sameHoweverCut(t, c.stream, got)
		})
	}
}

func TestRefused(t *testing.T) {
	for _, c := range refused {
		t.Run(c.name, func(t *testing.T) {
			got := judge(t, c.good+c.bad, whole)
			if !errors.Is(got.err, c.err) || got.passed != len(c.good) {
				t.Errorf("refused %q: %v; want %q: %v", tailOf(c.good+c.bad, got.passed), got.err, tailOf(c.bad, 0), c.err)
			}
			sameHoweverCut(t, c.good+c.bad, got)
		})
	}
}

func tailOf(s string, from int) string { return s[from:min(len(s), from+40)] }

// Every error has a status that fits it, and a reason that can stand in a field (RFC 8941
// section 3.3.3).
func TestErrors(t *testing.T) {
	for _, c := range refused {
		switch c.err.Status {
		case 400, 414, 431, 501, 505:
		default:
			t.Errorf("%v has status %d", c.err, c.err.Status)
		}
		if strings.ContainsFunc(c.err.Reason, func(r rune) bool { return r < ' ' || r > '~' }) || !strings.HasSuffix(c.err.Error(), c.err.Reason) {
			t.Errorf("%q", c.err.Error())
		}
	}
}

func TestLimits(t *testing.T) {
	for name, c := range map[string]struct {
		limits Limits
		stream string
		want   *Error
		at     int
	}{
		"head that fits":   {Limits{Head: 27}, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", nil, 27},
		"head":             {Limits{Head: 26}, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", ErrHeadLength, 26},
		"target that fits": {Limits{Target: 4}, "GET /123 HTTP/1.1\r\n", nil, 19},
		"target":           {Limits{Target: 3}, "GET /123 HTTP/1.1\r\n", ErrTargetLength, 7},
		"fields that fit":  {Limits{Fields: 1}, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", nil, 27},
		"fields":           {Limits{Fields: 1}, "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n", ErrFieldCount, 25},
		"trailers":         {Limits{Fields: 2}, chunk + "0\r\nA: b\r\nC: d\r\nE: f\r\n\r\n", ErrFieldCount, len(chunk) + 15},
	} {
		t.Run(name, func(t *testing.T) {
			_, to, err := NewScanner(c.limits).Feed([]byte(c.stream))
			if to != c.at || c.want == nil && err != nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%d, %v", to, err)
			}
		})
	}
}

// A request that would end HTTP stops the Scanner until somebody says what became of it.
func TestAwaiting(t *testing.T) {
	for _, c := range []struct {
		request string
		change  Change
	}{
		{"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", Connect},
		{"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\n\r\n", Connect},
		{"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", Upgrade},
		{"POST / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\nx", Upgrade},
		{chunk[:len(chunk)-2] + "Upgrade: x\r\n\r\n0\r\nT: x\r\n\r\n", Upgrade},
	} {
		s := NewScanner(Limits{})
		p := []byte(c.request + "\x00\x01")
		if _, to, err := s.Feed(p); to != len(c.request) || err != nil || s.Awaiting() != c.change || s.InContent() {
			t.Fatalf("%q: %d, %v, %v", c.request, to, err, s.Awaiting())
		}
		if _, to, err := s.Feed(p[len(c.request):]); to != 0 || err != nil {
			t.Errorf("%q: took %d more, %v", c.request, to, err)
		}
		s.Opaque()
		if from, to, err := s.Feed(p[len(c.request):]); from != 0 || to != 2 || err != nil || s.Awaiting() != NoChange {
			t.Errorf("%q: opaque bytes are looked at: %d, %d, %v", c.request, from, to, err)
		}
	}
}

// An ordinary head costs no memory.
func TestScanAllocatesNothing(t *testing.T) {
	s := NewScanner(Limits{})
	p := []byte(browserHead)
	if _, to, err := s.Feed(p); to != len(p) || err != nil {
		t.Fatal(to, err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _, _ = s.Feed(p) }); n != 0 {
		t.Errorf("%v allocations for a head", n)
	}
}

const browserHead = "GET http://www.example.com/images/2026/photo-of-something.jpg?size=large HTTP/1.1\r\n" +
	"Host: www.example.com\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0\r\n" +
	"Accept: image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5\r\n" +
	"Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\n" +
	"Accept-Encoding: gzip, deflate\r\n" +
	"Referer: http://www.example.com/\r\n" +
	"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n" +
	"Connection: keep-alive\r\n\r\n"

func BenchmarkHead(b *testing.B) {
	s := NewScanner(Limits{})
	p := []byte(browserHead)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := s.Feed(p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkChunks(b *testing.B) {
	s := NewScanner(Limits{})
	if _, _, err := s.Feed([]byte(chunk)); err != nil {
		b.Fatal(err)
	}
	p := []byte("8000\r\n" + strings.Repeat("x", 32<<10) + "\r\n")
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		if _, _, err := s.Feed(p); err != nil {
			b.Fatal(err)
		}
	}
}
