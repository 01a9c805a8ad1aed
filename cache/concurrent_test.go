package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// Everything at once, in a store that is too small for it. Every body that is read is
// one that was stored under its name, as a whole.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	var removed sync.Map
	s := mustOpen(t, tempFile(t), Config{
		Quota: MinQuota, MemoryTier: 100_000,
		Removed: func(id resource.ID) { removed.Store(id, true) },
	})
	// The body tells by itself to which name it belongs, and which bytes it has.
	const names = 40
	sizes := []int{50, 1500, 9000, 40_000, 200_000, 700_000}
	bodies := make(map[resource.Root][]byte)
	responses := make([][]*resource.Stored, names)
	for i := range names {
		for j, size := range sizes {
			body := content(uint64(i*100+j), size)
			st := response(t, pathOf(i), body, later(time.Duration(j%2)*time.Second))
			bodies[st.Exchange.Body.Root] = body
			responses[i] = append(responses[i], st)
		}
	}
	rounds := 150
	if testing.Short() || raceEnabled {
		rounds = 40
	}
	var running sync.WaitGroup
	for g := range 8 {
		running.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			for range rounds {
				i := r.IntN(names)
				if err := concurrentStep(s, r, responses[i], bodies); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	running.Go(func() {
		for range 3 {
			if _, err := s.Verify(context.Background(), func(p Problem) { t.Errorf("verify: %v", p) }); err != nil {
				t.Error(err)
			}
			for _, err := range s.All() {
				if err != nil {
					t.Error(err)
				}
			}
			s.Stats()
		}
	})
	running.Wait()
	waitIdle(t, s)
	wantPending(t, s, 0)
	verify(t, s)
}

// concurrentStep does one thing with one resource.
func concurrentStep(s *Store, r *rand.Rand, all []*resource.Stored, bodies map[resource.Root][]byte) error {
	st := all[r.IntN(len(all))]
	body := bodies[st.Exchange.Body.Root]
	var err error
	switch r.IntN(10) {
	case 0:
		err = s.Delete(context.Background(), st.Exchange.ID())
	case 1:
		err = s.Freshen(context.Background(), st)
	case 2, 3, 4:
		err = put(s, st, body)
	case 5:
		var w *Writer
		if w, err = s.Create(); err != nil {
			break
		}
		w.Write(body)
		err = w.Abort()
	default:
		return readConcurrently(s, st.Exchange.ID(), bodies)
	}
	for _, fine := range []error{ErrNotFound, ErrMismatch, ErrWeaker, ErrFull} {
		if errors.Is(err, fine) {
			return nil
		}
	}
	return err
}

func readConcurrently(s *Store, id resource.ID, bodies map[resource.Root][]byte) error {
	list, err := s.Lookup(id)
	if err != nil {
		return err
	}
	for _, st := range list {
		b, err := s.OpenBody(st)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
		b.Close()
		if err != nil || !bytes.Equal(got, bodies[st.Exchange.Body.Root]) || st.Exchange.ID() != id {
			return fmt.Errorf("read %d bytes of %s: %w", len(got), st.Exchange.URL, err)
		}
	}
	return nil
}

// Closing while all is in use ends everything with ErrClosed, and loses nothing that
// was acknowledged.
func TestCloseWhileInUse(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	s := mustOpen(t, path, Config{Quota: 64 << 20})
	var mu sync.Mutex
	acknowledged := make(map[int]bool)
	enough := make(chan struct{})
	var running sync.WaitGroup
	for g := range 4 {
		running.Go(func() {
			for i := g; ; i += 4 {
				body := content(uint64(i), 30_000)
				err := put(s, response(t, pathOf(i), body), body)
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if acknowledged[i] = true; len(acknowledged) == 30 {
					close(enough)
				}
				mu.Unlock()
				if _, _, err := get(t, s, pathOf(i)); err != nil && !errors.Is(err, ErrClosed) {
					t.Error(err)
				}
			}
		})
	}
	<-enough
	mustClose(t, s)
	running.Wait()
	s = mustOpen(t, path, Config{Quota: 64 << 20})
	wantPending(t, s, 0)
	verify(t, s)
	for i := range acknowledged {
		wantBody(t, s, pathOf(i), content(uint64(i), 30_000))
	}
}
