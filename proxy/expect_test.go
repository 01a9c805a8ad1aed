package proxy

import (
	"strings"
	"testing"
)

const expect = "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"

// RFC 9110 section 10.1.1: the client sends its content when the origin says so.
func TestExpectContinue(t *testing.T) {
	l := newLab(t, nil, nil)
	l.acts(func(_ int, w *wire) {
		if head := w.head(); field(head, "Expect") != "100-continue" || field(head, "Content-Length") != "5" {
			t.Errorf("the site got %q", head)
		}
		w.send("HTTP/1.1 100 Continue\r\n\r\n")
		w.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n%s", w.take(5))
	})
	client := l.connect()
	client.send(post + expect)
	if head := client.head(); head != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q", head)
	}
	client.send("hello")
	client.answer("POST").want(t, 200, "hello")
}

// An origin that answers finally without the content is not given it, be its connection
// to be kept or not, and the client is not made to send it.
func TestExpectRefused(t *testing.T) {
	for _, answer := range []string{
		"417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno",
		"401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",
		"413 Content Too Large\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
	} {
		for _, early := range []string{"", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"} {
			l := newLab(t, nil, nil)
			l.acts(func(_ int, w *wire) {
				w.head()
				w.send(early + "HTTP/1.1 " + answer)
				w.ended()
			})
			client := l.connect()
			client.send(post + expect)
			if early != "" {
				client.head()
			}
			a := client.answer("POST")
			if a.want(t, a.StatusCode, "no"); !strings.HasPrefix(answer, a.Status[:3]) || a.StatusCode == 100 {
				t.Errorf("%s instead of %.20q", a.Status, answer)
			}
			client.ended() // the rest of the content could be taken for a request
		}
	}
}

// An origin need not know of 100: after a second the content comes all the same.
func TestExpectWithoutContinue(t *testing.T) {
	l := newLab(t, nil, nil)
	l.acts(func(_ int, w *wire) {
		w.head()
		w.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n%s", w.take(5))
	})
	l.proxy.ownedPool.ExpectContinueTimeout = 1
	client := l.connect()
	client.send(post + expect)
	if head := client.head(); head != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q", head)
	}
	client.send("hello")
	client.answer("POST").want(t, 200, "hello")

	client.send(post + expect + "hello") // nor need a client wait
	for {
		if head := client.head(); strings.HasPrefix(head, "HTTP/1.1 200") || head == "" {
			break
		}
	}
	if got := client.take(5); got != "hello" {
		t.Errorf("%q", got)
	}
}

// A failure before the origin could be asked: no 100, and the proxy's own answer.
func TestExpectWithoutOrigin(t *testing.T) {
	l := newLab(t, nil, nil)
	l.origin.Close()
	client := l.connect()
	client.send(post + expect)
	client.answer("POST").want(t, 502, "*", "proxy:error=connection_refused")
	client.ended()
}

// To HTTP/1.0 and where no content follows the expectation says nothing, and other
// expectations can't be met (RFC 9110 section 10.1.1).
func TestExpectIgnored(t *testing.T) {
	for request, status := range map[string]string{
		"POST http://www.example.com/ HTTP/1.0\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello":                 "200",
		"POST http://www.example.com/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n": "200",
		"GET http://www.example.com/ HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n":                       "200",
		"GET http://www.example.com/ HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\n\r\n":                                                 "417",
		"POST http://www.example.com/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: wonders\r\n\r\nhello":                      "417",
	} {
		l := newLab(t, nil, nil)
		l.acts(func(_ int, w *wire) {
			head := w.head()
			if field(head, "Expect") != "" {
				t.Errorf("the site got %q", head)
			}
			if field(head, "Content-Length") == "5" {
				w.take(5)
			}
			w.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			w.head()
		})
		client := l.connect()
		client.send(request)
		if text, err := client.rest(); !strings.HasPrefix(text, "HTTP/1.") || text[9:12] != status || strings.Contains(text, "100 Continue") || err != nil {
			t.Errorf("%.40q: %.100q, %v", request, text, err)
		}
	}
}
