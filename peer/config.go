package peer

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"

	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

// Subprotocol is the WebSocket subprotocol, which carries the version.
const Subprotocol = "peerproxy.1"

// The sizes of the buffers that an [Accepter]'s WebSocket upgrader should have, in
// bytes: a whole message is written at once, while reading is faster past a small
// buffer.
const (
	BufferSize     = maxMessage
	ReadBufferSize = 4 << 10
)

// A Verifier decides how far an exchange that a peer gave is proven. It must compare
// the URL that was asked for with the one that is signed. It is called from many
// goroutines.
type Verifier interface {
	Verify(ex *resource.Exchange, asked resource.Query) (resource.Tier, trust.Key, error)
}

// A Jury is a Verifier that takes the word of witnesses, too, as [trust.Policy] is one. A
// Verifier that is none has no copy become [resource.Witnessed].
type Jury interface {
	Verifier
	// Quorum is how many independent witnesses make a copy witnessed, 0 if no number does.
	Quorum() int
	// Tally begins to collect the witnesses of what an exchange is about.
	Tally(ex *resource.Exchange) (*trust.Tally, error)
}

// A Source opens what this node shares. Fields has only [resource.SelectingFields].
// It returns [ErrNotHeld] if there is no copy, or none in that variant; it respects
// ctx and is called from many goroutines.
type Source interface {
	Open(ctx context.Context, id resource.ID, fields http.Header) (*Shared, error)
}

// Shared is one opened copy. Data and Outboard are read until Close is called, once.
type Shared struct {
	Exchange *resource.Exchange
	Data     io.ReaderAt // the body
	Outboard io.ReaderAt // its tree, as resource.Hasher.WriteOutboard gives it
	Close    func() error
}

// An Accepter hands out WebSocket connections that others opened, after the upgrade
// to [Subprotocol] and over TLS 1.3 with [TLSConfig].
type Accepter interface {
	Accept(ctx context.Context) (*websocket.Conn, error)
}

// Config says what a [Swarm] is made of. Identity, Verifier and Secret are needed; the
// rest may be left zero.
type Config struct {
	Identity *trust.Identity
	Verifier Verifier
	Secret   []byte // of the swarm: blinds the IDs. Must be the catalog's too

	Catalog *Catalog // what is shared; nil shares nothing
	Source  Source   // opens it; nil shares nothing
	Finder  Finder   // nil: only connected peers are asked
	Exact   bool     // look the resource itself up before its site

	// Matches reports whether the variant ex answers a request with the fields h
	// (RFC 9111 section 4.1); nil accepts every variant.
	Matches func(h http.Header, ex *resource.Exchange) bool

	// Dial opens TCP connections; nil is a net.Dialer, without any proxy.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// AllowPrivate permits to dial loopback and private addresses too.
	AllowPrivate bool
	// PrivateWitnesses lets witnesses count that were met at loopback and private addresses,
	// each /24 or /48 of these as a network. It is for tests and laboratories:
	// nothing but its owner's will keeps one machine from having many such addresses.
	PrivateWitnesses bool

	Limits   Limits
	Timeouts Timeouts
	Logger   *slog.Logger // nil discards
}

// Limits bounds what strangers can take. Zero values are replaced by the default.
type Limits struct {
	Sessions           int   // open at once; default 128. A quarter is kept for those that this node dials
	SessionsPerAddress int   // accepted from one public IPv4 address or IPv6 /64 network; default 8
	Handshakes         int   // accepted connections that have not proven a key yet; default 32
	Requests           int   // served at once, over all sessions; default 256
	RequestsPerSession int   // served at once for one session; default 32
	Asks               int   // sessions that one fetch asks side by side; default 4
	Dials              int   // dials side by side for one fetch; default 6
	DialsPerFetch      int   // in all for one search; default 24
	Heads              int   // asked for the witnesses of one copy, and side by side; default 16
	DigestEntries      int   // kept of one peer's digest, and told to others; default 200,000
	UploadRate         int64 // bytes per second over all sessions; 0 is unlimited
	Window             int64 // bytes that may be under way to this node over all streams, beyond 1 MiB each; default 256 MiB
}

// Timeouts bounds every wait. Zero values are replaced by the default.
type Timeouts struct {
	Dial        time.Duration // for a TCP connection; default 4 s
	Handshake   time.Duration // from the TCP connection to the proven key; default 10 s
	Ask         time.Duration // from a question to the verified head of its answer; default 5 s
	Search      time.Duration // for the whole of a search; default 10 s
	Witness     time.Duration // for more witnesses of a copy that is not proven; default 1.5 s
	Stall       time.Duration // without a verified byte, or with a full window; default 15 s
	Idle        time.Duration // a session without a question; default 10 min
	DigestDelay time.Duration // changes of the catalog are collected for; default 2 s
	Lookup      time.Duration // one look-up, at most; default 15 s
	Found       time.Duration // the result of a look-up is remembered for; default 2 min
	Missed      time.Duration // an empty result is remembered for; default 10 s
	Shun        time.Duration // a peer that lied is shunned for; default 1 h
}

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Identity == nil:
		return c, errors.New("peer: config: no identity")
	case c.Verifier == nil:
		return c, errors.New("peer: config: no verifier")
	case c.Catalog != nil && c.Source == nil:
		return c, errors.New("peer: config: a catalog without a source")
	}
	if c.Catalog == nil {
		c.Catalog = NewCatalog(c.Secret)
	}
	if c.Matches == nil {
		c.Matches = func(http.Header, *resource.Exchange) bool { return true }
	}
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Limits = c.Limits.withDefaults()
	c.Timeouts = c.Timeouts.withDefaults()
	return c, nil
}

func (l Limits) withDefaults() Limits {
	orDefault(&l.Sessions, 128)
	orDefault(&l.SessionsPerAddress, 8)
	orDefault(&l.Handshakes, 32)
	orDefault(&l.Requests, 256)
	orDefault(&l.RequestsPerSession, 32)
	orDefault(&l.Asks, 4)
	orDefault(&l.Dials, 6)
	orDefault(&l.DialsPerFetch, 24)
	orDefault(&l.Heads, 16)
	orDefault(&l.DigestEntries, maxDigestEntries)
	orDefault(&l.Window, 256<<20)
	l.DigestEntries = min(l.DigestEntries, maxDigestEntries)
	return l
}

func (t Timeouts) withDefaults() Timeouts {
	orDefault(&t.Dial, 4*time.Second)
	orDefault(&t.Handshake, 10*time.Second)
	orDefault(&t.Ask, 5*time.Second)
	orDefault(&t.Search, 10*time.Second)
	orDefault(&t.Witness, 1500*time.Millisecond)
	orDefault(&t.Stall, 15*time.Second)
	orDefault(&t.Idle, 10*time.Minute)
	orDefault(&t.DigestDelay, 2*time.Second)
	orDefault(&t.Lookup, 15*time.Second)
	orDefault(&t.Found, 2*time.Minute)
	orDefault(&t.Missed, 10*time.Second)
	orDefault(&t.Shun, time.Hour)
	return t
}

func orDefault[T ~int | ~int64](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}
