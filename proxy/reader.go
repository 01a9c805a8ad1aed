package proxy

import (
	"context"
	"errors"
	"io"
	"time"
)

// reader is one client's place in a spool.
type reader struct {
	spool *spool
	off   int64
}

// progress tells what a reader finds at its place: how many bytes can be had at
// once, in the store or in the window, or else why there are none.
func (rd *reader) progress() (n int64, inStore bool, grown <-chan struct{}, err error) {
	s := rd.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case rd.off < s.kept:
		return s.kept - rd.off, true, nil, nil
	case rd.off < s.end:
		return s.end - rd.off, false, nil, nil
	case s.err != nil:
		return 0, false, nil, s.err
	}
	return 0, false, s.grown.waitLocked(), nil
}

// skip goes on to an offset. What lies before it is not read by this reader.
func (rd *reader) skip(offset int64) {
	s := rd.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	rd.off = max(rd.off, offset)
	s.moved.wakeLocked()
}

// firstPatience is how long a header waits for the first byte of its body.
const firstPatience = 100 * time.Millisecond

// first waits for the first byte, or for the end of an empty body, but not for long. The error is
// why there will be neither.
func (rd *reader) first(ctx context.Context) error {
	timer := time.NewTimer(firstPatience)
	defer timer.Stop()
	for {
		n, _, grown, err := rd.progress()
		switch {
		case n > 0 || errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		select {
		case <-grown:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// ready reports whether read would return at once.
func (rd *reader) ready() bool {
	s := rd.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	return rd.off < s.end || s.err != nil
}

// read fills p with what is there, waiting for the first byte. It returns io.EOF
// only at the end of a whole body.
func (rd *reader) read(ctx context.Context, p []byte) (int, error) {
	for {
		n, inStore, grown, err := rd.progress()
		switch {
		case err != nil:
			return 0, err
		case n > 0 && inStore:
			return rd.fromStore(p[:min(int64(len(p)), n)])
		case n > 0:
			return rd.fromWindow(p), nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

func (rd *reader) fromStore(p []byte) (int, error) {
	n, err := rd.spool.writer.ReadAt(p, rd.off)
	if n == 0 {
		return 0, err
	}
	rd.advance(n)
	return n, nil
}

func (rd *reader) fromWindow(p []byte) int {
	s := rd.spool
	s.mu.Lock()
	at, n := s.offset, 0
	for _, buf := range s.window {
		if skip := rd.off + int64(n) - at; n < len(p) && skip < int64(len(*buf)) {
			n += copy(p[n:], (*buf)[skip:])
		}
		at += int64(len(*buf))
	}
	s.mu.Unlock()
	rd.advance(n)
	return n
}

func (rd *reader) advance(n int) {
	rd.spool.mu.Lock()
	defer rd.spool.mu.Unlock()
	rd.off += int64(n)
	rd.spool.moved.wakeLocked()
}

// leave ends the reading.
func (rd *reader) leave() {
	rd.spool.mu.Lock()
	defer rd.spool.mu.Unlock()
	delete(rd.spool.readers, rd)
	rd.spool.moved.wakeLocked()
}

// in is the reader as an io.Reader, for as long as a context lasts.
func (rd *reader) in(ctx context.Context) io.Reader { return &boundReader{ctx, rd} }

// boundReader is the reader of one answer.
type boundReader struct {
	ctx    context.Context // of the request that is answered
	reader *reader
}

// Read implements io.Reader.
func (b *boundReader) Read(p []byte) (int, error) { return b.reader.read(b.ctx, p) }
