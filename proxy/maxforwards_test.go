package proxy

import (
	"net/http"
	"strings"
	"testing"
)

// RFC 9110 section 7.6.2: OPTIONS and TRACE are counted down and end where 0 is reached;
// all other methods may ignore the field.
func TestMaxForwards(t *testing.T) {
	for name, c := range map[string]struct{ method, fields, forwarded string }{
		"one left":         {"OPTIONS", "Max-Forwards: 1\r\n", "0"},
		"ten left":         {"TRACE", "Max-Forwards: 10\r\n", "9"},
		"blanks and zeros": {"TRACE", "Max-Forwards: \t007 \r\n", "6"},
		"too many":         {"OPTIONS", "Max-Forwards: 99999999999999999999999\r\n", "2147483647"},
		"hidden":           {"OPTIONS", "Max-Forwards: 3\r\nConnection: Max-Forwards\r\n", "2"},
		"no limit":         {"OPTIONS", "", ""},
		"GET":              {"GET", "Max-Forwards: 0\r\n", "0"},
		"POST":             {"POST", "Max-Forwards: x\r\n", "x"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, nil, nil)
			seen := make(chan string, 1)
			l.acts(func(_ int, w *wire) {
				seen <- w.head()
				w.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				w.head()
			})
			client := l.connect()
			client.send("%s http://www.example.com/x HTTP/1.1\r\nHost: www.example.com\r\n%s\r\n", c.method, c.fields)
			client.answer(c.method).want(t, 200, "ok")
			head := <-seen
			if got := field(head, "Max-Forwards"); got != c.forwarded || !strings.HasPrefix(head, c.method+" /x HTTP/1.1\r\n") {
				t.Errorf("the site got %q", head)
			}
		})
	}
}

// What can't be counted down must not go further: the field has one number.
func TestMaxForwardsMalformed(t *testing.T) {
	l := newLab(t, func(http.ResponseWriter, *http.Request) { t.Error("the site was asked") }, nil)
	for _, fields := range []string{"Max-Forwards: x", "Max-Forwards: -1", "Max-Forwards: +1", "Max-Forwards:", "Max-Forwards: 1, 2", "Max-Forwards: 1\r\nMax-Forwards: 1", "Max-Forwards: 1.0"} {
		for _, method := range []string{"OPTIONS", "TRACE"} {
			client := l.connect()
			client.send("%s http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\n%s\r\n\r\n", method, fields)
			client.answer(method).want(t, 400, "*", "proxy:error=http_request_error")
		}
	}
}

// RFC 9110 sections 9.3.7 and 7.6.2: the final recipient says what it can do; "*" is for
// the server as a whole, which is the proxy.
func TestOptionsEndHere(t *testing.T) {
	l := newLab(t, func(http.ResponseWriter, *http.Request) { t.Error("the site was asked") }, nil)
	client := l.connect()
	for _, target := range []string{"*", "http://www.example.com/", "http://www.example.com", "http://no.such.name.example/", "/"} {
		client.send("OPTIONS %s HTTP/1.1\r\nHost: www.example.com\r\nMax-Forwards: 0\r\n\r\n", target)
		a := client.answer("OPTIONS")
		a.want(t, 204, "", "proxy:error=proxy_internal_response", "cache:fwd=bypass")
		if allow := a.Header.Get("Allow"); !strings.Contains(allow, "GET") || !strings.Contains(allow, "CONNECT") || a.Header["Content-Length"] != nil {
			t.Errorf("%s: %v", target, a.Header)
		}
	}
	client.send("OPTIONS * HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
	client.answer("OPTIONS").want(t, 204, "")
}

// RFC 9112 section 3.2.4: the last proxy asks the site as a whole by "*", and only it.
func TestOptionsForTheServer(t *testing.T) {
	for target, want := range map[string]string{
		"http://www.example.com":       "OPTIONS * HTTP/1.1",
		"http://www.example.com/":      "OPTIONS / HTTP/1.1",
		"http://www.example.com?":      "OPTIONS /? HTTP/1.1",
		"http://www.example.com?a":     "OPTIONS /?a HTTP/1.1",
		"http://www.example.com/%2A":   "OPTIONS /%2A HTTP/1.1",
		"http://www.example.com/x/../": "OPTIONS /x/../ HTTP/1.1",
	} {
		l := newLab(t, nil, nil)
		seen := make(chan string, 1)
		l.acts(func(_ int, w *wire) {
			seen <- w.head()
			w.send("HTTP/1.1 204 No Content\r\n\r\n")
		})
		client := l.connect()
		client.send("OPTIONS %s HTTP/1.1\r\nHost: www.example.com\r\n\r\n", target)
		client.answer("OPTIONS").want(t, 204, "")
		head := <-seen
		if line, _, _ := strings.Cut(head, "\r\n"); line != want || field(head, "Host") != "www.example.com" {
			t.Errorf("%s: the site got %q", target, head)
		}
	}
	seen := make(chan string, 1)
	upstream := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.RequestURI
		w.WriteHeader(204)
	})
	l := newLabVia(t, nil, &beyond{}, "http://"+startUpstream(t, upstream), nil)
	client := l.connect()
	client.send("OPTIONS http://www.example.com HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
	client.answer("OPTIONS").want(t, 204, "")
	if got := <-seen; got != "http://www.example.com" {
		t.Errorf("the upstream proxy got %q", got)
	}
}

// RFC 9110 section 9.3.8: the final recipient of TRACE reflects it without what is secret.
func TestTrace(t *testing.T) {
	l := newLab(t, func(http.ResponseWriter, *http.Request) { t.Error("the site was asked") }, nil)
	client := l.connect()
	client.send("TRACE http://www.example.com/a?b HTTP/1.1\r\nHost: www.example.com\r\nMax-Forwards: 0\r\nX-A: <script>\r\nX-A: 2\r\nVia: 1.0 first\r\n" +
		"Cookie: a=b\r\nauthorization: Basic c2VjcmV0\r\nProxy-Authorization: Basic c2VjcmV0\r\n\r\n")
	a := client.answer("TRACE")
	a.want(t, 200, "TRACE http://www.example.com/a?b HTTP/1.1\r\nHost: www.example.com\r\nMax-Forwards: 0\r\nVia: 1.0 first\r\nX-A: <script>\r\nX-A: 2\r\n\r\n", "proxy:error=proxy_internal_response")
	if a.Header.Get("Content-Type") != "message/http" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%v", a.Header)
	}
	client.send("TRACE http://ann:secret@www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\nMax-Forwards: 0\r\n\r\n")
	client.answer("TRACE").want(t, 200, "TRACE http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\nMax-Forwards: 0\r\n\r\n")

	// It is meant for finding circles.
	client.send("TRACE http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\nMax-Forwards: 0\r\nVia: 1.1 %s\r\n\r\n", l.proxy.viaName("www.example.com"))
	client.answer("TRACE").want(t, 200, "*")
	client.send("TRACE http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\nMax-Forwards: 1\r\nVia: 1.1 %s\r\n\r\n", l.proxy.viaName("www.example.com"))
	client.answer("TRACE").want(t, 508, "*")
}

// A client must not send content in TRACE, nor is it for those who may not use the proxy.
func TestTraceRefused(t *testing.T) {
	l := newLab(t, func(http.ResponseWriter, *http.Request) { t.Error("the site was asked") }, nil)
	for _, rest := range []string{"Content-Length: 1\r\n\r\nx", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"} {
		client := l.connect()
		client.send("TRACE http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\n" + rest)
		client.answer("TRACE").want(t, 400, "*", "proxy:error=http_request_error")
	}
	l = newLab(t, nil, func(c *Config) { c.Auth = func(string, string) bool { return false } })
	for _, method := range []string{"TRACE", "OPTIONS"} {
		client := l.connect()
		client.send(method + " http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\nMax-Forwards: 0\r\n\r\n")
		client.answer(method).want(t, 407, "*")
	}
}
