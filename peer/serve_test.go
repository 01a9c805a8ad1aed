package peer

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/libp2p/go-yamux/v5"

	"github.com/peerproxy/peerproxy/resource"
)

// RFC 9110: status and fields of every kind of question.
func TestAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		n, f := w.node(), w.fake()
		body := randomBody(100_000)
		it := n.share(page, body)
		n.share("https://example.org/empty", nil)
		secret := makeItem(t, n.identity, "https://example.org/private", []byte("private"))
		n.hold(secret)
		tag := etag(it.exchange.Body.Root)
		mux := f.session(n.addr)
		for _, c := range []struct {
			name    string
			request string
			status  int
			fields  map[string]string
		}{
			{"whole", request("GET", pathOf(page)), 200, map[string]string{"ETag": tag, "Content-Type": contentType, "Accept-Ranges": "bao"}},
			{"HEAD, RFC 9110 9.3.2", request("HEAD", pathOf(page)), 200, map[string]string{"ETag": tag}},
			{"HEAD ignores ranges, 14.2", request("HEAD", pathOf(page), "Range", "bao=0-0"), 200, nil},
			{"tag matches, 13.1.1", request("GET", pathOf(page), "If-Match", `"x", `+tag), 200, nil},
			{"any tag, 13.1.1", request("GET", pathOf(page), "If-Match", "*"), 200, nil},
			{"other tag, 13.1.1", request("GET", pathOf(page), "If-Match", `"x"`), 412, nil},
			{"weak tag, 13.1.1", request("GET", pathOf(page), "If-Match", "W/"+tag), 412, nil},
			{"precondition before range, 13.2.2", request("GET", pathOf(page), "If-Match", `"x"`, "Range", "bao=1000000-"), 412, nil},
			{"range, 14.2", request("GET", pathOf(page), "Range", "bao=20000-29999"), 206, map[string]string{"Content-Range": "bao 20000-29999/100000"}},
			{"open range", request("GET", pathOf(page), "Range", "bao=99999-"), 206, map[string]string{"Content-Range": "bao 99999-99999/100000"}},
			{"range beyond the end", request("GET", pathOf(page), "Range", "bao=99999-200000"), 206, map[string]string{"Content-Range": "bao 99999-99999/100000"}},
			{"unsatisfiable, 15.5.17", request("GET", pathOf(page), "Range", "bao=100000-"), 416, map[string]string{"Content-Range": "bao */100000"}},
			{"range of nothing", request("GET", pathOf("https://example.org/empty"), "Range", "bao=0-"), 416, map[string]string{"Content-Range": "bao */0"}},
			{"two ranges", request("GET", pathOf(page), "Range", "bao=0-1,5-6"), 416, nil},
			{"suffix range", request("GET", pathOf(page), "Range", "bao=-5"), 416, nil},
			{"backward range", request("GET", pathOf(page), "Range", "bao=5-4"), 416, nil},
			{"signed number", request("GET", pathOf(page), "Range", "bao=+5-9"), 416, nil},
			{"huge number", request("GET", pathOf(page), "Range", "bao=0-99999999999999999999"), 416, nil},
			{"other unit is ignored, 14.2", request("GET", pathOf(page), "Range", "bytes=0-1"), 200, nil},
			{"other method, 15.5.6", request("POST", pathOf(page), "Content-Length", "0"), 405, map[string]string{"Allow": "GET, HEAD"}},
			{"digest by GET", request("GET", pathDigest), 405, map[string]string{"Allow": "PUT, PATCH"}},
			{"other path", request("GET", "/"), 404, nil},
			{"no ID", request("GET", pathResource+"xyz"), 404, nil},
			{"long ID", request("GET", pathOf(page)+"00"), 404, nil},
			{"OPTIONS *", request("OPTIONS", "*"), 404, nil},
			{"large header", request("GET", pathOf(page), "A", strings.Repeat("b", 20_000)), 431, nil},
			{"no HTTP", "nonsense\r\n\r\n", 400, nil},
		} {
			resp := ask(t, mux, c.request)
			if resp.StatusCode != c.status {
				t.Errorf("%s: status %d, want %d", c.name, resp.StatusCode, c.status)
			}
			for name, want := range c.fields {
				if got := resp.Header.Get(name); got != want {
					t.Errorf("%s: %s: %q, want %q", c.name, name, got, want)
				}
			}
			content, _ := io.ReadAll(resp.Body)
			if c.status == 206 {
				checkSlice(t, c.name, content, resp, it, body)
			}
			if c.status >= 400 && c.status != 400 && c.status != 431 && len(content) > 0 {
				t.Errorf("%s: content %q", c.name, content)
			}
		}
		if opened, closed := n.shelf.counts(); opened != closed {
			t.Errorf("%d copies opened, %d closed", opened, closed)
		}
	})
}

func checkSlice(t *testing.T, name string, content []byte, resp *http.Response, it *item, body []byte) {
	t.Helper()
	var from, to int64
	rest := strings.TrimPrefix(resp.Header.Get("Content-Range"), "bao ")
	rest, _, _ = strings.Cut(rest, "/")
	a, b, _ := strings.Cut(rest, "-")
	from, _ = strconv.ParseInt(a, 10, 64)
	to, _ = strconv.ParseInt(b, 10, 64)
	got, err := io.ReadAll(resource.NewSliceReader(bytes.NewReader(content), it.exchange.Body, from, to-from+1))
	if err != nil || !bytes.Equal(got, body[from:to+1]) {
		t.Errorf("%s: %d bytes, %v", name, len(got), err)
	}
}

// What is held and private is told apart from what is not held by nothing at all.
func TestPrivateLooksLikeAbsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		n, f := w.node(), w.fake()
		n.hold(makeItem(t, n.identity, "https://example.org/private", []byte("private")))
		mux := f.session(n.addr)
		raw := func(url string, fields ...string) string {
			s, err := mux.OpenStream(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Reset()
			_, _ = io.WriteString(s, request("GET", pathOf(url), append(fields, "Connection", "close")...))
			b, _ := io.ReadAll(s)
			return string(b)
		}
		for _, fields := range [][]string{nil, {"Range", "bao=0-1"}, {"If-Match", "*"}} {
			a, b := raw("https://example.org/private", fields...), raw("https://example.org/absent", fields...)
			if a != b || !strings.HasPrefix(a, "HTTP/1.1 404 ") {
				t.Errorf("%v:\n%q\n%q", fields, a, b)
			}
		}
		if opened, _ := n.shelf.counts(); opened != 0 {
			t.Error("the source was asked for what is not shared")
		}
	})
}

// Only the selecting fields reach the source, and the peer.
func TestSelectingFields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		a, b := w.node(), w.node()
		a.share(page, []byte("hello"))
		w.announce("example.org", a.addr)
		q := query(page)
		q.Header = http.Header{"Accept-Language": {"de", "en"}, "Cookie": {"id=1"}, "User-Agent": {"me"}, "Accept": {strings.Repeat("x", 5000)}}
		c, err := b.Fetch(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		c.Body.Close()
		a.shelf.mu.Lock()
		defer a.shelf.mu.Unlock()
		if got := a.shelf.fields; len(got) != 1 || len(got.Values("Accept-Language")) != 2 {
			t.Errorf("fields %v", got)
		}
	})
}

func TestLimitOfRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		n, f := w.node(func(c *Config) { c.Limits.Requests, c.Limits.RequestsPerSession = 6, 4 }), w.fake()
		n.share(page, randomBody(8<<20)) // more than a window holds
		flood := func(mux *yamux.Session) (ok, busy int) {
			for range 10 {
				s, err := mux.OpenStream(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.WriteString(s, request("GET", pathOf(page)))
				line := make([]byte, 12)
				if _, err := io.ReadFull(s, line); err != nil {
					t.Fatal(err)
				}
				switch string(line) {
				case "HTTP/1.1 200":
					ok++
				case "HTTP/1.1 503":
					busy++
				}
			}
			return ok, busy
		}
		one := f.session(n.addr)
		if ok, busy := flood(one); ok != 4 || busy != 6 {
			t.Errorf("one session: %d served, %d refused", ok, busy)
		}
		two := w.fake().session(n.addr)
		if ok, busy := flood(two); ok != 2 || busy != 8 {
			t.Errorf("second session: %d served, %d refused", ok, busy)
		}
		// Nobody reads: after the stall time there is room again.
		time.Sleep(30 * time.Second)
		if st := n.Status(); st.Serving != 0 {
			t.Errorf("still serving %d", st.Serving)
		}
		if opened, closed := n.shelf.counts(); opened != closed {
			t.Errorf("%d copies opened, %d closed", opened, closed)
		}
		if ok, _ := flood(two); ok == 0 {
			t.Error("nothing is served any more")
		}
	})
}

// More streams than allowed are reset; the session goes on.
func TestFloodOfStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		n, f := w.node(), w.fake()
		n.share(page, []byte("hello"))
		mux := f.session(n.addr)
		refused := 0
		for range 3 * maxStreams {
			s, err := mux.OpenStream(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if _, err := s.Write([]byte("G")); err != nil {
				refused++
			}
		}
		if refused < 2*maxStreams-1 { // the digest takes one
			t.Errorf("%d streams were refused", refused)
		}
		// Streams without a request are closed in time.
		time.Sleep(requestWait + time.Second)
		if resp := ask(t, mux, request("GET", pathOf(page))); resp.StatusCode != 200 {
			t.Errorf("status %d", resp.StatusCode)
		}
	})
}

func TestDigestRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		n, f := w.node(func(c *Config) { c.Limits.DigestEntries = 1000 }), w.fake()
		mux := f.session(n.addr)
		some, many := make([]uint32, 600), make([]uint32, 1001)
		for i := range many {
			many[i] = uint32(i) * 3
		}
		copy(some, many)
		others := make([]uint32, 600)
		for i := range others {
			others[i] = 1<<20 + uint32(i)
		}
		put := func(method string, content []byte) int {
			time.Sleep(time.Second)
			head := request(method, pathDigest, "Content-Length", strconv.Itoa(len(content)))
			return ask(t, mux, head+string(content)).StatusCode
		}
		for _, c := range []struct {
			name    string
			method  string
			content []byte
			status  int
			entries int // that are known afterwards
		}{
			{"delta without a digest", "PATCH", delta{added: some}.encode(), 409, -1},
			{"garbage", "PUT", []byte("nonsense"), 400, -1},
			{"empty", "PUT", nil, 400, -1},
			{"too many entries", "PUT", digest{prefixes: many}.encode(), 400, -1},
			{"count of 4 billion", "PUT", append([]byte{0}, 0xff, 0xff, 0xff, 0xff, 3), 400, -1},
			{"digest", "PUT", digest{prefixes: some}.encode(), 204, 600},
			{"delta", "PATCH", delta{removed: some[:300], added: others[:300]}.encode(), 204, 600},
			{"delta beyond the limit", "PATCH", delta{added: others}.encode(), 204, 900},
			{"more beyond the limit", "PATCH", delta{added: some}.encode(), 413, 900},
			{"too large", "PUT", make([]byte, maxDigestBody+1), 413, 900},
			{"garbage after", "PATCH", append(delta{}.encode(), 0), 400, 900},
			{"none", "PUT", digest{}.encode(), 204, 0},
		} {
			if got := put(c.method, c.content); got != c.status {
				t.Errorf("%s: status %d, want %d", c.name, got, c.status)
			}
			if got := n.Status().Sessions[0].Digest; got != c.entries {
				t.Errorf("%s: %d entries, want %d", c.name, got, c.entries)
			}
		}
		// A flood is refused.
		time.Sleep(time.Minute)
		refused := 0
		for range 100 {
			content := digest{}.encode()
			head := request("PUT", pathDigest, "Content-Length", strconv.Itoa(len(content)))
			if ask(t, mux, head+string(content)).StatusCode == http.StatusTooManyRequests {
				refused++
			}
		}
		if refused < 80 {
			t.Errorf("%d of 100 digests refused", refused)
		}
		// One that never ends is given up.
		s, _ := mux.OpenStream(context.Background())
		_, _ = io.WriteString(s, request("PUT", pathDigest, "Content-Length", "1000"))
		start := time.Now()
		_, _ = io.ReadAll(s)
		if d := time.Since(start); d > requestWait+time.Second {
			t.Errorf("waited %v for a digest", d)
		}
	})
}

// What may come on a connection after an honest hello, and ends it at once.
func TestBrokenFraming(t *testing.T) {
	frame := func(kind byte, flags uint16, stream, length uint32) []byte {
		b := []byte{0, kind}
		b = binary.BigEndian.AppendUint16(b, flags)
		b = binary.BigEndian.AppendUint32(b, stream)
		return binary.BigEndian.AppendUint32(b, length)
	}
	binaryMessage := func(ws *websocket.Conn, b []byte) { _ = ws.WriteMessage(websocket.BinaryMessage, b) }
	for name, script := range map[string]func(ws *websocket.Conn){
		"garbage":                  func(ws *websocket.Conn) { binaryMessage(ws, bytes.Repeat([]byte{0xee}, 1000)) },
		"text":                     func(ws *websocket.Conn) { _ = ws.WriteMessage(websocket.TextMessage, frame(2, 1, 0, 1)) },
		"giant message":            func(ws *websocket.Conn) { binaryMessage(ws, make([]byte, 1<<20)) },
		"giant frame":              func(ws *websocket.Conn) { binaryMessage(ws, frame(0, 1, 1, 200<<10)) },
		"data beyond the window":   func(ws *websocket.Conn) { beyondWindow(ws, frame) },
		"stream of the wrong side": func(ws *websocket.Conn) { binaryMessage(ws, frame(1, 1, 2, 0)) },
		"stream twice": func(ws *websocket.Conn) {
			binaryMessage(ws, append(frame(1, 1, 1, 0), frame(1, 1, 1, 0)...))
		},
		"unknown version": func(ws *websocket.Conn) { binaryMessage(ws, append([]byte{9}, frame(2, 1, 0, 1)[1:]...)) },
		"unknown type":    func(ws *websocket.Conn) { binaryMessage(ws, frame(9, 1, 0, 1)) },
		"tiny frames": func(ws *websocket.Conn) {
			binaryMessage(ws, frame(1, 1, 1, 0))
			for range 100 {
				binaryMessage(ws, bytes.Repeat(append(frame(0, 0, 1, 1), 'x'), 100))
			}
		},
		"closes": func(ws *websocket.Conn) { ws.Close() },
		"goes away": func(ws *websocket.Conn) {
			_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1001, ""), time.Now().Add(time.Second))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.end()
				n, f := w.node(), w.fake()
				ws := f.dial(n.addr)
				if _, err := f.swarm.exchangeHellos(newWSConn(ws), roleDialler); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if st := n.Status(); len(st.Sessions) != 1 {
					t.Fatalf("%d sessions before", len(st.Sessions))
				}
				script(ws)
				time.Sleep(time.Second)
				if st := n.Status(); len(st.Sessions) != 0 {
					t.Errorf("%d sessions after", len(st.Sessions))
				}
			})
		})
	}
}

func beyondWindow(ws *websocket.Conn, frame func(byte, uint16, uint32, uint32) []byte) {
	_ = ws.WriteMessage(websocket.BinaryMessage, frame(1, 1, 1, 0))
	for range 10 {
		_ = ws.WriteMessage(websocket.BinaryMessage, append(frame(0, 0, 1, 60_000), make([]byte, 60_000)...))
	}
}

// A peer that asks for much and never reads from its connection is cut off, and so is
// one that says nothing at all.
func TestSilence(t *testing.T) {
	for name, request := range map[string]string{
		"asks and never reads": request("GET", pathOf(page)),
		"says nothing":         "",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.end()
				n, f := w.node(), w.fake()
				n.share(page, randomBody(4<<20))
				ws := f.dial(n.addr)
				conn := newWSConn(ws)
				if _, err := f.swarm.exchangeHellos(conn, roleDialler); err != nil {
					t.Fatal(err)
				}
				if request != "" { // a stream with a window of 16 MiB, and the request
					b := []byte{0, 1, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0}
					b = append(b, 0, 0, 0, 0, 0, 0, 0, 1)
					b = binary.BigEndian.AppendUint32(b, uint32(len(request)))
					_, _ = conn.Write(append(b, request...))
				}
				time.Sleep(90 * time.Second)
				if st := n.Status(); len(st.Sessions) != 0 || st.Serving != 0 {
					t.Errorf("%d sessions, serving %d", len(st.Sessions), st.Serving)
				}
				if opened, closed := n.shelf.counts(); opened != closed {
					t.Errorf("%d copies opened, %d closed", opened, closed)
				}
			})
		})
	}
}

func TestIdleSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		a, b := w.node(), w.node()
		a.share(page, []byte("hello"))
		if err := b.Connect(t.Context(), a.addr); err != nil {
			t.Fatal(err)
		}
		time.Sleep(9 * time.Minute)
		b.mustFetch(page)
		time.Sleep(9 * time.Minute)
		if len(b.Status().Sessions) != 1 {
			t.Error("a session that was used has ended")
		}
		time.Sleep(2 * time.Minute)
		if len(b.Status().Sessions) != 0 || len(a.Status().Sessions) != 0 {
			t.Error("an idle session goes on")
		}
	})
}

func TestUploadRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		a := w.node(func(c *Config) { c.Limits.UploadRate = 100_000 })
		b := w.node()
		a.share(page, randomBody(1_000_000))
		w.announce("example.org", a.addr)
		start := time.Now()
		b.mustFetch(page)
		if d := time.Since(start); d < 9*time.Second || d > 12*time.Second {
			t.Errorf("1 MB at 100 kB/s took %v", d)
		}
	})
}

// Many sessions: strangers get three quarters of the room, and the idle ones make way.
func TestLimitOfSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		n := w.node(func(c *Config) { c.Limits.Sessions = 8 })
		for range 6 {
			w.fake().session(n.addr)
		}
		synctest.Wait()
		late := w.fake().session(n.addr)
		time.Sleep(time.Second)
		if !late.IsClosed() {
			t.Error("a seventh stranger was let in")
		}
		if err := n.Connect(t.Context(), w.node().addr); err != nil {
			t.Errorf("no room for a dial of our own: %v", err)
		}
		time.Sleep(2 * time.Minute)
		late = w.fake().session(n.addr)
		time.Sleep(time.Second)
		if late.IsClosed() {
			t.Error("idle strangers made no room")
		}
		if got := len(n.Status().Sessions); got > 8 {
			t.Errorf("%d sessions", got)
		}
	})
}

func TestLimitPerAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		n := w.node(func(c *Config) { c.Limits.SessionsPerAddress = 2 })
		ip := w.address()
		open := 0
		for range 4 {
			f := w.fake()
			f.addr = ip
			if mux := f.mux(f.dial(n.addr), roleDialler); mux != nil {
				open++
				defer mux.Close()
			}
		}
		if open != 2 {
			t.Errorf("%d connections from one address", open)
		}
	})
}
