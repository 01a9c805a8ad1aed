package dht

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	// The beginnings of the overlap are spread over this time, or all nodes of the world would
	// announce at the same moment.
	maxEarly = 30 * time.Minute
	// The clock on the wall may be set, and goes on while the machine sleeps; timers know nothing of both.
	clockCheck = time.Minute
)

// HashSet is what a [Rotation] keeps in step with the epochs; [Announcer] is one.
type HashSet interface {
	Add(hash InfoHash)
	Remove(hash InfoHash)
	Announced(hash InfoHash) bool
}

// Rotation keeps topics announced under the infohashes of the present epoch and, towards its end,
// of the next. It may be used by any number of goroutines.
type Rotation struct {
	secret []byte
	set    HashSet
	early  time.Duration

	mu     sync.Mutex
	epochs []int64 // of which set has all topics
	topics map[Topic]struct{}
}

// NewRotation returns an empty rotation that has set, which should be used by nobody else, announce
// for those who share secret.
func NewRotation(secret []byte, set HashSet) *Rotation {
	r := &Rotation{
		secret: slices.Clone(secret), set: set, early: rand.N(maxEarly), //nolint:gosec // not a secret
		topics: make(map[Topic]struct{}),
	}
	r.turn(time.Now())
	return r
}

// Add has a topic announced. Adding it again changes nothing.
func (r *Rotation) Add(t Topic) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.topics[t] = struct{}{}
	for _, epoch := range r.epochs {
		r.set.Add(t.InfoHash(r.secret, epoch))
	}
}

// Remove ends the announcing of a topic.
func (r *Rotation) Remove(t Topic) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.topics, t)
	for _, epoch := range r.epochs {
		r.set.Remove(t.InfoHash(r.secret, epoch))
	}
}

// Announced reports whether a topic is announced under the present epoch.
func (r *Rotation) Announced(t Topic) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, there := r.topics[t]
	return there && r.set.Announced(t.InfoHash(r.secret, r.epochs[0]))
}

// Run follows the clock until ctx ends, and returns nil.
func (r *Rotation) Run(ctx context.Context) error {
	ticker := time.NewTicker(clockCheck)
	defer ticker.Stop()
	for {
		r.turn(time.Now())
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// turn makes the set have the infohashes of the epochs at now, and no others.
func (r *Rotation) turn(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	epochs := epochs(now, epochLead+r.early, 0)
	for t := range r.topics {
		for _, epoch := range epochs {
			if !slices.Contains(r.epochs, epoch) {
				r.set.Add(t.InfoHash(r.secret, epoch))
			}
		}
		for _, epoch := range r.epochs {
			if !slices.Contains(epochs, epoch) {
				r.set.Remove(t.InfoHash(r.secret, epoch))
			}
		}
	}
	r.epochs = epochs
}
