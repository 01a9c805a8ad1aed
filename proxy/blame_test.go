package proxy

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// converse sends raw bytes to the proxy and reads one answer. The client's sending
// side is closed behind them if half is set.
func (l *lab) converse(sent string, half bool) answered {
	l.t.Helper()
	conn, err := net.Dial("tcp", l.server.Listener.Addr().String())
	if err != nil {
		l.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(conn, sent); err != nil {
		l.t.Fatal(err)
	}
	if half {
		_ = conn.(*net.TCPConn).CloseWrite()
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		l.t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return answered{res, string(text)}
}

// A request that is not well formed is the client's fault, whatever the site makes
// of what it got of it (RFC 9209 section 2.3.16).
func TestBadUploadIsTheClientsFault(t *testing.T) {
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }, func(c *Config) { c.Idle = 300 * time.Millisecond })
	const head = "POST http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\n"
	for name, c := range map[string]struct {
		rest   string
		half   bool
		status int
	}{
		"bad chunk length":                       {"Transfer-Encoding: chunked\r\n\r\nzz\r\n", false, 400},
		"bad chunk end":                          {"Transfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n", false, 400},
		"chunks stop":                            {"Transfer-Encoding: chunked\r\n\r\n2\r\nab", true, 400},
		"too short":                              {"Content-Length: 10\r\n\r\nabc", true, 400},
		"stops coming":                           {"Content-Length: 10\r\n\r\nabc", false, 408},
		"a change of protocol that stops coming": {"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 10\r\n\r\nabc", false, 408},
	} {
		t.Run(name, func(t *testing.T) {
			l.converse(head+c.rest, c.half).want(t, c.status, "*", "proxy:error=http_request_error", "proxy:details")
		})
	}
	l.converse(head+"Content-Length: 3\r\n\r\nabc", false).want(t, 200, "", "proxy:!error")
}

// A site that breaks off in the middle of an upload is not the client's fault.
func TestBrokenOriginIsNotTheClientsFault(t *testing.T) {
	l := newLab(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil)
	body := strings.Repeat("x", 8<<20)
	for try := 1; ; try++ {
		res, err := l.client.Post(site+"/", "text/plain", strings.NewReader(body))
		if err == nil {
			defer res.Body.Close()
			answered{res, ""}.want(t, 502, "")
			return
		}
		if try == 50 { // a client that is still sending when it is answered may lose the answer, but not for ever
			t.Fatal("no answer: ", err)
		}
	}
}

// All failures of our own can be put in words for programs: details is a string of
// ASCII (RFC 8941 section 3.3.3).
func TestFailuresHaveDetails(t *testing.T) {
	n, err := newNames("peerproxy")
	if err != nil {
		t.Fatal(err)
	}
	for _, own := range ownFailures {
		item := lastMember([]string{n.proxyStatus(explain(own.err).proxyStatus(0))})
		if own.kind != "" && (!has(item, "error", own.kind) || !has(item, "details", own.title)) {
			t.Errorf("%v: %v", own.err, item)
		}
	}
}
