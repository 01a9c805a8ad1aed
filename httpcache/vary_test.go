package httpcache

import (
	"net/http"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// RFC 9111 section 4.1: what may be normalised, and RFC 9110 section 12.5: what the fields mean.
func TestNormalise(t *testing.T) {
	for _, c := range []struct {
		field string
		lines []string
		want  string
	}{
		{"Foo", []string{"1"}, "1"},
		{"Foo", []string{" 1,2\t"}, "1, 2"},
		{"Foo", []string{"1", "2"}, "1, 2"},
		{"Foo", []string{"2, 1"}, "2, 1"},
		{"Foo", []string{"A, a"}, "A, a"},
		{"Foo", []string{`"a ,b" ,c`}, `"a ,b", c`},
		{"Foo", []string{`"a ,b`}, `"a, b`},
		{"Foo", []string{`"a`, `"b ,c"`}, `"a, "b, c"`},
		{"Foo", []string{"a;  b"}, "a;  b"},
		{"Foo", []string{""}, ""},
		{"Cookie", []string{"a=1", "b=2"}, "a=1; b=2"},
		{"Cookie", []string{"a=1,2"}, "a=1,2"},

		{"Accept-Encoding", []string{"gzip, deflate, br"}, "br, deflate, gzip"},
		{"Accept-Encoding", []string{"BR,GZip", "deflate"}, "br, deflate, gzip"},
		{"Accept-Encoding", []string{"gzip;q=1.0, br; q=0.80 ,*;Q=0"}, "*;q=0, br;q=0.8, gzip"},
		{"Accept-Encoding", []string{"gzip, gzip, , gzip"}, "gzip"},
		{"Accept-Encoding", []string{""}, ""},
		{"Accept-Encoding", []string{"X-GZip;q=0.50, x-compress, x-gzipped"}, "compress, gzip;q=0.5, x-gzipped"},
		{"Accept-Encoding", []string{"br;q=0, gzip, zstd;q=0.000"}, "gzip"},
		{"Accept-Encoding", []string{"br;q=0, gzip, *;q=0.5"}, "*;q=0.5, br;q=0, gzip"},
		{"Accept-Encoding", []string{"identity;q=0, br;q=0, gzip"}, "gzip, identity;q=0"},
		{"Accept-Charset", []string{"x-gzip"}, "x-gzip"},
		{"Accept-Encoding", []string{"gzip;q=2, br"}, "gzip;q=2, br"},
		{"Accept-Encoding", []string{"gzip;q=0.1234, br"}, "gzip;q=0.1234, br"},
		{"Accept-Encoding", []string{"gzip;q=.5, br"}, "gzip;q=.5, br"},
		{"Accept-Encoding", []string{"gzip deflate, br"}, "gzip deflate, br"},
		{"Accept-Encoding", []string{"gzip;q=1;q=1,br"}, "gzip;q=1;q=1, br"},

		{"Accept-Language", []string{"en, de"}, "de, en"},
		{"Accept-Language", []string{"eN ,   De"}, "de, en"},
		{"Accept-Language", []string{"de-CH,de;q=0.9"}, "de-ch, de;q=0.9"},
		{"Accept-Language", []string{"fr;q=0.50, de;q=1.000"}, "de, fr;q=0.5"},

		{"Accept", []string{"text/html, */*;q=0.8"}, "*/*;q=0.8, text/html"},
		{"Accept", []string{"TEXT/html;Level=1;q=0.4, text/HTML"}, "text/html, text/html;level=1;q=0.4"},
		{"Accept", []string{`a/b;x="C, D" ,  a/a`}, `a/a, a/b;x="C, D"`},
		{"Accept", []string{"a/b;q=1;ext=1"}, "a/b;q=1;ext=1"},
		{"Accept", []string{"a/b/c, a/a"}, "a/b/c, a/a"},
		{"Accept", []string{"a/b;ext, a/a"}, "a/b;ext, a/a"},
		{"Accept", []string{`a/b;x="c, a/a`}, `a/b;x="c, a/a`},
	} {
		t.Run(c.field, func(t *testing.T) {
			got := normalise(c.field, c.lines)
			if got != c.want {
				t.Errorf("%q: got %q, want %q", c.lines, got, c.want)
			}
			if again := normalise(c.field, []string{got}); again != got {
				t.Errorf("%q becomes %q", got, again)
			}
		})
	}
}

func TestSelecting(t *testing.T) {
	req := fields("Foo", "1", "Bar", "x", "Bar", "y", "Accept-Encoding", "gzip,br", "Empty", "")
	for _, c := range []struct {
		name string
		vary []string
		want http.Header
		ok   bool
	}{
		{"no Vary", nil, nil, true},
		{"empty Vary", []string{"", " , "}, nil, true},
		{"a field", []string{"Foo"}, fields("Foo", "1"), true},
		{"names of any case", []string{"fOO, ACCEPT-encoding"}, fields("Foo", "1", "Accept-Encoding", "br, gzip"), true},
		{"several lines", []string{"foo", "bar"}, fields("Foo", "1", "Bar", "x, y"), true},
		{"a field that is absent", []string{"foo, baz"}, fields("Foo", "1"), true},
		{"a field that is empty", []string{"empty"}, fields("Empty", ""), true},
		{"only fields that are absent", []string{"baz"}, nil, true},
		{"*", []string{"*"}, nil, false},
		{"* twice", []string{"*, *"}, nil, false},
		{"* after nothing", []string{", *"}, nil, false},
		{"* on a second line", []string{"", "*"}, nil, false},
		{"* first", []string{"*, Foo"}, nil, false},
		{"* last", []string{"Foo, *"}, nil, false},
		{"no field name", []string{"Foo Bar"}, nil, false},
		{"semicolon", []string{"Foo; Bar"}, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			sel, ok := Selecting(req, http.Header{"Vary": c.vary})
			if ok != c.ok || !reflect.DeepEqual(sel, c.want) {
				t.Errorf("got %v, %v; want %v, %v", sel, ok, c.want, c.ok)
			}
			ex := exchange(200, http.Header{"Vary": c.vary})
			ex.Selecting = sel
			if Matches(req, ex) != c.ok {
				t.Errorf("the request matches its own response: %v", !c.ok)
			}
		})
	}
}

// RFC 9111 section 4.1.
func TestMatches(t *testing.T) {
	for _, c := range []struct {
		name      string
		vary      string
		was, asks http.Header
		want      bool
	}{
		{"no Vary", "", fields("Foo", "1"), fields("Foo", "2"), true},
		{"same", "Foo", fields("Foo", "1"), fields("Foo", "1"), true},
		{"other", "Foo", fields("Foo", "1"), fields("Foo", "2"), false},
		{"absent in the stored request", "Foo", fields(), fields("Foo", "1"), false},
		{"absent in this request", "Foo", fields("Foo", "1"), fields(), false},
		{"absent in both", "Foo", fields(), fields(), true},
		{"absent is not empty", "Foo", fields(), fields("Foo", ""), false},
		{"not named", "Foo", fields("Foo", "1", "Other", "2"), fields("Foo", "1", "Other", "3"), true},
		{"two, same", "Foo, Bar", fields("Foo", "1", "Bar", "abc"), fields("Foo", "1", "Bar", "abc"), true},
		{"two, one differs", "Foo, Bar", fields("Foo", "1", "Bar", "abc"), fields("Foo", "1", "Bar", "abcde"), false},
		{"three, one absent in both", "Foo, Bar, Baz", fields("Foo", "1", "Baz", "7"), fields("Foo", "1", "Baz", "7"), true},
		{"lines joined", "Foo", fields("Foo", "1, 2"), fields("Foo", "1", "Foo", "2"), true},
		{"blanks", "Foo", fields("Foo", "1,2"), fields("Foo", " 1, 2 "), true},
		{"case of a value", "Foo", fields("Foo", "a"), fields("Foo", "A"), false},
		{"languages in another order", "Accept-Language", fields("Accept-Language", "en, de"), fields("Accept-Language", "de, en"), true},
		{"languages with other weights", "Accept-Language", fields("Accept-Language", "en;q=0.5, de"), fields("Accept-Language", "de;q=0.5, en"), false},
		{"codings of another browser", "Accept-Encoding", fields("Accept-Encoding", "gzip, deflate, br"), fields("Accept-Encoding", "br,gzip,deflate"), true},
		{"fewer codings", "Accept-Encoding", fields("Accept-Encoding", "gzip, deflate, br"), fields("Accept-Encoding", "gzip"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			ex := exchange(200, fields("Vary", c.vary))
			ex.Selecting, _ = Selecting(c.was, ex.Header)
			if got := Matches(c.asks, ex); got != c.want {
				t.Errorf("%v stored, %v asked: %v", ex.Selecting, c.asks, got)
			}
		})
	}
	t.Run("stored by a version with another normal form", func(t *testing.T) {
		ex := exchange(200, fields("Vary", "Accept-Encoding"))
		ex.Selecting = fields("Accept-Encoding", "gzip;q=1.0,br")
		if !Matches(fields("Accept-Encoding", "br, gzip"), ex) {
			t.Error("no match")
		}
	})
}

// The normal form is one: applied to itself it changes nothing, and requests that are
// written differently but mean the same have the same.
func TestSelectingIdempotent(t *testing.T) {
	piece := rapid.SampledFrom([]string{"gzip", "br", "*", "text/html", "A", ";q=0.50", "; Q=1", ";x=\"a, b\"", ",", " , ", "\"", "\\", " ", "\t", "="})
	line := rapid.Map(rapid.SliceOfN(piece, 0, 12), func(pieces []string) (s string) {
		for _, p := range pieces {
			s += p
		}
		return s
	})
	rapid.Check(t, func(t *rapid.T) {
		resp := fields("Vary", "Accept, accept-encoding, Foo, Cookie")
		req := http.Header{}
		for _, name := range []string{"Accept", "Accept-Encoding", "Foo", "Cookie", "Other"} {
			if lines := rapid.SliceOfN(line, 0, 3).Draw(t, name); len(lines) > 0 {
				req[name] = lines
			}
		}
		sel, ok := Selecting(req, resp)
		again, _ := Selecting(sel, resp)
		if !ok || !reflect.DeepEqual(sel, again) {
			t.Fatalf("%q, then %q", sel, again)
		}
		ex := exchange(200, resp)
		ex.Selecting = sel
		if !Matches(req, ex) || !Matches(sel, ex) {
			t.Fatalf("%q does not match its own normal form %q", req, sel)
		}
	})
}
