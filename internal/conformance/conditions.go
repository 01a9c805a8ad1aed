package conformance

import "net/http"

// Conditions is about conditional requests that a stored response answers (RFC 9111 section 4.3.2, RFC
// 9110 section 13).
func Conditions() []Story {
	const long = `"abcdef"`
	modified := Date(-hour)
	fresh := ok("first", "Cache-Control", "max-age=3600", "Etag", long, "Last-Modified", modified)
	tagged := func(etag string) Reply { return ok("first", "Cache-Control", "max-age=3600", "Etag", etag) }
	dated := func(value string) Reply { return ok("first", "Cache-Control", "max-age=3600", "Last-Modified", value) }
	asked := func(name, section string, r Reply, ask http.Header, status int) Story {
		next := Step{Ask: ask, How: Cached, Status: status}
		if status != http.StatusNotModified {
			next.WantBody = r.Body
		}
		return then(name, section, r, next)
	}
	inm := func(values ...string) http.Header { return lines("If-None-Match", values...) }
	ims := func(value string) http.Header { return fields("If-Modified-Since", value) }
	return append([]Story{
		asked("strong tag", "9110 13.1.2", fresh, inm(long), 304),
		asked("strong tag of several", "9110 13.1.2", fresh, inm(`"x", "abcdef", "y"`), 304),
		asked("strong tag on a second line", "9110 5.3", fresh, inm(`"x"`, long), 304),
		asked("strong tag behind empty members", "9110 5.6.1.2", fresh, inm(`, ,"abcdef"`), 304),
		asked("strong tag behind one without quotes", "9110 8.8.3", fresh, inm(`x, "abcdef"`), 304),
		asked("other tag", "9110 13.1.2", fresh, inm(`"x"`), 200),
		asked("tag in another case", "9110 8.8.3.2", fresh, inm(`"ABCDEF"`), 200),
		asked("tag that begins alike", "9110 8.8.3.2", fresh, inm(`"abc"`), 200),
		asked("any tag", "9110 13.1.2", fresh, inm("*"), 304),
		asked("any tag, though there is none", "9110 13.1.2", cc("max-age=3600"), inm("*"), 304),
		asked("any tag in quotes", "9110 13.1.2", fresh, inm(`"*"`), 200),
		asked("a tag, though there is none", "9110 13.1.2", cc("max-age=3600"), inm(tag), 200),
		asked("weak tag", "9110 8.8.3.2", tagged(`W/"a"`), inm(`W/"a"`), 304),
		asked("weak tag for a strong one", "9110 13.1.2", tagged(tag), inm(`W/"a"`), 304),
		asked("strong tag for a weak one", "9110 13.1.2", tagged(`W/"a"`), inm(tag), 304),
		asked("weak tag in lower case", "9110 8.8.3", tagged(`W/"a"`), inm(`w/"a"`), 200),
		asked("tag with a comma", "9110 8.8.3", tagged(`"a,b"`), inm(`"a,b"`), 304),
		asked("tag within another with a comma", "9110 8.8.3", tagged(`"b"`), inm(`"a,b"`), 200),
		asked("tag with a backslash", "9110 8.8.3", tagged(`"a\"`), inm(`"a\"`), 304),
		asked("empty tag", "9110 8.8.3", tagged(`""`), inm(`""`), 304),
		asked("tag with bytes above ASCII", "9110 8.8.3", tagged("\"\xfc\""), inm("\"\xfc\""), 304),
		asked("tag without quotes, asked", "9110 8.8.3", fresh, inm("abcdef"), 200),
		asked("tag without quotes, stored", "9110 8.8.3", tagged("a"), inm(`"a"`), 200),
		asked("two tags stored", "9110 8.8.3", ok("first", "Cache-Control", "max-age=3600", "Etag", tag, "Etag", `"b"`), inm(tag), 200),
		asked("tag before date", "9110 13.2.2", fresh, fields("If-None-Match", `"x"`, "If-Modified-Since", Date(0)), 200),
		asked("tag before an older date", "9110 13.2.2", fresh, fields("If-None-Match", long, "If-Modified-Since", Date(-2*hour)), 304),

		asked("date", "9110 13.1.3", fresh, ims(modified), 304),
		asked("date later", "9110 13.1.3", fresh, ims(Date(-minute)), 304),
		asked("date earlier", "9110 13.1.3", fresh, ims(Date(-2*hour)), 200),
		asked("date in the form of RFC 850", "9110 13.1.3", fresh, ims("Sunday, 01-Mar-26 11:00:00 GMT"), 304),
		asked("date in the form of C", "9110 13.1.3", fresh, ims("Sun Mar  1 11:00:00 2026"), 304),
		asked("date that is none", "9110 13.1.3", fresh, ims("yesterday"), 200),
		asked("date against Date", "9111 4.3.2", cc("max-age=3600"), ims(Date(0)), 304),
		asked("date against Date, earlier", "9111 4.3.2", cc("max-age=3600"), ims(Date(-second)), 200),
		asked("date against the time of receipt", "9111 4.3.2", status(200, "Cache-Control", "max-age=3600"), ims(Date(0)), 304),
		asked("date against the time of receipt, earlier", "9111 4.3.2", status(200, "Cache-Control", "max-age=3600"), ims(Date(-second)), 200),
		asked("date against one that can't be read", "9111 4.3.2", dated("long ago"), ims(Date(0)), 200),
	}, answered()...)
}

// answered are the stories of what the answers to conditions are like.
func answered() []Story {
	fresh := ok("first", "Cache-Control", "max-age=3600", "Etag", tag, "Expires", Date(2*hour), "Vary", "Foo",
		"Content-Location", "/x", "Content-Type", "text/plain", "Content-Language", "de")
	inm := fields("If-None-Match", tag)
	return []Story{
		then("fields of a 304", "9110 15.4.5", fresh, Step{After: second, Ask: inm, How: Cached, Status: 304, Want: map[string]string{
			"Cache-Control": "max-age=3600", "Etag": tag, "Expires": Date(2 * hour), "Vary": "Foo", "Content-Location": "/x", "Date": Date(0), "Age": "1",
			"Content-Type": "", "Content-Language": "", "Content-Length": "",
		}}),
		then("HEAD", "9110 13.1.2", fresh, Step{Method: "HEAD", Ask: inm, How: Cached, Status: 304}),
		then("of a stored 404", "9110 13.2.1", status(404, "Cache-Control", "max-age=9", "Etag", tag), Step{Ask: inm, How: Cached, Status: 404}),
		then("of a stored redirect", "9110 13.2.1", status(301, "Cache-Control", "max-age=9", "Etag", tag), Step{Ask: inm, How: Cached, Status: 301}),
		then("of a stored 203", "9110 13.2.1", status(203, "Cache-Control", "max-age=9", "Etag", tag), Step{Ask: inm, How: Cached, Status: 304}),
		story("of a variant", "9111 4.3.2",
			Step{Ask: fields("Foo", "1"), How: Forwarded, Reply: fresh},
			Step{Ask: fields("Foo", "1", "If-None-Match", tag), How: Cached, Status: 304}),
		story("nothing is stored", "9111 4.3.2",
			Step{Ask: inm, How: Forwarded, Status: 304, Reply: ok("first", "Cache-Control", "max-age=3600", "Etag", tag), Sent: map[string]string{"If-None-Match": ""}},
			Step{How: Cached, Status: 200, WantBody: "first"}),
		story("nothing is stored, and the client has another", "9111 4.3.2",
			Step{Ask: fields("If-None-Match", `"x"`), How: Forwarded, Reply: ok("first", "Cache-Control", "max-age=3600", "Etag", tag), Sent: map[string]string{"If-None-Match": ""}},
			Step{How: Cached, Status: 200, WantBody: "first"}),
		story("nothing is stored, by date", "9111 4.3.2",
			Step{Ask: fields("If-Modified-Since", Date(0)), How: Forwarded, Status: 304, Reply: ok("first", "Cache-Control", "max-age=3600", "Last-Modified", Date(-hour)), Sent: map[string]string{"If-Modified-Since": ""}},
			Step{How: Cached, Status: 200, WantBody: "first"}),
	}
}
