package peer

import (
	"context"
	"iter"
	"net/netip"
	"sync"
	"time"

	"github.com/peerproxy/peerproxy/internal/addr"
	"github.com/peerproxy/peerproxy/resource"
)

const (
	maxFound     = 64 // addresses that one look-up may give
	maxFoundNear = 4  // of these, in one public network (IPv4 address, IPv6 /64)

	exactStart = time.Second // of the look-up for a resource, over that for its site
)

// A Target is what a look-up is for: a site, or one resource of it.
type Target struct {
	Site string
	ID   resource.ID // the zero ID: any of the site
}

// Exact reports whether the target is one resource.
func (t Target) Exact() bool { return t.ID != resource.ID{} }

// Found is an address that a look-up gave.
type Found struct {
	Addr netip.AddrPort
	// Named says that it was announced for the very target. Otherwise it was announced for one
	// of many sites that are not told apart: who is there may know nothing of the target, and
	// is to learn nothing of it.
	Named bool
}

// A Finder finds the addresses of peers that may hold what a target is. The iterator
// yields while the search runs, and ends when ctx does.
type Finder interface {
	FindPeers(ctx context.Context, t Target) iter.Seq2[Found, error]
}

// lookups remembers who was found for a target, for a short while. Fetches of parts of
// one site share a look-up, and use what it gives while it runs.
type lookups struct {
	mu       sync.Mutex // makes joining and starting one step
	byTarget table[Target, *lookup]
}

// lookup is one search for the peers of a target.
type lookup struct {
	mu      sync.Mutex // guards following
	found   []Found
	done    bool
	changed chan struct{} // closed at the next change
}

func newLookup() *lookup { return &lookup{changed: make(chan struct{})} }

// after returns what was found beyond the first n addresses, whether that is all, and
// otherwise a channel that is closed when there is more to know.
func (l *lookup) after(n int) (more []Found, done bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.found[n:len(l.found):len(l.found)], l.done, l.changed
}

// add takes an address. Who was found twice is what it was found as first.
func (l *lookup) add(a Found) {
	l.mu.Lock()
	defer l.mu.Unlock()
	near, network := 0, addr.Network(a.Addr.Addr())
	for _, f := range l.found {
		if f.Addr == a.Addr {
			return
		}
		if network.Contains(f.Addr.Addr()) {
			near++
		}
	}
	if dialable(a.Addr.Addr(), false) && near >= maxFoundNear {
		return
	}
	l.found = append(l.found, a)
	l.noteLocked()
}

func (l *lookup) full() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.found) >= maxFound
}

func (l *lookup) finish() (found int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done = true
	l.noteLocked()
	return len(l.found)
}

func (l *lookup) noteLocked() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// lookUp joins the search for a target, or starts it.
func (w *Swarm) lookUp(ctx context.Context, t Target) (*lookup, error) {
	w.lookups.mu.Lock()
	l, running := w.lookups.byTarget.get(t)
	if !running {
		l = newLookup()
		// Until it has ended; then it is entered with its own time.
		w.lookups.byTarget.put(t, l, 2*w.cfg.Timeouts.Lookup)
	}
	w.lookups.mu.Unlock()
	if running {
		return l, nil
	}
	err := w.start(ctx, func(ctx context.Context) { w.search(ctx, t, l) })
	if err != nil {
		l.finish()
		w.lookups.byTarget.remove(t)
		return nil, err
	}
	return l, nil
}

// search fills a look-up: with those who have the resource, if it is for one, and with
// those who have some of the site. It goes on when the fetch that started it is over: the
// other parts of the page will need the result.
func (w *Swarm) search(ctx context.Context, t Target, l *lookup) {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeouts.Lookup)
	defer cancel()
	find := w.find
	if t.Exact() {
		find = w.findExact
	}
	failed := find(ctx, t, l)
	found := l.finish()
	w.lookups.byTarget.put(t, l, w.remember(found, failed))
}

// find asks the Finder. It reports whether there was an error.
func (w *Swarm) find(ctx context.Context, t Target, l *lookup) (failed bool) {
	for f, err := range w.cfg.Finder.FindPeers(ctx, t) {
		if err != nil {
			failed = true
			w.log.Debug("look up peers", "error", err)
			continue
		}
		f.Addr = netip.AddrPortFrom(f.Addr.Addr().Unmap(), f.Addr.Port())
		if w.mayDial(f.Addr) {
			l.add(f)
		}
		if l.full() || ctx.Err() != nil {
			break
		}
	}
	return failed
}

// findExact looks a resource up, and its site when that has ended or takes its time.
func (w *Swarm) findExact(ctx context.Context, t Target, l *lookup) (failed bool) {
	var finding sync.WaitGroup
	ended := make(chan struct{})
	finding.Go(func() {
		defer close(ended)
		failed = w.find(ctx, t, l)
	})
	timer := time.NewTimer(exactStart)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	}
	w.findSite(ctx, t.Site, l)
	finding.Wait()
	return failed
}

// findSite takes over what the look-up for a site gives, which all its resources share.
func (w *Swarm) findSite(ctx context.Context, site string, l *lookup) {
	all, err := w.lookUp(ctx, Target{Site: site})
	if err != nil {
		return // the swarm stops, or the time is over
	}
	for seen := 0; ; {
		more, done, changed := all.after(seen)
		seen += len(more)
		for _, f := range more {
			if !l.full() {
				l.add(f)
			}
		}
		if done || l.full() {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// remember is for how long a result is kept.
func (w *Swarm) remember(found int, failed bool) time.Duration {
	switch {
	case found > 0:
		return w.cfg.Timeouts.Found
	case failed:
		return w.cfg.Timeouts.Missed / 4
	}
	return w.cfg.Timeouts.Missed
}
