package cache

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"
)

// errCanceled says that somebody did not want to wait any longer.
var errCanceled = errors.New("canceled")

// Store is a cache file that is open. All methods may be called by any number of
// goroutines.
type Store struct {
	cfg   Config
	sizes sizes
	db    *bolt.DB
	file  *os.File // the descriptor of db, for reads that go past its map
	page  int64    // page size in bytes

	setQuota int64 // that Open was given, to be recorded; 0 for none

	queue   *queue
	pins    *pins
	touched touched
	tier    *tier
	clock   clock
	stopped chan struct{} // closed when the writer goroutine has ended
	closing sync.Once
	closed  error // outcome of Close

	nextBody atomic.Uint64
	unrooted atomic.Int64 // bytes of bodies that writers have sent and not committed

	// Of the writer goroutine alone.
	piece  int // how much of a chunk is stored contiguously, in bytes
	calm   int // transactions since the file grew although it had free pages
	wedged bool
	noRoom error // why eviction failed, nil if it did not

	progress  uint64 // transactions that brought eviction further: see countProgress
	fruitless int64  // responses that it looked at since it freed something

	mu      sync.Mutex
	state   state
	used    space
	broken  error // why nothing is written any more
	commits uint64
	evicted uint64
}

// Close waits for everything that has been queued, writes what makes the next Open
// fast, and closes the file. Everything else returns ErrClosed from then on; bodies
// and writers need not be closed before.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.queue.close()
		<-s.stopped
		s.tier.close()
		if s.damage() == nil && !s.cfg.Inspect {
			s.finish()
		}
		s.closed = s.shut()
	})
	if s.closed != nil {
		return fmt.Errorf("cache: close: %w", s.closed)
	}
	return nil
}

// MaxBody is how large a single body can be, in bytes: Config.MaxBody, or what the
// quota allows.
func (s *Store) MaxBody() int64 { return s.cfg.MaxBody }

// shut lets go of the file.
func (s *Store) shut() error {
	if s.wedged {
		return s.file.Close() // bbolt would wait for ever for a transaction that it lost
	}
	return s.db.Close()
}

// finish writes the access times and, once, the list of free pages: without it the
// next Open would have to look at the whole file. Failing costs that much.
func (s *Store) finish() {
	for s.touched.len() > 0 {
		if _, err := s.update(func(t *txn) error { return t.flushTouched(2048) }); err != nil {
			break
		}
	}
	s.db.NoFreelistSync = false
	if _, err := s.update(func(t *txn) error { t.dirty = true; return nil }); err != nil {
		s.cfg.Logger.Warn("cache: the list of free pages could not be written; opening it again will take longer", "error", err)
	}
}

// run is the writer goroutine: the only one that changes the file.
func (s *Store) run() {
	defer close(s.stopped)
	for {
		jobs, open := s.queue.take()
		if !open {
			return
		}
		s.group(jobs)
	}
}

// damage is why nothing is written any more, nil if all is well.
func (s *Store) damage() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// noteDamage stops all writing once something in the file makes no sense.
func (s *Store) noteDamage(err error) {
	if !errors.Is(err, ErrCorrupt) {
		return
	}
	s.mu.Lock()
	first := s.broken == nil
	if first {
		s.broken = err
	}
	s.mu.Unlock()
	if first {
		var d *damage
		stack := ""
		if errors.As(err, &d) {
			stack = string(d.stack)
		}
		s.cfg.Logger.Error("cache: the file is damaged; nothing is written to it any more", "error", err)
		s.cfg.Logger.Debug("cache: where the damage was found", slog.String("stack", stack))
	}
}

// submit queues a job that somebody waits for, and waits for it.
func (s *Store) submit(done <-chan struct{}, j *job) error {
	result := make(chan error, 1)
	j.urgent, j.done = true, func(err error) { result <- err }
	if err := s.queue.push(done, j); err != nil {
		return err
	}
	select {
	case err := <-result:
		return err
	case <-done:
		return errCanceled
	}
}
