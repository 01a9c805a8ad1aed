package cache

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// The errors of this package. All that it returns wrap one of them or an error of
// the operating system or of the context.
var (
	// ErrLocked: the file is in use by another process, or opened twice in this one.
	ErrLocked = errors.New("another peerproxy is running on this data")
	// ErrNewerSchema: the file was written by a newer version. It has not been touched.
	ErrNewerSchema = errors.New("written by a newer version of peerproxy")
	// ErrCorrupt: the file is damaged or is no cache. It has not been overwritten.
	ErrCorrupt = errors.New("damaged, or not a cache file")
	// ErrNotFound: no such response is stored, or not any more.
	ErrNotFound = errors.New("not in the cache")
	// ErrTooLarge: the body is larger than Config.MaxBody.
	ErrTooLarge = errors.New("body is too large for the cache")
	// ErrFull: there is no room below the quota, and nothing that could be evicted; or
	// the bodies that are being written take half of the quota already. To be taken
	// like [ErrTooLarge].
	ErrFull = errors.New("no room left in the cache")
	// ErrReadOnly: the store was opened with Config.Inspect.
	ErrReadOnly = errors.New("opened for reading only")
	// ErrWeaker: what is stored is better than what was to replace it.
	ErrWeaker = errors.New("a better response is stored")
	// ErrClosed: the store, writer or body has been closed.
	ErrClosed = errors.New("closed")
	// ErrMismatch: the exchange describes another body than the one it comes with.
	ErrMismatch = errors.New("exchange and body do not match")
)

// Defaults and bounds of [Config].
const (
	DefaultQuota       = 10 << 30
	MinQuota           = 8 << 20
	DefaultMemoryTier  = 32 << 20
	DefaultLockTimeout = time.Second
)

// MaxVariants is how many responses are stored for one resource. Beyond it the
// weakest, and among equals the least recently used, makes room.
const MaxVariants = 32

// Config configures a [Store]. The zero value is usable. It is copied by [Open].
type Config struct {
	// Quota bounds the size of the file, in bytes. It is recorded in the file. 0 is
	// the recorded one, or DefaultQuota if there is none; less than MinQuota is refused.
	Quota int64
	// Inspect opens a file that is there for reading only: nothing is evicted or
	// cleaned up, and not one byte of it changes; a file without write permission will
	// do. What would change the file returns [ErrReadOnly]. Several processes may
	// inspect a file at the same time, while no other uses it.
	Inspect bool
	// MaxBody bounds a single body, in bytes. 0, or more than that, is a quarter of
	// the quota.
	MaxBody int64
	// MemoryTier bounds the memory for decoded metadata and small bodies, in bytes.
	// 0 is DefaultMemoryTier, negative is none.
	MemoryTier int64
	// LockTimeout is how long to wait for another process to let go of the file.
	// 0 is DefaultLockTimeout.
	LockTimeout time.Duration
	// Removed is called when the last stored response of a resource has gone. It runs
	// between two transactions, outside of all locks: it may read from the store, but
	// must not wait for anything that writes to it.
	Removed func(resource.ID)
	// Now is the clock: of StoredAt, and of what was used least recently. nil is time.Now.
	Now func() time.Time
	// Logger gets what an operator should know. nil discards.
	Logger *slog.Logger
}

// withDefaults leaves the quota, and what depends on it, to withQuota.
func (c Config) withDefaults() (Config, error) {
	if c.Quota != 0 && c.Quota < MinQuota {
		return c, fmt.Errorf("quota of %d bytes is below the minimum of %d", c.Quota, MinQuota)
	}
	if c.MemoryTier == 0 {
		c.MemoryTier = DefaultMemoryTier
	}
	if c.LockTimeout <= 0 {
		c.LockTimeout = DefaultLockTimeout
	}
	if c.Removed == nil {
		c.Removed = func(resource.ID) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// withQuota sets the quota, if c leaves it open, to the recorded one; 0 is none.
func (c Config) withQuota(recorded int64) Config {
	c.Quota = cmp.Or(c.Quota, recorded, DefaultQuota)
	if c.MaxBody <= 0 || c.MaxBody > c.Quota/4 {
		c.MaxBody = c.Quota / 4
	}
	return c
}

// sizes follow from the quota: in a small store everything is smaller, so that a
// single transaction never takes a large share of it. In bytes.
type sizes struct {
	chunk    int   // of body in one nested bucket; fills whole pages with its header
	commit   int64 // that make up a transaction
	queue    int64 // that may wait to be written
	alloc    int   // by which the file grows
	limit    int64 // for used and free pages together; the rest is for alloc and the freelist
	headroom int64 // below the limit that eviction keeps free
}

// chunkOverhead is room for what bbolt puts around a chunk: a page header, a leaf
// element and the key (33 bytes), rounded up.
const chunkOverhead = 64

func sizesFor(quota int64) sizes {
	z := sizes{
		chunk:  int(min(max(quota/256, 32<<10), 256<<10)) &^ (16<<10 - 1),
		commit: min(max(quota/64, 128<<10), 8<<20),
		alloc:  int(min(max(quota/64, 128<<10), 16<<20)),
	}
	z.chunk -= chunkOverhead
	z.queue = 2 * z.commit
	// The freelist is written at shutdown: 8 bytes for each page of at least 4 KiB.
	z.limit = quota - int64(z.alloc) - quota/512 - 64<<10
	// Pages that a transaction frees are usable in the next one, or in the one after
	// that if a reader is at work: so room for three transactions, or 1/16 against
	// fragmentation.
	z.headroom = max(z.limit/16, 3*(z.commit+256<<10))
	return z
}
