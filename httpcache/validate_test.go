package httpcache

import (
	"net/http"
	"reflect"
	"testing"
	"time"
)

// RFC 9111 section 4.3.1.
func TestConditionalHeaders(t *testing.T) {
	modified := httpDate(-time.Hour)
	for _, c := range []struct {
		name   string
		header http.Header
		want   http.Header
	}{
		{"no validator", fields("Date", httpDate(0)), http.Header{}},
		{"strong entity tag", fields("ETag", `"abc"`), fields("If-None-Match", `"abc"`)},
		{"weak entity tag", fields("ETag", `W/"abc"`), fields("If-None-Match", `W/"abc"`)},
		{"entity tag with odd bytes", fields("ETag", "\"a,\\\xfc\""), fields("If-None-Match", "\"a,\\\xfc\"")},
		{"date", fields("Last-Modified", modified), fields("If-Modified-Since", modified)},
		{"both", fields("ETag", `"abc"`, "Last-Modified", modified), fields("If-None-Match", `"abc"`, "If-Modified-Since", modified)},
		{"no quotes", fields("ETag", "abc"), http.Header{}},
		{"* would match anything", fields("ETag", "*"), http.Header{}},
		{"several tags", fields("ETag", `"a", "b"`), http.Header{}},
		{"several lines", fields("ETag", `"a"`, "ETag", `"b"`), http.Header{}},
		{"control character", fields("ETag", "\"a\nb\""), http.Header{}},
		{"unreadable date", fields("Last-Modified", "yesterday"), http.Header{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := ConditionalHeaders(exchange(200, c.header)); !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestNotModified(t *testing.T) {
	const hour = time.Hour
	tagged := fields("ETag", `"abcdef"`, "Last-Modified", httpDate(-hour), "Date", httpDate(0))
	weak := fields("ETag", `W/"abcdef"`)
	dated := fields("Last-Modified", httpDate(-hour), "Date", httpDate(0))
	ims := func(value string) http.Header { return fields("If-Modified-Since", value) }
	inm := func(values ...string) http.Header { return http.Header{"If-None-Match": values} }
	for _, c := range []struct {
		name, section string
		req           http.Header
		status        int
		stored        http.Header
		want          bool
	}{
		{"unconditional", "9110 13.2", fields(), 200, tagged, false},
		{"same tag", "9110 13.1.2", inm(`"abcdef"`), 200, tagged, true},
		{"other tag", "9110 13.1.2", inm(`"abcde"`), 200, tagged, false},
		{"tags differ by case", "9110 8.8.3", inm(`"ABCDEF"`), 200, tagged, false},
		{"first of several", "9110 13.1.2", inm(`"abcdef", "1234", "5678"`), 200, tagged, true},
		{"middle of several", "9110 13.1.2", inm(`"1234","abcdef","5678"`), 200, tagged, true},
		{"last of several", "9110 13.1.2", inm(`"1234", "5678",, "abcdef" `), 200, tagged, true},
		{"on another line", "9110 5.3", inm(`"1234"`, `"abcdef"`), 200, tagged, true},
		{"weak comparison, stored weak", "9110 8.8.3.2", inm(`"abcdef"`), 200, weak, true},
		{"weak comparison, asked weak", "9110 8.8.3.2", inm(`W/"abcdef"`), 200, tagged, true},
		{"weak comparison, both weak", "9110 8.8.3.2", inm(`W/"abcdef"`), 200, weak, true},
		{"lower-case w is no weak tag", "9110 8.8.3", inm(`w/"abcdef"`), 200, weak, false},
		{"comma inside of a tag", "9110 8.8.3", inm(`"x", "abc", "def"`), 200, fields("ETag", `"abc", "def"`), false},
		{"tag with a comma", "9110 8.8.3", inm(`"abc,def"`), 200, fields("ETag", `"abc,def"`), true},
		{"backslash is no escape", "9110 8.8.3", inm(`"a\"`), 200, fields("ETag", `"a\"`), true},
		{"junk is skipped", "9110 13.1.2", inm(`abcdef, "x"y, "abcdef"`), 200, tagged, true},
		{"tag with something behind it", "9110 13.1.2", inm(`"abcdef"x`), 200, tagged, false},
		{"open quote", "9110 13.1.2", inm(`"abcdef`), 200, tagged, false},
		{"no quotes", "9110 13.1.2", inm("abcdef"), 200, fields("ETag", "abcdef"), false},
		{"*", "9110 13.1.2", inm("*"), 200, fields(), true},
		{"* among others", "9110 13.1.2", inm(`*, "x"`), 200, tagged, false},
		{"no tag stored", "9111 4.3.2", inm(`"abcdef"`), 200, dated, false},
		{"If-None-Match goes first, no match", "9110 13.1.3", fields("If-None-Match", `"x"`, "If-Modified-Since", httpDate(0)), 200, tagged, false},
		{"If-None-Match goes first, match", "9110 13.1.3", fields("If-None-Match", `"abcdef"`, "If-Modified-Since", httpDate(-2*hour)), 200, tagged, true},
		{"empty If-None-Match", "9110 13.1.3", fields("If-None-Match", "", "If-Modified-Since", httpDate(0)), 200, tagged, false},

		{"modified then", "9110 13.1.3", ims(httpDate(-hour)), 200, dated, true},
		{"modified earlier", "9110 13.1.3", ims(httpDate(-hour / 2)), 200, dated, true},
		{"modified later", "9110 13.1.3", ims(httpDate(-hour - second)), 200, dated, false},
		{"RFC 850 form", "9110 5.6.7", ims(epoch.Add(-hour).Format("Monday, 02-Jan-06 15:04:05 GMT")), 200, dated, true},
		{"unreadable date", "9110 13.1.3", ims("0"), 200, dated, false},
		{"foreign zone", "9110 13.1.3", ims("Sun, 01 Mar 2026 11:00:00 UTC"), 200, dated, false},
		{"two dates", "9110 13.1.3", http.Header{"If-Modified-Since": {httpDate(0), httpDate(hour)}}, 200, dated, false},
		{"no Last-Modified, Date not later", "9111 4.3.2", ims(httpDate(0)), 200, fields("Date", httpDate(0)), true},
		{"no Last-Modified, Date later", "9111 4.3.2", ims(httpDate(-second)), 200, fields("Date", httpDate(0)), false},
		{"neither, received before", "9111 4.3.2", ims(httpDate(0)), 200, fields(), true},
		{"neither, received later", "9111 4.3.2", ims(httpDate(-second)), 200, fields(), false},
		{"unreadable Last-Modified", "9111 4.3.2", ims(httpDate(hour)), 200, fields("Last-Modified", "x", "Date", httpDate(0)), false},

		{"stored 404", "9110 13.2.1", inm(`"abcdef"`), 404, tagged, false},
		{"stored 301 with *", "9110 13.2.1", inm("*"), 301, tagged, false},
		{"stored 204", "9110 13.2.1", inm(`"abcdef"`), 204, tagged, true},
	} {
		t.Run("RFC "+c.section+" "+c.name, func(t *testing.T) {
			if got := NotModified(c.req, exchange(c.status, c.stored)); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

// RFC 9111 section 4.3.4.
func TestValidates(t *testing.T) {
	modified, other := httpDate(-time.Hour), httpDate(-2*time.Hour)
	for _, c := range []struct {
		name        string
		stored, got http.Header
		want        bool
	}{
		{"same strong tag", fields("ETag", `"a"`), fields("ETag", `"a"`), true},
		{"other strong tag", fields("ETag", `"a"`), fields("ETag", `"b"`), false},
		{"strong tag, stored weak", fields("ETag", `W/"a"`), fields("ETag", `"a"`), false},
		{"strong tag, none stored", fields("Last-Modified", modified), fields("ETag", `"a"`, "Last-Modified", modified), false},
		{"weak tag, stored strong", fields("ETag", `"a"`), fields("ETag", `W/"a"`), true},
		{"other weak tag", fields("ETag", `W/"a"`), fields("ETag", `W/"b"`), false},
		{"unreadable tag", fields("ETag", `"a"`), fields("ETag", `a`), false},
		{"same date", fields("Last-Modified", modified), fields("Last-Modified", modified), true},
		{"other date", fields("Last-Modified", modified), fields("Last-Modified", other), false},
		{"date, none stored", fields("ETag", `"a"`), fields("Last-Modified", modified), false},
		{"tag decides over date", fields("ETag", `"a"`, "Last-Modified", modified), fields("ETag", `"a"`, "Last-Modified", other), true},
		{"no validator", fields("ETag", `"a"`), fields("Date", httpDate(0)), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Validates(exchange(200, c.stored), c.got); got != c.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
