package proxy

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2Origin makes https://www.example.com a site that speaks HTTP/2 frame by frame. For
// each request it calls answer with the number of the connection and the stream.
func (l *lab) h2Origin(answer func(conn int, stream uint32, f *http2.Framer) (more bool)) {
	l.t.Helper()
	certified := httptest.NewUnstartedServer(nil) // for its certificate
	certified.EnableHTTP2 = true
	certified.StartTLS()
	l.t.Cleanup(certified.Close)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: certified.TLS.Certificates, NextProtos: []string{"h2"}})
	if err != nil {
		l.t.Fatal(err)
	}
	l.accepts(listener, func(number int, conn net.Conn) {
		serveFrames(conn, func(stream uint32, f *http2.Framer) bool { return answer(number, stream, f) })
	})
	l.proxy.dialer.Resolve = []Resolve{{Host: "example.com", Port: 443, Addr: addrOf(listener)}}
	l.proxy.ownedPool.TLSClientConfig = &tls.Config{RootCAs: certified.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
}

func serveFrames(conn net.Conn, answer func(stream uint32, f *http2.Framer) bool) {
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	f := http2.NewFramer(conn, conn)
	_ = f.WriteSettings()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = f.WriteSettingsAck()
			}
		case *http2.PingFrame:
			_ = f.WritePing(true, frame.Data)
		case *http2.HeadersFrame:
			if !answer(frame.StreamID, f) {
				return
			}
		}
	}
}

// h2Head writes the head of an answer with the status 200.
func h2Head(f *http2.Framer, stream uint32, fields ...string) {
	var b bytes.Buffer
	enc := hpack.NewEncoder(&b)
	_ = enc.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	for _, field := range append(fields, "cache-control: no-store") {
		name, value, _ := strings.Cut(field, ": ")
		_ = enc.WriteField(hpack.HeaderField{Name: name, Value: value})
	}
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: b.Bytes(), EndHeaders: true})
}

func (l *lab) overTLS(method, path string) (answered, error) {
	client := l.connect()
	client.send("%s https://example.com%s HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", method, path)
	res, err := http.ReadResponse(client.in, &http.Request{Method: method})
	if err != nil {
		return answered{}, err
	}
	text, err := io.ReadAll(res.Body)
	return answered{res, string(text)}, err
}

// Requests that come at once share a connection as well (RFC 9113 section 9.1).
func TestH2Shared(t *testing.T) {
	l := newLab(t, nil, nil)
	var conns sync.Map
	l.h2Origin(func(conn int, stream uint32, f *http2.Framer) bool {
		conns.Store(conn, true)
		h2Head(f, stream)
		return f.WriteData(stream, true, []byte("ok")) == nil
	})
	if a, err := l.overTLS("GET", "/first"); err != nil || a.text != "ok" {
		t.Fatal(a, err)
	}
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if a, err := l.overTLS([]string{"GET", "POST"}[i%2], fmt.Sprint("/", i)); err != nil || a.text != "ok" || a.Header.Get("Via") != "2 peerproxy" {
				t.Error(a, err)
			}
		})
	}
	wg.Wait()
	n := 0
	conns.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d connections", n)
	}
}

// What the site says it has not looked at is sent again, whatever the method (RFC 9113
// section 8.7).
func TestH2Refused(t *testing.T) {
	for name, refuse := range map[string]func(uint32, *http2.Framer) bool{
		"stream": func(stream uint32, f *http2.Framer) bool {
			return f.WriteRSTStream(stream, http2.ErrCodeRefusedStream) == nil
		},
		"connection": func(_ uint32, f *http2.Framer) bool { _ = f.WriteGoAway(0, http2.ErrCodeNo, nil); return false },
	} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(name+", "+method, func(t *testing.T) {
				l := newLab(t, nil, nil)
				var asked atomic.Int32
				l.h2Origin(func(_ int, stream uint32, f *http2.Framer) bool {
					if asked.Add(1) == 1 {
						return refuse(stream, f)
					}
					h2Head(f, stream)
					return f.WriteData(stream, true, []byte("ok")) == nil
				})
				a, err := l.overTLS(method, "/")
				if err != nil || a.text != "ok" || asked.Load() != 2 {
					t.Errorf("%v, %v, asked %d times", a, err, asked.Load())
				}
			})
		}
	}
}

// A stream that is reset before the answer is an error, one that is reset within it
// breaks the client's answer off.
func TestH2Reset(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		l := newLab(t, nil, nil)
		l.h2Origin(func(_ int, stream uint32, f *http2.Framer) bool {
			return f.WriteRSTStream(stream, http2.ErrCodeInternal) == nil
		})
		a, err := l.overTLS(method, "/")
		if err != nil {
			t.Fatal(err)
		}
		a.want(t, 502, "*", "proxy:error=connection_terminated")

		for _, fields := range [][]string{nil, {"content-length: 10"}} {
			l := newLab(t, nil, nil)
			l.h2Origin(func(_ int, stream uint32, f *http2.Framer) bool {
				h2Head(f, stream, fields...)
				_ = f.WriteData(stream, false, []byte("half"))
				return f.WriteRSTStream(stream, http2.ErrCodeInternal) == nil
			})
			if a, err := l.overTLS(method, "/"); err == nil && a.StatusCode == 200 {
				t.Errorf("%s: looks whole: %q", method, a.text)
			}
		}
	}
}

// A site that breaks the rules of HTTP/2 is told from one that breaks off.
func TestH2BrokenRules(t *testing.T) {
	l := newLab(t, nil, nil)
	l.h2Origin(func(_ int, stream uint32, f *http2.Framer) bool {
		return f.WriteContinuation(stream, true, nil) == nil // of nothing
	})
	a, err := l.overTLS("POST", "/")
	if err != nil {
		t.Fatal(err)
	}
	a.want(t, 502, "*", "proxy:error=http_protocol_error")
}
