package peer

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/peerproxy/peerproxy/internal/addr"
)

const (
	maxFound     = 64 // addresses that one look-up may give
	maxFoundNear = 4  // of these, in one public network (IPv4 address, IPv6 /64)
)

// lookups remembers who was found for a site, for a short while. Fetches of parts of
// one site share a look-up, and use what it gives while it runs.
type lookups struct {
	mu     sync.Mutex // makes joining and starting one step
	bySite table[string, *lookup]
}

// lookup is one search for the peers of a site.
type lookup struct {
	mu      sync.Mutex // guards following
	found   []netip.AddrPort
	done    bool
	changed chan struct{} // closed at the next change
}

func newLookup() *lookup { return &lookup{changed: make(chan struct{})} }

// after returns what was found beyond the first n addresses, whether that is all, and
// otherwise a channel that is closed when there is more to know.
func (l *lookup) after(n int) (more []netip.AddrPort, done bool, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.found[n:len(l.found):len(l.found)], l.done, l.changed
}

func (l *lookup) add(a netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	near, network := 0, addr.Network(a.Addr())
	for _, f := range l.found {
		if f == a {
			return
		}
		if network.Contains(f.Addr()) {
			near++
		}
	}
	if dialable(a.Addr(), false) && near >= maxFoundNear {
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

// lookUp joins the search for a site, or starts it.
func (w *Swarm) lookUp(ctx context.Context, site string) (*lookup, error) {
	w.lookups.mu.Lock()
	l, running := w.lookups.bySite.get(site)
	if !running {
		l = newLookup()
		// Until it has ended; then it is entered with its own time.
		w.lookups.bySite.put(site, l, 2*w.cfg.Timeouts.Lookup)
	}
	w.lookups.mu.Unlock()
	if running {
		return l, nil
	}
	err := w.start(ctx, func(ctx context.Context) { w.search(ctx, site, l) })
	if err != nil {
		l.finish()
		w.lookups.bySite.remove(site)
		return nil, err
	}
	return l, nil
}

// search asks the Finder. It goes on when the fetch that started it is over: the other
// parts of the page will need the result.
func (w *Swarm) search(ctx context.Context, site string, l *lookup) {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeouts.Lookup)
	defer cancel()
	failed := false
	for a, err := range w.cfg.Finder.FindPeers(ctx, site) {
		if err != nil {
			failed = true
			w.log.Debug("look up peers", "error", err)
			continue
		}
		a = netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
		if w.mayDial(a) {
			l.add(a)
		}
		if l.full() || ctx.Err() != nil {
			break
		}
	}
	found := l.finish()
	w.lookups.bySite.put(site, l, w.remember(found, failed))
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
