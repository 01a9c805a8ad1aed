package conformance

import (
	"net/http"
	"strconv"
	"strings"
)

// digits are ten bytes that show where they stand.
const digits = "0123456789"

// Ranges is about parts of stored whole responses (RFC 9110 section 14).
func Ranges() []Story {
	modified := Date(-hour)
	whole := ok(digits+"A", "Cache-Control", "max-age=3600", "Etag", tag, "Last-Modified", modified, "B", "1")
	asked := func(name, section string, ask http.Header, status int, body string) Story {
		return then(name, section, whole, Step{Ask: ask, How: Cached, Status: status, WantBody: body})
	}
	const set = "9110 14.1.2"
	all := digits + "A"
	return append([]Story{
		asked("first bytes", set, bytesOf("0-1"), 206, "01"),
		asked("one byte", set, bytesOf("3-3"), 206, "3"),
		asked("from a position on", set, bytesOf("1-"), 206, "123456789A"),
		asked("all from the first on", set, bytesOf("0-"), 206, all),
		asked("last byte", set, bytesOf("-1"), 206, "A"),
		asked("more last bytes than there are", set, bytesOf("-100"), 206, all),
		asked("up to beyond the end", set, bytesOf("9-99"), 206, "9A"),
		asked("up to far beyond the end", set, bytesOf("9-99999999999999999999999"), 206, "9A"),
		asked("beyond the end", "9110 15.5.17", bytesOf("11-"), 416, ""),
		asked("far beyond the end", "9110 15.5.17", bytesOf("99999999999999999999999-"), 416, ""),
		asked("no last bytes", "9110 15.5.17", bytesOf("-0"), 416, ""),
		asked("none of two", "9110 15.5.17", bytesOf("11-12,99-"), 416, ""),
		asked("one of two", "9110 14.2", bytesOf("0-1,99-"), 206, "01"),
		asked("blanks and empty members", "9110 5.6.1.2", bytesOf(" ,0-1, , "), 206, "01"),
		asked("ends before it begins", "9110 14.1.1", bytesOf("3-1"), 200, all),
		asked("one of two ends before it begins", "9110 14.1.1", bytesOf("0-1,3-1"), 200, all),
		asked("no numbers", "9110 14.2", bytesOf("a-b"), 200, all),
		asked("a sign", "9110 14.2", bytesOf("+0-1"), 200, all),
		asked("nothing", "9110 14.2", bytesOf(""), 200, all),
		asked("no set", "9110 14.2", fields("Range", "bytes"), 200, all),
		asked("the unit in upper case", "9110 14.1", fields("Range", "BYTES=0-1"), 206, "01"),
		asked("another unit", "9110 14.2", fields("Range", "lines=0-1"), 200, all),
		asked("two lines", "9110 5.3", lines("Range", "bytes=0-1", "bytes=3-4"), 200, all),

		asked("If-Range holds", "9110 13.1.5", bytesOf("0-1", "If-Range", tag), 206, "01"),
		asked("If-Range holds, beyond the end", "9110 13.1.5", bytesOf("11-", "If-Range", tag), 416, ""),
		asked("If-Range does not hold", "9110 13.1.5", bytesOf("0-1", "If-Range", `"b"`), 200, all),
		asked("If-Range does not hold, beyond the end", "9110 13.1.5", bytesOf("11-", "If-Range", `"b"`), 200, all),
		asked("If-Range is weak", "9110 13.1.5", bytesOf("0-1", "If-Range", `W/"a"`), 200, all),
		asked("If-Range has no quotes", "9110 13.1.5", bytesOf("0-1", "If-Range", "a"), 200, all),
		asked("If-Range by date holds", "9110 13.1.5", bytesOf("0-1", "If-Range", modified), 206, "01"),
		asked("If-Range by date in another form", "9110 13.1.5", bytesOf("0-1", "If-Range", "Sunday, 01-Mar-26 11:00:00 GMT"), 206, "01"),
		asked("If-Range by a later date", "9110 13.1.5", bytesOf("0-1", "If-Range", Date(0)), 200, all),
		asked("If-Range by an earlier date", "9110 13.1.5", bytesOf("0-1", "If-Range", Date(-2*hour)), 200, all),
		asked("If-Range without Range", "9110 13.1.5", fields("If-Range", tag), 200, all),
		asked("304 before 206", "9110 13.2.2", bytesOf("0-1", "If-None-Match", tag), 304, ""),
		asked("304 before 206, by date", "9110 13.2.2", bytesOf("0-1", "If-Modified-Since", modified), 304, ""),
		asked("304 before 416", "9110 13.2.2", bytesOf("99-", "If-None-Match", tag), 304, ""),
		asked("206 if the client has another", "9110 13.2.2", bytesOf("0-1", "If-None-Match", `"b"`), 206, "01"),
		then("If-Range by a date that is weak", "9110 8.8.2.2", ok(digits, "Cache-Control", "max-age=3600", "Last-Modified", Date(0)),
			Step{Ask: bytesOf("0-1", "If-Range", Date(0)), How: Cached, Status: 200, WantBody: digits}),
		then("If-Range by a weak tag that is stored", "9110 13.1.5", ok(digits, "Cache-Control", "max-age=3600", "Etag", `W/"a"`),
			Step{Ask: bytesOf("0-1", "If-Range", `W/"a"`), How: Cached, Status: 200, WantBody: digits}),

		then("fields and Content-Range", "9110 15.3.7", whole,
			Step{Ask: bytesOf("2-3"), How: Cached, Want: map[string]string{"Content-Range": "bytes 2-3/11", "B": "1", "Etag": tag, "Content-Length": "2"}}).
			and(Step{Ask: bytesOf("99-"), How: Cached, Want: map[string]string{"Content-Range": "bytes */11"}}),
		then("of a stored 404", "9110 14.2", status(404, "Cache-Control", "max-age=60"), Step{Ask: bytesOf("0-1"), How: Cached, Status: 404, WantBody: "body of 404"}),
		then("of a stored redirect", "9110 14.2", status(301, "Cache-Control", "max-age=60"), Step{Ask: bytesOf("0-1"), How: Cached, Status: 301, WantBody: "body of 301"}),
		then("of nothing", "9110 15.5.17", Reply{200, fields("Cache-Control", "max-age=60"), ""}, Step{Ask: bytesOf("0-"), How: Cached, Status: 416, Want: map[string]string{"Content-Range": "bytes */0"}}),
		then("the last bytes of nothing", "9110 14.1.2", Reply{200, fields("Cache-Control", "max-age=60"), ""}, Step{Ask: bytesOf("-5"), How: Cached, Status: 200}),
	}, severalRanges()...)
}

// severalRanges are the stories of requests for more than one range (RFC 9110 section 15.3.7.2).
func severalRanges() []Story {
	text := strings.Repeat(digits, 40)
	whole := ok(text, "Cache-Control", "max-age=3600", "Etag", tag, "Content-Type", "text/plain")
	const section = "9110 15.3.7.2"
	parts := func(name, section, set string, want ...Part) Story {
		return then(name, section, whole, Step{Ask: bytesOf(set), How: Cached, Status: 206, WantParts: want, Want: map[string]string{"Content-Range": "", "Etag": tag}})
	}
	single := func(name, section, set string, status int, body string) Story {
		return then(name, section, whole, Step{Ask: bytesOf(set), How: Cached, Status: status, WantBody: body})
	}
	p := func(first, last int) Part {
		return Part{"bytes " + strconv.Itoa(first) + "-" + strconv.Itoa(last) + "/400", text[first : last+1]}
	}
	return []Story{
		parts("two ranges", section, "0-1,300-302", p(0, 1), p(300, 302)),
		parts("two ranges, the later first", section, "300-302,0-1", p(300, 302), p(0, 1)),
		parts("the first and the last byte", "9110 14.1.2", "0-0,-1", p(0, 0), p(399, 399)),
		parts("three ranges", section, "0-1,150-151,300-301", p(0, 1), p(150, 151), p(300, 301)),
		parts("two of three that overlap become one part", section, "0-5,300-302,4-9", p(0, 9), p(300, 302)),
		parts("what can't be satisfied is left out", "9110 14.2", "0-1,300-302,500-", p(0, 1), p(300, 302)),
		single("ranges that overlap become one", section, "0-5,4-9", 206, digits),
		single("ranges that touch become one", section, "0-4,5-9", 206, digits),
		single("ranges with a small gap become one", section, "0-1,8-9", 206, digits),
		single("more than the whole", "9110 14.2", "0-199,290-399", 200, text),
		single("all of it many times", "9110 17.15", "0-,0-,0-,0-", 200, text),
		single("very many", "9110 17.15", "0-0"+strings.Repeat(",2-2", 64), 200, text),
		then("If-Range does not hold for several", "9110 13.1.5", whole,
			Step{Ask: bytesOf("0-1,300-302", "If-Range", `"b"`), How: Cached, Status: 200, WantBody: text}),
		then("the client has it all", "9110 13.2.2", whole,
			Step{Ask: bytesOf("0-1,300-302", "If-None-Match", tag), How: Cached, Status: 304}),
	}
}
