package proxy

import (
	"context"
	"errors"
	"io"
	"math"
	"sync"
)

const (
	// bufferSize is how much is read from an upstream connection, and written to a
	// client's, at once.
	bufferSize = 64 << 10
	// runAhead is how far a fetch may be ahead of its fastest reader, so that a slow
	// client does not make the proxy download at full speed what nobody may want.
	// Smaller bodies are fetched to the end at once.
	runAhead = 4 << 20
	// passBuffers bounds what is held in memory of a body that is not stored.
	passBuffers = 8
)

var buffers = sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}

// spool is one response body on its way: one goroutine fills it, any number of
// readers follow, each at its own pace. What the store takes is read back from
// there, so that readers may be far apart. What it does not take (because the
// response is not to be stored, or the store failed half way) is passed through a
// small window that moves on with the slowest reader.
type spool struct {
	writer Writer // nil: not to be stored; set before the filling
	limit  int64  // of what the writer is given; 0 = none

	mu      sync.Mutex
	kept    int64     // bytes [0, kept) are read from the writer
	window  []*[]byte // buffers with the bytes [kept, end) that are still needed
	offset  int64     // of the first byte in window; never less than kept
	end     int64     // bytes received so far
	failed  bool      // the store did not take all
	reason  error     // why it did not, nil if it was not asked
	err     error     // nil: more to come; io.EOF: whole; else broken off
	readers map[*reader]struct{}
	grown   signal // for readers: more bytes, or the end
	moved   signal // for the filler: a reader has advanced or left
}

// signal wakes all who wait for the next change. The lock of what it belongs to
// guards it.
type signal struct{ next chan struct{} }

func (s *signal) waitLocked() <-chan struct{} {
	if s.next == nil {
		s.next = make(chan struct{})
	}
	return s.next
}

func (s *signal) wakeLocked() {
	if s.next != nil {
		close(s.next)
		s.next = nil
	}
}

func newSpool() *spool {
	return &spool{failed: true, readers: map[*reader]struct{}{}}
}

// errTooLong says that a body turned out to be longer than the store takes.
var errTooLong = errors.New("proxy: body is longer than what may be stored")

// keep makes the store take the bytes, up to a limit (0 = none). It comes before the
// filling.
func (s *spool) keep(w Writer, limit int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writer, s.failed, s.limit = w, false, limit
}

// unread reports whether there is no reader.
func (s *spool) unread() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.readers) == 0
}

// open gives a new reader, at the first byte. It is only for those who know that
// the first byte is still there: before the filling, or while keeping() holds.
func (s *spool) open() *reader {
	rd := &reader{spool: s}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readers[rd] = struct{}{}
	return rd
}

// keeping reports whether all bytes so far are in the store and none is lost, so
// that one more reader may begin at the start.
func (s *spool) keeping() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.failed && (s.err == nil || errors.Is(s.err, io.EOF))
}

// whole reports whether the end of the body has come, and the store has all of it.
func (s *spool) whole() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.failed && errors.Is(s.err, io.EOF)
}

// refused is why the store did not take all that it was to take, if so.
func (s *spool) refused() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason
}

// size is how many bytes have come so far.
func (s *spool) size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end
}

// fill reads body to its end. It returns nil if the body is whole.
func (s *spool) fill(ctx context.Context, body io.Reader) error {
	buf := buffers.Get().(*[]byte)
	defer func() { buffers.Put(buf) }()
	for {
		if err := s.waitForRoom(ctx); err != nil {
			return err
		}
		n, err := body.Read((*buf)[:bufferSize])
		if n > 0 && s.add((*buf)[:n]) && s.push(buf, n) {
			buf = buffers.Get().(*[]byte)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
	}
}

// add offers bytes to the store, without holding the lock over its work. It
// reports whether they have to go into the window instead.
func (s *spool) add(b []byte) (pass bool) {
	if s.failed { // only this goroutine changes it
		return true
	}
	err := errTooLong
	if s.limit <= 0 || s.kept+int64(len(b)) <= s.limit { // kept is changed by this goroutine only
		_, err = s.writer.Write(b)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failed, s.reason = true, err
		s.offset = s.kept
		return true
	}
	s.kept += int64(len(b))
	s.end = s.kept
	s.grown.wakeLocked()
	return false
}

// push puts the first n bytes of buf at the end of the window. It reports whether
// it kept the buffer itself: few bytes are copied behind the ones before, so that
// an upstream that sends byte by byte does not cost a buffer for each.
func (s *spool) push(buf *[]byte, n int) (kept bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end += int64(n)
	s.grown.wakeLocked()
	if len(s.window) > 0 {
		last := s.window[len(s.window)-1]
		if len(*last)+n <= bufferSize {
			*last = append(*last, (*buf)[:n]...)
			return false
		}
	}
	*buf = (*buf)[:n]
	s.window = append(s.window, buf)
	return true
}

// waitForRoom is the back-pressure on the upstream.
func (s *spool) waitForRoom(ctx context.Context) error {
	for {
		s.mu.Lock()
		if s.roomLocked() {
			s.mu.Unlock()
			return nil
		}
		moved := s.moved.waitLocked()
		s.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (s *spool) roomLocked() bool {
	if len(s.readers) == 0 {
		return true // whether it goes on without readers is decided elsewhere
	}
	slowest, fastest := int64(math.MaxInt64), int64(0)
	for rd := range s.readers {
		slowest, fastest = min(slowest, rd.off), max(fastest, rd.off)
	}
	if !s.failed {
		return s.end-fastest < runAhead
	}
	s.dropLocked(slowest)
	return len(s.window) < passBuffers
}

// dropLocked gives back the buffers that the slowest reader has behind it.
func (s *spool) dropLocked(slowest int64) {
	for len(s.window) > 0 && s.offset+int64(len(*s.window[0])) <= slowest {
		buf := s.window[0]
		s.offset += int64(len(*buf))
		s.window[0] = nil
		s.window = s.window[1:]
		*buf = (*buf)[:cap(*buf)]
		buffers.Put(buf)
	}
}

// finish ends the filling: nil says that the body is whole.
func (s *spool) finish(err error) {
	if err == nil {
		err = io.EOF
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	s.grown.wakeLocked()
}

// drained waits until there are no more readers.
func (s *spool) drained(ctx context.Context) {
	for {
		s.mu.Lock()
		if len(s.readers) == 0 {
			s.mu.Unlock()
			return
		}
		moved := s.moved.waitLocked()
		s.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return
		}
	}
}
