package httpcache

import (
	"reflect"
	"strings"
	"testing"
)

// RFC 9110 section 5.6.2.
func TestTokenBytes(t *testing.T) {
	const tchar = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for c := range 256 {
		if got, want := isTokenByte(byte(c)), strings.Contains(tchar, string([]byte{byte(c)})); got != want {
			t.Errorf("%q: %v", rune(c), got)
		}
	}
}

// RFC 9110 section 5.6.1.
func TestList(t *testing.T) {
	for _, c := range []struct {
		value  string
		want   []string
		broken bool
	}{
		{"", []string{""}, false},
		{"a", []string{"a"}, false},
		{" a\t, b ,,c,", []string{"a", "b", "", "c", ""}, false},
		{`"a, b", c`, []string{`"a, b"`, "c"}, false},
		{`x="a\", b", c`, []string{`x="a\", b"`, "c"}, false},
		{`"a, b`, []string{`"a`, "b"}, true},
		{`a, "b, "c, d"`, []string{"a", `"b, "c`, `d"`}, true},
		{`"a\`, []string{`"a\`}, true},
	} {
		l := list{rest: c.value}
		var got []string
		for member, ok := l.next(); ok; member, ok = l.next() {
			got = append(got, member)
		}
		if !reflect.DeepEqual(got, c.want) || l.broken != c.broken {
			t.Errorf("%q: %q, broken %v", c.value, got, l.broken)
		}
	}
}

// A field made to be slow: reading it takes time in proportion to its length, since no
// quote is searched for twice once one has been found open.
func TestListHostile(t *testing.T) {
	members := 0
	l := list{rest: strings.Repeat(`"\",`, 1<<20)}
	for _, ok := l.next(); ok; _, ok = l.next() {
		members++
	}
	if members < 1 {
		t.Error("nothing read")
	}
}
