package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// FuzzRequests compares the Scanner with net/http. Whatever it accepts as a message, net/http
// must end at the same byte, with content of the same length, when it is given everything that
// comes; and through a Reader net/http gets those messages and no other.
func FuzzRequests(f *testing.F) {
	for _, c := range accepted {
		f.Add([]byte(c.stream), uint8(0))
	}
	for _, c := range refused {
		if len(c.good) < 4<<10 {
			f.Add([]byte(c.good+c.bad), uint8(3))
		}
	}
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) { compare(t, stream, int(size)) })
}

// TestRequestsOfFragments is the same for streams that are made of lines which could be
// understood in several ways.
func TestRequestsOfFragments(t *testing.T) {
	lines := rapid.SampledFrom([]string{
		"Content-Length: 5\r\n", "Content-Length: 5\r\n", "content-length:\t5 \r\n", "Content-Length: 0\r\n", "Content-Length : 5\r\n", "Content-Length: 5\n",
		"Transfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\n", "TRANSFER-ENCODING:Chunked\r\n", "Transfer-Encoding: chunked\r\r\n",
		"Transfer-Encoding:\r\n chunked\r\n", "X: y\r\n", "X: y\n", " z\r\n", "Trailer: X\r\n", "Trailer: Content-Length\r\n", "Host: b\r\n", "Upgrade: x\r\n", "\r\n", "\n", "\r",
	})
	contents := rapid.SampledFrom([]string{
		"", "hello", "hello", "5\r\nhello\r\n", "5;a=\"\\\"\"\r\nhello\r\n", "005\r\nhello\r\n", "5\nhello\r\n", "5\r\nhello", "5 \r\nhello\r\n", "+5\r\nhello\r\n",
		"0\r\n\r\n", "0\r\n\r\n", "0\r\nX: y\r\n\r\n", "0\r\nX: y\n\r\n", "0\r\nHost: x\r\n\r\n", "0\n\n", "00\r\n\r\n", "\r\n",
	})
	starts := rapid.SampledFrom([]string{
		"GET / HTTP/1.1\r\nHost: a\r\n", "POST http://a/ HTTP/1.1\r\nHost: a\r\n", "POST / HTTP/1.0\r\n", "GET / HTTP/1.1\n", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n", "GET /% HTTP/1.1\r\nHost: a\r\n", "PUT / HTTP/1.1\r\n",
	})
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		for range rapid.IntRange(1, 4).Draw(t, "messages") {
			stream = append(stream, starts.Draw(t, "start")...)
			stream = append(stream, strings.Join(rapid.SliceOfN(lines, 0, 3).Draw(t, "lines"), "")...)
			stream = append(stream, "\r\n"...)
			stream = append(stream, strings.Join(rapid.SliceOfN(contents, 0, 3).Draw(t, "contents"), "")...)
		}
		compare(t, stream, rapid.IntRange(0, 255).Draw(t, "size"))
	})
}

// compare compares the Scanner with net/http on a stream that comes in pieces of a size.
func compare(t tester, stream []byte, size int) {
	t.Helper()
	v := judge(t, string(stream), whole)
	if size == 0 {
		size = 4 << 10
	}
	if got := judge(t, string(stream), func(int) int { return size }); !reflect.DeepEqual(got, v) {
		t.Fatalf("in pieces of %d: %+v, want %+v", size, got, v)
	}
	for i := range v.end {
		if !sameMessage(t, stream[v.begin[i]:], v.end[i]-v.begin[i]) {
			v.end, v.err = v.end[:i], ErrTarget // for a reason of its own
			break
		}
	}
	throughReader(t, stream, size, v)
}

// sameMessage lets net/http read the first message of a stream, and wants it to end where
// it should. It returns false if net/http refuses what is no question of framing.
func sameMessage(t tester, stream []byte, length int) bool {
	t.Helper()
	src := bytes.NewReader(stream)
	in := bufio.NewReader(src)
	request, err := http.ReadRequest(in)
	if ownReason(err) {
		return false
	}
	if err != nil {
		t.Fatalf("net/http refuses %q: %v", stream[:length], err)
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		t.Fatalf("net/http refuses the content of %q: %v", stream[:length], err)
	}
	if used := len(stream) - src.Len() - in.Buffered(); used != length {
		t.Fatalf("of %q, net/http takes %d bytes, not %d", stream, used, length)
	}
	if want := contentLength(t, request, stream[:length]); len(body) != want {
		t.Fatalf("net/http reads %d bytes of content, not %d, from %q", len(body), want, stream[:length])
	}
	return true
}

// ownReason reports whether net/http refuses a head for what the Scanner does not judge.
func ownReason(err error) bool {
	var target *url.Error
	return errors.As(err, &target) || err != nil && strings.Contains(err.Error(), "bad trailer key")
}

// contentLength reads the length of a message's content in the simplest way.
func contentLength(t tester, request *http.Request, message []byte) (sum int) {
	_, content, _ := bytes.Cut(message, []byte("\r\n\r\n"))
	if request.TransferEncoding == nil {
		return len(content)
	}
	for {
		line, rest, _ := bytes.Cut(content, []byte("\r\n"))
		digits, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseInt(string(digits), 16, 64)
		if err != nil {
			t.Fatalf("%v", err)
		}
		if n == 0 {
			return sum
		}
		sum += int(n)
		content = rest[n+2:]
	}
}

// throughReader lets net/http read a stream through a Reader.
func throughReader(t tester, stream []byte, size int, v verdict) {
	t.Helper()
	r := NewReader(&pieces{stream, size}, Limits{})
	bodies, err := parse(r)
	switch {
	case len(bodies) == len(v.end):
	case r.over && len(bodies) < len(v.end): // CONNECT
		return
	default:
		t.Fatalf("net/http finds %d requests in %q, not %d", len(bodies), stream, len(v.end))
	}
	if v.err != nil && !r.over && (err == nil || errors.Is(err, io.EOF)) {
		t.Fatalf("net/http does not notice what is wrong with %q: %v", stream, err)
	}
	if n := cap(r.held) + cap(r.scan.name) + cap(r.scan.value); n > 16<<10 {
		t.Fatalf("%d bytes are held", n)
	}
}

// pieces is a stream that comes in pieces of a size.
type pieces struct {
	rest []byte
	size int
}

func (s *pieces) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.size)], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}
