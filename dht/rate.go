package dht

import (
	"sync"
	"time"
)

const (
	maxRateEntries  = 4096
	evictionSamples = 8
)

// rateTable limits how much each source network may ask: a token bucket per network
// that holds two seconds' worth. Its size is bounded; a stranger who forges sources can
// push entries out, but the table prefers to lose those that lately asked little.
type rateTable struct {
	rate float64 // per second; 0 or less = no limit

	mu      sync.Mutex
	buckets map[network]*bucket
}

type bucket struct {
	tokens float64
	last   time.Time
}

func newRateTable(perSecond int) *rateTable {
	return &rateTable{rate: float64(perSecond), buckets: make(map[network]*bucket)}
}

// allow takes one token of source.
func (t *rateTable) allow(source network, now time.Time) bool {
	if t.rate <= 0 {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	b := t.buckets[source]
	if b == nil {
		if len(t.buckets) >= maxRateEntries {
			t.evictLocked(now)
		}
		b = &bucket{tokens: 2 * t.rate, last: now}
		t.buckets[source] = b
	}
	t.refillLocked(b, now)
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

func (t *rateTable) refillLocked(b *bucket, now time.Time) {
	b.tokens = min(2*t.rate, b.tokens+t.rate*max(0, now.Sub(b.last).Seconds()))
	b.last = now
}

// evictLocked removes the fullest of a few buckets: map iteration starts at random.
func (t *rateTable) evictLocked(now time.Time) {
	var victim network
	fullest, seen := -1.0, 0
	for source, b := range t.buckets {
		t.refillLocked(b, now)
		if b.tokens > fullest {
			victim, fullest = source, b.tokens
		}
		if seen++; seen == evictionSamples {
			break
		}
	}
	delete(t.buckets, victim)
}
