package proxy

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
)

// framing follows a response's content through its connection, to know where it ends
// (RFC 9112 section 6.3). It reads as net/http does; where that finds a fault, and so
// closes the connection, it has no opinion.
type framing struct {
	at   place
	left int64  // bytes of the content or chunk
	line []byte // the beginning of a line that has not ended
}

// place is where in a response's content a framing is.
type place int

const (
	untilClose place = iota // the end of the connection is the end
	inContent               // of known length
	inSize                  // the line with a chunk's size
	inChunk                 // its data, with what ends it
	inTrailer
	atEnd
)

// maxKeptLine is how much of a line is looked at, in bytes: a size has no more.
const maxKeptLine = 32

// framingOf is the framing of the response with a head to a request with a method.
func framingOf(method string, head responseHead) framing {
	if method == http.MethodHead || head.status == http.StatusNoContent || head.status == http.StatusNotModified {
		return framing{at: atEnd}
	}
	if head.fields["Transfer-Encoding"] != nil && (head.major > 1 || head.minor > 0) {
		return framing{at: inSize}
	}
	length, err := strconv.ParseInt(head.fields.Get("Content-Length"), 10, 64)
	switch {
	case err != nil || length < 0:
		return framing{}
	case length == 0:
		return framing{at: atEnd}
	}
	return framing{at: inContent, left: length}
}

// pass returns how many of the bytes that have come belong to the response.
func (f *framing) pass(b []byte) (n int) {
	for n < len(b) && f.at != atEnd {
		switch f.at {
		case inContent, inChunk:
			n += f.skip(len(b) - n)
		case inSize, inTrailer:
			n += f.readLine(b[n:])
		default:
			return len(b)
		}
	}
	return n
}

func (f *framing) skip(there int) int {
	n := min(f.left, int64(there))
	if f.left -= n; f.left == 0 && f.at == inContent {
		f.at = atEnd
	} else if f.left == 0 {
		f.at = inSize
	}
	return int(n)
}

func (f *framing) readLine(b []byte) int {
	n := bytes.IndexByte(b, '\n') + 1
	ended := n > 0
	if !ended {
		n = len(b)
	}
	f.line = append(f.line, b[:min(n, max(0, maxKeptLine-len(f.line)))]...)
	if ended {
		f.endLine(strings.TrimRight(string(f.line), " \t\r\n"))
		f.line = f.line[:0]
	}
	return n
}

func (f *framing) endLine(line string) {
	if f.at == inTrailer {
		if line == "" {
			f.at = atEnd
		}
		return
	}
	digits, _, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(strings.TrimRight(digits, " \t"), 16, 62)
	switch {
	case err != nil:
		f.at = untilClose
	case n == 0:
		f.at = inTrailer
	default:
		f.at, f.left = inChunk, int64(n)+2
	}
}
