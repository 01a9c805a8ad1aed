package httpcache

import (
	"strconv"
	"testing"
	"time"
)

const (
	hour    = time.Hour
	longago = -10000 * time.Second
	distant = 10000 * time.Second
)

// RFC 9111 sections 3 and 4.2: what is fresh and for how long, in every odd spelling.
func TestConformanceFreshness(t *testing.T) {
	cc := func(lines ...string) reply {
		r := ok("first")
		r.header["Cache-Control"] = lines
		return r
	}
	date := func(value string) reply { return ok("first", "Expires", value) }
	tell(t, []story{
		reuse("nothing said", "9111 4.2.2", forwarded, ok("first")),
		reuse("max-age", "9111 5.2.2.1", cached, cc("max-age=3600")),
		reuse("max-age over", "9111 5.2.2.1", forwarded, cc("max-age=3")),
		reuse("max-age=0", "9111 5.2.2.1", forwarded, cc("max-age=0")),
		reuse("max-age 2^31", "9111 1.2.2", cached, cc("max-age=2147483648")),
		reuse("max-age beyond", "9111 1.2.2", cached, cc("max-age=99999999999")),
		reuse("max-age negative", "9111 4.2.1", forwarded, cc("max-age=-3600")),
		reuse("max-age in any case", "9111 5.2", cached, cc("MaX-aGe=3600")),
		reuse("max-age beside an extension", "9111 5.2.3", cached, cc("foobar, max-age=3600")),
		reuse("max-age in double quotes", "9111 5.2", cached, cc(`max-age="3600"`)),
		reuse("max-age in single quotes", "9111 4.2.1", forwarded, cc("max-age='3600'")),
		reuse("max-age only within quotes, before", "9111 5.2", forwarded, cc(`extension="max-age=3600", max-age=1`)),
		reuse("max-age only within quotes, after", "9111 5.2", forwarded, cc(`max-age=1, extension="max-age=3600"`)),
		reuse("max-age with leading zeros", "9111 1.2.2", cached, cc("max-age=003600")),
		reuse("max-age with a fraction", "9111 4.2.1", forwarded, cc("max-age=3600.5")),
		reuse("max-age with letters before", "9111 4.2.1", forwarded, cc("max-age=a3600")),
		reuse("max-age with letters behind", "9111 4.2.1", forwarded, cc("max-age=3600a")),
		reuse("max-age with a blank before =", "9111 4.2.1", forwarded, cc("max-age =3600")),
		reuse("max-age with a blank after =", "9111 4.2.1", forwarded, cc("max-age= 3600")),
		reuse("max-age twice, long first", "9111 4.2.1", forwarded, cc("max-age=1800, max-age=1")),
		reuse("max-age twice, short first", "9111 4.2.1", forwarded, cc("max-age=1, max-age=1800")),
		reuse("max-age on two lines", "9111 4.2.1", forwarded, cc("max-age=1800", "max-age=1")),
		reuse("s-maxage", "9111 5.2.2.10", cached, cc("s-maxage=3600")),
		reuse("s-maxage over longer max-age", "9111 5.2.2.10", forwarded, cc("max-age=3600, s-maxage=1")),
		reuse("s-maxage over longer max-age, first", "9111 5.2.2.10", forwarded, cc("s-maxage=1, max-age=3600")),
		reuse("s-maxage over longer max-age, on lines", "9111 5.2.2.10", forwarded, cc("max-age=3600", "s-maxage=1")),
		reuse("s-maxage over shorter max-age", "9111 5.2.2.10", cached, cc("max-age=1, s-maxage=3600")),
		reuse("max-age over past Expires", "9111 5.3", cached, ok("first", "Cache-Control", "max-age=3600", "Expires", httpDate(longago))),
		reuse("max-age over bad Expires", "9111 5.3", cached, ok("first", "Cache-Control", "max-age=3600", "Expires", "0")),
		reuse("max-age=0 over future Expires", "9111 5.3", forwarded, ok("first", "Cache-Control", "max-age=0", "Expires", httpDate(distant))),
		reuse("Expires", "9111 5.3", cached, date(httpDate(distant))),
		reuse("Expires without Date", "9111 5.3", cached, status(200, "Expires", httpDate(distant))),
		reuse("Expires past", "9111 5.3", forwarded, date(httpDate(longago))),
		reuse("Expires now", "9111 5.3", forwarded, date(httpDate(0))),
		reuse("Expires 0", "9111 5.3", forwarded, date("0")),
		reuse("Expires in the form of RFC 850", "9110 5.6.7", cached, date("Friday, 31-Dec-50 02:01:18 GMT")),
		reuse("Expires in the form of C", "9110 5.6.7", cached, date("Thu Aug 18 02:01:18 2050")),
		reuse("Expires, day in upper case", "9111 4.2", cached, date("THU, 18 Aug 2050 02:01:18 GMT")),
		reuse("Expires, month in upper case", "9111 4.2", cached, date("Thu, 18 AUG 2050 02:01:18 GMT")),
		reuse("Expires, zone in odd case", "9111 4.2", cached, date("Thu, 18 Aug 2050 02:01:18 gMT")),
		reuse("Expires in another zone", "9111 4.2", forwarded, date("Thu, 18 Aug 2050 02:01:18 AEST")),
		reuse("Expires in UTC by name", "9110 5.6.7", forwarded, date("Thu, 18 Aug 2050 02:01:18 UTC")),
		reuse("Expires, two digits of the year", "9110 5.6.7", forwarded, date("Thu, 18 Aug 50 02:01:18 GMT")),
		reuse("Expires without comma", "9110 5.6.7", forwarded, date("Thu 18 Aug 2050 02:01:18 GMT")),
		reuse("Expires with many blanks", "9110 5.6.7", forwarded, date("Thu, 18  Aug  2050 02:01:18 GMT")),
		reuse("Expires with dashes", "9110 5.6.7", forwarded, date("Thu, 18-Aug-2050 02:01:18 GMT")),
		reuse("Expires with periods", "9110 5.6.7", forwarded, date("Thu, 18 Aug 2050 02.01.18 GMT")),
		reuse("Expires with one digit of the hour", "9110 5.6.7", forwarded, date("Thu, 18 Aug 2050 2:01:18 GMT")),
		reuse("Expires twice, alike", "9110 5.3", cached, ok("first", "Expires", httpDate(distant), "Expires", httpDate(distant))),
		reuse("Expires twice, not alike", "9111 4.2.1", forwarded, ok("first", "Expires", httpDate(distant), "Expires", httpDate(2*distant))),
		reuse("older than Expires by Age", "9111 4.2.3", forwarded, ok("first", "Expires", httpDate(distant), "Age", "12000")),
		reuse("older than max-age by Age", "9111 4.2.3", forwarded, ok("first", "Cache-Control", "max-age=3600", "Age", "7200")),
		reuse("older than max-age by Date", "9111 4.2.3", forwarded, reply{200, fields("Date", httpDate(-2*hour), "Cache-Control", "max-age=3600"), "first"}),
		reuse("Age of a first value", "9111 5.1", forwarded, ok("first", "Cache-Control", "max-age=3600", "Age", "7200, 0")),
		reuse("Age of a first line", "9111 5.1", cached, ok("first", "Cache-Control", "max-age=3600", "Age", "0", "Age", "7200")),
		reuse("Age that is no number", "9111 5.1", cached, ok("first", "Cache-Control", "max-age=3600", "Age", "7200.0")),
		reuse("Age that is negative", "9111 5.1", cached, ok("first", "Cache-Control", "max-age=3600", "Age", "-7200")),
		reuse("Set-Cookie", "9111 7.3", cached, ok("first", "Cache-Control", "max-age=3600", "Set-Cookie", "a=b")),
		reuse("Content-Disposition", "9111 3", cached, ok("first", "Cache-Control", "max-age=3600", "Content-Disposition", "attachment")),
		reuse("Pragma in the response", "9111 5.4", cached, ok("first", "Cache-Control", "max-age=3600", "Pragma", "no-cache")),
		reuse("Pragma alone", "9111 5.4", cached, ok("first", "Last-Modified", httpDate(-24*hour), "Pragma", "no-cache")),
		reuse("private", "9111 5.2.2.7", forwarded, cc("private, max-age=3600")),
		reuse("no-store", "9111 5.2.2.5", forwarded, cc("No-StOrE, max-age=3600")),
		reuse("no-cache", "9111 5.2.2.4", forwarded, cc("max-age=3600, No-CaChE")),
		reuse("immutable", "8246 2", cached, cc("max-age=3600, immutable")),
	})
}

// RFC 9110 section 15.1 and RFC 9111 section 3: every final status when explicitly fresh, and by
// heuristics only those that permit it.
func TestConformanceStatus(t *testing.T) {
	var stories []story
	for _, code := range []int{200, 201, 202, 203, 204, 205, 226, 299, 300, 301, 302, 303, 305, 307, 308, 399, 400, 401, 403, 404, 405, 410, 414, 421, 451, 499, 500, 501, 502, 503, 504, 599} {
		text := strconv.Itoa(code)
		stories = append(stories,
			reuse(text+" fresh", "9111 3", cached, status(code, "Cache-Control", "max-age=100")),
			reuse(text+" stale", "9111 4.2", forwarded, status(code, "Expires", httpDate(longago))),
			reuse(text+" by heuristics, public", "9111 4.2.2", cached, status(code, "Cache-Control", "public", "Last-Modified", httpDate(-24*hour))))
		want := forwarded
		if heuristicallyCacheable(code) {
			want = cached
		}
		stories = append(stories, reuse(text+" by heuristics", "9110 15.1", want, status(code, "Last-Modified", httpDate(-24*hour))))
	}
	tell(t, stories)
}

// RFC 9111 section 5.2.1: what the request says.
func TestConformanceRequest(t *testing.T) {
	fresh := ok("first", "Cache-Control", "max-age=3600", "ETag", `"a"`)
	aged := ok("first", "Cache-Control", "max-age=1500", "Age", "1000")
	request := func(name, section, directive string, want how, r reply) story {
		return story{name: name, section: section, steps: []step{
			{how: forwarded, reply: r},
			{after: 3 * time.Second, ask: fields("Cache-Control", directive), how: want, reply: ok("second")},
		}}
	}
	tell(t, []story{
		request("max-age=0", "9111 5.2.1.1", "max-age=0", forwarded, fresh),
		request("max-age=1", "9111 5.2.1.1", "max-age=1", forwarded, fresh),
		request("max-age of an aged response", "9111 5.2.1.1", "max-age=600", forwarded, aged),
		request("max-age long enough", "9111 5.2.1.1", "max-age=1200", cached, aged),
		request("max-stale", "9111 5.2.1.2", "max-stale=1000", cached, ok("first", "Cache-Control", "max-age=1")),
		request("max-stale of an aged response", "9111 5.2.1.2", "max-stale=1000", cached, ok("first", "Cache-Control", "max-age=1500", "Age", "2000")),
		request("min-fresh", "9111 5.2.1.3", "min-fresh=4000", forwarded, fresh),
		request("min-fresh of an aged response", "9111 5.2.1.3", "min-fresh=1000", forwarded, aged),
		request("no-cache", "9111 5.2.1.4", "no-cache", forwarded, fresh),
		request("unknown directive", "9111 5.2.3", "foo=1, bar", cached, fresh),
		request("only-if-cached", "9111 5.2.1.7", "only-if-cached", cached, fresh),
		request("only-if-cached and stale", "9111 5.2.1.7", "only-if-cached", timeout, ok("first", "Cache-Control", "max-age=1")),
		{"only-if-cached and nothing there", "9111 5.2.1.7", Policy{}, []step{{ask: fields("Cache-Control", "only-if-cached"), how: timeout, status: 504}}},
		{"no-store does not store", "9111 5.2.1.5", Policy{}, []step{
			{ask: fields("Cache-Control", "no-store"), how: forwarded, reply: fresh},
			{how: forwarded, reply: fresh},
		}},
		{"Pragma", "9111 5.4", Policy{}, []step{
			{how: forwarded, reply: fresh},
			{ask: fields("Pragma", "no-cache"), how: forwarded, reply: ok("second", "Cache-Control", "max-age=3600")},
			{ask: fields("Pragma", "unknown"), how: cached, body: "second"},
		}},
		{"Authorization is not stored", "9111 3.5", Policy{}, []step{
			{ask: fields("Authorization", "Basic eA=="), how: forwarded, reply: fresh},
			{how: forwarded, reply: fresh},
			{ask: fields("Authorization", "Basic eA=="), how: cached},
		}},
		{"Authorization is stored with public", "9111 3.5", Policy{}, []step{
			{ask: fields("Authorization", "Basic eA=="), how: forwarded, reply: ok("first", "Cache-Control", "max-age=3600, public")},
			{how: cached},
		}},
		{"Cookie does not matter", "9111 4", Policy{}, []step{
			{how: forwarded, reply: fresh},
			{ask: fields("Cookie", "a=b"), how: cached},
		}},
		{"another query is another resource", "9111 2", Policy{}, []step{
			{path: "page?a=1", how: forwarded, reply: fresh},
			{path: "page?a=2", how: forwarded, reply: fresh},
			{path: "page?a=1", how: cached},
		}},
		{"Age is said, Date and Expires are left", "9111 5.1", Policy{}, []step{
			{how: forwarded, reply: ok("first", "Expires", httpDate(distant), "Age", "30")},
			{after: 3 * time.Second, how: cached, want: map[string]string{"Age": "33", "Date": httpDate(0), "Expires": httpDate(distant)}},
		}},
		{"fields of the hop are not stored", "9111 3.1", Policy{}, []step{
			{how: forwarded, reply: ok("first", "Cache-Control", "max-age=3600", "Connection", "a, b", "A", "1", "B", "2", "C", "3", "Keep-Alive", "x", "Proxy-Authenticate", "x", "Set-Cookie", "d=e")},
			{how: cached, want: map[string]string{"Connection": "", "A": "", "B": "", "C": "3", "Keep-Alive": "", "Proxy-Authenticate": "", "Set-Cookie": "d=e"}},
		}},
		{"an older response stays when a newer one must not be stored", "9111 5.2.2.5", Policy{}, []step{
			{how: forwarded, reply: fresh},
			{ask: fields("Cache-Control", "no-cache"), how: forwarded, reply: ok("second", "Cache-Control", "no-store")},
			{how: cached, body: "first"},
		}},
	})
}

// RFC 9111 section 4.2.4 and RFC 5861: stale responses.
func TestConformanceStale(t *testing.T) {
	down := reply{}
	after := func(name, section, directives string, age time.Duration, r reply, want how) story {
		return story{name: name, section: section, steps: []step{
			{how: forwarded, reply: ok("first", "Cache-Control", directives)},
			{after: age, how: want, reply: r},
		}}
	}
	const s = time.Second
	tell(t, []story{
		after("the origin hangs up", "9111 4.2.4", "max-age=2", 3*s, down, stale),
		after("the origin says 503", "9111 4.3.3", "max-age=2", 3*s, status(503), stale),
		after("the origin says 404", "9111 4.3.3", "max-age=2", 3*s, status(404), forwarded),
		after("stale-if-error, hangs up", "5861 4", "max-age=2, stale-if-error=60", 3*s, down, stale),
		after("stale-if-error, 503", "5861 4", "max-age=2, stale-if-error=60", 3*s, status(503), stale),
		after("stale-if-error run out, 503", "5861 4", "max-age=2, stale-if-error=60", 62*s, status(503), forwarded),
		after("stale-if-error run out, hangs up", "9111 4.2.4", "max-age=2, stale-if-error=60", 62*s, down, stale),
		after("must-revalidate", "9111 5.2.2.2", "max-age=2, must-revalidate", 3*s, down, forwarded),
		after("proxy-revalidate", "9111 5.2.2.8", "max-age=2, proxy-revalidate", 3*s, down, forwarded),
		after("no-cache", "9111 5.2.2.4", "max-age=2, no-cache", 3*s, down, forwarded),
		after("s-maxage", "9111 5.2.2.10", "max-age=2, s-maxage=2", 3*s, down, forwarded),
		after("must-revalidate, fresh", "9111 5.2.2.2", "max-age=20, must-revalidate", 3*s, down, cached),
		after("stale-while-revalidate", "5861 3", "max-age=1, stale-while-revalidate=3600", 3*s, ok("second"), meanwhile),
		after("stale-while-revalidate, window over", "5861 3", "max-age=1, stale-while-revalidate=4", 5*s, ok("second"), forwarded),
		after("stale-while-revalidate against must-revalidate", "9111 5.2.2.2", "max-age=1, must-revalidate, stale-while-revalidate=99", 3*s, ok("second"), forwarded),
		after("stale-while-revalidate against no-cache", "9111 5.2.2.4", "no-cache, stale-while-revalidate=99", 3*s, ok("second"), forwarded),
		{"stale-while-revalidate against the request's wish", "9111 5.2.1.4", Policy{}, []step{
			{how: forwarded, reply: ok("first", "Cache-Control", "max-age=1, stale-while-revalidate=99")},
			{after: 3 * s, ask: fields("Cache-Control", "no-cache"), how: forwarded, reply: ok("second")},
		}},
	})
}
