package cache

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

func fileSize(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// Under churn with bodies of all sizes the file stays below the quota, and most of the
// quota is used.
func TestQuotaHolds(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]func(*rand.Rand) int{
		"tiny":   func(r *rand.Rand) int { return r.IntN(2000) },
		"small":  func(r *rand.Rand) int { return 2000 + r.IntN(20_000) },
		"chunks": func(r *rand.Rand) int { return 250_000 + r.IntN(1000) },
		"mixed":  func(r *rand.Rand) int { return int(1) << r.IntN(22) },
		"large":  func(r *rand.Rand) int { return 1<<19 + r.IntN(1<<20) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const quota = MinQuota
			path := tempFile(t)
			s := mustOpen(t, path, Config{Quota: quota})
			r := rand.New(rand.NewPCG(1, 2))
			total, n := 0, 0
			rounds, most := 6, 3000
			if testing.Short() || raceEnabled {
				rounds, most = 2, 600
			}
			for total < rounds*quota && n < most {
				var storing sync.WaitGroup
				together := total + 1<<20 // bytes: what arrives at once must have room at once
				for range 1 + r.IntN(64) {
					if total >= together {
						break
					}
					body := content(uint64(n), size(r))
					st := response(t, pathOf(n), body)
					n, total = n+1, total+len(body)
					storing.Go(func() {
						if err := put(s, st, body); err != nil {
							t.Errorf("%d bytes: %v", len(body), err)
						}
					})
				}
				storing.Wait()
				if got := fileSize(t, path); got > quota {
					t.Fatalf("the file has %d bytes after %d responses", got, n)
				}
			}
			got := s.Stats()
			t.Logf("%d responses of %d MiB stored; %d of %d KiB kept, file %d KiB", n, total>>20, got.Responses, got.BodyBytes>>10, got.FileBytes>>10)
			if total > 2*quota && (got.Evicted == 0 || got.UsedBytes < quota/2) {
				t.Errorf("got %+v", got)
			}
			verify(t, s)
		})
	}
}

// What is used stays, what is not goes first.
func TestLeastRecentlyUsedGoesFirst(t *testing.T) {
	t.Parallel()
	gone := make(map[resource.ID]bool)
	s := mustOpen(t, tempFile(t), Config{Quota: MinQuota, Removed: func(id resource.ID) { gone[id] = true }})
	const kept = 10
	for i := range 100 {
		mustPut(t, s, pathOf(i), content(uint64(i), 150_000))
		for j := range min(i, kept) {
			if list, err := s.Lookup(idOf(t, pathOf(j))); err != nil || len(list) != 1 {
				t.Fatalf("page %d is gone: %v", j, err)
			}
		}
	}
	waitIdle(t, s)
	present := 0
	for i := kept; i < 100; i++ {
		list, err := s.Lookup(idOf(t, pathOf(i)))
		if err != nil {
			t.Fatal(err)
		}
		if (len(list) > 0) == gone[idOf(t, pathOf(i))] {
			t.Errorf("page %d: stored %v, told as removed %v", i, len(list) > 0, gone[idOf(t, pathOf(i))])
		}
		if len(list) > 0 {
			present++
		} else if present > 0 {
			t.Errorf("page %d was evicted before an older one", i)
		}
	}
	if present < 15 || len(gone) < 30 {
		t.Errorf("%d kept, %d evicted", present, len(gone))
	}
	verify(t, s)
}

// The order survives a restart, and a clock that is set back.
func TestOrderSurvivesRestart(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	cfg := Config{Quota: MinQuota, Now: func() time.Time { return now }}
	s := mustOpen(t, path, cfg)
	for i := range 15 {
		mustPut(t, s, pathOf(i), content(uint64(i), 150_000))
	}
	wantBody(t, s, pathOf(0), content(0, 150_000))
	mustClose(t, s)
	now = now.Add(-24 * time.Hour)
	s = mustOpen(t, path, cfg)
	for i := range 35 {
		mustPut(t, s, pathOf(100+i), content(uint64(100+i), 150_000))
	}
	wantBody(t, s, pathOf(0), content(0, 150_000))
	wantNone(t, s, pathOf(1))
	verify(t, s)
}

// An open body is not evicted, however much comes in.
func TestOpenBodyIsNotEvicted(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	s := mustOpen(t, path, Config{Quota: MinQuota})
	body := content(1000, 2<<20)
	st := mustPut(t, s, "open", body)
	open, err := s.OpenBody(st)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	for i := range 60 {
		mustPut(t, s, pathOf(i), content(uint64(i), 200_000))
	}
	got, err := io.ReadAll(io.NewSectionReader(open, 0, open.Size()))
	if err != nil || !bytes.Equal(got, body) {
		t.Errorf("%v, equal: %v", err, bytes.Equal(got, body))
	}
	if got := fileSize(t, path); got > MinQuota {
		t.Errorf("the file has %d bytes", got)
	}
	verify(t, s)
}

// When everything is in use, a new body is refused and nothing is lost; when room
// comes back, so does storing.
func TestFull(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	s := mustOpen(t, path, Config{Quota: MinQuota})
	var open []*Body
	var stored []*resource.Stored
	var err error
	for i := 0; err == nil && i < 60; i++ {
		body := content(uint64(len(open)), 1<<20)
		st := response(t, pathOf(i), body)
		if err = put(s, st, body); err == nil {
			if b := openStored(t, s, st); b != nil {
				open, stored = append(open, b), append(stored, st)
			}
		}
	}
	wantError(t, err, ErrFull)
	if len(open) < 4 {
		t.Errorf("full after %d bodies", len(open))
	}
	if got := fileSize(t, path); got > MinQuota {
		t.Errorf("the file has %d bytes", got)
	}
	for i, b := range open {
		got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
		if err != nil || !bytes.Equal(got, content(uint64(i), 1<<20)) {
			t.Errorf("body %d: %v", i, err)
		}
		if _, err := s.OpenBody(stored[i]); err != nil {
			t.Errorf("body %d: %v", i, err)
		} else {
			open = append(open, nil)[:len(open)]
		}
	}
	verify(t, s)
	for _, b := range open {
		b.Close()
		b.store.pins.release(b.body, false) // the one opened in between
	}
	waitIdle(t, s)
	mustPut(t, s, "again", content(99, 1<<20))
	verify(t, s)
}

// openStored opens a body that was stored just now, or returns nil if it was evicted, being the only
// one not in use, before it was open.
func openStored(t *testing.T, s *Store, st *resource.Stored) *Body {
	t.Helper()
	b, err := s.OpenBody(st)
	if err == nil {
		waitIdle(t, s) // an eviction that has not seen it open is over then
		again, lost := s.OpenBody(st)
		if lost == nil {
			again.Close()
			return b
		}
		b.Close()
		err = lost
	}
	if !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	return nil
}

// Several bodies that arrive at once are more than the quota: some are refused, none
// is damaged.
func TestManyLargeBodiesAtOnce(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	s := mustOpen(t, path, Config{Quota: MinQuota})
	var storing sync.WaitGroup
	for i := range 12 {
		body := content(uint64(i), 3<<19)
		st := response(t, pathOf(i), body)
		storing.Go(func() {
			if err := put(s, st, body); err != nil && !errors.Is(err, ErrFull) {
				t.Error(err)
			}
		})
	}
	storing.Wait()
	waitIdle(t, s)
	wantPending(t, s, 0)
	if got := fileSize(t, path); got > MinQuota {
		t.Errorf("the file has %d bytes", got)
	}
	verify(t, s)
	mustPut(t, s, "after", content(99, 3<<19))
}

// A transaction that bbolt can't finish is an error to those who wait, and no more.
func TestFileCannotGrow(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, tempFile(t), Config{Quota: 64 << 20})
	mustPut(t, s, "page", content(1, 300_000))
	limit := s.db.MaxSize
	hold(t, s, func() { s.db.MaxSize = 1 })
	for _, size := range []int{1 << 20, 3 << 20} {
		wantError(t, put(s, response(t, "new", content(2, size)), content(2, size)), ErrFull)
	}
	wantNone(t, s, "new")
	verify(t, s)
	hold(t, s, func() { s.db.MaxSize = limit })
	mustPut(t, s, "new", content(2, 3<<20))
	waitIdle(t, s)
	wantPending(t, s, 0)
	verify(t, s)
}

// hold runs f while the writer goroutine does nothing else.
func hold(t *testing.T, s *Store, f func()) {
	t.Helper()
	if err := s.submit(nil, &job{alone: func() error { f(); return nil }}); err != nil {
		t.Fatal(err)
	}
}

// Bodies that never come to their end don't drive out what is stored.
func TestUnfinishedBodiesTakeHalf(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, tempFile(t), Config{Quota: MinQuota})
	for i := range 10 {
		mustPut(t, s, pathOf(i), content(uint64(i), 200_000))
	}
	var err error
	for i := range 10 {
		w, createErr := s.Create()
		if createErr != nil {
			t.Fatal(createErr)
		}
		defer w.Abort()
		if _, writeErr := w.Write(content(uint64(100+i), 1<<20)); writeErr != nil {
			err = writeErr
		}
	}
	wantError(t, err, ErrFull)
	waitIdle(t, s)
	for i := range 10 {
		wantBody(t, s, pathOf(i), content(uint64(i), 200_000))
	}
	verify(t, s)
}

// What has been reserved for unfinished bodies is given back in every case.
func TestReservationsAreGivenBack(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, tempFile(t), Config{Quota: MinQuota, MaxBody: 1 << 20})
	body := content(1, 1<<20)
	for range 3 {
		mustPut(t, s, "page", body, later(time.Hour))
		wantError(t, put(s, response(t, "page", body), body), ErrWeaker)
		w, _ := s.Create()
		w.Write(body)
		w.Write(body)
		w.Abort()
	}
	if n := s.unrooted.Load(); n != 0 {
		t.Errorf("%d bytes are still reserved", n)
	}
}
