package cache

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/peerproxy/peerproxy/resource"
)

// Writer takes in one body. Write, Body and Commit are for one goroutine; ReadAt,
// Size and Abort for any. Its owner must call Abort in the end, whatever happened:
//
//	w, err := store.Create()
//	...
//	defer w.Abort()
type Writer struct {
	store  *Store
	hasher *resource.Hasher // of the writing goroutine alone

	mu       sync.Mutex
	size     int64
	tail     []byte  // the last chunk, which is not full yet
	flying   []piece // full chunks that are not durable yet, in order
	durable  int64   // how many bytes are
	body     uint64  // number of the body, 0 as long as no chunk is full
	sent     int64   // bytes that count in Store.unrooted
	inFile   bool    // a chunk has been handed to a transaction
	double   bool    // the cache has an equal body; this one is not needed
	progress progress
	ended    bool  // by Abort
	err      error // why nothing more can be stored
}

// piece is a part of a body in memory.
type piece struct {
	off  int64
	data []byte
}

// progress is how far a Writer is.
type progress int

const (
	writing    progress = iota
	committing          // the outcome is not known yet
	committed
	refused // by Commit
)

var errWritten = errors.New("the body has been committed already")

// Create returns a Writer for a new body.
func (s *Store) Create() (*Writer, error) {
	if s.cfg.Inspect {
		return nil, fmt.Errorf("cache: create: %w", ErrReadOnly)
	}
	select {
	case <-s.stopped:
		return nil, fmt.Errorf("cache: create: %w", ErrClosed)
	default:
		return &Writer{store: s, hasher: resource.NewHasher()}, nil
	}
}

// Write appends p to the body. It waits while too much waits to be written to the
// file. An error says that the body can't be stored any more, with [ErrTooLarge],
// [ErrFull], or what the file system says; what has been written before can still be
// read with ReadAt.
func (w *Writer) Write(p []byte) (int, error) {
	if err := w.writable(len(p)); err != nil {
		return 0, fmt.Errorf("cache: write: %w", err)
	}
	for done := 0; done < len(p); {
		n, full := w.fill(p[done:])
		_, _ = w.hasher.Write(p[done : done+n])
		done += n
		if full == nil {
			continue
		}
		if err := w.send(*full, kindData); err != nil {
			return done, fmt.Errorf("cache: write: %w", w.fail(err))
		}
	}
	return len(p), nil
}

// writable reports why n bytes can't be appended.
func (w *Writer) writable(n int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.ended:
		return ErrClosed
	case w.err != nil:
		return w.err
	case w.progress != writing:
		return errWritten
	case w.size+int64(n) > w.store.cfg.MaxBody:
		w.err = ErrTooLarge
	}
	return w.err
}

// fill appends to the tail as much of p as fits. If that makes a full chunk, it
// becomes a piece that is to be sent.
func (w *Writer) fill(p []byte) (n int, full *piece) {
	w.mu.Lock()
	defer w.mu.Unlock()
	chunk := w.store.sizes.chunk
	n = min(len(p), chunk-len(w.tail))
	if need := len(w.tail) + n; need > cap(w.tail) {
		grown := make([]byte, len(w.tail), min(max(need, 2*cap(w.tail)), chunk))
		copy(grown, w.tail)
		w.tail = grown
	}
	w.tail = append(w.tail, p[:n]...)
	w.size += int64(n)
	if len(w.tail) < chunk {
		return n, nil
	}
	full = &piece{off: w.size - int64(chunk), data: w.tail}
	w.flying = append(w.flying, *full)
	w.tail = nil
	if w.body == 0 {
		w.body = w.store.newBody()
	}
	return n, full
}

// newBody returns the number of a new body, which is open.
func (s *Store) newBody() uint64 {
	body := s.nextBody.Add(1) - 1
	s.pins.acquire(body)
	return body
}

// send queues a chunk of the body or of its outboard tree. Nobody waits for it yet.
func (w *Writer) send(p piece, kind byte) error {
	if err := w.reserve(int64(len(p.data))); err != nil {
		return err
	}
	j := &job{cost: int64(len(p.data)) + jobOverhead, pages: w.store.pages(len(p.data)) + 1}
	j.apply = func(t *txn) error { return w.applyChunk(t, p, kind, j.pages) }
	j.done = func(err error) { w.chunkDone(p, kind, err) }
	return w.store.queue.push(nil, j)
}

// reserve counts n bytes among those that are not part of the cache yet. These take
// at most half of the quota: bodies that perhaps never come to their end must not
// drive out everything that has.
func (w *Writer) reserve(n int64) error {
	if w.store.unrooted.Add(n) > w.store.cfg.Quota/2 {
		w.store.unrooted.Add(-n)
		return ErrFull
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent += n
	return nil
}

func (w *Writer) unreserveLocked() {
	w.store.unrooted.Add(-w.sent)
	w.sent = 0
}

// jobOverhead is about what a job takes in memory beside its data, in bytes.
const jobOverhead = 512

func (w *Writer) applyChunk(t *txn, p piece, kind byte, pages int64) error {
	body, err := w.enter(true)
	if err != nil {
		return err
	}
	if err := t.spend(pages); err != nil {
		return w.fail(err)
	}
	if err := t.markPending(body); err != nil {
		return err
	}
	return t.putChunk(body, kind, p.off, p.data)
}

// enter returns the body's number, unless the writer has ended or failed. With chunk,
// it also notes that a part of the body is about to be in the file.
func (w *Writer) enter(chunk bool) (body uint64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return 0, ErrClosed
	}
	w.inFile = w.inFile || chunk && w.err == nil
	return w.body, w.err
}

func (w *Writer) chunkDone(p piece, kind byte, err error) {
	if err != nil {
		_ = w.fail(err) // for whoever writes next
		return
	}
	if kind != kindData {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.flying) > 0 && w.flying[0].off == p.off {
		w.flying[0] = piece{}
		w.flying = w.flying[1:]
		w.durable = p.off + int64(len(p.data))
	}
}

// fail keeps the first error.
func (w *Writer) fail(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	return w.err
}

// Size is how many bytes have been written.
func (w *Writer) Size() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.size
}

// Body describes what has been written. It is for the goroutine that writes.
func (w *Writer) Body() resource.Body { return w.hasher.Body() }

// ReadAt reads what has been written so far, be it still in memory or in the file
// already; at the end of that it returns [io.EOF]. It goes on serving after Commit,
// also if that failed, until Abort.
func (w *Writer) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("cache: read: negative offset")
	}
	for n := 0; n < len(p); {
		m, err := w.readSome(p[n:], off+int64(n))
		n += m
		if err != nil {
			return n, err
		}
	}
	return len(p), nil
}

// readSome reads at least one byte, or returns an error.
func (w *Writer) readSome(p []byte, off int64) (int, error) {
	n, body, err := w.readMemory(p, off)
	if n > 0 || err != nil {
		return n, err
	}
	return w.store.readChunk(body, kindData, p, off)
}

// readMemory reads at off if that is in memory. If it reads nothing, off is in the
// file, under the body's number.
func (w *Writer) readMemory(p []byte, off int64) (n int, body uint64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return 0, 0, fmt.Errorf("cache: read: %w", ErrClosed)
	}
	if off >= w.size {
		return 0, 0, io.EOF
	}
	if off < w.durable {
		return 0, w.body, nil
	}
	for _, f := range w.flying {
		if off < f.off+int64(len(f.data)) {
			return copy(p, f.data[off-f.off:]), w.body, nil
		}
	}
	return copy(p, w.tail[off-(w.size-int64(len(w.tail))):]), w.body, nil
}

// Abort ends the Writer: a body that has not been committed is discarded, a committed
// one stays stored. ReadAt fails from then on. Calling it again does nothing.
func (w *Writer) Abort() error {
	w.mu.Lock()
	if w.ended {
		w.mu.Unlock()
		return nil
	}
	w.ended = true
	w.tail, w.flying = nil, nil
	undecided := w.progress == committing
	w.mu.Unlock()
	if !undecided {
		w.release()
	}
	return nil
}

// release lets go of the body, once its fate is known and nobody reads it here.
func (w *Writer) release() {
	w.mu.Lock()
	body, doom := w.body, w.inFile && (w.double || w.progress != committed)
	w.unreserveLocked()
	w.mu.Unlock()
	if body != 0 {
		w.store.pins.release(body, doom)
	}
}
