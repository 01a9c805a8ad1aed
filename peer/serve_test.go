package peer

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
			{"head alone", request("GET", witnessPathOf(page)), 200, map[string]string{"ETag": tag, "Content-Type": contentType}},
			{"head with this body", request("GET", witnessPathOf(page), "If-Match", tag), 200, map[string]string{"ETag": tag}},
			{"head with another body", request("GET", witnessPathOf(page), "If-Match", `"x"`), 404, map[string]string{"ETag": ""}},
			{"head of nothing held", request("GET", witnessPathOf("https://example.org/absent")), 404, nil},
			{"head by another method", request("HEAD", witnessPathOf(page)), 405, map[string]string{"Allow": "GET"}},
			{"no ID of a head", request("GET", pathWitness+"xyz"), 404, nil},
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
			if c.status == 200 && strings.Contains(c.request, pathWitness) {
				if ex, err := readHeadOnly(bytes.NewReader(content), resp.ContentLength); err != nil || len(ex.Signatures) != 2 {
					t.Errorf("%s: %v", c.name, err)
				}
			}
			if c.status == 206 {
				checkSlice(t, c.name, content, resp, it, body)
			}
			if c.status >= 400 && c.status != 400 && c.status != 431 && len(content) > 0 {
				t.Errorf("%s: content %q", c.name, content)
			}
		}
		synctest.Wait() // the last handler may have answered and not returned
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
		other := n.share(page, []byte("public"))
		raw := func(path string, fields ...string) string {
			s, err := mux.OpenStream(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Reset()
			_, _ = io.WriteString(s, request("GET", path, append(fields, "Connection", "close")...))
			b, _ := io.ReadAll(s)
			return string(b)
		}
		for _, fields := range [][]string{nil, {"Range", "bao=0-1"}, {"If-Match", "*"}} {
			for _, path := range []func(string) string{pathOf, witnessPathOf} {
				a, b := raw(path("https://example.org/private"), fields...), raw(path("https://example.org/absent"), fields...)
				if a != b || !strings.HasPrefix(a, "HTTP/1.1 404 ") {
					t.Errorf("%v:\n%q\n%q", fields, a, b)
				}
			}
		}
		if opened, _ := n.shelf.counts(); opened != 0 {
			t.Error("the source was asked for what is not shared")
		}
		// Whose copy has another body is as if it had none.
		root := makeItem(t, n.identity, page, []byte("other")).exchange.Body.Root
		if a, b := raw(witnessPathOf(page), "If-Match", etag(root)), raw(witnessPathOf("https://example.org/absent"), "If-Match", etag(other.exchange.Body.Root)); a != b {
			t.Errorf("another body:\n%q\n%q", a, b)
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
		// One that never ends is given up, and its sender may try again.
		time.Sleep(time.Minute)
		start := time.Now()
		resp := ask(t, mux, request("PUT", pathDigest, "Content-Length", "1000"))
		if d := time.Since(start); resp.StatusCode != http.StatusRequestTimeout || d > requestWait+time.Second {
			t.Errorf("status %d after waiting %v for a digest", resp.StatusCode, d)
		}
	})
}
