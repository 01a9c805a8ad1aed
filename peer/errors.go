package peer

import (
	"errors"
	"fmt"
)

// What a search for a copy can end with. [Swarm.Fetch] wraps one of the first four
// in a [FetchError], which says what was tried.
var (
	// ErrNoPeers: there was nobody to ask. No open session's digest says anything about
	// the resource, and no address that was found could be connected.
	ErrNoPeers = errors.New("no peer could be asked")
	// ErrNotFound: every peer that was asked holds no copy (that suits the request).
	ErrNotFound = errors.New("no peer holds a copy")
	// ErrRefused: peers were asked, but none gave an answer in time: busy, broken
	// off or silent.
	ErrRefused = errors.New("no peer answered")
	// ErrUnverified: copies were offered, but none is proven well enough.
	ErrUnverified = errors.New("no copy could be verified")

	// ErrClosed: the swarm does not run any more.
	ErrClosed = errors.New("swarm closed")
	// ErrBroken: the body broke off and no peer could continue it.
	ErrBroken = errors.New("body broke off")
)

// What a connection can fail with.
var (
	// ErrSelf: the connection led back to this node.
	ErrSelf = errors.New("connection to itself")
	// ErrAddress: the address may not be dialled. See [Config.AllowPrivate].
	ErrAddress = errors.New("address may not be dialled")
	// ErrShunned: the peer lied not long ago, or could not be reached.
	ErrShunned = errors.New("peer is shunned")
	// ErrHandshake: the other side does not speak the protocol, or could not prove its key.
	ErrHandshake = errors.New("handshake failed")
	// ErrFull: there are too many sessions.
	ErrFull = errors.New("too many sessions")
)

// ErrNotHeld is what a [Source] returns for what it does not hold, or not in the
// variant that is asked for.
var ErrNotHeld = errors.New("not held")

// errLie marks an answer that no honest peer gives. The session that gave it is
// closed and its peer shunned.
var errLie = errors.New("peer broke the protocol")

// errBusy is a peer's refusal that is no lie: 429, 503 and the like.
var errBusy = errors.New("peer refused")

// errFlood ends a session whose frames cost more than they carry.
var errFlood = errors.New("flood of frames")

// FetchError says what was tried before a search was given up.
type FetchError struct {
	Found   int // addresses that the look-up gave
	Dialled int // of these, how many were tried
	Tried   int // peers that were asked, or whose digest answered
	Absent  int // of these, how many hold no copy
	Failed  int // of these, how many gave no usable answer

	reason error
}

// Error implements error. It has no URL and no address in it.
func (e *FetchError) Error() string {
	return fmt.Sprintf("peer: fetch: %v (%d addresses found, %d dialled, %d peers asked, %d without a copy, %d failed)",
		e.reason, e.Found, e.Dialled, e.Tried, e.Absent, e.Failed)
}

// Unwrap gives the sentinel, and the cause if it was the caller's context.
func (e *FetchError) Unwrap() error { return e.reason }
