package cache

import (
	"sync"
	"time"
)

// clock tells the times by which responses are ordered: microseconds since 1970, but
// it never goes back, not even when the system's clock does.
type clock struct {
	now func() time.Time

	mu   sync.Mutex
	last int64
}

// next is the time of a transaction: later than all before it.
func (c *clock) next() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.now().UnixMicro(), c.last+1)
	return c.last
}

// use is the time of a use: later than all transactions before it.
func (c *clock) use() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(c.now().UnixMicro(), c.last+1)
}
