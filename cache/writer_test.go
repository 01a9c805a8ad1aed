package cache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// Several readers follow a body while it is being written, and after that.
func TestReadersFollowTheWriter(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 500, 30_000, 5 << 20} {
		s := newStoreForTest(t)
		body := content(1, size)
		w, err := s.Create()
		if err != nil {
			t.Fatal(err)
		}
		var readers sync.WaitGroup
		for i := range 4 {
			readers.Go(func() { follow(t, w, body, 1000+7777*i) })
		}
		for rest := body; len(rest) > 0; {
			n := min(len(rest), 9_999)
			if _, err := w.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
			if int64(len(body)-len(rest)) != w.Size() {
				t.Errorf("size is %d, want %d", w.Size(), len(body)-len(rest))
			}
		}
		if err := w.Commit(context.Background(), response(t, "page", body)); err != nil {
			t.Fatal(err)
		}
		readers.Wait()
		checkReaderAt(t, w, body)
		if err := w.Abort(); err != nil {
			t.Error(err)
		}
		_, err = w.ReadAt(make([]byte, 1), 0)
		wantError(t, err, ErrClosed)
		wantBody(t, s, "page", body)
		waitIdle(t, s)
		verify(t, s)
	}
}

// follow reads a body from w to its end, as far as it is there.
func follow(t *testing.T, w *Writer, want []byte, step int) {
	p := make([]byte, step)
	for off := 0; off < len(want); {
		n, err := w.ReadAt(p, int64(off))
		if err != nil && !errors.Is(err, io.EOF) {
			t.Errorf("at %d: %v", off, err)
			return
		}
		if !bytes.Equal(p[:n], want[off:off+n]) {
			t.Errorf("wrong bytes at %d", off)
			return
		}
		if off += n; n == 0 {
			runtime.Gosched()
		}
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newStoreForTest(t)
	for _, size := range []int{0, 500, 30_000, 5 << 20} {
		w, _ := s.Create()
		w.Write(content(1, size))
		if err := w.Abort(); err != nil {
			t.Error(err)
		}
		if err := w.Abort(); err != nil {
			t.Error(err)
		}
		_, err := w.Write([]byte("x"))
		wantError(t, err, ErrClosed)
		wantError(t, w.Commit(context.Background(), response(t, "page", content(1, size))), ErrClosed)
	}
	waitIdle(t, s)
	wantPending(t, s, 0)
	if r := verify(t, s); r.Responses+r.Bodies != 0 {
		t.Errorf("left over: %+v", r)
	}
}

func TestBodyTooLarge(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, tempFile(t), Config{Quota: 64 << 20, MaxBody: 3 << 20})
	body := content(1, 3<<20)
	w, _ := s.Create()
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	n, err := w.Write([]byte("x"))
	if wantError(t, err, ErrTooLarge); n != 0 {
		t.Errorf("took %d bytes", n)
	}
	_, err = w.Write([]byte("x"))
	wantError(t, err, ErrTooLarge)
	checkReaderAt(t, w, body)
	wantError(t, w.Commit(context.Background(), response(t, "page", body)), ErrTooLarge)
	checkReaderAt(t, w, body)
	w.Abort()
	waitIdle(t, s)
	wantPending(t, s, 0)
	mustPut(t, s, "page", body)
	verify(t, s)
}

// A body that was refused, or is a duplicate, can be read from its Writer until Abort.
func TestReadAfterRefusal(t *testing.T) {
	t.Parallel()
	s := newStoreForTest(t)
	body := content(1, 3<<20)
	mustPut(t, s, "page", body, later(time.Hour))
	for path, want := range map[string]error{"page": ErrWeaker, "other": nil} {
		w, _ := s.Create()
		w.Write(body)
		if err := w.Commit(context.Background(), response(t, path, body)); !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
		checkReaderAt(t, w, body)
		waitIdle(t, s)
		verify(t, s)
		checkReaderAt(t, w, body)
		w.Abort()
	}
	waitIdle(t, s)
	wantPending(t, s, 0)
	verify(t, s)
}

func TestCommitGivesUpWithItsContext(t *testing.T) {
	s := newStoreForTest(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	w, _ := s.Create()
	defer w.Abort()
	body := content(1, 100_000)
	w.Write(body)
	wantError(t, w.Commit(ctx, response(t, "page", body)), context.Canceled)

	// While the writer goroutine is held up, waiting must end with the context too.
	release := make(chan struct{})
	started := make(chan struct{})
	var held sync.WaitGroup
	held.Go(func() {
		s.submit(nil, &job{alone: func() error { close(started); <-release; return nil }})
	})
	<-started
	ctx, cancel = context.WithCancel(context.Background())
	time.AfterFunc(time.Millisecond, cancel)
	wantError(t, w.Commit(ctx, response(t, "page", body)), context.Canceled)
	w.Abort() // undecided, and ended
	close(release)
	held.Wait()
	waitIdle(t, s)
	wantNone(t, s, "page")
	wantPending(t, s, 0)
	verify(t, s)
}

// A large body passes through in memory that does not depend on its size.
func TestLargeBodyInBoundedMemory(t *testing.T) {
	size := int64(256 << 20)
	if testing.Short() || raceEnabled {
		size = 24 << 20
	}
	s := mustOpen(t, tempFile(t), Config{Quota: 5 * size})
	block := content(1, 1<<20)
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, most := m.HeapInuse, uint64(0)
	w, _ := s.Create()
	defer w.Abort()
	for n := int64(0); n < size; n += int64(len(block)) {
		if _, err := w.Write(block); err != nil {
			t.Fatal(err)
		}
		if n%(16<<20) == 0 {
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapInuse)
		}
	}
	if err := w.Commit(context.Background(), responseOf(t, "large", w.Body())); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&m)
	most = max(most, m.HeapInuse)
	// The queue, a transaction of it with the pages made from it, and the collector's share.
	bound := before + uint64(8*s.sizes.queue)
	t.Logf("%d MiB: heap of %d MiB grew to %d MiB, bound %d", size>>20, before>>20, most>>20, bound>>20)
	if most > bound {
		t.Errorf("heap grew from %d to %d bytes", before, most)
	}
	if got := s.Stats(); got.BodyBytes != size || got.FileBytes > size+size/10 {
		t.Errorf("got %+v", got)
	}
}

// Writers wait for the file instead of piling up memory.
func TestWriteWaitsWhenTheQueueIsFull(t *testing.T) {
	t.Parallel()
	s := newStoreForTest(t)
	release := make(chan struct{})
	started := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		s.submit(nil, &job{alone: func() error { close(started); <-release; return nil }})
	})
	<-started
	body := content(1, int(3*s.sizes.queue))
	var w *Writer
	w, _ = s.Create()
	defer w.Abort()
	written := make(chan error, 1)
	running.Go(func() {
		_, err := w.Write(body)
		written <- err
	})
	for s.queue.size() < s.sizes.queue-int64(s.sizes.chunk)-jobOverhead {
		runtime.Gosched()
	}
	select {
	case err := <-written:
		t.Fatalf("Write did not wait: %v", err)
	default:
	}
	if got := s.queue.size(); got > s.sizes.queue {
		t.Errorf("the queue holds %d bytes, bound %d", got, s.sizes.queue)
	}
	follow(t, w, body[:w.Size()], 100_000)
	close(release)
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	running.Wait()
	h := resource.NewHasher()
	h.Write(body)
	if err := w.Commit(context.Background(), responseOf(t, "page", h.Body())); err != nil {
		t.Fatal(err)
	}
	wantBody(t, s, "page", body)
}
