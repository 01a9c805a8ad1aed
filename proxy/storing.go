package proxy

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// commitTime bounds how long the store may take for a commit.
	commitTime = 30 * time.Second
	// closingTime bounds all that is still being stored when the proxy begins to close,
	// so that a node which has other things to end, too, ends within 5 s.
	closingTime = 4 * time.Second
	// warnEvery is how often the log may say that something was not stored: a full
	// disk would fill the log as well.
	warnEvery = time.Minute
)

// storePatience bounds how long a request waits for a response to be stored of which
// everything has come. To fetch it again would hardly be faster.
const storePatience = 200 * time.Millisecond

// findStored is find for a request that what is stored does not answer. If what may answer it
// is just being stored, it waits for that: the client may know already that it is here.
func (p *Proxy) findStored(r *request, f found) found {
	pending := p.flights.toBeStored(r.id)
	if len(pending) == 0 || r.source == SourceOrigin || r.source == SourcePeers {
		return f
	}
	timer := time.NewTimer(storePatience)
	defer timer.Stop()
	for _, flight := range pending {
		select {
		case <-flight.storing:
		case <-timer.C:
			return f
		case <-r.in.Context().Done():
			return f
		}
	}
	return p.find(r)
}

// storing are the commits under way. It is safe for concurrent use; the zero value
// is ready.
type storing struct {
	mu      sync.Mutex
	cancels map[int]context.CancelFunc
	next    int
	timer   *time.Timer // set once the proxy closes
	over    bool
}

// begin gives the time that a commit has: it does not end with the readers, but
// with the proxy. End has to be called.
func (s *storing) begin(ctx context.Context) (_ context.Context, end func()) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		cancel()
	}
	if s.cancels == nil {
		s.cancels = map[int]context.CancelFunc{}
	}
	number := s.next
	s.next++
	s.cancels[number] = cancel
	return ctx, func() {
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.cancels, number)
	}
}

// closing says that the proxy has begun to close. It may be called again.
func (s *storing) closing() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer == nil {
		s.timer = time.AfterFunc(closingTime, s.stop)
	}
}

// stop breaks off what is under way.
func (s *storing) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	for _, cancel := range s.cancels {
		cancel()
	}
}

// closed says that nobody stores any more.
func (s *storing) closed() {
	s.closing()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer.Stop()
}

// notStored tells the log what the store did not take. That it has something better,
// that a body is larger than it takes and that a peer or an origin lied are nothing to see to.
func (p *Proxy) notStored(err error, url string) {
	p.log.Debug("response not stored", "err", err, "url", url)
	if errors.Is(err, ErrWeaker) || errors.Is(err, errTooLong) || errors.Is(err, errUnfit) || errors.Is(err, errUnfitPart) {
		return
	}
	if p.warned.due(p.cfg.Now()) {
		p.log.Warn("response not stored", "err", err)
	}
}

// seldom is for what is not to be done too often. It is safe for concurrent use;
// the zero value is ready.
type seldom struct {
	mu   sync.Mutex
	last time.Time
}

func (s *seldom) due(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.last.IsZero() && now.Sub(s.last) < warnEvery {
		return false
	}
	s.last = now
	return true
}
