package dht

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// AnnounceCost is the number of packets that one announcement is reckoned to send: a lookup of
	// 20 to 40 queries and up to 8 announcements, with repeats.
	AnnounceCost = 50

	defaultInterval    = 15 * time.Minute
	defaultRetry       = 10 * time.Second
	defaultBudget      = 60
	defaultConcurrency = 4
	defaultTimeout     = time.Minute
	burstAnnounces     = 8
	portPause          = 5 * time.Second
)

// Publisher is what an [Announcer] announces with; [Node] is one. Announce returns nil when some
// node took the announcement, and may be called by several goroutines.
type Publisher interface {
	Announce(ctx context.Context, hash InfoHash, port uint16) error
}

// AnnouncerConfig says what an [Announcer] works with and how much it may send.
type AnnouncerConfig struct {
	// Node announces. Required.
	Node Publisher
	// Port returns the port that others can reach, or 0 as long as there is none; then nothing is
	// announced, and it is asked again every few seconds. Required.
	Port func() uint16
	// Interval is the time after which an infohash is announced again, less up to a tenth.
	// Nodes forget after some 30 minutes. 0 means 15 minutes.
	Interval time.Duration
	// Retry is the pause after a failure; it doubles, up to Interval. 0 means 10 seconds.
	Retry time.Duration
	// Budget bounds the packets per second on average; each announcement counts [AnnounceCost].
	// 0 means 60, which keeps 1,000 infohashes announced.
	Budget float64
	// Concurrency is the number of announcements under way at once. 0 means 4.
	Concurrency int
	// Timeout bounds one announcement. 0 means a minute.
	Timeout time.Duration
	// Logger gets failures, at debug level. nil means none.
	Logger *slog.Logger
}

func (c AnnouncerConfig) withDefaults() AnnouncerConfig {
	setDefault(&c.Interval, defaultInterval)
	setDefault(&c.Retry, defaultRetry)
	setDefault(&c.Budget, defaultBudget)
	setDefault(&c.Concurrency, defaultConcurrency)
	setDefault(&c.Timeout, defaultTimeout)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Announcer keeps a set of infohashes announced. It may be used by any number of goroutines, also
// before and after Run.
type Announcer struct {
	cfg    AnnouncerConfig
	budget *rate.Limiter
	wake   chan struct{} // of capacity 1: something became due or free

	mu       sync.Mutex
	schedule *schedule
	running  int
	lastErr  error
}

// NewAnnouncer returns an announcer of an empty set. Nothing is sent before [Announcer.Run].
func NewAnnouncer(cfg AnnouncerConfig) *Announcer {
	cfg = cfg.withDefaults()
	return &Announcer{
		cfg:      cfg,
		budget:   rate.NewLimiter(rate.Limit(cfg.Budget), burstAnnounces*AnnounceCost),
		wake:     make(chan struct{}, 1),
		schedule: newSchedule(cfg.Interval, cfg.Retry, rand.Float64),
	}
}

// Add puts hash into the set; it is announced as soon as the budget allows. Adding it again changes
// nothing.
func (a *Announcer) Add(hash InfoHash) {
	a.update(func() { a.schedule.add(hash, time.Now()) })
}

// Remove takes hash out of the set. Other nodes remember it until it expires.
func (a *Announcer) Remove(hash InfoHash) {
	a.update(func() { a.schedule.remove(hash) })
}

// Announced reports whether hash is in the set and was announced with success within the last two
// intervals.
func (a *Announcer) Announced(hash InfoHash) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.schedule.tasks[hash]
	return t != nil && a.freshLocked(t, time.Now())
}

func (a *Announcer) freshLocked(t *task, now time.Time) bool {
	return !t.last.IsZero() && now.Sub(t.last) < 2*a.cfg.Interval
}

// Refresh makes everything due at once, within the budget: for when the port or the
// network has changed.
func (a *Announcer) Refresh() {
	a.update(func() { a.schedule.refresh(time.Now()) })
}

func (a *Announcer) update(change func()) {
	a.mu.Lock()
	change()
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Run announces until ctx ends, waits for what is under way, and returns nil. It must not be
// called twice at the same time.
func (a *Announcer) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	for ctx.Err() == nil {
		t, wait := a.take(time.Now())
		if t != nil {
			workers.Go(func() { a.announce(ctx, t) })
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-a.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

// take returns a task that is due and may start, or the time to wait for one.
func (a *Announcer) take(now time.Time) (*task, time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.running >= a.cfg.Concurrency {
		return nil, a.cfg.Interval
	}
	t, wait, ok := a.schedule.next(now)
	if t != nil {
		a.running++
	} else if !ok {
		wait = a.cfg.Interval
	}
	return t, wait
}

// announce does one announcement when the budget allows.
func (a *Announcer) announce(ctx context.Context, t *task) {
	port := a.cfg.Port()
	if port == 0 {
		a.finish(func() { a.schedule.giveBack(t, time.Now().Add(portPause)) })
		return
	}
	if err := a.budget.WaitN(ctx, AnnounceCost); err != nil { // ctx has ended, or will before
		a.finish(func() { a.schedule.giveBack(t, time.Now().Add(portPause)) })
		return
	}
	a.mu.Lock()
	removed := t.removed
	a.mu.Unlock()
	if removed {
		a.finish(func() {})
		return
	}
	bounded, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	err := a.cfg.Node.Announce(bounded, t.hash, port)
	if err != nil {
		a.cfg.Logger.Debug("dht: not announced", "infohash", t.hash, "error", err)
		err = fmt.Errorf("dht: announce: %w", err)
	}
	a.finish(func() {
		a.schedule.done(t, err == nil, time.Now())
		a.lastErr = err
	})
}

func (a *Announcer) finish(change func()) {
	a.update(func() {
		a.running--
		change()
	})
}

// AnnouncerStatus is an announcer's state at one moment.
type AnnouncerStatus struct {
	InfoHashes int   // in the set
	Announced  int   // of these, announced with success within the last two intervals
	Failing    int   // of these, failed at the last try
	Overdue    int   // due, but not under way: waiting for the budget, a free place or a port
	Running    int   // under way
	LastError  error // of the last announcement; nil if it succeeded
}

// Status returns the announcer's state.
func (a *Announcer) Status() AnnouncerStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	s := AnnouncerStatus{InfoHashes: len(a.schedule.tasks), Running: a.running, LastError: a.lastErr}
	for _, t := range a.schedule.tasks {
		if a.freshLocked(t, now) {
			s.Announced++
		}
		if t.failures > 0 {
			s.Failing++
		}
		if !t.running && !t.due.After(now) {
			s.Overdue++
		}
	}
	return s
}
