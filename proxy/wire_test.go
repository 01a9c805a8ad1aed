package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// wire is one end of a connection of which every byte is seen. All its waits end in
// time, so that a test fails instead of hanging.
type wire struct {
	*net.TCPConn
	t  testing.TB
	in *bufio.Reader
}

func newWire(t testing.TB, conn net.Conn) *wire {
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &wire{conn.(*net.TCPConn), t, bufio.NewReader(conn)}
}

// client is a connection to the lab's proxy.
func (l *lab) connect() *wire {
	l.t.Helper()
	conn, err := net.Dial("tcp", l.server.Listener.Addr().String())
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { conn.Close() })
	return newWire(l.t, conn)
}

// send writes; that the other side has gone shows when it is read.
func (w *wire) send(format string, args ...any) {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	_, _ = io.WriteString(w.TCPConn, format)
}

// head reads a message's head, without its empty line. It is "" at the end of the connection.
func (w *wire) head() string {
	var b strings.Builder
	for {
		line, err := w.in.ReadString('\n')
		b.WriteString(line)
		if err != nil || line == "\r\n" {
			return strings.TrimSuffix(b.String(), "\r\n")
		}
	}
}

// take reads n bytes.
func (w *wire) take(n int) string {
	p := make([]byte, n)
	n, _ = io.ReadFull(w.in, p)
	return string(p[:n])
}

// rest reads until the connection ends.
func (w *wire) rest() (string, error) {
	text, err := io.ReadAll(w.in)
	return string(text), err
}

// answer reads one answer to a method.
func (w *wire) answer(method string) answered {
	w.t.Helper()
	res, err := http.ReadResponse(w.in, &http.Request{Method: method})
	if err != nil {
		w.t.Fatal("no answer: ", err)
	}
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatalf("answer broken off after %q: %v", text, err)
	}
	return answered{res, string(text)}
}

// ended fails if there is more before the end of the connection, or of the test.
func (w *wire) ended() {
	w.t.Helper()
	if text, err := w.rest(); text != "" || err != nil && !errors.Is(err, net.ErrClosed) {
		w.t.Errorf("instead of the end of the connection: %q, %v", text, err)
	}
}

// acts makes www.example.com a site that does what it is told on each connection; the
// connection is closed afterwards. Its number counts from 0.
func (l *lab) acts(serve func(number int, w *wire)) {
	l.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.t.Fatal(err)
	}
	l.accepts(listener, func(number int, conn net.Conn) { serve(number, newWire(l.t, conn)) })
	l.proxy.dialer.Resolve = []Resolve{{Host: "www.example.com", Port: 80, Addr: addrOf(listener)}}
}

// accepts serves connections until the test ends, which ends them.
func (l *lab) accepts(listener net.Listener, serve func(number int, conn net.Conn)) {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		open []net.Conn
	)
	l.t.Cleanup(func() {
		l.proxy.closeIdle()
		listener.Close()
		mu.Lock()
		for _, conn := range open {
			conn.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	wg.Go(func() {
		for number := 0; ; number++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			wg.Go(func() {
				defer conn.Close()
				serve(number, conn)
			})
		}
	})
}

// field returns the values of a field in a head, joined; "" = it is not there.
func field(head, name string) string {
	var values []string
	for line := range strings.SplitSeq(head, "\r\n") {
		if got, value, _ := strings.Cut(line, ":"); strings.EqualFold(got, name) {
			values = append(values, strings.TrimSpace(value))
		}
	}
	return strings.Join(values, "|")
}
