package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
)

// RFC 9110 section 7.6.1: what is for one hop is not forwarded, in both directions.
func TestHopByHop(t *testing.T) {
	var seen http.Header
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header
		h := w.Header()
		h.Set("Connection", "X-Named, keep-alive")
		h.Set("X-Named", "1")
		h.Set("Keep-Alive", "timeout=1")
		h.Set("Proxy-Authenticate", "Basic")
		h.Set("Proxy-Authentication-Info", "x")
		h.Set("Upgrade", "h2c")
		h.Set("X-End", "stays")
		fmt.Fprint(w, "x")
	}, nil)
	for _, method := range []string{"GET", "POST"} {
		a := l.do(method, site+"/h", "Connection: X-Secret, keep-alive", "X-Secret: 1", "Proxy-Connection: keep-alive",
			"Proxy-Authorization: Basic eA==", "Proxy-Whatever: 1", "Keep-Alive: 5", "Te: trailers, gzip", "X-End: stays", "Cookie: a=b")
		for _, name := range []string{"X-Secret", "Proxy-Connection", "Proxy-Authorization", "Proxy-Whatever", "Keep-Alive", "Connection", "User-Agent-X"} {
			if seen[name] != nil {
				t.Errorf("%s: origin got %s", method, name)
			}
		}
		if seen.Get("X-End") != "stays" || seen.Get("Te") != "trailers" || seen.Get("Cookie") != "a=b" || !strings.HasPrefix(seen.Get("Via"), "1.1 peerproxy-") {
			t.Errorf("%s: origin got %v", method, seen)
		}
		for _, name := range []string{"X-Named", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authentication-Info", "Upgrade"} {
			if a.Header[name] != nil {
				t.Errorf("%s: client got %s", method, name)
			}
		}
		if a.Header.Get("X-End") != "stays" || a.Header.Get("Via") != "1.1 peerproxy" {
			t.Errorf("%s: client got %v", method, a.Header)
		}
	}
}

// The proxy adds nothing that the client did not send, and guesses nothing for the origin.
func TestTransparent(t *testing.T) {
	var seen *http.Request
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r
		w.Header()["Content-Type"] = nil
		fmt.Fprint(w, "<html>looks like HTML")
	}, nil)
	a := l.get(site+"/t?b=2&a=%31", "User-Agent: ", "Accept-Encoding: zstd")
	if seen.Header["User-Agent"] != nil || seen.Header["X-Forwarded-For"] != nil || seen.Header["Forwarded"] != nil {
		t.Errorf("origin got %v", seen.Header)
	}
	if seen.RequestURI != "/t?b=2&a=%31" || seen.Host != "www.example.com" || seen.Header.Get("Accept-Encoding") != "zstd" {
		t.Errorf("origin got %s %s %v", seen.Host, seen.RequestURI, seen.Header)
	}
	if a.Header["Content-Type"] != nil {
		t.Errorf("type was guessed: %v", a.Header)
	}
}

// raw sends bytes to the lab's proxy and parses the answer.
func (l *lab) raw(request string) (*http.Response, string) {
	l.t.Helper()
	conn, err := net.Dial("tcp", l.server.Listener.Addr().String())
	if err != nil {
		l.t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, request)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		l.t.Fatal(err)
	}
	text, _ := io.ReadAll(res.Body)
	return res, string(text)
}

// RFC 9112 section 3.2.2: the absolute form wins over Host.
func TestHostMismatch(t *testing.T) {
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) }, nil)
	res, text := l.raw("GET http://www.example.com/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
	if res.StatusCode != 200 || text != "www.example.com" {
		t.Errorf("%d %q", res.StatusCode, text)
	}
}

func TestLocalAnswers(t *testing.T) {
	l := newLab(t, func(http.ResponseWriter, *http.Request) { t.Error("origin was asked") }, nil)
	for name, c := range map[string]struct {
		request string
		status  int
		text    string
	}{
		"origin form":     {"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400, "This is a proxy"},
		"asterisk":        {"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 204, ""},
		"other scheme":    {"GET ftp://www.example.com/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400, "http:// or https://"},
		"no host":         {"GET http:///x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400, "http:// or https://"},
		"connect no port": {"CONNECT www.example.com HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400, "cannot be fetched"},
		"connect port 0":  {"CONNECT www.example.com:0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 400, "cannot be fetched"},
		"connect to mail": {"CONNECT www.example.com:25 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 403, "Port not allowed"},
	} {
		res, text := l.raw(c.request)
		if res.StatusCode != c.status || !strings.Contains(text, c.text) {
			t.Errorf("%s: %d %q", name, res.StatusCode, text)
		}
		if res.Header.Get("Cache-Status") == "" || res.Header.Get("Proxy-Status") == "" {
			t.Errorf("%s: status fields are missing: %v", name, res.Header)
		}
	}
}

// What is not HTTP ends at net/http, and the server goes on.
func TestMalformedRequests(t *testing.T) {
	l := newLab(t, fixed("x", "max-age=60"), nil)
	for name, request := range map[string]string{
		"no HTTP":         "hello\r\n\r\n",
		"two lengths":     "POST http://www.example.com/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
		"NUL in a field":  "GET http://www.example.com/ HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n",
		"no Host":         "GET http://www.example.com/ HTTP/1.1\r\n\r\n",
		"blank in a name": "GET http://www.example.com/ HTTP/1.1\r\nHost: x\r\nContent-Length : 3\r\n\r\nabc",
		"bad URL":         "GET http://www.example.com/%zz HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		if res, _ := l.raw(request); res.StatusCode != 400 {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
	long := "GET http://www.example.com/ HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 200<<10) + "\r\n\r\n"
	if res, _ := l.raw(long); res.StatusCode != 431 {
		t.Errorf("long header: %d", res.StatusCode)
	}
	l.get(site).want(t, 200, "x")
}

// Where no connection of Serve stands before it, net/http frames a request with both
// Transfer-Encoding and Content-Length by the former (RFC 9112 section 6.1): it goes on with one
// of them only. For connections of Serve see smuggling_test.go.
func TestFramedOnce(t *testing.T) {
	var requests atomic.Int32
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		text, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %v", text, r.Header["Content-Length"])
	}, nil)
	res, text := l.raw("POST http://www.example.com/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"5\r\nhello\r\n0\r\n\r\nGET http://www.example.com/smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
	if res.StatusCode != 200 && res.StatusCode != 400 || res.StatusCode == 200 && text != "hello []" || requests.Load() > 1 {
		t.Errorf("%d %q, %d requests", res.StatusCode, text, requests.Load())
	}
}

func TestProxyAuth(t *testing.T) { // RFC 9110 section 11.7
	l := newLab(t, fixed("x", "max-age=60"), func(c *Config) { c.Auth = Users(map[string]string{"ann": "s3cret", "bob": "other"}) })
	basic := func(user, password string) string {
		r, _ := http.NewRequest("GET", "/", nil)
		r.SetBasicAuth(user, password)
		return "Proxy-Authorization: " + r.Header.Get("Authorization")
	}
	for name, fields := range map[string][]string{
		"none": nil, "wrong": {basic("ann", "s3cre")}, "mixed": {basic("ann", "other")}, "unknown": {basic("eve", "")},
		"other scheme": {"Proxy-Authorization: Bearer s3cret"}, "no base64": {"Proxy-Authorization: Basic §§"},
	} {
		a := l.get(site, fields...)
		if a.want(t, 407, "*", "proxy:error=http_request_denied"); a.Header.Get("Proxy-Authenticate") == "" {
			t.Errorf("%s: no challenge", name)
		}
	}
	l.get(site, basic("ann", "s3cret")).want(t, 200, "x")
	l.get(site, basic("bob", "other")).want(t, 200, "x")
	if res, _ := l.raw("CONNECT www.example.com:80 HTTP/1.1\r\nHost: x\r\n\r\n"); res.StatusCode != 407 {
		t.Errorf("CONNECT: %d", res.StatusCode)
	}
}

// RFC 9110 section 7.6.3: Via finds loops; a chain of two proxies is none.
func TestLoop(t *testing.T) {
	l := newLab(t, fixed("x", "max-age=60"), nil)
	l.get(site, "Via: 1.1 peerproxy").want(t, 200, "x") // another of the same make
	a := l.get(site, "Via: 1.0 first, 1.1 "+l.proxy.viaName("www.example.com")+" (comment)")
	a.want(t, 508, "*", "proxy:error=proxy_loop_detected", "cache:fwd=bypass")
	if l.proxy.viaName("www.example.com") == l.proxy.viaName("www.example.org") {
		t.Error("two sites see the same name of the proxy")
	}
}

// A destination that is the proxy itself, even where loopback is allowed.
func TestOwnAddress(t *testing.T) {
	p := newProxy(t, Config{Dialer: &Dialer{AllowPrivate: true}})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- p.Serve(ctx, listener) }()
	l := &lab{t: t, proxy: p, server: &httptest.Server{URL: "http://" + listener.Addr().String()}}
	l.client = l.newClient()
	l.get("http://"+listener.Addr().String()+"/").want(t, 508, "*", "proxy:error=proxy_loop_detected")
	l.client.CloseIdleConnections()
	cancel()
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	for own, c := range map[string]map[string]bool{
		"127.0.0.1:80": {"127.0.0.1:80": true, "127.0.0.1:81": false, "127.0.0.2:80": false, "[::ffff:127.0.0.1]:80": true},
		"0.0.0.0:80":   {"127.0.0.1:80": true, "127.9.9.9:80": true, "[::1]:80": true, "9.9.9.9:80": false},
	} {
		var o ownAddresses
		o.add(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(own)))
		for ap, want := range c {
			if o.has(netip.MustParseAddrPort(ap)) != want {
				t.Errorf("own %s, dialled %s: want %v", own, ap, want)
			}
		}
	}
}

// Request bodies stream: the origin's answer depends on the first half before the
// client sends the second.
func TestRequestBodyStreams(t *testing.T) {
	got := make(chan string)
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		buf := make([]byte, 5)
		_, _ = io.ReadFull(r.Body, buf)
		got <- string(buf)
		rest, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s%s %s", buf, rest, r.Trailer.Get("X-Sum"))
	}, nil)
	pr, pw := io.Pipe()
	r, _ := http.NewRequest("PUT", site+"/up", pr)
	r.Trailer = http.Header{"X-Sum": nil}
	go func() {
		fmt.Fprint(pw, "first")
		if text := <-got; text != "first" {
			t.Errorf("origin got %q", text)
		}
		r.Trailer.Set("X-Sum", "42")
		fmt.Fprint(pw, " second")
		pw.Close()
	}()
	res, err := l.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); string(text) != "first second 42" {
		t.Errorf("got %q", text)
	}
}

// Response bodies stream too, stored or not: the client has the first half before
// the origin has sent the second.
func TestResponseBodyStreams(t *testing.T) {
	for _, c := range []struct{ method, cacheControl string }{{"GET", "max-age=60"}, {"GET", "no-store"}, {"POST", ""}} {
		for _, length := range []string{"", "11"} {
			received := make(chan struct{})
			l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Cache-Control", c.cacheControl)
				if length != "" {
					w.Header().Set("Content-Length", length)
				}
				fmt.Fprint(w, "first")
				_ = http.NewResponseController(w).Flush()
				<-received
				fmt.Fprint(w, " other")
			}, nil)
			r, _ := http.NewRequest(c.method, site+"/s", nil)
			res, err := l.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			buf := make([]byte, 5)
			_, err = io.ReadFull(res.Body, buf)
			close(received)
			rest, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || string(buf)+string(rest) != "first other" {
				t.Errorf("%v: %q %q %v", c, buf, rest, err)
			}
		}
	}
}

func TestInterimAndTrailers(t *testing.T) { // RFC 9110 sections 15.2 and 6.5
	for _, c := range []struct{ method, cacheControl string }{{"GET", "max-age=60"}, {"GET", "no-store"}, {"POST", ""}} {
		l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Link")
			w.Header().Set("Cache-Control", c.cacheControl)
			w.Header().Set("Trailer", "X-Sum")
			fmt.Fprint(w, "x")
			_ = http.NewResponseController(w).Flush()
			w.Header().Set("X-Sum", "42")
		}, nil)
		var link string
		trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			link = fmt.Sprint(code, h.Get("Link"))
			return nil
		}}
		r, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), c.method, site+"/i", nil)
		res, err := l.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if link != "103</a.css>; rel=preload" || res.Header["Link"] != nil || res.Trailer.Get("X-Sum") != "42" {
			t.Errorf("%v: interim %q, header %v, trailer %v", c, link, res.Header, res.Trailer)
		}
	}
}

// Methods and statuses pass unchanged.
func TestPassThrough(t *testing.T) {
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Method", r.Method)
		switch r.URL.Path {
		case "/204":
			w.WriteHeader(204)
		case "/302":
			http.Redirect(w, r, "/x", http.StatusFound)
		case "/500":
			http.Error(w, "x", 500)
		}
	}, nil)
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"} {
		if a := l.do(method, site+"/204"); a.StatusCode != 204 || a.Header.Get("X-Method") != method || !has(a.cacheStatus(), "fwd", "method") {
			t.Errorf("%s: %d %v", method, a.StatusCode, a.Header)
		}
	}
	l.get(site+"/302").want(t, 302, "*", "cache:fwd-status=302")
	l.get(site+"/204").want(t, 204, "", "cache:fwd-status=204")
	l.get(site+"/500").want(t, 500, "x\n", "cache:fwd-status=500", "proxy:received-status=500")
	l.get(site+"/204", `If-Match: "x"`).want(t, 204, "", "cache:fwd=bypass") // only the origin can judge that
}

// What an origin can do wrong, and what the client is told of it (RFC 9209 section 2.3).
func TestBrokenOrigins(t *testing.T) {
	answer := func(text string) func(net.Conn) {
		return func(c net.Conn) { fmt.Fprint(c, text); c.Close() }
	}
	for _, c := range []struct {
		name   string
		serve  func(net.Conn)
		status int
		kind   string
	}{
		{"closes", func(c net.Conn) { c.Close() }, 502, "connection_terminated"},
		{"resets", func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0); c.Close() }, 502, "connection_terminated"},
		{"no HTTP", answer("SSH-2.0-x\r\n"), 502, "http_protocol_error"},
		{"bad status line", answer("HTTP/1.1 2x0 OK\r\n\r\n"), 502, "http_protocol_error"},
		{"two lengths", answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), 502, "http_protocol_error"},
		{"huge header", answer("HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", 300<<10) + "\r\n\r\n"), 502, "http_response_header_size"},
		{"many fields", answer("HTTP/1.1 200 OK\r\n" + strings.Repeat("A: "+strings.Repeat("a", 1000)+"\r\n", 300) + "\r\n"), 502, "http_response_header_section_size"},
		{"unasked 304", answer("HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"), 502, "http_protocol_error"},
		{"unasked 101", answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"), 502, "http_protocol_error"},
		{"asks for the proxy's password", answer("HTTP/1.1 407 x\r\nConnection: close\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"), 502, "http_protocol_error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t, nil, nil)
			l.proxy.dialer.Resolve = []Resolve{{Host: "www.example.com", Port: 80, Addr: rawOrigin(t, c.serve)}}
			for _, method := range []string{"GET", "POST"} {
				if method == "POST" && c.name == "unasked 304" {
					continue // the client may have asked
				}
				l.do(method, site+"/x").want(t, c.status, "*", "proxy:error="+c.kind)
			}
		})
	}
}

// rawOrigin accepts connections, reads one request header from each and hands it over.
func rawOrigin(t *testing.T, serve func(net.Conn)) netip.AddrPort {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { listener.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
				conn.Close()
				continue
			}
			serve(conn)
		}
	}()
	return addrOf(listener)
}

func TestForbiddenDestinations(t *testing.T) {
	l := newLab(t, func(http.ResponseWriter, *http.Request) { t.Error("origin was asked") }, nil)
	local := l.origin.Listener.Addr().(*net.TCPAddr).Port
	for _, u := range []string{
		l.origin.URL, fmt.Sprintf("http://localhost:%d/", local), "http://[::1]/", "http://10.1.2.3/", "http://169.254.169.254/latest/meta-data",
		"http://[::ffff:127.0.0.1]/", "http://0.0.0.0/", "http://[fe80::1]/",
	} {
		l.get(u).want(t, 403, "*", "proxy:error=destination_ip_prohibited", "cache:fwd")
		l.do("POST", u).want(t, 403, "*", "proxy:error=destination_ip_prohibited")
	}
	res, text := l.raw("CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: x\r\n\r\n")
	if res.StatusCode != 403 || !strings.Contains(text, "Address not allowed") || !strings.Contains(res.Header.Get("Proxy-Status"), "destination_ip_prohibited") {
		t.Errorf("CONNECT: %d %s", res.StatusCode, text)
	}
}

// Pages repeat what was asked for without giving it a meaning.
func TestErrorPageIsInert(t *testing.T) {
	l := newLab(t, nil, nil)
	l.origin.Close()
	a := l.get(site + `/%3Cscript%3E"onload='x'<b>%0d%0aX-Injected:1?<img%20src=x>`)
	a.want(t, 502, "*", "proxy:error=connection_refused")
	if strings.Contains(a.text, "<b>") || strings.Contains(a.text, "<img") || strings.Contains(a.text, `"onload`) || a.Header.Get("X-Injected") != "" {
		t.Errorf("page: %s", a.text)
	}
	if !strings.Contains(a.Header.Get("Content-Security-Policy"), "default-src 'none'") || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("header: %v", a.Header)
	}
	if !strings.Contains(a.text, "What was tried") || !strings.Contains(a.text, "The site was asked. The site refused the connection.") {
		t.Errorf("page does not say what was tried: %s", a.text)
	}
	if head := l.do("HEAD", site+"/x"); head.StatusCode != 502 || head.text != "" {
		t.Errorf("HEAD: %d %q", head.StatusCode, head.text)
	}
}

// A Proxy around a Transport of tests, without sockets.
type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestClosedProxyRefuses(t *testing.T) {
	p := newProxy(t, Config{Store: newMemStore(), Transport: transportFunc(func(*http.Request) (*http.Response, error) { return nil, errors.New("no") })})
	_ = p.Close()
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest("GET", site, nil))
	if w.Code != 503 {
		t.Errorf("status %d", w.Code)
	}
}

// From within the process: no credentials, and a writer that can do nothing but write.
func TestTrusted(t *testing.T) {
	l := newLab(t, patternOrigin(300_000, "max-age=60"), func(c *Config) { c.Auth = func(string, string) bool { return false } })
	l.get(site).want(t, 407, "*")
	for _, method := range []string{"GET", "POST"} {
		w := &plainWriter{header: http.Header{}}
		l.proxy.Trusted().ServeHTTP(w, httptest.NewRequest(method, site+"/", nil))
		if w.status != 200 || w.n != 300_000 {
			t.Errorf("%s: %d, %d bytes", method, w.status, w.n)
		}
	}
}

type plainWriter struct {
	header    http.Header
	status, n int
}

func (w *plainWriter) Header() http.Header         { return w.header }
func (w *plainWriter) WriteHeader(status int)      { w.status = status }
func (w *plainWriter) Write(p []byte) (int, error) { w.n += len(p); return len(p), nil }
