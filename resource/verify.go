package resource

import (
	"errors"
	"fmt"
	"io"

	"lukechampine.com/blake3/guts"
)

// ErrMismatch is returned when bytes are not those that the root names.
var ErrMismatch = errors.New("bytes do not match the root")

// readWindow is how much of a slice is read ahead, at most.
const readWindow = 2 * GroupSize

// maxEmptyReads is how often in a row a reader may return nothing and no error.
const maxEmptyReads = 100

// SliceReader yields the bytes of a range of a body from a slice ([WriteSlice]),
// each only after its group has been verified against the body's root. It needs
// bounded memory, whatever length is claimed. It is not safe for concurrent use.
//
// Errors are [ErrMismatch], [ErrRange], io.ErrUnexpectedEOF if the slice ends too
// early, or that of the underlying reader; each is final. The end is io.EOF.
//
// A wrong Body.Length is found by every slice that reaches to the body's last byte,
// since position and size of a chunk are hashed with it. Another slice may not show it,
// but what it yields are the right bytes all the same. An empty range of a body that
// is not empty proves nothing.
type SliceReader struct {
	r          io.Reader
	body       Body
	start, end int64 // the range
	walk       walk
	unread     int64 // bytes of the slice that are still in r

	buf      []byte // GroupSize longer than what is filled: see groupNode
	from, to int    // what is in buf and not verified yet
	ready    []byte // verified and not yet handed over; part of buf
	err      error
}

// NewSliceReader returns a reader of the range [offset, offset+n) of body. It reads from
// r exactly the slice's bytes and no further.
func NewSliceReader(r io.Reader, body Body, offset, n int64) *SliceReader {
	s := &SliceReader{r: r, body: body, start: offset, end: offset + n}
	if s.walk, s.err = newWalk(body.Length, offset, n); s.err != nil {
		return s
	}
	if body.Length == 0 && body.Root != emptyRoot() {
		s.err = ErrMismatch
		return s
	}
	if len(s.walk.stack) > 0 {
		s.walk.stack[0].cv = getCV(body.Root[:])
	}
	s.unread = SliceSize(body.Length, offset, n)
	return s
}

func emptyRoot() Root {
	n := guts.CompressChunk(nil, &guts.IV, 0, 0)
	n.Flags |= guts.FlagRoot
	return rootOf(guts.ChainingValue(n))
}

// Read implements io.Reader.
func (s *SliceReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := s.advance(); err != nil {
		return 0, err
	}
	n := copy(p, s.ready)
	s.ready = s.ready[n:]
	return n, nil
}

// WriteTo implements io.WriterTo: it writes all that is left, group by group.
func (s *SliceReader) WriteTo(w io.Writer) (total int64, err error) {
	for {
		if err := s.advance(); errors.Is(err, io.EOF) {
			return total, nil
		} else if err != nil {
			return total, err
		}
		n, err := w.Write(s.ready)
		total += int64(n)
		if err == nil && n < len(s.ready) {
			err = io.ErrShortWrite
		}
		s.ready = s.ready[n:]
		if err != nil {
			return total, err
		}
	}
}

// advance sees to it that there are verified bytes, or returns the final error.
func (s *SliceReader) advance() error {
	for len(s.ready) == 0 && s.err == nil {
		n, ok := s.walk.pop()
		switch {
		case !ok:
			s.err = io.EOF
		case n.count > 1:
			s.err = s.verifyParent(n)
		default:
			s.err = s.verifyGroup(n)
		}
	}
	if len(s.ready) > 0 {
		return nil
	}
	s.buf = nil
	return s.err
}

func (s *SliceReader) verifyParent(n node) error {
	b, err := s.next(parentSize)
	if err != nil {
		return err
	}
	left, right := getCV(b[:32]), getCV(b[32:])
	if !s.matches(guts.ParentNode(left, right, &guts.IV, 0), n) {
		return ErrMismatch
	}
	s.walk.push(n, left, right)
	return nil
}

func (s *SliceReader) verifyGroup(n node) error {
	first := n.first * GroupSize
	size := int(min(GroupSize, s.body.Length-first))
	b, err := s.next(size)
	if err != nil {
		return err
	}
	if !s.matches(groupNode((*[GroupSize]byte)(b[:GroupSize]), size, n.first), n) {
		return ErrMismatch
	}
	s.ready = b[max(s.start-first, 0):min(s.end-first, int64(size))]
	return nil
}

func (s *SliceReader) matches(got guts.Node, n node) bool {
	if n.count == groupCount(s.body.Length) {
		got.Flags |= guts.FlagRoot
	}
	return guts.ChainingValue(got) == n.cv
}

// next returns the next size bytes of the slice, which stay valid until it is called again.
func (s *SliceReader) next(size int) ([]byte, error) {
	if s.buf == nil {
		s.buf = make([]byte, min(s.unread, readWindow)+GroupSize)
	}
	window := len(s.buf) - GroupSize
	if s.from+size > window {
		s.to = copy(s.buf, s.buf[s.from:s.to])
		s.from = 0
	}
	for empty := 0; s.to-s.from < size; {
		n, err := s.r.Read(s.buf[s.to:min(int64(window), int64(s.to)+s.unread)])
		s.to += n
		s.unread -= int64(n)
		if empty++; n > 0 {
			empty = 0
		}
		switch {
		case s.to-s.from >= size:
		case err == io.EOF:
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, fmt.Errorf("resource: read slice: %w", err)
		case empty == maxEmptyReads:
			return nil, io.ErrNoProgress
		}
	}
	b := s.buf[s.from : s.from+size]
	s.from += size
	return b, nil
}
