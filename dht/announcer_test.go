package dht

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// fakePublisher records announcements. Each takes a second.
type fakePublisher struct {
	mu      sync.Mutex
	calls   map[InfoHash][]time.Time
	ports   []uint16
	running int
	most    int
	fail    func(InfoHash) error
}

var errFake = errors.New("nobody there")

func (p *fakePublisher) Announce(ctx context.Context, hash InfoHash, port uint16) error {
	p.mu.Lock()
	if p.calls == nil {
		p.calls = make(map[InfoHash][]time.Time)
	}
	p.calls[hash] = append(p.calls[hash], time.Now())
	p.ports = append(p.ports, port)
	p.running++
	p.most = max(p.most, p.running)
	fail := p.fail
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.running--
		p.mu.Unlock()
	}()
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	if fail != nil {
		return fail(hash)
	}
	return nil
}

func (p *fakePublisher) times(hash InfoHash) []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls[hash])
}

func (p *fakePublisher) total() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, calls := range p.calls {
		n += len(calls)
	}
	return n
}

// runAnnouncer starts a in the bubble; the function returned stops it.
func runAnnouncer(t *testing.T, a interface{ Run(context.Context) error }) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- a.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func fixedPort() uint16 { return 4242 }

// BEP 5 nodes forget peers after some half hour: every infohash is announced at once and then
// each 13.5 to 15 minutes.
func TestAnnouncerKeepsAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePublisher{}
		a := NewAnnouncer(AnnouncerConfig{Node: p, Port: fixedPort, Interval: -1, Budget: -1, Concurrency: -1})
		a.Add(InfoHash{1})
		defer runAnnouncer(t, a)()
		time.Sleep(time.Hour)
		a.Add(InfoHash{2})
		a.Add(InfoHash{2})
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		for hash, hours := range map[InfoHash]time.Duration{{1}: 4, {2}: 3} {
			calls := p.times(hash)
			if want := int(hours * 4); len(calls) < want || len(calls) > want+want/8+1 {
				t.Errorf("%d announcements in %d hours", len(calls), hours)
			}
			for i := 1; i < len(calls); i++ {
				if gap := calls[i].Sub(calls[i-1]); gap < 13*time.Minute+30*time.Second || gap > 15*time.Minute+2*time.Second {
					t.Errorf("announced again after %v", gap)
				}
			}
		}
		if s := a.Status(); s.InfoHashes != 2 || s.Announced != 2 || s.Failing != 0 || s.Overdue != 0 || s.LastError != nil {
			t.Errorf("status %+v", s)
		}
	})
}

// Failure is retried after 10, 20, 40… seconds (and up to a quarter), at most the interval.
func TestAnnouncerRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePublisher{fail: func(InfoHash) error { return errFake }}
		a := NewAnnouncer(AnnouncerConfig{Node: p, Port: fixedPort, Interval: 2 * time.Minute})
		a.Add(InfoHash{1})
		defer runAnnouncer(t, a)()
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		if s := a.Status(); s.Failing != 1 || s.Announced != 0 || !errors.Is(s.LastError, errFake) {
			t.Errorf("status %+v", s)
		}
		calls := p.times(InfoHash{1})
		pause := 10 * time.Second
		for i := 1; i < len(calls); i++ {
			gap := calls[i].Sub(calls[i-1]) - time.Second
			if gap < pause || gap > pause+pause/4+time.Second {
				t.Errorf("try %d after %v, want %v", i+1, gap, pause)
			}
			pause = min(2*pause, 2*time.Minute)
		}
		p.mu.Lock()
		p.fail = nil
		p.mu.Unlock()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if s := a.Status(); s.Failing != 0 || s.Announced != 1 || s.LastError != nil {
			t.Errorf("status after recovery %+v", s)
		}
	})
}

// A thousand infohashes are spread by the budget, a few at a time, and all get their turn.
func TestAnnouncerKeepsBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePublisher{}
		a := NewAnnouncer(AnnouncerConfig{Node: p, Port: fixedPort, Budget: AnnounceCost, Concurrency: 3})
		for i := range 1000 {
			a.Add(InfoHash{byte(i), byte(i >> 8)})
		}
		defer runAnnouncer(t, a)()
		time.Sleep(100 * time.Second)
		synctest.Wait()
		if n := p.total(); n < 100 || n > 100+burstAnnounces+3 {
			t.Errorf("%d announcements in 100 s, want one a second after the burst", n)
		}
		if s := a.Status(); s.Overdue < 880 || s.Running > 3 {
			t.Errorf("status %+v", s)
		}
		time.Sleep(950 * time.Second)
		synctest.Wait()
		if s := a.Status(); s.Announced != 1000 {
			t.Errorf("status %+v, want all announced", s)
		}
		if p.most > 3 {
			t.Errorf("%d at once", p.most)
		}
	})
}

func TestAnnouncerRemovesAndRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePublisher{}
		a := NewAnnouncer(AnnouncerConfig{Node: p, Port: fixedPort})
		a.Add(InfoHash{1})
		a.Add(InfoHash{2})
		a.Remove(InfoHash{3})
		defer runAnnouncer(t, a)()
		time.Sleep(500 * time.Millisecond) // both are under way
		a.Remove(InfoHash{1})
		time.Sleep(time.Minute)
		a.Refresh()
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(p.times(InfoHash{1})); n != 1 {
			t.Errorf("removed infohash announced %d times", n)
		}
		if calls := p.times(InfoHash{2}); calls[1].Sub(calls[0]) > 2*time.Minute {
			t.Errorf("refreshed after %v", calls[1].Sub(calls[0]))
		}
		if s := a.Status(); s.InfoHashes != 1 {
			t.Errorf("status %+v", s)
		}
		a.Add(InfoHash{1})
		time.Sleep(2 * time.Second)
		if n := len(p.times(InfoHash{1})); n != 2 {
			t.Errorf("added again, announced %d times", n)
		}
	})
}

// As long as there is no port nothing is announced; then it is, soon.
func TestAnnouncerWaitsForPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePublisher{}
		started := time.Now()
		a := NewAnnouncer(AnnouncerConfig{Node: p, Port: func() uint16 {
			if time.Since(started) < time.Minute {
				return 0
			}
			return 7
		}})
		a.Add(InfoHash{1})
		defer runAnnouncer(t, a)()
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if n := p.total(); n != 0 {
			t.Fatalf("%d announcements without a port", n)
		}
		time.Sleep(2 * portPause)
		synctest.Wait()
		if !slices.Equal(p.ports, []uint16{7}) {
			t.Errorf("announced ports %v", p.ports)
		}
	})
}

// An announcement that hangs is given up, and the end does not wait for it.
func TestAnnouncerGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewAnnouncer(AnnouncerConfig{Node: hangingPublisher{}, Port: fixedPort, Timeout: time.Minute})
		a.Add(InfoHash{1})
		stop := runAnnouncer(t, a)
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if s := a.Status(); s.Failing != 1 || !errors.Is(s.LastError, context.DeadlineExceeded) {
			t.Errorf("status %+v", s)
		}
		time.Sleep(30 * time.Second) // it hangs again
		before := time.Now()
		stop()
		if d := time.Since(before); d != 0 {
			t.Errorf("stopped after %v", d)
		}
	})
}

type hangingPublisher struct{}

func (hangingPublisher) Announce(ctx context.Context, _ InfoHash, _ uint16) error {
	<-ctx.Done()
	return ctx.Err()
}

// Whatever is added, removed and finished in which order: a task is never given out twice at
// once, never after its removal, and none is forgotten.
func TestScheduleModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1e9, 0)
		s := newSchedule(time.Minute, time.Second, func() float64 { return rapid.Float64Range(0, 0.99).Draw(t, "jitter") })
		present := make(map[InfoHash]bool)
		var running []*task
		draw := func(t *rapid.T) InfoHash { return InfoHash{byte(rapid.IntRange(0, 4).Draw(t, "hash"))} }
		t.Repeat(map[string]func(*rapid.T){
			"add":    func(t *rapid.T) { h := draw(t); s.add(h, now); present[h] = true },
			"remove": func(t *rapid.T) { h := draw(t); s.remove(h); delete(present, h) },
			"next": func(t *rapid.T) {
				task, wait, ok := s.next(now)
				if task == nil && ok && wait <= 0 {
					t.Fatalf("nothing due, but to wait for %v", wait)
				}
				if task == nil {
					return
				}
				if !present[task.hash] {
					t.Fatal("a removed task is given out")
				}
				for _, r := range running {
					if r == task {
						t.Fatal("a running task is given out")
					}
				}
				running = append(running, task)
			},
			"done": func(t *rapid.T) {
				if len(running) == 0 {
					return
				}
				s.done(running[0], rapid.Bool().Draw(t, "succeeded"), now)
				running = running[1:]
			},
			"refresh": func(*rapid.T) { s.refresh(now) },
			"time":    func(t *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "s")) * time.Second) },
			"": func(t *rapid.T) {
				waiting := 0
				for h := range present {
					task := s.tasks[h]
					if task == nil || (task.index < 0) != task.running {
						t.Fatalf("%v is forgotten: %+v", h, task)
					}
					if task.index >= 0 {
						waiting++
					}
				}
				if waiting != len(s.queue) || len(s.tasks) != len(present) {
					t.Fatalf("%d of %d wait, queue has %d", waiting, len(present), len(s.queue))
				}
			},
		})
	})
}
