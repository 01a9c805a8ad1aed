package proxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A client that takes nothing is given up after the idle time.
func TestStalledClient(t *testing.T) {
	cancelled := make(chan struct{})
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		buf := make([]byte, 1<<20)
		for {
			if _, err := w.Write(buf); err != nil {
				close(cancelled)
				return
			}
		}
	}, func(c *Config) { c.Idle = 50 * time.Millisecond })
	conn, err := net.Dial("tcp", l.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET http://www.example.com/ HTTP/1.1\r\nHost: x\r\n\r\n")
	<-cancelled
	l.settle()
}

// A client that stops in the middle of an upload is given up, too.
func TestStalledUpload(t *testing.T) {
	ended := make(chan error, 1)
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		ended <- err
	}, func(c *Config) { c.Idle = 50 * time.Millisecond })
	conn, err := net.Dial("tcp", l.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST http://www.example.com/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
	if err := <-ended; err == nil {
		t.Error("the origin got a whole request")
	}
}

// After an upload the connection is as before: the client may take its time.
func TestUploadLeavesNoDeadline(t *testing.T) {
	release := make(chan struct{})
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-release
		fmt.Fprint(w, "done")
	}, func(c *Config) { c.Idle = 20 * time.Millisecond })
	time.AfterFunc(100*time.Millisecond, func() { close(release) })
	res, err := l.client.Post(site+"/", "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); string(text) != "done" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}
