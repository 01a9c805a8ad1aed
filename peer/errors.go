package peer

import "errors"

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

// Why an offered copy can be refused, beside the errors of package trust.
var (
	// ErrOversized: the exchange, or the body that it announces, is larger than there can be.
	ErrOversized = errors.New("copy is too large")
	// ErrMalformed: the exchange is not encoded as it must be, or its length is not the
	// one that was announced.
	ErrMalformed = errors.New("copy is malformed")
	// ErrTruncated: the answer ended within the exchange.
	ErrTruncated = errors.New("copy is cut off")
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
