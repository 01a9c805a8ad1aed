package cache

import "sync"

// job is something for the writer goroutine. Jobs are applied in the order in which
// they were queued, many in one transaction.
type job struct {
	cost   int64 // bytes that it holds in memory while it waits
	pages  int64 // that it is going to take in the file, roughly
	urgent bool  // somebody waits for it: don't collect more first

	// apply makes the change. An error that isRefusal accepts must leave the
	// transaction as it was; any other ends the transaction. It may be called again
	// after a transaction that failed.
	apply func(*txn) error
	// alone, if not nil, is called instead of apply, between two transactions.
	alone func() error
	// done gets the outcome, once it is durable. It must not block.
	done func(error)
	err  error
}

// queue holds the jobs that wait for the writer goroutine, bounded in bytes.
type queue struct {
	limit int64 // of bytes
	batch int64 // bytes from which on it is worth to write although nobody waits

	mu     sync.Mutex
	jobs   []*job
	bytes  int64
	urgent int
	woken  bool
	closed bool
	room   chan struct{} // closed as soon as bytes has shrunk
	ready  chan struct{} // holds a token if the writer should look again
}

func newQueue(limit, batch int64) *queue {
	return &queue{limit: limit, batch: batch, room: make(chan struct{}), ready: make(chan struct{}, 1)}
}

// push adds j, waiting for room as long as cancel is open. It returns ErrClosed if
// the queue is closed, and errCanceled if cancel was closed.
func (q *queue) push(cancel <-chan struct{}, j *job) error {
	for {
		q.mu.Lock()
		if q.closed {
			q.mu.Unlock()
			return ErrClosed
		}
		// An empty queue takes whatever comes, so that nothing is too large for it.
		if q.bytes+j.cost <= q.limit || len(q.jobs) == 0 {
			q.addLocked(j)
			q.mu.Unlock()
			return nil
		}
		room := q.room
		q.mu.Unlock()
		select {
		case <-room:
		case <-cancel:
			return errCanceled
		}
	}
}

func (q *queue) addLocked(j *job) {
	q.jobs = append(q.jobs, j)
	q.bytes += j.cost
	if j.urgent {
		q.urgent++
	}
	if q.workLocked() {
		q.signal()
	}
}

func (q *queue) workLocked() bool {
	return q.urgent > 0 || q.bytes >= q.batch || q.woken || q.closed
}

func (q *queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// wake makes take return, if need be without jobs.
func (q *queue) wake() {
	q.mu.Lock()
	q.woken = true
	q.mu.Unlock()
	q.signal()
}

// close refuses further jobs. take still hands out those that are queued.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.closed = true
	close(q.room)
	q.room = make(chan struct{})
	q.signal()
}

// take waits for work and returns the jobs of the next transaction: about batch
// bytes, at least one job unless it was woken. It returns false after the last job of a closed queue.
func (q *queue) take() ([]*job, bool) {
	for {
		q.mu.Lock()
		if q.workLocked() {
			jobs := q.takeLocked()
			open := !q.closed || len(jobs) > 0
			q.mu.Unlock()
			return jobs, open
		}
		q.mu.Unlock()
		<-q.ready
	}
}

func (q *queue) takeLocked() []*job {
	q.woken = false
	n, bytes := 0, int64(0)
	for n < len(q.jobs) && (n == 0 || bytes+q.jobs[n].cost <= q.batch) {
		bytes += q.jobs[n].cost
		if q.jobs[n].urgent {
			q.urgent--
		}
		n++
	}
	jobs := q.jobs[:n:n]
	q.jobs = q.jobs[n:]
	if len(q.jobs) == 0 {
		q.jobs = nil // let go of the array
	}
	q.bytes -= bytes
	if n > 0 {
		close(q.room)
		q.room = make(chan struct{})
	}
	return jobs
}

func (q *queue) size() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes
}
