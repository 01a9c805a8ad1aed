package proxy

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// flight is one fetch of a missing or stale resource and all the clients that wait
// for it. It lives until it has landed everything in the store, or until its last
// reader leaves. The client that was first has no part in that.
type flight struct {
	key    flightKey
	shared bool // is in the table, so that others may join
	fetch  *fetch
	spool  *spool
	cancel context.CancelCauseFunc
	hints  chan hint // 1xx responses, for the first reader

	landed  chan struct{} // closed when outcome is set
	outcome outcome

	stored  func()          // closes storing, once
	storing <-chan struct{} // closed when the store has what it gets

	outdated atomic.Bool // an unsafe request has changed the resource meanwhile
}

// hint is an interim response (RFC 9110 section 15.2).
type hint struct {
	status int
	header http.Header
}

// outcome is what a flight came to when the response header arrived. It does not
// change after that.
type outcome struct {
	stored   *resource.Stored   // answered by the store: it was there meanwhile, or the origin has confirmed it
	exchange *resource.Exchange // being received; its body is in the spool. Nil with stored, or if there is none
	verbatim bool               // exchange is what the origin answered to the client's own Range
	failed   error              // the origin failed; exchange may be what it answered
	tried    []string           // by the race, for people
	refused  string             // why peers' copies were not taken, "" = there were none
	newer    time.Time          // when a copy was received that is newer than what is stored, but less proven

	status    int           // upstream's, 0 = none
	tier      resource.Tier // of exchange
	witnesses int           // of a witnessed exchange, 0 = not known
	witnessed time.Time     // when they had got it, zero = not known
	length    int64         // of the content, -1 = unknown
	common    bool          // fit for readers that joined, not only for the first
	cookie    bool          // exchange was fetched with a cookie
	storing   bool          // goes into the store
	proto     string        // protocol version of upstream, for Via

	setCookie []string    // what the origin set, for the first reader
	announced []string    // names of trailer fields
	trailer   http.Header // filled in when the body is whole
}

// flightKey says which requests can share a fetch: those for one resource that
// would select the same variant as far as can be known before the answer.
type flightKey struct {
	id     resource.ID
	fields string
}

func newFlightKey(r *request) flightKey {
	var b strings.Builder
	for _, name := range resource.SelectingFields {
		b.WriteString(strings.Join(r.in.Header[name], ","))
		b.WriteByte('\n')
	}
	return flightKey{r.id, b.String()}
}

// flights is the table of flights in progress. It is safe for concurrent use.
type flights struct {
	mu     sync.Mutex
	shared map[flightKey]*flight
	all    map[*flight]struct{}
	closed bool
	wg     sync.WaitGroup
}

func newFlights() *flights {
	return &flights{shared: map[flightKey]*flight{}, all: map[*flight]struct{}{}}
}

// seat is a place in a flight.
type seat struct {
	*flight
	reader *reader
	first  bool // the flight was made for it
	late   bool // the response had begun to come before
}

// board gives a seat: in a flight that is on its way if that is of use to a request
// (news: only before the response has come), else in a new one that start makes and
// that the caller has to launch. It fails when the table is closed.
func (t *flights) board(key flightKey, shared, news bool, start func() *flight) (seat, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return seat{}, false
	}
	if f := t.shared[key]; shared && f != nil {
		if late := f.hasLanded(); !late || !news && f.lateFit() {
			return seat{flight: f, reader: f.spool.open(), late: late}, true
		}
	}
	f := start()
	f.key, f.shared = key, shared
	if shared {
		t.shared[key] = f // another that is there has become useless
	}
	t.all[f] = struct{}{}
	t.wg.Add(1)
	return seat{flight: f, reader: f.spool.open(), first: true}, true
}

// underWay reports whether a fetch with this key is shared now.
func (t *flights) underWay(key flightKey) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.shared[key] != nil
}

// outdate sees to it that what is under way of a resource is given only to those who wait for it
// already, and is not stored (RFC 9111 section 4.4).
func (t *flights) outdate(id resource.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for f := range t.all {
		if f.key.id == id {
			f.outdated.Store(true)
			t.removeLocked(f)
		}
	}
}

// toBeStored are the flights of a resource all of which has come, and that the store is about to
// have: their clients may have got it all already.
func (t *flights) toBeStored(id resource.ID) (list []*flight) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for f := range t.all {
		if f.key.id == id && f.isBeingStored() {
			list = append(list, f)
		}
	}
	return list
}

// isBeingStored reports whether nothing but the store has to do with a flight's body any more.
func (f *flight) isBeingStored() bool {
	return f.hasLanded() && f.outcome.storing && (f.spool.whole() || f.outcome.length >= 0 && f.spool.size() == f.outcome.length)
}

// accompany runs f, which ends when a flight does, beside the flights: close waits for it. It
// fails when the table is closed.
func (t *flights) accompany(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	t.wg.Go(f)
	return true
}

func (f *flight) hasLanded() bool {
	select {
	case <-f.landed:
		return true
	default:
		return false
	}
}

// lateFit reports whether one more reader may join a flight that has landed.
func (f *flight) lateFit() bool {
	return f.outcome.common && (f.outcome.exchange == nil || f.spool.keeping())
}

// leave ends a reader's part. With the last one ends the flight, unless all of it has come
// and is being stored, or the reader is satisfied (all it wanted was the header) and the
// rest is not much.
func (t *flights) leave(s seat, satisfied bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.reader.leave()
	if !s.spool.unread() || s.spool.whole() || s.isBeingStored() || satisfied && s.mayFinish() {
		return
	}
	t.removeLocked(s.flight)
	s.cancel(errAbandoned)
}

// mayFinish reports whether a flight without readers is worth finishing.
func (f *flight) mayFinish() bool {
	return f.hasLanded() && f.outcome.storing && f.outcome.length >= 0 && f.outcome.length <= runAhead && f.spool.keeping()
}

func (t *flights) removeLocked(f *flight) {
	if t.shared[f.key] == f {
		delete(t.shared, f.key)
	}
}

// retire takes a flight off the table: nobody joins any more.
func (t *flights) retire(f *flight) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.removeLocked(f)
}

// done is called when nothing of a flight is left.
func (t *flights) done(f *flight) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.removeLocked(f)
	delete(t.all, f)
	f.stored()
	t.wg.Done()
}

// close breaks all flights off and waits for them.
func (t *flights) close() {
	t.mu.Lock()
	t.closed = true
	for f := range t.all {
		f.cancel(errClosed)
	}
	t.mu.Unlock()
	t.wg.Wait()
}
