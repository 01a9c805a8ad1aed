package httpcache

import (
	"net/http"
	"testing"
	"time"
)

const digits = "0123456789"

func partReply(contentRange, body string, more ...string) reply {
	return reply{206, fields(append([]string{"Date", httpDate(0), "Cache-Control", "max-age=3600", "Content-Range", contentRange}, more...)...), body}
}

func bytesOf(set string, more ...string) http.Header {
	return fields(append([]string{"Range", "bytes=" + set}, more...)...)
}

// RFC 9110 section 14: parts of stored whole responses.
func TestConformanceRangeOfWhole(t *testing.T) {
	whole := ok(digits+"A", "Cache-Control", "max-age=3600", "ETag", `"a"`, "Last-Modified", httpDate(-hour), "B", "1")
	asked := func(name, section string, ask http.Header, status int, body string) story {
		return story{name: name, section: section, steps: []step{
			{how: forwarded, reply: whole},
			{ask: ask, how: cached, status: status, body: body},
		}}
	}
	tell(t, []story{
		asked("first bytes", "9110 14.1.2", bytesOf("0-1"), 206, "01"),
		asked("from a position on", "9110 14.1.2", bytesOf("1-"), 206, "123456789A"),
		asked("last bytes", "9110 14.1.2", bytesOf("-1"), 206, "A"),
		asked("beyond the end", "9110 15.5.17", bytesOf("11-"), 416, ""),
		asked("one of two can't be satisfied", "9110 14.2", bytesOf("0-1,99-"), 206, "01"),
		asked("another unit", "9110 14.2", fields("Range", "lines=0-1"), 200, digits+"A"),
		asked("If-Range holds", "9110 13.1.5", bytesOf("0-1", "If-Range", `"a"`), 206, "01"),
		asked("If-Range by date holds", "9110 13.1.5", bytesOf("0-1", "If-Range", httpDate(-hour)), 206, "01"),
		asked("If-Range does not hold", "9110 13.1.5", bytesOf("0-1", "If-Range", `"b"`), 200, digits+"A"),
		asked("If-Range is weak", "9110 13.1.5", bytesOf("0-1", "If-Range", `W/"a"`), 200, digits+"A"),
		asked("304 before 206", "9110 13.2.2", bytesOf("0-1", "If-None-Match", `"a"`), 304, ""),
		asked("304 before 416", "9110 13.2.2", bytesOf("99-", "If-None-Match", `"a"`), 304, ""),
		{"fields and Content-Range", "9110 15.3.7", Policy{}, []step{
			{how: forwarded, reply: whole},
			{ask: bytesOf("2-3"), how: cached, want: map[string]string{"Content-Range": "bytes 2-3/11", "B": "1", "Etag": `"a"`}},
			{ask: bytesOf("99-"), how: cached, want: map[string]string{"Content-Range": "bytes */11"}},
		}},
	})
}

// RFC 9111 sections 3.3 and 3.4: parts that are stored, combined and completed.
func TestConformancePart(t *testing.T) {
	const tag = `"a"`
	tail := partReply("bytes 5-9/10", "56789")
	reuse := func(name string, ask http.Header, want how, status int, body string) story {
		return story{name, "9111 3.4", Policy{}, []step{
			{ask: bytesOf("-5"), how: forwarded, reply: tail, sent: map[string]string{"Range": "bytes=-5"}},
			{ask: ask, how: want, status: status, body: body, reply: ok(digits)},
		}}
	}
	refused := func(name, section string, ask http.Header, r reply) story {
		return story{name, section, Policy{}, []step{
			{ask: ask, how: forwarded, reply: r},
			{ask: bytesOf("5-6"), how: forwarded, reply: r},
		}}
	}
	complete := func(name, section string, first reply, ask http.Header, sent map[string]string, second reply, want how, status int, body string) story {
		return story{name, section, Policy{}, []step{
			{ask: bytesOf("0-4"), how: forwarded, reply: first},
			{ask: ask, how: want, reply: second, status: status, body: body, sent: sent},
		}}
	}
	head := partReply("bytes 0-4/10", "01234", "ETag", tag, "A", "1")
	tell(t, []story{
		reuse("the same range", bytesOf("-5"), cached, 206, "56789"),
		reuse("a range within", bytesOf("6-8"), cached, 206, "678"),
		reuse("an open range within", bytesOf("6-"), cached, 206, "6789"),
		reuse("a suffix within", bytesOf("-1"), cached, 206, "9"),
		reuse("a range beyond the end", bytesOf("10-"), cached, 416, ""),
		reuse("a range that begins before", bytesOf("4-6"), forwarded, 200, digits),
		reuse("the whole is not there", nil, forwarded, 200, digits),
		reuse("a failing If-Range wants the whole", bytesOf("6-8", "If-Range", `"x"`), forwarded, 200, digits),

		refused("stale at once", "9111 4.2", bytesOf("-5"), reply{206, fields("Content-Range", "bytes 5-9/10"), "56789"}),
		refused("nobody asked for a part", "9110 15.3.7", nil, tail),
		refused("no Content-Range", "9110 14.4", bytesOf("-5"), partReply("", "56789")),
		refused("ends before it begins", "9110 14.4", bytesOf("-5"), partReply("bytes 9-5/10", "56789")),
		refused("ends beyond the whole", "9110 14.4", bytesOf("-5"), partReply("bytes 5-10/10", "56789A")),
		refused("more than it says", "9110 14.4", bytesOf("-5"), partReply("bytes 5-9/10", "56789A")),
		refused("several parts", "9110 15.3.7.2", bytesOf("5-6,8-9"), partReply("bytes 5-9/10", "56789", "Content-Type", "Multipart/Byteranges; boundary=x")),
		refused("no-store", "9111 5.2.2.5", bytesOf("-5"), partReply("bytes 5-9/10", "56789", "Cache-Control", "no-store")),
		refused("answer to If-Range", "9110 15.3.7", bytesOf("-5", "If-Range", tag), tail),

		complete("what is missing is asked for", "9111 3.4", head, nil, map[string]string{"Range": "bytes=5-", "If-Range": tag},
			partReply("bytes 5-9/10", "56789", "ETag", tag, "A", "2"), completed, 200, digits),
		complete("a range across the end", "9111 3.4", head, bytesOf("3-6"), map[string]string{"Range": "bytes=5-6", "If-Range": tag},
			partReply("bytes 5-6/10", "56", "ETag", tag), completed, 206, "3456"),
		complete("changed meanwhile", "9110 13.1.5", head, nil, map[string]string{"Range": "bytes=5-"},
			ok("ABCDEFGHIJ", "ETag", `"b"`), forwarded, 200, "ABCDEFGHIJ"),
		complete("another tag", "9110 15.3.7.3", head, nil, nil, partReply("bytes 5-9/10", "56789", "ETag", `"b"`), forwarded, 206, ""),
		complete("weak tag", "9110 15.3.7.3", partReply("bytes 0-4/10", "01234", "ETag", `W/"a"`), nil, map[string]string{"Range": "", "If-Range": ""}, ok(digits), forwarded, 200, digits),
		complete("no validator", "9110 15.3.7.3", partReply("bytes 0-4/10", "01234"), nil, map[string]string{"Range": ""}, ok(digits), forwarded, 200, digits),
		complete("a part far away", "9111 3.4", head, bytesOf("8-9"), map[string]string{"Range": "bytes=8-9", "If-Range": ""},
			partReply("bytes 8-9/10", "89", "ETag", tag), forwarded, 206, "89"),
		{"combined parts stay, with the newer fields", "9111 3.4", Policy{}, []step{
			{ask: bytesOf("0-4"), how: forwarded, reply: head},
			{how: completed, reply: partReply("bytes 5-9/10", "56789", "ETag", tag, "A", "2")},
			{after: time.Second, how: cached, status: 200, body: digits, want: map[string]string{"A": "2", "Content-Range": ""}},
		}},
		{"a part that is all is a whole", "9110 15.3.7.3", Policy{}, []step{
			{ask: bytesOf("0-"), how: forwarded, reply: partReply("bytes 0-9/10", digits)},
			{how: cached, status: 200, body: digits, want: map[string]string{"Content-Range": ""}},
		}},
		{"length of the whole unknown", "9110 14.4", Policy{}, []step{
			{ask: bytesOf("0-4"), how: forwarded, reply: partReply("bytes 0-4/*", "01234", "ETag", tag)},
			{ask: bytesOf("1-2"), how: cached, status: 206, body: "12", want: map[string]string{"Content-Range": "bytes 1-2/*"}},
			{ask: bytesOf("-1"), how: forwarded, reply: ok(digits), sent: map[string]string{"Range": "bytes=-1", "If-Range": ""}},
		}},
	})
}
