package cache

import (
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// group applies jobs in one transaction, and the lonely ones among them after it.
func (s *Store) group(jobs []*job) {
	var together, alone []*job
	for _, j := range jobs {
		if j.alone != nil {
			alone = append(alone, j)
		} else {
			together = append(together, j)
		}
	}
	s.commitJobs(together)
	for _, j := range alone {
		j.done(j.alone())
	}
}

// commitJobs applies jobs and tells each its outcome.
func (s *Store) commitJobs(jobs []*job) {
	var need int64
	for _, j := range jobs {
		need += j.pages
	}
	before := s.progress
	s.noRoom = s.makeRoom(need)
	err := s.tryJobs(jobs, need, maxEvict)
	// There were enough free pages, but too few neighbours among them.
	for try := 0; errors.Is(err, berrors.ErrMaxSizeReached) && try < 3; try++ {
		s.piece = max(s.piece/4, s.smallestPiece())
		s.noRoom = s.evictOnly(2*need + reserve)
		err = s.tryJobs(jobs, need, 0)
	}
	if errors.Is(err, berrors.ErrMaxSizeReached) {
		err = s.full()
	}
	if s.progress > before && (s.excess(0) > 0 || len(s.pins.drainable(1)) > 0) {
		s.queue.wake() // go on with it, although nobody may come
	}
	for _, j := range jobs {
		if err != nil {
			j.err = err
		}
		j.done(j.err)
	}
}

// full is ErrFull, with the reason if it is not that everything is in use.
func (s *Store) full() error {
	if s.noRoom != nil && !errors.Is(s.noRoom, berrors.ErrMaxSizeReached) {
		return fmt.Errorf("%w: evict: %w", ErrFull, s.noRoom)
	}
	return ErrFull
}

// tryJobs is one attempt at a transaction with all jobs, which also evicts up to so
// many responses. Refused jobs have their err set; an error of the transaction itself
// is returned.
func (s *Store) tryJobs(jobs []*job, need int64, evict int) error {
	_, err := s.update(func(t *txn) error {
		if err := t.housekeep(need, evict); err != nil {
			return err
		}
		for _, j := range jobs {
			if j.err = j.apply(t); j.err != nil && !isRefusal(j.err) {
				err := j.err
				j.err = nil
				return err
			}
		}
		return nil
	})
	return err
}

// isRefusal tells an answer to one job from a failure that concerns all.
func isRefusal(err error) bool {
	for _, refusal := range []error{ErrWeaker, ErrNotFound, ErrMismatch, ErrFull, ErrClosed, errCanceled} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}

// housekeep does a little of what has to be done sometime.
func (t *txn) housekeep(need int64, evict int) error {
	if t.s.touched.len() >= maxTouched {
		if err := t.flushTouched(2048); err != nil {
			return err
		}
	}
	if err := t.drain(); err != nil {
		return err
	}
	return t.evict(t.s.excess(need)-t.freed, need, evict)
}

// makeRoom evicts in transactions of their own if need pages are not available: what
// a transaction frees can be used by the next one at the earliest.
func (s *Store) makeRoom(need int64) error {
	for {
		missing := need + reserve - s.space().available()
		if missing <= 0 {
			return nil
		}
		before := s.progress
		if err := s.evictOnly(missing + reserve); err != nil || s.progress == before {
			return err
		}
	}
}

// evictOnly frees pages, or as many as it can.
func (s *Store) evictOnly(pages int64) error {
	for most := maxEvict; ; most /= 8 {
		_, err := s.update(func(t *txn) error {
			if err := t.drain(); err != nil {
				return err
			}
			return t.evict(pages-t.freed, 0, most)
		})
		// Deleting takes pages first, and in the end some more than expected.
		if most == 0 || !errors.Is(err, berrors.ErrMaxSizeReached) {
			return err
		}
	}
}

// update runs f in a write transaction and commits it, if f made it dirty. After it
// the changes are durable, and visible to readers.
func (s *Store) update(f func(*txn) error) (t *txn, err error) {
	if s.cfg.Inspect {
		return nil, ErrReadOnly
	}
	if err := s.damage(); err != nil {
		return nil, err
	}
	t, err = s.transact(f)
	if err != nil {
		if t != nil {
			s.pins.acquit(t.condemned)
		}
		s.noteDamage(err)
		return nil, err
	}
	if t.dirty {
		s.publish(t)
	}
	return t, nil
}

// transact is update for the file alone.
func (s *Store) transact(f func(*txn) error) (t *txn, err error) {
	defer guard(&err)()
	tx, err := s.db.Begin(true)
	if err != nil {
		return nil, translate(err)
	}
	defer s.abandon(tx)
	if t, err = newTxn(s, tx); err != nil {
		return nil, err
	}
	if err := f(t); err != nil || !t.dirty {
		return t, err
	}
	if err := t.save(); err != nil {
		return t, err
	}
	return t, translate(tx.Commit())
}

// abandon rolls back a transaction unless it has ended. After a panic in the middle
// of a commit that may panic again; then the transaction, and with it the right to
// write, is lost.
func (s *Store) abandon(tx *bolt.Tx) {
	defer func() {
		if recover() != nil {
			s.wedged = true
		}
	}()
	if err := tx.Rollback(); err != nil && !errors.Is(err, berrors.ErrTxClosed) {
		s.wedged = true
	}
}

// publish makes memory agree with a transaction that has been committed.
func (s *Store) publish(t *txn) {
	before := s.space()
	s.measure()
	s.adaptPiece(before)
	s.tier.invalidate(t.changed)
	s.pins.doom(t.doomed)
	s.pins.forget(t.deleted)
	s.mu.Lock()
	s.state = t.state
	s.commits++
	s.evicted += uint64(t.evicted)
	s.mu.Unlock()
	s.countProgress(t)
	for id := range t.gone {
		s.cfg.Removed(id)
	}
}

// countProgress tells eviction that leads somewhere from one that finds only what is
// in use: that is over once it has looked at every response and freed nothing.
func (s *Store) countProgress(t *txn) {
	switch {
	case t.freed > 0 || len(t.deleted) > 0:
		s.fruitless = 0
		s.progress++
	case t.looked > 0 && s.fruitless <= t.state.responses:
		s.fruitless += t.looked
		s.progress++
	}
}

// smallestPiece is four pages.
func (s *Store) smallestPiece() int { return int(4*s.page) - chunkOverhead }

// adaptPiece makes pieces smaller when the file, close to its limit, grew although it
// had free pages: these have too few neighbours. It makes them larger again when that
// has not happened for long.
func (s *Store) adaptPiece(before space) {
	after := s.space()
	grew := after.high - before.high
	if grew > 0 && before.free > after.limit/32 && after.high > after.limit-after.limit/8 {
		s.piece, s.calm = max(s.piece/2, s.smallestPiece()), 0
		return
	}
	if s.calm++; s.calm >= 256 && s.piece < s.sizes.chunk {
		s.piece, s.calm = min(s.piece*2+chunkOverhead, s.sizes.chunk), 0
	}
}
