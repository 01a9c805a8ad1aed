package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// served starts the lab's proxy at a listener of its own and returns a connection to it.
func (l *lab) served() *net.TCPConn {
	l.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.proxy.Serve(ctx, listener) }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		conn.Close()
		cancel()
		if err := <-done; err != nil {
			l.t.Error(err)
		}
	})
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	return conn.(*net.TCPConn)
}

func (l *lab) read(in *bufio.Reader) answered {
	l.t.Helper()
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return answered{res, string(text)}
}

// Answers that net/http gives by itself are labelled like all others, be they to the
// first request on a connection or to a later one.
func TestEveryAnswerIsLabelled(t *testing.T) {
	const head = " http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\n"
	for name, c := range map[string]struct {
		request string
		status  int
	}{
		"no HTTP":          {"hello\r\n\r\n", 400},
		"no Host":          {"GET http://www.example.com/ HTTP/1.1\r\n\r\n", 400},
		"header too large": {"GET" + head + "A: " + strings.Repeat("a", 200<<10) + "\r\n\r\n", 431},
		"unknown coding":   {"POST" + head + "Transfer-Encoding: gzip\r\n\r\n", 501},
		"unknown version":  {"GET http://www.example.com/ HTTP/3.0\r\nHost: www.example.com\r\n\r\n", 505},
		"expectation":      {"GET" + head + "Expect: wonders\r\n\r\n", 417},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, fixed("x", "max-age=60"), nil)
			first := l.served()
			atOnce(first, c.request)
			l.read(bufio.NewReader(first)).want(t, c.status, "*", "cache:fwd=bypass", "proxy:error=http_request_error", "proxy:details")

			later := l.served()
			in := bufio.NewReader(later)
			atOnce(later, "GET"+head+"\r\n")
			l.read(in).want(t, 200, "x")
			atOnce(later, c.request)
			a := l.read(in)
			a.want(t, c.status, "*", "cache:fwd=bypass", "proxy:error=http_request_error")
			if len(a.Header["Cache-Status"]) != 1 || len(a.Header["Proxy-Status"]) != 1 {
				t.Errorf("%v", a.Header)
			}
			if _, err := in.ReadByte(); !errors.Is(err, io.EOF) { // a reset would lose the answer
				t.Errorf("the connection ends with %v", err)
			}
		})
	}
}

// Content that looks like an answer is content, also that of a tunnel.
func TestOnlyAnswersAreLabelled(t *testing.T) {
	const text = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"
	long := strings.Repeat(text, 3000)
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, long)
	}, nil)
	l.proxy.dialer.Resolve = append(l.proxy.dialer.Resolve, Resolve{Host: "www.example.com", Port: 81, Addr: talkingOrigin(t, atOnce, text)})
	conn := l.served()
	atOnce(conn, "GET http://www.example.com/ HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
	in := bufio.NewReader(conn)
	l.read(in).want(t, 200, long)

	atOnce(conn, "CONNECT www.example.com:81 HTTP/1.1\r\nHost: www.example.com:81\r\n\r\n")
	granted, err := http.ReadResponse(in, &http.Request{Method: "CONNECT"})
	if err != nil || granted.StatusCode != 200 {
		t.Fatal(granted, err)
	}
	atOnce(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	_ = conn.CloseWrite() // only this direction ends
	if got, err := io.ReadAll(in); err != nil || string(got) != text {
		t.Errorf("through the tunnel came %q, %v", got, err)
	}
}
