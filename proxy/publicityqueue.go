package proxy

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/peerproxy/peerproxy/resource"
)

// Recheck says whether and how often what was fetched with a cookie is fetched a second time
// without one, so that it can be shared if it is the same. The zero Recheck does nothing.
type Recheck struct {
	On        bool
	MaxBody   int64         // larger bodies are not fetched again, in bytes; 0 = 8 MiB
	Every     time.Duration // between two fetches, on average; 0 = 1 s
	SiteEvery time.Duration // between two fetches from one site, on average; 0 = 5 s
	// Metered reports whether the network costs money by the byte, so that nothing is fetched
	// again now. It returns soon, at the latest when ctx ends; nil = it never does.
	Metered func(ctx context.Context) bool
}

func (r Recheck) withDefaults() Recheck {
	r.MaxBody = cmp.Or(r.MaxBody, 8<<20)
	r.Every = cmp.Or(r.Every, time.Second)
	r.SiteEvery = cmp.Or(r.SiteEvery, 5*time.Second)
	return r
}

const (
	recheckTime      = 30 * time.Second // for one second fetch
	recheckBurst     = 5
	recheckSiteBurst = 3
	maxRechecks      = 128  // that wait
	maxRecheckSites  = 256  // whose rate is known
	maxRechecked     = 4096 // that are remembered
	// recheckedFor is how long a resource is not fetched again. One that is for one person is hardly
	// for everybody soon; one that is for everybody need not be proven so at each visit.
	recheckedFor = time.Hour
)

// recheck is a second fetch that is to be made.
type recheck struct {
	first    *resource.Stored
	in       *http.Request // for the same by nobody in particular
	outdated atomic.Bool   // an unsafe request has changed the resource meanwhile
}

func (c *recheck) id() resource.ID { return c.first.Exchange.ID() }

// rechecks are the second fetches that wait, and the one goroutine that makes them while there are
// any. It is safe for concurrent use.
type rechecks struct {
	set Recheck
	all *rate.Limiter
	wg  sync.WaitGroup

	mu      sync.Mutex // guards following
	queue   []*recheck // oldest first
	now     *recheck   // being made
	sites   map[string]*rate.Limiter
	done    map[resource.ID]time.Time // not to be made again until
	running bool
	closed  bool
	cancel  context.CancelFunc // of what is running
}

func newRechecks(set Recheck) *rechecks {
	set = set.withDefaults()
	return &rechecks{
		set: set, all: rate.NewLimiter(rate.Every(set.Every), recheckBurst),
		sites: map[string]*rate.Limiter{}, done: map[resource.ID]time.Time{}, cancel: func() {},
	}
}

// add queues a second fetch, which fetch will make. If too many wait, the oldest goes.
func (r *rechecks) add(c *recheck, fetch func(context.Context, *recheck) (tried bool)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || time.Now().Before(r.done[c.id()]) || r.now != nil && r.now.id() == c.id() {
		return
	}
	r.queue = slices.DeleteFunc(r.queue, func(old *recheck) bool { return old.id() == c.id() })
	if len(r.queue) >= maxRechecks {
		r.queue = slices.Delete(r.queue, 0, 1)
	}
	r.queue = append(r.queue, c)
	if r.running {
		return
	}
	r.running = true
	ctx, cancel := context.WithCancel(context.Background()) // what made it necessary has ended
	r.cancel = cancel
	r.wg.Go(func() {
		defer cancel()
		r.run(ctx, fetch)
	})
}

// run makes what waits until nothing does.
func (r *rechecks) run(ctx context.Context, fetch func(context.Context, *recheck) bool) {
	for {
		c, more := r.next(time.Now())
		switch {
		case !more:
			return
		case c == nil:
			timer := time.NewTimer(r.set.Every)
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
			timer.Stop()
		default:
			r.made(c, !r.metered(ctx) && fetch(ctx, c))
		}
	}
}

func (r *rechecks) metered(ctx context.Context) bool {
	return r.set.Metered != nil && r.set.Metered(ctx)
}

// next takes the oldest second fetch that the rates permit now, nil if none. Without more to do the
// goroutine ends: the next add starts another.
func (r *rechecks) next(now time.Time) (_ *recheck, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 || r.closed {
		r.running, r.queue = false, nil
		return nil, false
	}
	if r.all.TokensAt(now) < 1 {
		return nil, true
	}
	for i, c := range r.queue {
		if r.siteLocked(c.first.Exchange.URL.Site(), now).AllowN(now, 1) {
			r.all.AllowN(now, 1)
			r.queue = slices.Delete(r.queue, i, i+1)
			r.now = c
			return c, true
		}
	}
	return nil, true
}

// siteLocked is the rate of a site. Those that have rested long enough are as good as new.
func (r *rechecks) siteLocked(site string, now time.Time) *rate.Limiter {
	limiter, known := r.sites[site]
	if known {
		return limiter
	}
	for name, old := range r.sites {
		if len(r.sites) >= maxRecheckSites && old.TokensAt(now) >= recheckSiteBurst {
			delete(r.sites, name)
		}
	}
	limiter = rate.NewLimiter(rate.Every(r.set.SiteEvery), recheckSiteBurst)
	r.sites[site] = limiter
	return limiter
}

// made remembers what was tried.
func (r *rechecks) made(c *recheck, tried bool) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = nil
	if !tried || c.outdated.Load() {
		return
	}
	if len(r.done) >= maxRechecked {
		r.makeRoomLocked(now)
	}
	r.done[c.id()] = now.Add(recheckedFor)
}

// makeRoomLocked forgets what has expired, or else what would be forgotten next.
func (r *rechecks) makeRoomLocked(now time.Time) {
	var oldest resource.ID
	for id, until := range r.done {
		if !now.Before(until) {
			delete(r.done, id)
		} else if before, some := r.done[oldest]; !some || until.Before(before) {
			oldest = id
		}
	}
	if len(r.done) >= maxRechecked {
		delete(r.done, oldest)
	}
}

// outdate sees to it that nothing is stored of what an unsafe request has changed (RFC 9111
// section 4.4).
func (r *rechecks) outdate(id resource.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.done, id) // what comes next is something else
	r.queue = slices.DeleteFunc(r.queue, func(c *recheck) bool { return c.id() == id })
	if r.now != nil && r.now.id() == id {
		r.now.outdated.Store(true)
	}
}

// close breaks off what is under way and waits for it.
func (r *rechecks) close() {
	r.mu.Lock()
	r.closed = true
	r.cancel()
	r.mu.Unlock()
	r.wg.Wait()
}
