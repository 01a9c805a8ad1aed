package dht

import (
	"container/heap"
	"time"
)

// task is an infohash that is to be announced again and again.
type task struct {
	hash     InfoHash
	due      time.Time
	last     time.Time // of the last success
	failures int       // since then
	running  bool
	removed  bool
	index    int // in the queue; -1 = not in it
}

// queue orders tasks by the time at which they are due; it implements heap.Interface.
type queue []*task

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *queue) Push(x any) {
	t := x.(*task)
	t.index = len(*q)
	*q = append(*q, t)
}

func (q *queue) Pop() any {
	old := *q
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	t.index = -1
	return t
}

// schedule knows which infohashes are due when. It knows no clock and no network; the
// caller locks.
type schedule struct {
	interval time.Duration
	retry    time.Duration  // after the first failure; doubles up to interval
	jitter   func() float64 // in [0, 1)

	tasks map[InfoHash]*task
	queue queue
}

func newSchedule(interval, retry time.Duration, jitter func() float64) *schedule {
	return &schedule{interval: interval, retry: retry, jitter: jitter, tasks: make(map[InfoHash]*task)}
}

// add makes hash due at once, if it is new.
func (s *schedule) add(hash InfoHash, now time.Time) {
	if s.tasks[hash] != nil {
		return
	}
	t := &task{hash: hash, due: now}
	s.tasks[hash] = t
	heap.Push(&s.queue, t)
}

func (s *schedule) remove(hash InfoHash) {
	t := s.tasks[hash]
	if t == nil {
		return
	}
	t.removed = true
	delete(s.tasks, hash)
	if t.index >= 0 && !t.running {
		heap.Remove(&s.queue, t.index)
	}
}

// next takes the task that is longest due. If none is, it says how long that will be so, or
// false if there is none at all.
func (s *schedule) next(now time.Time) (t *task, wait time.Duration, ok bool) {
	if len(s.queue) == 0 {
		return nil, 0, false
	}
	if wait := s.queue[0].due.Sub(now); wait > 0 {
		return nil, wait, true
	}
	t = heap.Pop(&s.queue).(*task)
	t.running = true
	return t, 0, true
}

// done puts a task back that next gave out. Success makes it due after the interval, less up to a
// tenth so that tasks spread; failure after a pause that doubles each time.
func (s *schedule) done(t *task, succeeded bool, now time.Time) {
	t.running = false
	if t.removed {
		return
	}
	if succeeded {
		t.failures, t.last = 0, now
		t.due = now.Add(s.interval - s.spread(s.interval/10))
	} else {
		t.failures++
		pause := s.pause(t.failures)
		t.due = now.Add(pause + s.spread(pause/4))
	}
	heap.Push(&s.queue, t)
}

func (s *schedule) pause(failures int) time.Duration {
	pause := s.retry
	for i := 1; i < failures && pause < s.interval; i++ {
		pause *= 2
	}
	return min(pause, s.interval)
}

// giveBack puts a task back that was not tried.
func (s *schedule) giveBack(t *task, due time.Time) {
	t.running = false
	if t.removed {
		return
	}
	t.due = due
	heap.Push(&s.queue, t)
}

// refresh makes everything due now that is not under way.
func (s *schedule) refresh(now time.Time) {
	for _, t := range s.queue {
		t.due = now
	}
	heap.Init(&s.queue)
}

func (s *schedule) spread(most time.Duration) time.Duration {
	return time.Duration(s.jitter() * float64(most))
}
