package cache

import (
	"sync"
	"testing"
)

// storeMany stores n responses of so many bytes, many in a transaction.
func storeMany(t *testing.T, s *Store, n, size int) {
	t.Helper()
	var storing sync.WaitGroup
	next := make(chan int)
	for range 64 {
		storing.Go(func() {
			for i := range next {
				body := content(uint64(i), size)
				if err := put(s, response(t, pathOf(i), body), body); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	storing.Wait()
}

// A lowered quota is enforced without help, also where a transaction that evicts takes
// more pages than the file has free: the many pages of small responses.
func TestLoweredQuotaOfSmallResponses(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"with bodies of their own": 3900, "inline": 2000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := 4000
			if raceEnabled {
				n = 2500
			}
			path := tempFile(t)
			s := mustOpen(t, path, Config{Quota: 200 << 20})
			storeMany(t, s, n, size)
			if used := s.Stats().UsedBytes; !raceEnabled && used < MinQuota*5/4 {
				t.Fatalf("only %d bytes are in use", used)
			}
			mustClose(t, s)
			s = mustOpen(t, path, Config{Quota: MinQuota})
			for i := range 50 { // at once, while it is being emptied
				mustPut(t, s, pathOf(n+i), content(uint64(n+i), 3000))
			}
			waitIdle(t, s)
			if got := s.Stats(); got.UsedBytes > MinQuota || got.Responses < 100 {
				t.Errorf("%d bytes are in use by %d responses", got.UsedBytes, got.Responses)
			}
			wantBody(t, s, pathOf(n+49), content(uint64(n+49), 3000))
			verify(t, s)
		})
	}
}

// The same without anybody who stores anything.
func TestLoweredQuotaWhileIdle(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	s := mustOpen(t, path, Config{Quota: 200 << 20})
	storeMany(t, s, 2500, 3900)
	mustClose(t, s)
	s = mustOpen(t, path, Config{Quota: MinQuota})
	waitFor(t, s, func() bool { return s.excess(0) <= 0 })
	verify(t, s)
}

// waitFor waits until the writer goroutine has gone on with its own work so far that
// done holds.
func waitFor(t *testing.T, s *Store, done func() bool) {
	t.Helper()
	for range 2000 {
		if hold(t, s, func() {}); done() {
			return
		}
	}
	t.Fatal("that does not happen")
}

// Responses that were used lately stand first in the order until it is written anew:
// more of them than there is time for keep nothing from being evicted.
func TestEvictionGetsPastWhatIsUsed(t *testing.T) {
	t.Parallel()
	s := mustOpen(t, tempFile(t), Config{Quota: MinQuota})
	used := 10 * maxEvict
	if raceEnabled {
		used = 4 * maxEvict
	}
	storeMany(t, s, used, 10)
	for i := 0; s.excess(60) < 0; i++ {
		mustPut(t, s, pathOf(used+i), content(uint64(i), 100_000))
	}
	for i := range used {
		if list, err := s.Lookup(idOf(t, pathOf(i))); err != nil || len(list) != 1 {
			t.Fatalf("page %d: %v", i, err)
		}
	}
	mustPut(t, s, "new", content(1, MinQuota/4))
	verify(t, s)
}
