package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Interim answers are for those who know of them (RFC 9110 section 15.2): HTTP/1.0
// does not. 100 is for the one who waits for it, 101 for the one who asked for it.
func TestInterim(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		for _, version := range []string{"1.1", "1.0"} {
			l := newLab(t, nil, nil)
			l.acts(func(_ int, w *wire) {
				w.head()
				w.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 1\r\n\r\n" +
					"HTTP/1.1 199 Whatever\r\nX-A: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			})
			client := l.connect()
			client.send("%s http://www.example.com/ HTTP/%s\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", method, version)
			if version == "1.1" {
				if one := client.head(); one != "HTTP/1.1 102 Processing\r\n" {
					t.Errorf("%q", one)
				}
				if two := client.head(); two != "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n" {
					t.Errorf("%q", two)
				}
				if three := client.head(); !strings.HasPrefix(three, "HTTP/1.1 199 ") || field(three, "X-A") != "b" {
					t.Errorf("%q", three)
				}
			}
			client.answer(method).want(t, 200, "ok")
			client.ended()
		}
	}
}

// The proxy speaks for itself on each side (RFC 9110 section 2.5): what comes in chunks goes to
// HTTP/1.0 until the end of the connection, which ends after one answer whatever
// the client asks for (RFC 9112 section 9.3).
func TestHTTP10Client(t *testing.T) {
	for _, cacheControl := range []string{"max-age=60", "no-store"} {
		l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMinor != 1 || r.Header["Connection"] != nil || !strings.HasPrefix(r.Header.Get("Via"), "1.0 ") {
				t.Errorf("the site got %v %v", r.Proto, r.Header)
			}
			w.Header().Set("Cache-Control", cacheControl)
			if r.URL.Path == "/chunks" {
				w.Header().Set("Trailer", "X-Sum")
				_, _ = io.WriteString(w, "first")
				_ = http.NewResponseController(w).Flush()
			}
			_, _ = io.WriteString(w, "last")
			w.Header().Set("X-Sum", "42")
		}, nil)
		client := l.connect()
		client.send("GET http://www.example.com/length HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
		if a := client.answer("GET"); a.text != "last" || a.Header.Get("Connection") != "close" || a.ContentLength != 4 {
			t.Errorf("%q %v", a.text, a.Header)
		}
		client.ended()
		client = l.connect()
		client.send("GET http://www.example.com/chunks HTTP/1.0\r\n\r\n")
		head := client.head()
		if text, err := client.rest(); text != "firstlast" || err != nil || field(head, "Transfer-Encoding") != "" || field(head, "Trailer") != "" {
			t.Errorf("%q %q %v", head, text, err)
		}
		client = l.connect()
		client.send("GET http://www.example.com/length HTTP/1.0\r\n\r\n")
		if a := client.answer("GET"); a.text != "last" {
			t.Errorf("%q", a.text)
		}
		client.ended()
	}
}

// An HTTP/1.0 site closes after its answer; the client need not.
func TestHTTP10Origin(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		l := newLab(t, nil, nil)
		l.acts(func(_ int, w *wire) {
			w.head()
			w.send("HTTP/1.0 200 OK\r\nCache-Control: no-store\r\n\r\nold")
		})
		client := l.connect()
		for range 3 {
			client.send(method + " http://www.example.com/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
			a := client.answer(method)
			if a.want(t, 200, "old"); a.Header.Get("Via") != "1.0 peerproxy" || a.Close {
				t.Errorf("%v", a.Header)
			}
		}
	}
}

// Requests that come all at once are answered in their order (RFC 9112 section 9.3.2).
func TestPipelinedAnswersInOrder(t *testing.T) {
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		if w.Header().Set("Cache-Control", "max-age=60"); r.URL.Path == "/long" {
			_, _ = io.WriteString(w, strings.Repeat("x", 300_000))
		}
		_, _ = fmt.Fprintf(w, "%s%s%s", r.Method, r.URL.Path, text)
	}, nil)
	l.get(site + "/hit")
	l.settle()
	const host = " HTTP/1.1\r\nHost: www.example.com\r\n"
	requests := []struct{ request, method, text string }{
		{"GET http://www.example.com/hit" + host + "\r\n", "GET", "GET/hit"},
		{"GET http://www.example.com/miss" + host + "\r\n", "GET", "GET/miss"},
		{"POST http://www.example.com/a" + host + "Content-Length: 5\r\n\r\nhello", "POST", "POST/ahello"},
		{"HEAD http://www.example.com/hit" + host + "\r\n", "HEAD", ""},
		{"OPTIONS *" + host + "\r\n", "OPTIONS", ""},
		{"GET http://www.example.com/long" + host + "\r\n", "GET", strings.Repeat("x", 300_000) + "GET/long"},
		{"POST http://www.example.com/b" + host + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n", "POST", "POST/bhello"},
		{"GET http://www.example.com/hit" + host + "\r\n", "GET", "GET/hit"},
		{"DELETE http://www.example.com/c" + host + "\r\n", "DELETE", "DELETE/c"},
		{"GET http://www.example.com/miss" + host + "Connection: close\r\n\r\n", "GET", "GET/miss"},
		{"GET http://www.example.com/never" + host + "\r\n", "GET", ""},
	}
	var all strings.Builder
	for _, r := range requests {
		all.WriteString(r.request)
	}
	client := l.connect()
	client.send(all.String())
	for _, r := range requests[:len(requests)-1] {
		if a := client.answer(r.method); a.text != r.text {
			t.Errorf("%.50q: %d %.50q", r.request, a.StatusCode, a.text)
		}
	}
}

// RFC 9110 section 7.6.1, byte for byte, in both directions; and RFC 9112 section 3.2.2: the
// target names the host.
func TestForwardedBytes(t *testing.T) {
	for _, method := range []string{"GET", "PUT"} {
		l := newLab(t, nil, nil)
		seen := make(chan string, 1)
		l.acts(func(_ int, w *wire) {
			seen <- w.head()
			w.send("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nConnection: close, X-Hop , ,keep-alive\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\nX-Hop: 1\r\n" +
				"Upgrade: h2c\r\nTE: x\r\nProxy-Authenticate: Basic\r\nVia: 1.0 cdn\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 0\r\n\r\n")
		})
		client := l.connect()
		client.send(method + " http://www.example.com/a%2Fb?c HTTP/1.1\r\nHost: evil.example\r\nConnection: keep-alive, X-Secret, , TE\r\nX-Secret: 1\r\nProxy-Connection: X-Kept\r\nX-Kept: 1\r\n" +
			"Keep-Alive: 300\r\nTE: trailers;q=0.5, deflate\r\nUpgrade: h2c\r\nVia: 1.0 fred\r\nCookie: a=b\r\nUser-Agent: \r\nContent-Length: 0\r\n\r\n")
		a := client.answer(method)
		head := <-seen
		for name, want := range map[string]string{
			"Host": "www.example.com", "Connection": "", "X-Secret": "", "Proxy-Connection": "", "X-Kept": "1", "Keep-Alive": "", "Upgrade": "", "Cookie": "a=b", "User-Agent": "",
		} {
			if got := field(head, name); got != want {
				t.Errorf("%s: %s is %q", method, name, got)
			}
		}
		via := strings.Split(field(head, "Via"), "|")
		if len(via) != 2 || via[0] != "1.0 fred" || !strings.HasPrefix(via[1], "1.1 peerproxy-") || !strings.HasPrefix(head, method+" /a%2Fb?c HTTP/1.1\r\n") {
			t.Errorf("%s: %q", method, head)
		}
		for _, name := range []string{"Keep-Alive", "Proxy-Connection", "X-Hop", "Upgrade", "Te", "Proxy-Authenticate", "Connection"} {
			if a.Header[name] != nil {
				t.Errorf("%s: the client got %s: %v", method, name, a.Header[name])
			}
		}
		if len(a.Header["Via"]) != 2 || len(a.Header["Set-Cookie"]) != 2 {
			t.Errorf("%s: %v", method, a.Header)
		}
	}
}

// A request whose target is no absolute URI, or whose Host is missing or double, is not
// forwarded (RFC 9112 section 3.2).
func TestMalformedTargets(t *testing.T) {
	l := newLab(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("the site got %s", r.RequestURI) }, nil)
	for _, head := range []string{
		"GET http:/www.example.com/ HTTP/1.1\r\nHost: www.example.com", "GET www.example.com HTTP/1.1\r\nHost: www.example.com", "GET //www.example.com/ HTTP/1.1\r\nHost: www.example.com",
		"GET * HTTP/1.1\r\nHost: www.example.com", "GET http://www.example.com/ HTTP/1.1", "GET http://www.example.com/ HTTP/1.1\r\nHost: a\r\nHost: b", "GET http://www.example.com/ HTTP/1.1\r\nHost: a b",
		"GET http://www.example.com:x/ HTTP/1.1\r\nHost: a", "GET http://[::1 HTTP/1.1\r\nHost: a", "CONNECT http://www.example.com:80/ HTTP/1.1\r\nHost: a",
	} {
		client := l.connect()
		client.send(head + "\r\n\r\n")
		if a := client.answer("GET"); a.StatusCode != 400 {
			t.Errorf("%q: %d", head, a.StatusCode)
		}
	}
}
