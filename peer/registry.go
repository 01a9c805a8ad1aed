package peer

import (
	"bytes"
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/peerproxy/peerproxy/trust"
)

const (
	evictAfter  = time.Minute      // without a question, a session may make room for another
	settleWait  = 2 * time.Second  // for a sign of life of the older of two connections
	settleGrace = 10 * time.Second // for the other side to close one of two connections
)

// registry is the table of open sessions. The zero registry is not ready.
type registry struct {
	own   trust.Key
	limit int

	mu    sync.Mutex // guards following
	byKey map[trust.Key][]*session
	count int
}

// add enters a session. It may be the second with its peer, until [Swarm.settle] has
// decided which one stays.
func (r *registry) add(s *session) error {
	evicted, err := r.insert(s)
	if evicted != nil {
		evicted.close(closeFull)
	}
	return err
}

func (r *registry) insert(s *session) (evicted *session, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	limit := r.limit
	if !s.dialled {
		limit -= r.limit / 4 // strangers can't take the room for those whom we need
	}
	if len(r.byKey[s.key]) >= 2 {
		return nil, ErrFull
	}
	if r.count >= limit {
		if evicted = r.idlestLocked(); evicted == nil {
			return nil, ErrFull
		}
		r.removeLocked(evicted)
	}
	if r.byKey == nil {
		r.byKey = make(map[trust.Key][]*session)
	}
	r.byKey[s.key] = append(r.byKey[s.key], s)
	r.count++
	return evicted, nil
}

// idlestLocked is the accepted session that nobody has used for the longest time.
func (r *registry) idlestLocked() (idlest *session) {
	longest := evictAfter
	for _, list := range r.byKey {
		for _, s := range list {
			if d := s.idleFor(); !s.dialled && d >= longest {
				idlest, longest = s, d
			}
		}
	}
	return idlest
}

func (r *registry) remove(s *session) {
	r.mu.Lock()
	r.removeLocked(s)
	r.mu.Unlock()
}

func (r *registry) removeLocked(s *session) {
	list := r.byKey[s.key]
	for i, other := range list {
		if other != s {
			continue
		}
		if len(list) == 1 {
			delete(r.byKey, s.key)
		} else {
			r.byKey[s.key] = append(list[:i:i], list[i+1:]...)
		}
		r.count--
		return
	}
}

// all returns one session for each peer: the oldest that is open.
func (r *registry) all() []*session {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*session, 0, len(r.byKey))
	for _, of := range r.byKey {
		for _, s := range of {
			if !s.gone() {
				list = append(list, s)
				break
			}
		}
	}
	return list
}

// dialledTo is the open session over a connection that was dialled to addr.
func (r *registry) dialledTo(addr netip.AddrPort) *session {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, list := range r.byKey {
		for _, s := range list {
			if s.dialled && s.addr == addr && !s.gone() {
				return s
			}
		}
	}
	return nil
}

// olderThan is the other session with the peer of s, if it was there before s.
func (r *registry) olderThan(s *session) *session {
	r.mu.Lock()
	defer r.mu.Unlock()
	if list := r.byKey[s.key]; len(list) == 2 && list[1] == s {
		return list[0]
	}
	return nil
}

// decides reports whether this side chooses among two connections with a peer: the
// side with the lower key does, so that both never choose differently.
func (r *registry) decides(peer trust.Key) bool { return bytes.Compare(r.own[:], peer[:]) < 0 }

// preferred is the one of two connections with a peer that should be used: the older
// one if it is alive, since there may be answers under way on it.
func (w *Swarm) preferred(ctx context.Context, s *session) *session {
	older := w.sessions.olderThan(s)
	if older != nil && w.alive(ctx, older, settleWait) {
		return older
	}
	return s
}

// settle sees to it that only one connection with the peer of s stays. If it is the
// other side's task, that gets a grace time.
func (w *Swarm) settle(ctx context.Context, s *session) {
	older := w.sessions.olderThan(s)
	if older == nil {
		return
	}
	loser := older
	if w.preferred(ctx, s) == older {
		loser = s
	}
	if !w.sessions.decides(s.key) && !sleepAfter(ctx, nil, settleGrace) {
		return
	}
	if ctx.Err() == nil && !older.gone() && !s.gone() {
		loser.close(closeDuplicate)
	}
}

// alive reports whether the other side answers a ping within the given time.
func (w *Swarm) alive(ctx context.Context, s *session, wait time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	pong := make(chan bool, 1)
	err := w.start(ctx, func(context.Context) {
		_, err := s.mux.Ping() // has its own time-out, and ends with the session
		pong <- err == nil
	})
	if err != nil {
		return false
	}
	select {
	case ok := <-pong:
		return ok
	case <-ctx.Done():
		return false
	}
}
