package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"pgregory.net/rapid"
)

// Whatever the sizes of body, pieces and buffers, whether the store takes all, some
// or nothing, and whether the body ends well: each reader gets exactly the bytes that
// came, and io.EOF only after the last of a whole body.
func TestSpoolProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.IntRange(0, 600_000).Draw(rt, "size")
		limit := rapid.SampledFrom([]int64{0, 1, 1000, 70_000, 300_000}).Draw(rt, "store limit")
		stored := rapid.Bool().Draw(rt, "stored")
		broken := rapid.Bool().Draw(rt, "broken")
		steps := rapid.SliceOfN(rapid.IntRange(1000, 100_000), 1, 4).Draw(rt, "buffers")
		piece := rapid.IntRange(1000, 200_000).Draw(rt, "piece")

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		s, store := newSpool(), newMemStore()
		store.limit = limit
		var readers []*reader
		for range steps {
			readers = append(readers, s.open())
		}
		w, _ := store.Create()
		defer w.Abort()
		if stored {
			s.keep(w, 0)
		}
		var wg sync.WaitGroup
		for i, rd := range readers {
			wg.Go(func() {
				defer rd.leave()
				got, err := drain(ctx, rd, steps[i])
				if !bytes.Equal(got, pattern(0, size)) || errors.Is(err, io.EOF) == broken {
					rt.Errorf("reader %d: %d of %d bytes, %v", i, len(got), size, err)
				}
			})
		}
		body := &pieces{left: size, piece: piece}
		if broken {
			body.err = errors.New("broken off")
		}
		s.finish(s.fill(ctx, body))
		wg.Wait()
		if n := len(s.window); n > passBuffers {
			rt.Errorf("%d buffers in the window", n)
		}
	})
}

func drain(ctx context.Context, rd *reader, step int) (all []byte, err error) {
	buf := make([]byte, step)
	for {
		n, err := rd.read(ctx, buf)
		all = append(all, buf[:n]...)
		if err != nil {
			return all, err
		}
	}
}

// pieces is a body that comes in pieces.
type pieces struct {
	at, left, piece int
	err             error
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.left == 0 {
		if p.err != nil {
			return 0, p.err
		}
		return 0, io.EOF
	}
	n := min(p.left, p.piece, len(b))
	copy(b, pattern(p.at, n))
	p.at, p.left = p.at+n, p.left-n
	return n, nil
}

// An upstream that sends byte by byte does not cost a buffer for each (memory in
// proportion to what has come).
func TestSpoolDribble(t *testing.T) {
	s := newSpool()
	rd := s.open()
	defer rd.leave()
	const size = 5*bufferSize + 1
	s.finish(s.fill(t.Context(), iotest.OneByteReader(&pieces{left: size, piece: size})))
	if len(s.window) > 6 {
		t.Errorf("%d buffers", len(s.window))
	}
	if got, err := drain(t.Context(), rd, 1000); !errors.Is(err, io.EOF) || !bytes.Equal(got, pattern(0, size)) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
