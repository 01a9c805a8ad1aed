package httpcache

import (
	"net/http"
	"reflect"
	"testing"
	"time"
)

const second = time.Second

func TestParseCacheControl(t *testing.T) {
	age := func(seconds int64) Directives {
		return Directives{MaxAge: Delta{Value: time.Duration(seconds) * second, Set: true}}
	}
	invalid := Directives{MaxAge: Delta{Set: true, Invalid: true}}
	for _, c := range []struct {
		name, section string
		lines         []string
		want          Directives
	}{
		{"no field", "5.2", nil, Directives{}},
		{"empty lines", "5.2", []string{"", " , ,"}, Directives{}},
		{"token argument", "5.2", []string{"max-age=3600"}, age(3600)},
		{"quoted argument", "5.2", []string{`max-age="3600"`}, age(3600)},
		{"quoted argument with escapes", "5.2", []string{`max-age="\36\00"`}, age(3600)},
		{"any case", "5.2", []string{"MaX-aGe=3600"}, age(3600)},
		{"blanks around the directive", "5.2", []string{" \tmax-age=3600\t ,"}, age(3600)},
		{"all boolean directives of a response", "5.2.2", []string{"public, No-Store, no-transform,must-revalidate ,proxy-revalidate, must-understand, immutable"},
			Directives{Public: true, NoStore: true, NoTransform: true, MustRevalidate: true, ProxyRevalidate: true, MustUnderstand: true, Immutable: true}},
		{"all lines count", "5.2", []string{"max-age=60", "no-store", "public"}, Directives{MaxAge: Delta{Value: 60 * second, Set: true}, NoStore: true, Public: true}},
		{"s-maxage", "5.2.2.10", []string{"s-maxage=1"}, Directives{SMaxAge: Delta{Value: second, Set: true}}},
		{"request directives", "5.2.1", []string{"max-stale=5, min-fresh=6, only-if-cached"},
			Directives{MaxStale: Delta{Value: 5 * second, Set: true}, MinFresh: Delta{Value: 6 * second, Set: true}, OnlyIfCached: true}},
		{"directives of RFC 5861", "5.2.3", []string{"stale-if-error=7, stale-while-revalidate=8"},
			Directives{StaleIfError: Delta{Value: 7 * second, Set: true}, StaleWhileRevalidate: Delta{Value: 8 * second, Set: true}}},
		{"unknown extensions", "5.2.3", []string{"foobar, x-max-age=1, max-age=2, max-agee=3, a-directive-with-a-very-long-name=4"}, age(2)},

		{"leading zeros", "1.2.2", []string{"max-age=003600"}, age(3600)},
		{"zero", "1.2.2", []string{"max-age=0"}, age(0)},
		{"31 bits", "1.2.2", []string{"max-age=2147483647"}, age(1<<31 - 1)},
		{"more than 31 bits", "1.2.2", []string{"max-age=2147483649"}, age(1 << 31)},
		{"more than 64 bits", "1.2.2", []string{"max-age=99999999999999999999999"}, age(1 << 31)},
		{"negative", "4.2.1", []string{"max-age=-3600"}, invalid},
		{"with a sign", "4.2.1", []string{"max-age=+3600"}, invalid},
		{"fractional", "4.2.1", []string{"max-age=3600.0"}, invalid},
		{"trailing letter", "4.2.1", []string{"max-age=3600a"}, invalid},
		{"leading letter", "4.2.1", []string{"max-age=a3600"}, invalid},
		{"single quotes", "4.2.1", []string{"max-age='3600'"}, invalid},
		{"other digits than ASCII", "4.2.1", []string{"max-age=\u0663"}, invalid},
		{"no argument", "4.2.1", []string{"max-age"}, invalid},
		{"empty argument", "4.2.1", []string{"max-age="}, invalid},
		{"empty quoted argument", "4.2.1", []string{`max-age=""`}, invalid},
		{"blank before =", "4.2.1", []string{"max-age =3600"}, invalid},
		{"blank after =", "4.2.1", []string{"max-age= 3600"}, invalid},
		{"blank inside of quotes", "4.2.1", []string{`max-age=" 3600"`}, invalid},
		{"something after the quotes", "4.2.1", []string{`max-age="3600"0`}, invalid},
		{"semicolons instead of commas", "4.2.1", []string{"max-age=3600; public"}, invalid},

		{"two values, smaller last", "4.2.1", []string{"max-age=1800, max-age=1"}, age(1)},
		{"two values, smaller first", "4.2.1", []string{"max-age=1, max-age=1800"}, age(1)},
		{"two values on two lines", "4.2.1", []string{"max-age=1800", "max-age=1"}, age(1)},
		{"two values, one invalid", "4.2.1", []string{"max-age=1800, max-age=x"}, invalid},
		{"two min-fresh", "5.2.1.3", []string{"min-fresh=1, min-fresh=9, min-fresh=3"}, Directives{MinFresh: Delta{Value: 9 * second, Set: true}}},
		{"min-fresh that is no number", "5.2.1.3", []string{"min-fresh=x"}, Directives{}},
		{"max-stale without argument", "5.2.1.2", []string{"max-stale"}, Directives{MaxStale: Delta{Value: MaxDelta, Set: true}}},
		{"max-stale without and with", "5.2.1.2", []string{"max-stale, max-stale=3"}, Directives{MaxStale: Delta{Value: 3 * second, Set: true}}},
		{"max-stale with and without", "5.2.1.2", []string{"max-stale=3, max-stale"}, Directives{MaxStale: Delta{Value: 3 * second, Set: true}}},
		{"max-stale that is no number", "5.2.1.2", []string{"max-stale=x"}, Directives{MaxStale: Delta{Set: true, Invalid: true}}},

		{"a directive inside of quotes is none", "5.2", []string{`extension="max-age=3600", max-age=1`}, age(1)},
		{"the same behind", "5.2", []string{`max-age=1, extension="max-age=3600"`}, age(1)},
		{"a comma inside of quotes does not separate", "5.2", []string{`extension="a, no-store, b", max-age=1`}, age(1)},
		{"an escaped quote does not close", "5.2", []string{`extension="a\", no-store, \"b", max-age=1`}, age(1)},
		{"nothing hides behind an open quote", "5.2", []string{`extension="a, no-store, public`}, Directives{NoStore: true}},
		{"nothing is allowed behind an open quote", "5.2", []string{`extension="a, max-age=3600`}, invalid},
		{"an open quote ends with its line", "5.2", []string{`extension="a`, "max-age=60"}, age(60)},

		{"malformed, still forbidding", "5.2.2.5", []string{"no-store; max-age=60"}, Directives{NoStore: true}},
		{"forbidding with an argument", "5.2.2.5", []string{`no-store="x"`}, Directives{NoStore: true}},
		{"malformed, no longer allowing", "5.2.2.9", []string{"public; x, immutable=1, must-understand x, only-if-cached=1"}, Directives{}},

		{"no-cache", "5.2.2.4", []string{"no-cache"}, Directives{NoCache: true}},
		{"no-cache with fields", "5.2.2.4", []string{`no-cache="A, b"`}, Directives{NoCache: true, NoCacheFields: []string{"a", "b"}}},
		{"no-cache with fields twice", "5.2.2.4", []string{`no-cache=a`, `no-cache="b"`}, Directives{NoCache: true, NoCacheFields: []string{"a", "b"}}},
		{"no-cache with and without fields", "5.2.2.4", []string{`no-cache="a", no-cache`}, Directives{NoCache: true}},
		{"no-cache without and with fields", "5.2.2.4", []string{`no-cache, no-cache="a"`}, Directives{NoCache: true}},
		{"no-cache with what is no field", "5.2.2.4", []string{`no-cache="a b"`}, Directives{NoCache: true}},
		{"no-cache with no field", "5.2.2.4", []string{`no-cache=""`}, Directives{NoCache: true}},
		{"private", "5.2.2.7", []string{"Private"}, Directives{Private: true}},
		{"private with fields", "5.2.2.7", []string{`private="Set-Cookie"`}, Directives{Private: true, PrivateFields: []string{"set-cookie"}}},
	} {
		t.Run(c.section+" "+c.name, func(t *testing.T) {
			got := ParseCacheControl(http.Header{"Cache-Control": c.lines})
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("%q:\n got %+v\nwant %+v", c.lines, got, c.want)
			}
		})
	}
}

// RFC 9111 section 5.4: Pragma counts in requests without Cache-Control, and only one value of it.
func TestPragma(t *testing.T) {
	for _, c := range []struct {
		name string
		h    http.Header
		want bool
	}{
		{"no-cache", fields("Pragma", "no-cache"), true},
		{"no-cache in a list and any case", fields("Pragma", "x, No-Cache"), true},
		{"unknown value", fields("Pragma", "unrecognised-extension"), false},
		{"beside Cache-Control", fields("Pragma", "no-cache", "Cache-Control", "max-age=60"), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := requestDirectives(c.h).NoCache; got != c.want {
				t.Errorf("no-cache is %v, want %v", got, c.want)
			}
		})
	}
	if ParseCacheControl(fields("Pragma", "no-cache")).NoCache {
		t.Error("Pragma counts in a response")
	}
}

func TestInitialAge(t *testing.T) {
	for _, c := range []struct {
		lines []string
		want  int64
	}{ // RFC 9111 section 5.1
		{nil, 0},
		{[]string{"30"}, 30},
		{[]string{"2147483649"}, 1 << 31},
		{[]string{"7200, 0"}, 7200},
		{[]string{"0, 7200"}, 0},
		{[]string{"7200", "0"}, 7200},
		{[]string{"0", "7200"}, 0},
		{[]string{"abc"}, 0},
		{[]string{"-7200"}, 0},
		{[]string{"7200.0"}, 0},
		{[]string{"7200;foo=bar"}, 0},
		{[]string{""}, 0},
	} {
		if got := InitialAge(http.Header{"Age": c.lines}); got != time.Duration(c.want)*second {
			t.Errorf("Age %q: got %v, want %d s", c.lines, got, c.want)
		}
	}
}
