package document

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func mustParse(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func scan(t testing.TB, document string, size int) []Demand {
	t.Helper()
	var demands []Demand
	s := NewScanner(mustParse(t, "https://www.example.org/a/b?c"), func(d Demand) { demands = append(demands, d) })
	for rest := document; rest != ""; {
		n := min(size, len(rest))
		if written, err := s.Write([]byte(rest[:n])); written != n || err != nil {
			t.Fatalf("Write: %d, %v", written, err)
		}
		rest = rest[n:]
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return demands
}

var scannerCases = []struct {
	name, document string
	want           []Demand
}{
	{"script", `<script src=x.js integrity="sha256-a">`, []Demand{{"https://www.example.org/a/x.js", "sha256-a", "script"}}},
	{"module", `<script type=module src=/x.js integrity=" sha256-a sha384-b?c ">`, []Demand{{"https://www.example.org/x.js", "sha256-a sha384-b?c", "script"}}},
	{"block of data", `<script type=application/json src=x integrity=a></script><script type=importmap src=x integrity=a>`, nil},
	{"style sheet", `<LINK REL="alternate Stylesheet" HREF=//cdn.example/x.css#y INTEGRITY=sha512-a>`, []Demand{{"https://cdn.example/x.css", "sha512-a", "style"}}},
	{"preloads", `<link rel=preload as=font href=f integrity=1><link rel=preload href=g integrity=2><link rel=modulepreload href=h integrity=3>`,
		[]Demand{{"https://www.example.org/a/f", "1", "font"}, {"https://www.example.org/a/h", "3", "script"}}},
	{"other links", `<link rel=icon href=a integrity=b><link href=a integrity=b><link rel=stylesheet integrity=b>`, nil},
	{"no integrity", `<script src=a></script><script src=a integrity></script><script integrity=b></script><script src="" integrity=b>`, nil},
	{"character references", `<script src="x?a=1&amp;b&#61;2&copy=3" integrity="sha256-a&#x3d;">`, []Demand{{"https://www.example.org/a/x?a=1&b=2&copy=3", "sha256-a=", "script"}}},
	{"the first of equal attributes", `<script src=a integrity=b src=c integrity=d>`, []Demand{{"https://www.example.org/a/a", "b", "script"}}},
	{"white space in a URL", "<script src=' \n/x\t.js ' integrity=a>", []Demand{{"https://www.example.org/x.js", "a", "script"}}},
	{"base", `<script src=a integrity=1></script><base target=_top><base href=//b.example/c/><base href=/d/><script src=a integrity=2></script>`,
		[]Demand{{"https://www.example.org/a/a", "1", "script"}, {"https://b.example/c/a", "2", "script"}}},
	{"base of data", `<base href="data:,a"><script src=a integrity=1></script>`, []Demand{{"https://www.example.org/a/a", "1", "script"}}},
	{"other schemes", `<script src=data:,a integrity=1></script><script src=blob:a integrity=1></script><script src="http://" integrity=1></script>`, nil},
	{"> in a value", `<script data-a=">" src=a integrity=1>`, []Demand{{"https://www.example.org/a/a", "1", "script"}}},
	{"behind text", `a < b <<script src=a integrity=1>`, []Demand{{"https://www.example.org/a/a", "1", "script"}}},
	{"in text", `<script>"<script src=a integrity=1>"</script><style><link rel=stylesheet href=a integrity=1></style><textarea><script src=a integrity=1></textarea><title><script src=a integrity=1></title><xmp><script src=a integrity=1></xmp><iframe><script src=a integrity=1></iframe>`, nil},
	{"in a comment", `<!--<script src=a integrity=1></script>--><!-><script src=b integrity=2>`, []Demand{{"https://www.example.org/a/b", "2", "script"}}},
	{"in a noscript", `<noscript><link rel=stylesheet href=a integrity=1></noscript>`, nil},
	{"in a template", `<template><template></template><script src=a integrity=1></script></template></template><script src=b integrity=2>`, []Demand{{"https://www.example.org/a/b", "2", "script"}}},
	{"in plaintext", `<plaintext></plaintext><script src=a integrity=1>`, nil},
	{"CDATA", `<svg><title><![CDATA[<script src=a integrity=1>]]]></title></svg><![CDATA[><script src=b integrity=2>`, []Demand{{"https://www.example.org/a/b", "2", "script"}}},
	{"tag that isn't ended", `<script src=a integrity=1`, nil},
	{"end tag", `</script src=a integrity=1>`, nil},
	{"long attributes", `<script src=` + strings.Repeat("a", maxURL+1) + ` integrity=1></script><script src=a integrity=` + strings.Repeat("a", maxIntegrity+1) + `></script>`, nil},
	{"long tag", `<script src=a integrity=1 title="` + strings.Repeat("a", maxHeld) + `"></script><script src=b integrity=2>`, []Demand{{"https://www.example.org/a/b", "2", "script"}}},
	{"UTF-16", "\xff\xfe" + toUTF16(`<p>日本<script src=a integrity=1>`, false), []Demand{{"https://www.example.org/a/a", "1", "script"}}},
	{"beyond ASCII", `<script src=日 integrity=1>`, []Demand{{"https://www.example.org/a/%E6%97%A5", "1", "script"}}},
}

func TestScanner(t *testing.T) {
	for _, tt := range scannerCases {
		for _, size := range []int{1, 2, 7, len(tt.document)} {
			if got := scan(t, tt.document, size); !slices.Equal(got, tt.want) {
				t.Errorf("%s, by %d:\n got %q\nwant %q", tt.name, size, got, tt.want)
			}
		}
	}
}

func TestScannerBounded(t *testing.T) {
	document := strings.Repeat("<script src=a integrity=1></script>", maxDemands+10)
	if got := scan(t, document, len(document)); len(got) != maxDemands {
		t.Errorf("%d demands", len(got))
	}
	s := NewScanner(mustParse(t, "https://a.example/"), func(Demand) {})
	for range 3 * maxHeld / 10 {
		fmt.Fprint(s, "<a b='cdefg")
	}
	if len(s.tag) > maxHeld {
		t.Errorf("%d bytes are kept", len(s.tag))
	}
}

// FuzzScanner: the same is found in any pieces, and only what may be asked for.
func FuzzScanner(f *testing.F) {
	for _, tt := range scannerCases {
		if len(tt.document) < 1000 {
			f.Add(tt.document, uint8(1))
		}
	}
	f.Fuzz(func(t *testing.T, document string, size uint8) {
		demands := scan(t, document, len(document)+1)
		if got := scan(t, document, int(size)+1); !slices.Equal(got, demands) {
			t.Fatalf("in pieces %q, at once %q", got, demands)
		}
		for _, d := range demands {
			u, err := url.Parse(d.URL)
			if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Fragment != "" || d.Integrity == "" || d.Kind == "" {
				t.Fatalf("found %+v: %v", d, err)
			}
		}
	})
}

// Elements without demands are passed over, and cost little: pages have many.
func TestScannerPassesOver(t *testing.T) {
	var found []Demand
	s := NewScanner(mustParse(t, "https://a.example/"), func(d Demand) { found = append(found, d) })
	element := `<link rel=stylesheet href=y>`
	_, _ = s.Write([]byte("<script src=x INTEGRITY=sha256-AA==></script>"))
	cost := testing.AllocsPerRun(100, func() { _, _ = s.Write([]byte(element)) })
	if cost > 1 { // its name
		t.Errorf("%v allocations for an element without a demand", cost)
	}
	_, _ = s.Write([]byte("<base href=/b/><base href=/c/><link rel=stylesheet href=y integrity=sha256-AA==>"))
	if len(found) != 2 || found[0].URL != "https://a.example/x" || found[1].URL != "https://a.example/b/y" {
		t.Errorf("found %v", found)
	}
}
