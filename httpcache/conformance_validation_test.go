package httpcache

import (
	"net/http"
	"testing"
	"time"
)

// RFC 9111 section 4.1: Vary as a selector over several stored variants.
func TestConformanceVary(t *testing.T) {
	vary := func(body string, lines ...string) reply {
		r := ok(body, "Cache-Control", "max-age=5000")
		r.header["Vary"] = lines
		return r
	}
	pair := func(name, section string, first, second http.Header, want how, lines ...string) story {
		return story{name: name, section: section, steps: []step{
			{ask: first, how: forwarded, reply: vary("first", lines...)},
			{after: time.Second, ask: second, how: want, reply: vary("second", lines...)},
		}}
	}
	foo := func(values ...string) http.Header { return http.Header{"Foo": values} }
	three := fields("Foo", "1", "Bar", "abc", "Baz", "789")
	language := func(value string) http.Header { return fields("Accept-Language", value) }
	encoding := func(values ...string) http.Header { return http.Header{"Accept-Encoding": values} }
	tell(t, []story{
		pair("same", "9111 4.1", foo("1"), foo("1"), cached, "Foo"),
		pair("other", "9111 4.1", foo("1"), foo("2"), forwarded, "Foo"),
		pair("left out", "9111 4.1", foo("1"), nil, forwarded, "Foo"),
		pair("added", "9111 4.1", nil, foo("1"), forwarded, "Foo"),
		pair("empty is not absent", "9111 4.1", foo(""), nil, forwarded, "Foo"),
		pair("name in other case", "9110 5.1", foo("1"), foo("1"), cached, "fOO"),
		pair("a field not named", "9111 4.1", fields("Foo", "1", "Other", "2"), fields("Foo", "1", "Other", "3"), cached, "Foo"),
		pair("two fields", "9111 4.1", three, fields("Foo", "1", "Bar", "abc"), cached, "Foo, Bar"),
		pair("two fields, one other", "9111 4.1", three, fields("Foo", "2", "Bar", "abc"), forwarded, "Foo, Bar"),
		pair("three fields on lines", "9110 5.3", three, three, cached, "Foo", "Bar, Baz"),
		pair("three fields on lines, last other", "9110 5.3", three, fields("Foo", "1", "Bar", "abc", "Baz", "x"), forwarded, "Foo", "Bar, Baz"),
		pair("absent in both", "9111 4.1", fields("Foo", "1", "Baz", "789"), fields("Foo", "1", "Baz", "789"), cached, "Foo, Bar, Baz"),
		pair("*", "9111 4.1", foo("1"), foo("1"), forwarded, "*"),
		pair("* twice", "9110 12.5.5", foo("1"), foo("1"), forwarded, "*, *"),
		pair("* on two lines", "9110 12.5.5", foo("1"), foo("1"), forwarded, "*", "*"),
		pair("* after nothing", "9110 12.5.5", foo("1"), foo("1"), forwarded, ", *"),
		pair("* on a line after an empty one", "9110 12.5.5", foo("1"), foo("1"), forwarded, "", "*"),
		pair("* before a name", "9110 12.5.5", foo("1"), foo("1"), forwarded, "*, Foo"),
		pair("* after a name", "9110 12.5.5", foo("1"), foo("1"), forwarded, "Foo, *"),
		pair("blanks", "9111 4.1", foo("1,2"), foo(" 1, 2 "), cached, "Foo"),
		pair("lines combined", "9111 4.1", foo("1, 2"), foo("1", "2"), cached, "Foo"),
		pair("order of an unknown field", "9111 4.1", foo("1, 2"), foo("2, 1"), forwarded, "Foo"),
		pair("case of an unknown field", "9111 4.1", foo("a"), foo("A"), forwarded, "Foo"),
		pair("languages, order", "9110 12.5.4", language("en, de"), language("de, en"), cached, "Accept-Language"),
		pair("languages, case", "9110 12.5.4", language("en, de"), language("eN, dE"), cached, "Accept-Language"),
		pair("languages, blanks", "9110 12.5.4", language("en, de"), language(" en ,   de"), cached, "Accept-Language"),
		pair("languages, weights", "9110 12.4.2", language("en;q=1.000, de;q=0.50"), language("de;q=0.5,en"), cached, "Accept-Language"),
		pair("languages, other weights", "9110 12.4.2", language("en, de;q=0.5"), language("en, de;q=0.6"), forwarded, "Accept-Language"),
		pair("codings, order and lines", "9110 12.5.3", encoding("gzip, br"), encoding("br", "GZIP"), cached, "Accept-Encoding"),
		pair("codings, other", "9110 12.5.3", encoding("gzip, br"), encoding("gzip"), forwarded, "Accept-Encoding"),
		{"variants stay beside each other", "9111 4.1", Policy{}, []step{
			{ask: foo("1"), how: forwarded, reply: vary("one", "Foo")},
			{ask: foo("2"), how: forwarded, reply: vary("two", "Foo")},
			{ask: foo("1"), how: cached, body: "one"},
			{ask: foo("2"), how: cached, body: "two"},
		}},
	})
}

// RFC 9111 section 4.3: conditions of the client, and conditions towards the origin.
func TestConformanceValidation(t *testing.T) {
	const tag = `"abcdef"`
	modified := httpDate(-hour)
	fresh := ok("first", "Cache-Control", "max-age=3600", "ETag", tag, "Last-Modified", modified)
	asked := func(name, section string, r reply, ask http.Header, status int) story {
		return story{name: name, section: section, steps: []step{
			{how: forwarded, reply: r},
			{ask: ask, how: cached, status: status},
		}}
	}
	inm := func(value string) http.Header { return fields("If-None-Match", value) }
	stale := func(more ...string) reply {
		return ok("first", append([]string{"Cache-Control", "max-age=2"}, more...)...)
	}
	asks := func(name string, r reply, notModified reply, want how, sent map[string]string) story {
		return story{name: name, section: "9111 4.3.1", steps: []step{
			{how: forwarded, reply: r},
			{after: 3 * time.Second, reply: notModified, how: want, sent: sent},
		}}
	}
	tell(t, []story{
		asked("strong tag", "9110 13.1.2", fresh, inm(tag), 304),
		asked("strong tag of several", "9110 13.1.2", fresh, inm(`"x", "abcdef", "y"`), 304),
		asked("other tag", "9110 13.1.2", fresh, inm(`"x"`), 200),
		asked("tag before date", "9110 13.2.2", fresh, fields("If-None-Match", `"x"`, "If-Modified-Since", httpDate(0)), 200),
		asked("weak tag", "9110 8.8.3.2", ok("", "Cache-Control", "max-age=9", "ETag", `W/"a"`), inm(`W/"a"`), 304),
		asked("tag with bytes above ASCII", "9110 8.8.3", ok("", "Cache-Control", "max-age=9", "ETag", "\"\xfc\""), inm("\"\xfc\""), 304),
		asked("tag without quotes, asked", "9110 8.8.3", fresh, inm("abcdef"), 200),
		asked("tag without quotes, stored", "9110 8.8.3", ok("", "Cache-Control", "max-age=9", "ETag", "a"), inm(`"a"`), 200),
		asked("date", "9110 13.1.3", fresh, fields("If-Modified-Since", modified), 304),
		asked("date earlier", "9110 13.1.3", fresh, fields("If-Modified-Since", httpDate(-2*hour)), 200),
		asked("of a stored 404", "9110 13.2.1", status(404, "Cache-Control", "max-age=9", "ETag", tag), inm(tag), 404),

		asks("by strong tag", stale("ETag", tag), status(304, "ETag", tag), validated, map[string]string{"If-None-Match": tag, "If-Modified-Since": ""}),
		asks("by weak tag", stale("ETag", `W/"a"`), status(304, "ETag", `W/"a"`), validated, map[string]string{"If-None-Match": `W/"a"`}),
		asks("by date", stale("Last-Modified", modified), status(304, "Last-Modified", modified), validated, map[string]string{"If-Modified-Since": modified, "If-None-Match": ""}),
		asks("by nothing", stale(), ok("second"), forwarded, map[string]string{"If-Modified-Since": "", "If-None-Match": ""}),
		asks("changed", stale("ETag", tag), ok("second", "ETag", `"b"`), forwarded, map[string]string{"If-None-Match": tag}),
		{"no-cache is stored and validated", "9111 5.2.2.4", Policy{}, []step{
			{how: forwarded, reply: ok("first", "Cache-Control", "max-age=99, no-cache", "ETag", tag)},
			{how: validated, reply: status(304, "ETag", tag), sent: map[string]string{"If-None-Match": tag}},
		}},
		{"selecting fields are sent with conditions", "9111 4.3.1", Policy{}, []step{
			{ask: fields("Abc", "123"), how: forwarded, reply: stale("ETag", tag, "Vary", "Abc")},
			{after: 3 * time.Second, ask: fields("Abc", "123"), how: validated, reply: status(304, "ETag", tag), sent: map[string]string{"Abc": "123"}},
		}},
		{"variants are asked about by their tags", "9111 4.3.1", Policy{}, []step{
			{ask: fields("Abc", "1"), how: forwarded, reply: ok("one", "ETag", `"1"`, "Vary", "Abc", "Cache-Control", "max-age=99")},
			{ask: fields("Abc", "2"), how: forwarded, reply: ok("two", "ETag", `W/"2"`, "Vary", "Abc", "Cache-Control", "max-age=99"), sent: map[string]string{"If-None-Match": `"1"`}},
			{ask: fields("Abc", "3"), how: validated, reply: status(304, "ETag", `"1"`), body: "one", sent: map[string]string{"If-None-Match": `W/"2", "1"`}},
		}},
	})
}

// RFC 9111 sections 3.2 and 4.3.4: what a 304 changes.
func TestConformanceUpdate(t *testing.T) {
	var stories []story
	update := func(name, before, after, want string) {
		stories = append(stories, story{name, "9111 3.2", Policy{}, []step{
			{how: forwarded, reply: ok("first", "Cache-Control", "max-age=2", "ETag", `"a"`, name, before)},
			{after: 3 * time.Second, how: validated, body: "first", want: map[string]string{name: want}, reply: status(304, "ETag", `"a"`, "Cache-Control", "max-age=20", name, after)},
			{after: time.Second, how: cached, body: "first", want: map[string]string{name: want}},
		}})
	}
	for _, name := range []string{"Test-Header", "X-Test-Header", "Content-Foo", "X-Content-Foo", "Content-Location", "Content-Security-Policy", "Content-Type", "Clear-Site-Data", "Set-Cookie", "X-Frame-Options", "X-Xss-Protection", "Link", "Last-Modified"} {
		update(name, "before", "after", "after")
	}
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Range", "Content-Md5", "Repr-Digest"} {
		update(name, "before", "after", "before")
	}
	for _, name := range []string{"Keep-Alive", "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization", "Proxy-Connection", "Te", "Transfer-Encoding", "Upgrade"} {
		update(name, "before", "after", "")
	}
	stories = append(stories,
		story{"what the 304 leaves out stays", "9111 4.3.4", Policy{}, []step{
			{how: forwarded, reply: ok("first", "Cache-Control", "max-age=2", "ETag", `"a"`, "Kept", "1")},
			{after: 3 * time.Second, how: validated, reply: status(304, "ETag", `"a"`), want: map[string]string{"Kept": "1", "Age": "0"}},
		}},
		story{"a 304 about something else", "9111 4.3.4", Policy{}, []step{
			{how: forwarded, reply: ok("first", "Cache-Control", "max-age=2", "ETag", `"a"`)},
			{after: 3 * time.Second, how: forwarded, reply: status(304, "ETag", `"b"`)},
		}},
	)
	tell(t, stories)
}

// RFC 9111 section 4.3.5: what HEAD changes.
func TestConformanceHead(t *testing.T) {
	first := ok("first", "Cache-Control", "max-age=2", "ETag", `"a"`, "Last-Modified", httpDate(-hour), "Content-Length", "5", "A", "1")
	head := func(name string, r reply, want how, fields map[string]string) story {
		return story{name, "9111 4.3.5", Policy{}, []step{
			{how: forwarded, reply: first},
			{after: 3 * time.Second, method: "HEAD", how: forwarded, reply: r},
			{how: want, reply: ok("second"), want: fields},
		}}
	}
	tell(t, []story{
		head("updates fields and freshness", status(200, "Cache-Control", "max-age=9", "A", "2"), cached, map[string]string{"A": "2"}),
		head("keeps what it has not", status(200, "Cache-Control", "max-age=9", "Etag", `"a"`), cached, map[string]string{"A": "1"}),
		head("same length", status(200, "Cache-Control", "max-age=9", "Content-Length", "5"), cached, nil),
		head("other length", status(200, "Cache-Control", "max-age=9", "Content-Length", "6"), forwarded, nil),
		head("other tag", status(200, "Cache-Control", "max-age=9", "Etag", `"b"`), forwarded, nil),
		head("other date", status(200, "Cache-Control", "max-age=9", "Last-Modified", httpDate(0)), forwarded, nil),
		head("gone", status(410, "Cache-Control", "max-age=9"), forwarded, nil),
		head("server error says nothing", status(500, "Cache-Control", "max-age=9"), forwarded, nil),
		{"HEAD is answered from a stored GET", "9110 9.3.2", Policy{}, []step{
			{how: forwarded, reply: first},
			{method: "HEAD", how: cached, want: map[string]string{"A": "1"}},
		}},
		{"outdates what is fresh", "9111 4.3.5", Policy{}, []step{
			{how: forwarded, reply: ok("first", "Cache-Control", "max-age=100", "ETag", `"a"`)},
			{method: "HEAD", ask: fields("Cache-Control", "no-cache"), how: forwarded, reply: status(200, "ETag", `"b"`)},
			{how: forwarded, reply: ok("second"), sent: map[string]string{"If-None-Match": `"a"`}},
		}},
	})
}

// RFC 9111 section 4.4, and RFC 9110 section 9.3.3 for POST.
func TestConformanceInvalidation(t *testing.T) {
	fresh := ok("first", "Cache-Control", "max-age=3600")
	var stories []story
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "get"} {
		for name, c := range map[string]struct {
			path string
			r    reply
			want how
		}{
			"target":                   {"", status(200), forwarded},
			"target, by a redirect":    {"", status(303), forwarded},
			"failed with 500":          {"", status(500), cached},
			"failed with 403":          {"", status(403), cached},
			"Location":                 {"other", status(201, "Location", "/dir/other"), forwarded},
			"Content-Location":         {"other", status(200, "Content-Location", "other?#x"), cached},
			"Content-Location, itself": {"other", status(200, "Content-Location", "http://EXAMPLE.com:80/dir/./other"), forwarded},
			"other origin":             {"//other.example/", status(200, "Location", "http://other.example/"), cached},
			"other port":               {"//example.com:81/", status(200, "Location", "http://example.com:81/"), cached},
			"other scheme":             {"https://example.com/", status(200, "Location", "https://example.com/"), cached},
		} {
			stories = append(stories, story{method + " " + name, "9111 4.4", Policy{}, []step{
				{path: c.path, how: forwarded, reply: fresh},
				{method: method, how: forwarded, reply: c.r},
				{path: c.path, how: c.want, reply: fresh},
			}})
		}
	}
	for _, method := range []string{"OPTIONS", "TRACE", "PROPFIND"} {
		stories = append(stories, story{method + " is safe", "9110 9.2.1", Policy{}, []step{
			{how: forwarded, reply: fresh}, {method: method, how: forwarded, reply: status(200)}, {how: cached},
		}})
	}
	post := func(name string, want how, r reply) {
		stories = append(stories, story{name, "9110 9.3.3", Policy{}, []step{
			{method: "POST", how: forwarded, reply: r}, {how: want, reply: fresh},
		}})
	}
	itself := modelURL.String()
	post("POST for GET", cached, ok("posted", "Expires", httpDate(hour), "Content-Location", itself))
	post("POST, relative", cached, ok("posted", "Cache-Control", "max-age=60", "Content-Location", "page"))
	post("POST without freshness", forwarded, ok("posted", "Content-Location", itself, "Cache-Control", "public", "Last-Modified", httpDate(-hour)))
	post("POST without Content-Location", forwarded, ok("posted", "Expires", httpDate(hour)))
	post("POST with another Content-Location", forwarded, ok("posted", "Expires", httpDate(hour), "Content-Location", "other"))
	post("POST with two", forwarded, ok("posted", "Expires", httpDate(hour), "Content-Location", itself, "Content-Location", itself))
	post("POST, no-store", forwarded, ok("posted", "Cache-Control", "no-store, max-age=60", "Content-Location", itself))
	post("POST, created", forwarded, status(201, "Cache-Control", "max-age=60", "Content-Location", itself))
	tell(t, stories)
}
