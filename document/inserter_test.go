package document

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const mark = "<b id=fragment>notice</b>"

// insert writes a document in pieces of at most size bytes.
func insert(t testing.TB, document string, delivery Delivery, contentType string, size int) (string, bool) {
	t.Helper()
	var out bytes.Buffer
	in := NewInserter(&out, []byte(mark), delivery, contentType)
	for rest := document; rest != ""; {
		n := min(size, len(rest))
		if written, err := in.Write([]byte(rest[:n])); written != n || err != nil {
			t.Fatalf("Write: %d, %v", written, err)
		}
		rest = rest[n:]
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String(), in.Inserted()
}

// insertionCases have a "|" where the fragment belongs, and none where there is to be none.
var insertionCases = []struct{ name, live, sandboxed string }{
	// HTML standard, sections 13.2.6.4.1 to 6.
	{"usual", "<!DOCTYPE html>\n<html lang=en><head><title>a</title></head>\n<body class=x>|<p>b", "<!DOCTYPE html>\n<html lang=en>|<head><title>a</title></head>\n<body class=x><p>b"},
	{"upper case", "<!doctype HTML><HTML><HEAD><TITLE>a</TITLE></HEAD><BODY>|x", "<!doctype HTML><HTML>|<HEAD><TITLE>a</TITLE></HEAD><BODY>x"},
	{"text alone", "|hello", "|hello"},
	{"white space, text", " \n\t\r\f|hello", " \n\t\r\f|hello"},
	{"text with a less-than sign", "|< a", "|< a"},
	{"two less-than signs", "|<<body>", "|<<body>"},
	{"NUL", "<title>a</title>|\x00<body>", "|<title>a</title>\x00<body>"},
	{"no head", "<!DOCTYPE html>|<p>b", "<!DOCTYPE html>|<p>b"},
	{"head content without head", "<meta charset=utf-8><title>a</title><link rel=x><base href=/><style>b{}</style>|<div>", "|<meta charset=utf-8><title>a</title><link rel=x><base href=/><style>b{}</style><div>"},
	{"after the head, head content", "<head></head><meta name=a><script>1</script>|<h1>", "|<head></head><meta name=a><script>1</script><h1>"},
	{"two heads", "<head><head><title>a</title></head><head>|x", "|<head><head><title>a</title></head><head>x"},
	{"comments everywhere", "<!--a--><!DOCTYPE html><!--b--><html><!--c--><head><!--d--></head><!--e--><body>|", "<!--a--><!DOCTYPE html><!--b--><html><!--c-->|<head><!--d--></head><!--e--><body>"},
	{"meta policy stays in the head", "<head><meta http-equiv=Content-Security-Policy content=\"default-src 'none'\"></head>|<p>", "|<head><meta http-equiv=Content-Security-Policy content=\"default-src 'none'\"></head><p>"},
	{"noscript in the head", "<head><noscript><img src=x><body></noscript><title>a</title><body>|", "|<head><noscript><img src=x><body></noscript><title>a</title><body>"},
	{"noscript after the head", "<head></head>|<noscript><img></noscript><body>", "|<head></head><noscript><img></noscript><body>"},
	{"noframes", "<noframes><body></noframes><body>|", "|<noframes><body></noframes><body>"},
	{"end tags that open the body", "<head>|</br>", "|<head></br>"},
	{"end tag of the body", "<head></head>|</body>", "|<head></head></body>"},
	{"end tag of html", "|</html><p>", "|</html><p>"},
	{"other end tags", "</p></div></template><title>a</title></p>|x", "</p></div></template>|<title>a</title></p>x"},
	{"end tag without a name", "</><head></></head>|x", "</>|<head></></head>x"},
	{"frames", "<html><head><title>a</title></head><frameset cols=*><frame src=b></frameset>", "<html>|<head><title>a</title></head><frameset cols=*><frame src=b></frameset>"},
	{"byte order mark", "\xef\xbb\xbf<head></head>|x", "\xef\xbb\xbf|<head></head>x"},
	{"byte order mark alone", "\xef\xbb\xbf|", "\xef\xbb\xbf|"},
	{"half of a byte order mark", "|\xef\xbbx", "|\xef\xbbx"},
	{"nothing", "|", "|"},
	{"XML declaration", "<?xml version='1.0'?><!DOCTYPE html><head></head>|x", "<?xml version='1.0'?><!DOCTYPE html>|<head></head>x"},

	// Attributes.
	{"> in a value", "<body title='>' class=\">\" x=a>|b", "|<body title='>' class=\">\" x=a>b"},
	{"quotes in names", "<body a\"b='c>d' \"=e>|'>", "|<body a\"b='c>d' \"=e>'>"},
	{"= begins a name", "<body =a='>'>|", "|<body =a='>'>"},
	{"missing value", "<body a=>|'>", "|<body a=>'>"},
	{"solidus in a tag", "<body/a='>'/b=/>|", "|<body/a='>'/b=/>"},
	{"attributes of an end tag", "<head></head a='>'>|x", "|<head></head a='>'>x"},
	{"self-closing script", "<script/><body></script><body>|", "|<script/><body></script><body>"},

	// Where lexers have been fooled.
	{"comment that is closed at once", "<!--><body>|-->", "<!-->|<body>-->"},
	{"comment that is closed after a dash", "<!---><body>|-->", "<!--->|<body>-->"},
	{"comment with --!>", "<!--a--!><body>|-->", "<!--a--!>|<body>-->"},
	{"comment in a comment", "<!--a<!--b--><body>|-->", "<!--a<!--b-->|<body>-->"},
	{"comment with <!-->", "<!--a<!--><body>|-->", "<!--a<!-->|<body>-->"},
	{"comment with --!-->", "<!--a--!--><body>|", "<!--a--!-->|<body>"},
	{"comment with ->", "<!--a-><body>--><body>|", "<!--a-><body>-->|<body>"},
	{"CDATA is a comment", "<![CDATA[<body>|]]>", "<![CDATA[<body>|]]>"},
	{"bogus comments", "<!><!-a><!a--><?a></ a><body>|", "<!><!-a><!a--><?a></ a>|<body>"},
	{"DOCTYPE with > in quotes", "<!DOCTYPE html PUBLIC \"a><body>|\">", "<!DOCTYPE html PUBLIC \"a>|<body>\">"},
	{"script", "<script>'<body>'</script ><body>|", "|<script>'<body>'</script ><body>"},
	{"script with other end tags", "<script></scrip></scripts></ script><body></script/><body>|", "|<script></scrip></scripts></ script><body></script/><body>"},
	{"escaped script", "<script><!-- </script><body>| -->", "|<script><!-- </script><body> -->"},
	{"double escaped script", "<script><!--<script></script><body>--></script><body>|", "|<script><!--<script></script><body>--></script><body>"},
	{"double escaped script, ended twice", "<script><!--<script></script></script><body>|-->", "|<script><!--<script></script></script><body>-->"},
	{"script, escaped at once", "<script><!--><script></script><body>|", "|<script><!--><script></script><body>"},
	{"scripts within", "<script><!--<scripts></script><body>|", "|<script><!--<scripts></script><body>"},
	{"title", "<title><!--</title><body>|-->", "|<title><!--</title><body>-->"},
	{"title in a comment", "<!--<title>--><body>|</title>", "<!--<title>-->|<body></title>"},
	{"style", "<style></style a='>'><body>|", "|<style></style a='>'><body>"},
	{"textarea", "<head>|<textarea><body></textarea>", "|<head><textarea><body></textarea>"},
	{"plaintext", "<head>|<plaintext><body>", "|<head><plaintext><body>"},
	{"xmp", "|<xmp><body></xmp>", "|<xmp><body></xmp>"},
	{"svg", "|<svg><style><body></svg>", "|<svg><style><body></svg>"},
	{"long name", "|<bodybodybodybodybodybody>", "|<bodybodybodybodybodybody>"},

	// Templates.
	{"template", "<template><p>a</p></template><meta><body>|", "|<template><p>a</p></template><meta><body>"},
	{"nested templates", "<template><template></template><body></template><body>|", "|<template><template></template><body></template><body>"},
	{"template with a script", "<template><script>'</template>'</script></template>|x", "|<template><script>'</template>'</script></template>x"},
	{"template with textarea", "<template><textarea></template></textarea></template>|x", "|<template><textarea></template></textarea></template>x"},
	{"template with foreign elements", "<head>|<template><svg><style></template><!--</style></template><body>-->", "|<head><template><svg><style></template><!--</style></template><body>-->"},
	{"template with a column", "|<template><col><title></template><!--</title></template><body>-->", "|<template><col><title></template><!--</title></template><body>-->"},
	{"template that isn't ended", "<head>|<template><p>a", "|<head><template><p>a"},
	{"template that ends in a script", "<head>|<template><script>a", "|<head><template><script>a"},

	// ISO-2022-JP: what follows an escape may be letters.
	{"escape in a tag", "<head>|<meta content='\x1b$B'>'\x1b(B'><body>", "|<head><meta content='\x1b$B'>'\x1b(B'><body>"},
	{"escape in a comment", "<!-- \x1b$B --><body>|", "|<!-- \x1b$B --><body>"},

	// Documents that end in their head.
	{"head alone", "<head><title>a</title></head>|", "|<head><title>a</title></head>"},
	{"ends in a tag", "<head>|<meta content=\"", "|<head><meta content=\""},
	{"ends in the tag of the body", "<head>|<body class='", "|<head><body class='"},
	{"ends in <", "<head>|<", "|<head><"},
	{"ends in </", "<head>|</", "|<head></"},
	{"ends in a script", "<head><script>a", "|<head><script>a"},
	{"ends in an escaped script", "<head><script><!--<script>a", "|<head><script><!--<script>a"},
	{"ends in the end tag of a script", "<head><script>a</scr", "|<head><script>a</scr"},
}

func TestInserter(t *testing.T) {
	for _, tt := range insertionCases {
		for delivery, marked := range []string{tt.live, tt.sandboxed} {
			document := strings.Replace(tt.live, "|", "", 1)
			want := strings.Replace(marked, "|", mark, 1)
			for size := range 5 {
				got, inserted := insert(t, document, Delivery(delivery), "text/html", size+1)
				if got != want {
					t.Errorf("%s (delivery %d, by %d):\n got %q\nwant %q", tt.name, delivery, size+1, got, want)
				}
				if inserted != strings.Contains(want, mark) {
					t.Errorf("%s (delivery %d): Inserted is %v", tt.name, delivery, inserted)
				}
			}
		}
	}
}

// TestInserterEndsWhatIsOpen: a page of style alone can show text, and the notice must not become part
// of it.
func TestInserterEndsWhatIsOpen(t *testing.T) {
	for document, want := range map[string]string{
		"<head><!-- a":               "<head><!-- a-->" + mark,
		"<!--":                       "<!---->" + mark,
		"<!--a--!":                   "<!--a--!-->" + mark,
		"<!-":                        "<!->" + mark,
		"<!DOCTYPE html SYSTEM 'a":   "<!DOCTYPE html SYSTEM 'a>" + mark,
		"<title>a":                   "<title>a</title>" + mark,
		"<title>a</title":            "<title>a</title>" + mark + "</title",
		"<title>a</title b='":        "<title>a</title>" + mark + "</title b='",
		"<style>html::before{":       "<style>html::before{</style>" + mark,
		"<noscript><!--":             "<noscript><!--</noscript>" + mark,
		"<noframes>a<":               "<noframes>a</noframes>" + mark + "<",
		"<script></script><style>a<": "<script></script><style>a</style>" + mark + "<",
	} {
		if got, _ := insert(t, document, Live, "", 1); got != want {
			t.Errorf("%q: %q, want %q", document, got, want)
		}
		if !visible(t, want) {
			t.Errorf("%q: a parser finds no fragment", want)
		}
	}
}

func toUTF16(s string, big bool) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return string(b)
}

// TestInserterUTF16: Encoding standard, section 6: the byte order mark counts more than
// what the field says.
func TestInserterUTF16(t *testing.T) {
	const before, after = "<!DOCTYPE html><title>\u3c2f\u0148</title><body>", "\u65e5\u672c<p>"
	tests := []struct {
		name, bom, contentType string
		big                    bool
	}{
		{"big-endian mark", "\xfe\xff", "text/html; charset=utf-8", true},
		{"little-endian mark", "\xff\xfe", "text/html; charset=utf-16be", false},
		{"field", "", "text/html;charset=\"UTF-16\"", false},
		{"field, big-endian", "", "text/html; a=b; Charset=utf-16BE; charset=utf-8", true},
	}
	for _, tt := range tests {
		document := tt.bom + toUTF16(before+after, tt.big)
		want := tt.bom + toUTF16(before, tt.big) + toUTF16(mark, tt.big) + toUTF16(after, tt.big)
		for size := 1; size < 4; size++ {
			if got, _ := insert(t, document, Live, tt.contentType, size); got != want {
				t.Errorf("%s: %q", tt.name, got)
			}
		}
	}
}

func TestInserterBounded(t *testing.T) {
	long := strings.Repeat("a", maxHeld+1)
	for document, want := range map[string]string{
		"<head><link href='" + long + "'><body>":                "<head>" + mark + "<link href='" + long + "'><body>",
		"<head><template>" + long + "</template><body>":         "<head>" + mark + "<template>" + long + "</template><body>",
		"<head><title>" + long + "</title><!--" + long + "-->x": "<head><title>" + long + "</title><!--" + long + "-->" + mark + "x",
	} {
		var out bytes.Buffer
		in := NewInserter(&out, []byte(mark), Live, "")
		for i := range len(document) {
			if _, err := in.Write([]byte{document[i]}); err != nil {
				t.Fatal(err)
			}
			if len(in.held) > maxHeld {
				t.Fatalf("%d bytes are held", len(in.held))
			}
		}
		in.Close()
		if out.String() != want {
			t.Errorf("%.30q…: the fragment is at %d", document, strings.Index(out.String(), mark))
		}
	}
}

// TestInserterStreams: what is decided is passed on before more comes.
func TestInserterStreams(t *testing.T) {
	var out bytes.Buffer
	in := NewInserter(&out, []byte(mark), Live, "")
	for _, step := range []struct{ write, have string }{
		{"<!DOCTYPE html><html><he", "<!DOCTYPE html><html>"},
		{"ad><script>one", "<!DOCTYPE html><html><head><script>one"},
		{" two</scr", "<!DOCTYPE html><html><head><script>one two"},
		{"ibe ", "<!DOCTYPE html><html><head><script>one two</scribe "},
	} {
		in.Write([]byte(step.write))
		if out.String() != step.have {
			t.Errorf("after %q: %q, want %q", step.write, out.String(), step.have)
		}
	}
}

type failing struct{ after int }

var errFull = errors.New("full")

func (f *failing) Write(p []byte) (int, error) {
	if f.after--; f.after < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestInserterError(t *testing.T) {
	for after := range 3 {
		in := NewInserter(&failing{after}, []byte(mark), Live, "")
		var err error
		for range 4 {
			if _, err = in.Write([]byte("<head></head>text")); err != nil {
				break
			}
		}
		if !errors.Is(err, errFull) {
			t.Fatalf("after %d writes: %v", after, err)
		}
		if _, err := in.Write([]byte("a")); !errors.Is(err, errFull) {
			t.Errorf("the next Write: %v", err)
		}
		if err := in.Close(); !errors.Is(err, errFull) {
			t.Errorf("Close: %v", err)
		}
	}
}

// visible reports whether a parser, x/net's, finds the fragment as an element that is
// rendered.
func visible(t testing.TB, document string) bool {
	t.Helper()
	root, err := html.Parse(strings.NewReader(document))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.DataAtom != atom.B || len(n.Attr) != 1 || n.Attr[0].Val != "fragment" {
			continue
		}
		return inBody(n)
	}
	return false
}

func inBody(n *html.Node) bool {
	body := false
	for p := n.Parent; p != nil; p = p.Parent {
		switch p.DataAtom {
		case atom.Body:
			body = true
		case atom.Template, atom.Noscript, atom.Head:
			return false
		}
	}
	return body
}

// TestInsertedIsVisible asks another parser.
func TestInsertedIsVisible(t *testing.T) {
	for _, tt := range insertionCases {
		document := strings.Replace(tt.live, "|", "", 1)
		for _, delivery := range []Delivery{Live, Sandboxed} {
			if got, inserted := insert(t, document, delivery, "", 1000); inserted && !visible(t, got) {
				t.Errorf("%s: not visible in %q", tt.name, got)
			}
		}
	}
}

// FuzzInserter: everything is passed on, the same in any pieces, and a parser finds the
// fragment in the body.
func FuzzInserter(f *testing.F) {
	for _, tt := range insertionCases {
		f.Add(strings.Replace(tt.live, "|", "", 1), uint8(3), false)
		f.Add(strings.Replace(tt.live, "|", "", 1), uint8(1), true)
	}
	f.Fuzz(func(t *testing.T, document string, size uint8, sandboxed bool) {
		if strings.Contains(document, "notice") {
			return
		}
		delivery := Live
		if sandboxed {
			delivery = Sandboxed
		}
		got, inserted := insert(t, document, delivery, "", int(size)+1)
		whole, _ := insert(t, document, delivery, "", len(document)+1)
		if got != whole {
			t.Fatalf("in pieces %q, at once %q", got, whole)
		}
		if strings.HasPrefix(document, "\xff\xfe") || strings.HasPrefix(document, "\xfe\xff") {
			return
		}
		before, after, found := strings.Cut(got, mark)
		if found != inserted {
			t.Fatalf("Inserted is %v of %q", inserted, got)
		}
		if !found {
			after = ""
			if got != document {
				t.Fatalf("%q became %q", document, got)
			}
			return
		}
		if sandboxed && before+after != document {
			t.Fatalf("%q became %q", document, got)
		}
		closing, ok := strings.CutPrefix(before, document[:len(document)-len(after)])
		if !ok || !strings.HasSuffix(document, after) || len(closing) > len("</noscript>") {
			t.Fatalf("%q became %q", document, got)
		}
		if !strings.Contains(document, "\x00") && !visible(t, got) {
			t.Fatalf("a parser finds no fragment in %q", got)
		}
	})
}

func BenchmarkInserter(b *testing.B) {
	head := "<!DOCTYPE html><head>" + strings.Repeat("<meta name=a content='bcdefgh'><script>var a = 1 < 2;</script>\n", 1000)
	b.SetBytes(int64(len(head)))
	for b.Loop() {
		in := NewInserter(io.Discard, []byte(mark), Live, "")
		in.Write([]byte(head))
		in.Close()
	}
}
