package httpcache

import (
	"net/http"
	"testing"
)

func TestStorable(t *testing.T) {
	fresh := []string{"Cache-Control", "max-age=3600"}
	with := func(more ...string) http.Header { return fields(append(fresh, more...)...) }
	for _, c := range []struct {
		name, section string
		req           *http.Request
		status        int
		header        http.Header
		want          bool
	}{
		{"GET, explicitly fresh", "9111 3", get(), 200, with(), true},
		{"method not set means GET", "9110 9.3.1", &http.Request{}, 200, with(), true},
		{"HEAD", "9111 3", &http.Request{Method: "HEAD"}, 200, with(), false},
		{"POST", "9110 9.3.3", &http.Request{Method: "POST"}, 200, with(), false},
		{"unknown method", "9111 3", &http.Request{Method: "FOO"}, 200, with(), false},
		{"lower-case get is another method", "9110 9.1", &http.Request{Method: "get"}, 200, with(), false},

		{"200 with nothing said", "9110 15.1", get(), 200, fields(), true},
		{"404 with nothing said", "9110 15.1", get(), 404, fields(), true},
		{"302 with nothing said", "9110 15.1", get(), 302, fields(), false},
		{"302 with Last-Modified only", "9110 15.1", get(), 302, fields("Last-Modified", httpDate(-1e15)), false},
		{"302 with max-age", "9111 3", get(), 302, with(), true},
		{"302 with s-maxage", "9111 3", get(), 302, fields("Cache-Control", "s-maxage=1"), true},
		{"302 with Expires", "9111 3", get(), 302, fields("Expires", httpDate(1e12)), true},
		{"302 with public", "9111 5.2.2.9", get(), 302, fields("Cache-Control", "public"), true},
		{"unknown status with nothing said", "9111 3", get(), 599, fields("Last-Modified", httpDate(-1e15)), false},
		{"unknown status with public", "9111 5.2.2.9", get(), 599, fields("Cache-Control", "public"), true},
		{"unknown status, explicitly fresh", "9111 3", get(), 299, with(), true},
		{"server error, explicitly fresh", "9111 3", get(), 503, with(), true},
		{"server error", "9110 15.1", get(), 503, fields(), false},
		{"interim", "9111 3", get(), 103, with(), false},
		{"beyond all statuses", "9110 15", get(), 600, with(), false},
		{"partial content", "9111 3.3", get("Range", "bytes=0-1"), 206, with(), false},
		{"not modified", "9111 4.3.4", get(), 304, with(), false},
		{"precondition failed", "9110 15.5.13", get("If-Match", `"a"`), 412, with(), false},
		{"precondition failed without any", "9111 3", get(), 412, with(), true},
		{"range not satisfiable", "9110 15.5.17", get("Range", "bytes=9-"), 416, with(), false},
		{"expectation failed", "9110 15.5.18", get("Expect", "100-continue"), 417, with(), false},
		{"a proxy asks for credentials", "9110 15.5.8", get(), 407, with(), false},
		{"too many requests", "6585 4", get(), 429, with(), false},
		{"network authentication required", "6585 6", get(), 511, with(), false},
		{"unauthorised, explicitly fresh", "9111 3", get(), 401, with(), true},

		{"no-store in the response", "9111 5.2.2.5", get(), 200, fields("Cache-Control", "no-store"), false},
		{"no-store in any case, beside freshness", "9111 5.2.2.5", get(), 200, with("Cache-Control", "nO-StOrE", "Expires", httpDate(1e12)), false},
		{"no-store in the request", "9111 5.2.1.5", get("Cache-Control", "no-store"), 200, with(), false},
		{"no-cache", "9111 5.2.2.4", get(), 200, fields("Cache-Control", "no-cache"), true},
		{"max-age=0", "9111 3", get(), 200, fields("Cache-Control", "max-age=0"), true},
		{"Pragma in the response means nothing", "9111 5.4", get(), 200, with("Pragma", "no-cache"), true},
		{"private", "9111 5.2.2.7", get(), 200, with("Cache-Control", "private"), false},
		{"private for some fields", "9111 5.2.2.7", get(), 200, with("Cache-Control", `private="Set-Cookie"`), false},
		{"private and public", "9111 4.2.1", get(), 200, with("Cache-Control", "private, public"), false},

		{"must-understand, known status", "9111 5.2.2.3", get(), 200, with("Cache-Control", "no-store, must-understand"), true},
		{"must-understand, unknown status", "9111 5.2.2.3", get(), 599, with("Cache-Control", "no-store, must-understand"), false},
		{"must-understand, unknown status, storing allowed", "9111 5.2.2.3", get(), 299, with("Cache-Control", "must-understand"), false},
		{"must-understand does not undo private", "9111 3", get(), 200, with("Cache-Control", "private, must-understand"), false},
		{"must-understand does not undo the request's no-store", "9111 5.2.1.5", get("Cache-Control", "no-store"), 200, with("Cache-Control", "must-understand"), false},

		{"Authorization", "9111 3.5", get("Authorization", "Basic eA=="), 200, with(), false},
		{"Authorization, public", "9111 3.5", get("Authorization", "Basic eA=="), 200, with("Cache-Control", "public"), true},
		{"Authorization, s-maxage", "9111 3.5", get("Authorization", "Basic eA=="), 200, fields("Cache-Control", "s-maxage=60"), true},
		{"Authorization, s-maxage unreadable", "9111 3.5", get("Authorization", "Basic eA=="), 200, fields("Cache-Control", "s-maxage=x"), false},
		{"Authorization, must-revalidate", "9111 3.5", get("Authorization", "Basic eA=="), 200, with("Cache-Control", "must-revalidate"), true},
		{"Authorization, proxy-revalidate", "9111 3.5", get("Authorization", "Basic eA=="), 200, with("Cache-Control", "proxy-revalidate"), false},

		{"Vary: *", "9111 4.1", get(), 200, with("Vary", "*"), false},
		{"Vary: * among others", "9111 4.1", get(), 200, with("Vary", "Accept", "Vary", ", *"), false},
		{"unreadable Vary", "9111 4.1", get(), 200, with("Vary", "Accept Cookie"), false},
		{"Vary", "9111 4.1", get(), 200, with("Vary", "Accept-Encoding, foo"), true},

		{"Set-Cookie, explicitly fresh", "9111 7.3", get(), 200, with("Set-Cookie", "a=b"), true},
		{"Cookie in the request", "9111 3", get("Cookie", "a=b"), 200, with(), true},
		{"whole response to a range request", "9110 14.2", get("Range", "bytes=0-1"), 200, with(), true},
	} {
		t.Run("RFC "+c.section+" "+c.name, func(t *testing.T) {
			got, why := Storable(c.req, c.status, c.header)
			if got != c.want {
				t.Errorf("got %v: %v", got, why)
			}
			wantReason(t, why)
		})
	}
}

// Every final status may be stored if it says how long it is fresh, but for those that some
// RFC excepts.
func TestStorableStatuses(t *testing.T) {
	excepted := map[int]bool{206: true, 304: true, 407: true, 428: true, 429: true, 431: true, 511: true}
	for status := 200; status < 600; status++ {
		if ok, why := Storable(get(), status, fields("Cache-Control", "max-age=60")); ok == excepted[status] {
			t.Errorf("%d: %v, %v", status, ok, why)
		}
	}
}
