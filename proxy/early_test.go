package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const post = "POST http://www.example.com/up HTTP/1.1\r\nHost: www.example.com\r\n"

// An origin may answer before it has the whole request (RFC 9112 section 9.3): the
// client gets that at once, although it sends no more, and then its connection ends.
func TestEarlyAnswer(t *testing.T) {
	for name, c := range map[string]struct{ answer, text string }{
		"length":         {"HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nmuch", "much"},
		"chunks":         {"HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n4\r\nmuch\r\n0\r\nX-Sum: 42\r\nX-More: 1\r\nContent-Length: 9\r\n\r\n", "much"},
		"no content":     {"HTTP/1.1 204 No Content\r\n\r\n", ""},
		"until it ends":  {"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\nmuch", "much"},
		"after a 103":    {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", ""},
		"no answer":      {"", "*"},
		"nothing useful": {"SSH-2.0-x\r\n\r\n", "*"},
	} {
		for _, form := range []string{"Content-Length: 100\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"} {
			t.Run(name, func(t *testing.T) {
				l := newLab(t, nil, nil)
				l.acts(func(_ int, w *wire) {
					w.head()
					w.take(4)
					w.send(c.answer)
					if strings.Contains(c.answer, "close") || c.text == "*" {
						return
					}
					_, _ = w.rest()
				})
				client := l.connect()
				client.send(post + form)
				if strings.Contains(c.answer, "103") {
					client.head()
				}
				a := client.answer("POST")
				if a.text != c.text && c.text != "*" || !a.Close {
					t.Errorf("%q %v", a.text, a.Header)
				}
				if name == "chunks" && (a.Trailer.Get("X-Sum") != "42" || a.Trailer.Get("X-More") != "1" || a.Trailer["Content-Length"] != nil) {
					t.Errorf("trailer %v", a.Trailer)
				}
				client.ended()
			})
		}
	}
}

// A client may look for the answer only when it has sent all: it gets it although the
// origin has answered and gone long before.
func TestEarlyAnswerAfterAll(t *testing.T) {
	for name, size := range map[string]int{"short": 4, "long": 100_000} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, nil, nil)
			l.acts(func(_ int, w *wire) {
				w.head()
				w.send("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", size, strings.Repeat("x", size))
				if size > 1000 { // or what is still on its way could be lost
					_, _ = w.rest()
				}
			})
			client := l.connect()
			client.send(post + "Content-Length: 16777216\r\n\r\n")
			piece := strings.Repeat("y", 1<<20)
			for range 16 {
				if _, err := io.WriteString(client, piece); err != nil {
					t.Fatal(err)
				}
			}
			client.answer("POST").want(t, 413, strings.Repeat("x", size))
			client.ended()
		})
	}
}

// Both sides may speak at once.
func TestAnswerDuringUpload(t *testing.T) {
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		buf := make([]byte, 100)
		for {
			n, err := r.Body.Read(buf)
			_, _ = w.Write(buf[:n])
			_ = control.Flush()
			if err != nil {
				return
			}
		}
	}, nil)
	client := l.connect()
	client.send(post + "Transfer-Encoding: chunked\r\n\r\n")
	for i := range 5 {
		client.send("6;ext=1\r\npiece%d\r\n", i)
		if i == 0 {
			if head := client.head(); !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") || field(head, "Connection") != "close" {
				t.Fatalf("%q", head)
			}
		}
		if got := client.take(11); got != fmt.Sprintf("6\r\npiece%d\r\n", i) {
			t.Fatalf("%q", got)
		}
	}
	client.send("0\r\n\r\n")
	if text, err := client.rest(); text != "0\r\n\r\n" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}

// What the proxy says itself does not wait for the content either, and what is left of
// it is never taken for a request (RFC 9112 section 11.2).
func TestOwnAnswerDuringUpload(t *testing.T) {
	l := newLab(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("the site got %s", r.URL) }, nil)
	for _, target := range []string{"http://127.0.0.1:1/", "http://www.example.com:81/", "ftp://www.example.com/", "/x"} {
		for _, form := range []string{"Content-Length: 1000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"} {
			client := l.connect()
			client.send("POST %s HTTP/1.1\r\nHost: www.example.com\r\n"+form, target)
			if a := client.answer("POST"); a.StatusCode < 400 || !a.Close {
				t.Errorf("%s: %d %v", target, a.StatusCode, a.Header)
			}
			client.send("GET http://www.example.com/smuggled HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
			_ = client.CloseWrite()
			client.ended()
		}
	}
	l.proxy.cfg.Auth = func(string, string) bool { return false }
	client := l.connect()
	client.send(post + "Content-Length: 1000\r\n\r\n")
	client.answer("POST").want(t, 407, "*")
}

// Who neither sends nor goes does not keep a connection for ever.
func TestEarlyAnswerToSilentClient(t *testing.T) {
	l := newLab(t, nil, func(c *Config) { c.Idle = 20 * time.Millisecond })
	client := l.connect()
	client.send("POST ftp://www.example.com/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
	client.answer("POST").want(t, 400, "*")
	client.ended()
	l.proxy.tunnels.wg.Wait()
}

// An early answer that breaks off is broken off.
func TestEarlyAnswerBreaksOff(t *testing.T) {
	for _, answer := range []string{"Content-Length: 100\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"} {
		l := newLab(t, nil, nil)
		l.acts(func(_ int, w *wire) {
			w.head()
			w.send("HTTP/1.1 200 OK\r\n" + answer)
		})
		client := l.connect()
		client.send(post + "Content-Length: 100\r\n\r\nhalf")
		if head := client.head(); !strings.HasPrefix(head, "HTTP/1.1 200") {
			t.Errorf("%q", head)
		}
		if text, _ := client.rest(); strings.HasSuffix(text, "0\r\n\r\n") || len(text) > 9 {
			t.Errorf("%q looks whole", text)
		}
	}
}

// A request that had all its content before it was answered leaves the connection as it was.
func TestAnswerAfterUploadKeepsConnection(t *testing.T) {
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		_, _ = w.Write(text)
	}, nil)
	client := l.connect()
	for range 3 {
		client.send(post + "Content-Length: 5\r\n\r\nhello")
		if a := client.answer("POST"); a.text != "hello" || a.Close {
			t.Fatalf("%q %v", a.text, a.Header)
		}
		client.send(post + "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n")
		if a := client.answer("POST"); a.text != "hello" || a.Close {
			t.Fatalf("%q %v", a.text, a.Header)
		}
	}
}
