package httpcache

import (
	"bytes"
	"io"
	"math"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// RFC 9110 sections 14.2, 15.3.7.2 and 17.15: several ranges.
func TestChooseRanges(t *testing.T) {
	span := func(pairs ...int64) (s []Span) {
		for i := 0; i < len(pairs); i += 2 {
			s = append(s, Span{pairs[i], pairs[i+1] - pairs[i] + 1})
		}
		return s
	}
	whole := span(0, 9999)
	many := func(n int, step int) string {
		var b []string
		for i := range n {
			at := i * 100
			if step < 0 {
				at = (n - i) * 100
			}
			b = append(b, strconv.Itoa(at)+"-"+strconv.Itoa(at))
		}
		return strings.Join(b, ",")
	}
	for _, c := range []struct {
		name, section, set string
		status             RangeStatus
		want               []Span
	}{
		{"two", "14.2", "0-99,500-599", RangePartial, span(0, 99, 500, 599)},
		{"two, descending", "15.3.7.2", "500-599,0-99", RangePartial, span(500, 599, 0, 99)},
		{"first and last", "14.1.2", "0-0,-1", RangePartial, span(0, 0, 9999, 9999)},
		{"blanks and empty members", "5.6.1.2", " , 0-0 ,\t, -1 , ", RangePartial, span(0, 0, 9999, 9999)},
		{"overlap is coalesced", "15.3.7.2", "0-99,50-199", RangePartial, span(0, 199)},
		{"touching is coalesced", "15.3.7.2", "0-99,100-199", RangePartial, span(0, 199)},
		{"a small gap is coalesced", "15.3.7.2", "0-99,180-199", RangePartial, span(0, 199)},
		{"a gap is kept", "15.3.7.2", "0-99,181-199", RangePartial, span(0, 99, 181, 199)},
		{"order of the first of each", "15.3.7.2", "5000-5099,0-99,5100-5199", RangePartial, span(5000, 5199, 0, 99)},
		{"some not satisfiable", "14.2", "20000-,-0,7-8", RangePartial, span(7, 8)},
		{"none satisfiable", "15.5.17", "20000-,-0", RangeUnsatisfiable, nil},
		{"one invalid", "14.2", "0-1,x-y", RangeWhole, whole},
		{"one the wrong way round", "14.1.1", "0-1,5-4", RangeWhole, whole},
		{"three overlap", "17.15", "0-999,0-999,0-999", RangeWhole, whole},
		{"all of it many times", "17.15", "0-,0-,0-,0-", RangeWhole, whole},
		{"many, ascending", "14.2", many(8, 1), RangePartial, span(0, 0, 100, 100, 200, 200, 300, 300, 400, 400, 500, 500, 600, 600, 700, 700)},
		{"many, descending", "17.15", many(8, -1), RangeWhole, whole},
		{"as many as allowed", "14.2", many(MaxRanges, 1), RangePartial, nil},
		{"too many", "17.15", many(MaxRanges+1, 1), RangeWhole, whole},
		{"longer than the whole", "14.2", "0-4999,5081-9999", RangeWhole, whole},
	} {
		t.Run("RFC 9110 "+c.section+" "+c.name, func(t *testing.T) {
			ex := exchange(200, fields())
			ex.Body.Length = 10000
			got := ChooseRanges(bytesOf(c.set), ex)
			if got.Status != c.status || (c.want != nil || c.status == RangeUnsatisfiable) && !slices.Equal(got.Spans, c.want) {
				t.Errorf("got %+v", got)
			}
			wantReason(t, got.Why)
		})
	}
}

// RFC 9110 section 14.4: a stored part of which nobody knows where it belongs answers nothing.
func TestChooseRangesOfWhatIsUnknown(t *testing.T) {
	for name, c := range map[string]struct {
		held string
		size int64
	}{
		"no Content-Range": {"", 5},
		"empty":            {"bytes 2-4/10", 0},
		"longer":           {"bytes 2-4/10", 5},
	} {
		for _, asked := range []http.Header{{}, bytesOf("2-4")} {
			ex := exchange(http.StatusPartialContent, fields())
			ex.Body.Length = c.size
			if c.held != "" {
				ex.Header.Set("Content-Range", c.held)
			}
			if got := ChooseRanges(asked, ex); got.Status != RangeMissing || got.Spans != nil {
				t.Errorf("%s, %v: got %+v", name, asked, got)
			}
		}
	}
}

// RFC 9110 section 14.4.
func TestParseContentRange(t *testing.T) {
	for value, want := range map[string]ContentRange{
		"bytes 0-499/1234":                  {Span{0, 500}, 1234},
		"Bytes 42-42/*":                     {Span{42, 1}, -1},
		" bytes 734-1233/1234 ":             {Span{734, 500}, 1234},
		"bytes */47022":                     {Span{}, 47022},
		"bytes 0-922337203685477579/*":      {Span{0, 922337203685477580}, -1},
		"bytes 0-0/922337203685477580":      {Span{0, 1}, 922337203685477580},
		"bytes 1-0/10":                      {},
		"bytes 0-10/10":                     {},
		"bytes */*":                         {},
		"bytes 0-1":                         {},
		"bytes 0-/10":                       {},
		"bytes -1/10":                       {},
		"bytes=0-1/10":                      {},
		"bytes  0-1/10":                     {},
		"bytes 0 - 1/10":                    {},
		"bytes 0-1/10/10":                   {},
		"lines 0-1/10":                      {},
		"bytes 0-99999999999999999999/*":    {},
		"bytes 0-1/99999999999999999999":    {},
		"bytes 99999999999999999999-9/1":    {},
		"bytes 0-9223372036854775807/*":     {},
		"bytes 0-1/10, bytes 2-3/10":        {},
		"":                                  {},
		"bytes +1-2/10":                     {},
		"bytes 0-1/9223372036854775807":     {},
		"bytes 5-9/10;x":                    {},
		"bytes 00000000000000000000005-9/9": {},
	} {
		got, ok := ParseContentRange(fields("Content-Range", value))
		if got != want || ok != (want != ContentRange{}) {
			t.Errorf("%q: %+v, %v", value, got, ok)
		}
	}
	if c, ok := ParseContentRange(fields("Content-Range", "bytes */0")); !ok || c != (ContentRange{}) {
		t.Error("of nothing", c, ok)
	}
	if _, ok := ParseContentRange(fields("Content-Range", "bytes 0-1/9", "Content-Range", "bytes 0-2/9")); ok {
		t.Error("two that differ")
	}
	if _, ok := ParseContentRange(fields("Content-Range", "bytes 0-1/9", "Content-Range", "bytes 0-1/9")); !ok {
		t.Error("two that do not differ")
	}
}

func FuzzContentRange(f *testing.F) {
	for _, seed := range []string{"bytes 0-499/1234", "bytes 5-9/*", "bytes */10", "bytes 9-5/10", "bytes 0-99999999999999999999/*", "lines 1-2/3"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		c, ok := ParseContentRange(fields("Content-Range", value))
		if !ok {
			return
		}
		if c.Span.Length != 0 && (!c.Span.Valid() || c.Complete >= 0 && c.Span.End() > c.Complete) {
			t.Fatalf("%q: %+v", value, c)
		}
		if again, ok := ParseContentRange(fields("Content-Range", c.String())); !ok || again != c {
			t.Fatalf("%q: %+v, written and read again %+v", value, c, again)
		}
	})
}

// What is chosen is always within what is stored, in bounded pieces that never overlap, and for
// one range the same as Range finds.
func FuzzChooseRanges(f *testing.F) {
	f.Add("bytes=0-1,3-4,-1", int64(1000), int64(-1))
	f.Add("bytes=5-6", int64(10), int64(5))
	f.Add("bytes=-5,5-", int64(10), int64(5))
	f.Add("bytes=0-0,0-0,0-0", int64(3), int64(-1))
	f.Fuzz(func(t *testing.T, value string, size, from int64) {
		size = max(size, 0)
		req := fields("Range", value)
		ex := exchange(200, fields())
		ex.Body.Length = size
		if from >= 0 && size > 0 && from < math.MaxInt64-size {
			ex.Status = 206
			ex.Header.Set("Content-Range", ContentRange{Span{from, size}, -1}.String())
		}
		c := ChooseRanges(req, ex)
		var set Spans
		total := int64(0)
		for _, s := range c.Spans {
			if s.Offset < c.Base || s.End()-c.Base > size || s.Length < 0 || s.Length == 0 && size > 0 {
				t.Fatalf("%q of %d: %+v", value, size, c)
			}
			set.Add(s)
			total += s.Length
		}
		if set.Len() != total || len(c.Spans) > MaxRanges || (c.Status == RangePartial) != (len(c.Spans) > 0 && c.Status != RangeWhole) {
			t.Fatalf("%q of %d: %+v", value, size, c)
		}
	})
}

// A multipart layout is as long as it says, and another implementation reads the parts from it.
func TestMultipart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(t, "body")
		var spans []Span
		for range rapid.IntRange(1, 5).Draw(t, "n") {
			at := rapid.Int64Range(0, int64(len(body)-1)).Draw(t, "at")
			spans = append(spans, Span{at, rapid.Int64Range(1, int64(len(body))-at).Draw(t, "length")})
		}
		m, ok := NewMultipart(spans, int64(len(body)), "text/plain", "Xb0undary7fe1c9a2d4")
		if !ok {
			t.Fatal("no layout")
		}
		var b bytes.Buffer
		for _, p := range m.Parts {
			b.WriteString(p.Head)
			b.Write(body[p.Span.Offset:p.Span.End()])
		}
		b.WriteString(m.End)
		if int64(b.Len()) != m.Length {
			t.Fatalf("%d bytes, said %d", b.Len(), m.Length)
		}
		_, params, err := mime.ParseMediaType(m.ContentType)
		if err != nil {
			t.Fatal(err)
		}
		r := multipart.NewReader(&b, params["boundary"])
		for _, s := range spans {
			part, err := r.NextRawPart()
			if err != nil {
				t.Fatal(err)
			}
			got, _ := io.ReadAll(part)
			cr, ok := ParseContentRange(http.Header(part.Header))
			if !ok || cr != (ContentRange{s, int64(len(body))}) || part.Header.Get("Content-Type") != "text/plain" || !bytes.Equal(got, body[s.Offset:s.End()]) {
				t.Fatalf("part %+v: %+v %q", s, part.Header, got)
			}
		}
		if _, err := r.NextRawPart(); err != io.EOF {
			t.Fatal(err)
		}
	})
	for _, boundary := range []string{"", "a b", "ä", `a"`, strings.Repeat("a", 71)} {
		if _, ok := NewMultipart([]Span{{0, 1}}, 1, "", boundary); ok {
			t.Errorf("boundary %q", boundary)
		}
	}
	if _, ok := NewMultipart([]Span{{0, 1}}, 1, "a\r\nb", "x"); ok {
		t.Error("Content-Type breaks the frame")
	}
	if m, ok := NewMultipart([]Span{{0, 1}}, -1, "", "x"); !ok || m.Parts[0].Head != "--x\r\nContent-Range: bytes 0-0/*\r\n\r\n" {
		t.Errorf("got %+v", m)
	}
}
