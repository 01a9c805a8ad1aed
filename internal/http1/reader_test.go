package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// parse reads requests as a server does, until one fails, and says that each was answered.
func parse(r *Reader) (bodies []string, err error) {
	in := bufio.NewReader(r)
	for {
		request, err := http.ReadRequest(in)
		if err != nil {
			return bodies, err
		}
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return bodies, err
		}
		bodies = append(bodies, string(body))
		r.Answered()
	}
}

// sources are ways in which a stream may arrive.
var sources = map[string]func(string) io.Reader{
	"whole":           func(s string) io.Reader { return strings.NewReader(s) },
	"byte by byte":    func(s string) io.Reader { return iotest.OneByteReader(strings.NewReader(s)) },
	"halves":          func(s string) io.Reader { return iotest.HalfReader(strings.NewReader(s)) },
	"EOF with a byte": func(s string) io.Reader { return iotest.DataErrReader(strings.NewReader(s)) },
}

func TestReaderAccepts(t *testing.T) {
	for _, c := range accepted {
		for how, source := range sources {
			bodies, err := parse(NewReader(source(c.stream), Limits{}))
			if len(bodies) != c.requests || !errors.Is(err, io.EOF) {
				t.Errorf("%s, %s: %d requests, %v", c.name, how, len(bodies), err)
			}
		}
	}
}

// net/http never gets to the end of what is refused, and is told so even if it comes back.
func TestReaderRefuses(t *testing.T) {
	for _, c := range refused {
		for how, source := range sources {
			r := NewReader(source(c.good+c.bad), Limits{})
			bodies, err := parse(r)
			if good := len(judge(t, c.good, whole).end); len(bodies) != good || errors.Is(err, io.EOF) {
				t.Errorf("%s, %s: %d requests, not %d, then %v", c.name, how, len(bodies), good, err)
			}
			if _, err := io.Copy(io.Discard, r); !errors.Is(err, c.err) || r.Refused() != c.err {
				t.Errorf("%s, %s: ends with %v", c.name, how, err)
			}
		}
	}
}

// However lenient the parser, nothing behind a refused byte comes to it.
func TestReaderHandsOutNothingRefused(t *testing.T) {
	for _, c := range refused {
		r := NewReader(strings.NewReader(c.good+c.bad), Limits{})
		var got bytes.Buffer
		for r.Refused() == nil {
			p := make([]byte, 100)
			n, err := r.Read(p)
			if r.Refused() == nil {
				got.Write(p[:n])
			}
			if errors.Is(err, io.EOF) {
				t.Fatalf("%s: nothing is refused", c.name)
			}
			if r.scan.Awaiting() != NoChange {
				r.Answered()
			}
		}
		if want := strings.TrimPrefix(c.good, "\r\n"); got.String() != want && c.good != "\r" {
			t.Errorf("%s: handed out %q", c.name, got.String())
		}
	}
}

// A Reader hands out one message at a time.
func TestReaderStopsBetweenMessages(t *testing.T) {
	first, second := head+"Content-Length: 2\r\n\r\nab", "GET / HTTP/1.1\r\nHost: b\r\n\r\n"
	r := NewReader(strings.NewReader(first+second+"\r\n"+second), Limits{})
	p := make([]byte, 1<<10)
	for _, want := range []string{first, second, second} {
		if n, err := r.Read(p); err != nil || string(p[:n]) != want {
			t.Errorf("%q, %v", p[:n], err)
		}
	}
	if n, err := r.Read(p); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("%d, %v", n, err)
	}
}

// A tunnel that was granted begins with the first byte behind the request.
func TestReaderRelease(t *testing.T) {
	const connect = "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"
	r := NewReader(io.MultiReader(strings.NewReader(connect+"\x16\x03"), strings.NewReader("\x01")), Limits{})
	p := make([]byte, 100)
	if n, err := r.Read(p); string(p[:n]) != connect || err != nil {
		t.Fatalf("%q, %v", p[:n], err)
	}
	if n, err := r.Read(p); string(p[:n]) != "\x16" || err != nil {
		t.Errorf("while the tunnel is being opened came %q, %v", p[:n], err)
	}
	if early := r.Release(); string(early) != "\x03" {
		t.Errorf("left over are %q", early)
	}
	if n, err := r.Read(p); string(p[:n]) != "\x01" || err != nil {
		t.Errorf("later came %q, %v", p[:n], err)
	}
}

// What comes behind a CONNECT that was not granted is nothing for HTTP (RFC 9931).
func TestReaderEndsBehindRefusedConnect(t *testing.T) {
	stream := "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n"
	for _, peeked := range []bool{false, true} {
		r := NewReader(strings.NewReader(stream), Limits{})
		p := make([]byte, 100)
		_, _ = r.Read(p)
		if peeked {
			_, _ = r.Read(p[:1])
		}
		r.Answered()
		if n, err := r.Read(p); n != 0 || !errors.Is(err, io.EOF) || r.Refused() != nil {
			t.Errorf("%q, %v", p[:n], err)
		}
	}
}

// What comes behind an Upgrade that was not granted is HTTP again (RFC 9110 section 7.8),
// the byte included that was handed out before that was known.
func TestReaderResumesBehindRefusedUpgrade(t *testing.T) {
	for _, c := range []struct {
		next, got string
		err       error
	}{
		{"GET / HTTP/1.1\r\nHost: b\r\n\r\n", "ET / HTTP/1.1\r\nHost: b\r\n\r\n", nil},
		{"GET\n", "ET" + insteadOfHead, ErrBareLF},
		{"\x16\x03", insteadOfHead, ErrMethod},
		{"\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n", "", nil}, // the parser has had a byte of the empty line
	} {
		r := NewReader(strings.NewReader(head+"Upgrade: x\r\n\r\n"+c.next), Limits{})
		p := make([]byte, 100)
		_, _ = r.Read(p)
		if n, err := r.Read(p); string(p[:n]) != c.next[:1] || err != nil {
			t.Fatalf("%q, %v", p[:n], err)
		}
		r.Answered()
		got, err := io.ReadAll(r)
		if string(got) != c.got || !errors.Is(err, c.err) {
			t.Errorf("%q: %q, %v", c.next, got, err)
		}
	}
}

// An error of the connection, such as that of a deadline, is passed on and does not stay.
func TestReaderPassesErrorsOn(t *testing.T) {
	r := NewReader(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("GET / HTTP/1.1\r\n"))), Limits{})
	p := make([]byte, 100)
	for i, want := range []string{"G", "", "E"} {
		n, err := r.Read(p)
		if string(p[:n]) != want || errors.Is(err, iotest.ErrTimeout) != (i == 1) {
			t.Errorf("%q, %v", p[:n], err)
		}
	}
	if n, err := r.Read(nil); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}
