package listener

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/peerproxy/peerproxy/listener/portmap"
)

// Config configures a [Listener]. All fields may be left zero. A Config is copied
// and never changed.
type Config struct {
	// Addr is where to listen, as "host:port". An empty host means all addresses of
	// both families, port 0 one that the system chooses. "" is ":0".
	Addr string
	// Subprotocols are those that are spoken here, the preferred one first
	// (RFC 6455 section 1.9). A client that offers none of them is refused. Empty =
	// none is negotiated, and whatever clients offer is ignored.
	Subprotocols []string
	// Path is the only path at which handshakes are accepted. "" = any.
	Path string
	// TLS makes this wss://. Its NextProtos is replaced. nil = plain ws://.
	TLS *tls.Config
	// CheckOrigin says whether a handshake may go on as far as its Origin field is
	// concerned (RFC 6455 section 10.2). Browsers send one with every handshake that a
	// page asks for, other programs usually do not. nil refuses every request that
	// carries the field, for otherwise any web page could talk to a listener on the
	// machine or network of its reader.
	CheckOrigin func(*http.Request) bool
	// Fallback answers requests that are no WebSocket handshakes. It has
	// HandshakeTimeout to read the request and as long again to answer. nil answers 426,
	// or 404 where Path is set and another.
	Fallback http.Handler

	// HandshakeTimeout is how long a connection may take until its handshake is
	// done, TLS included. 0 = 10 s.
	HandshakeTimeout time.Duration
	// Backlog is how many connections may wait for Accept. 0 = 16.
	Backlog int
	// MaxHandshakes is how many connections may be in their handshake (or talk to
	// Fallback) at a time; more are closed at once. 0 = 256.
	MaxHandshakes int
	// MaxHandshakesPerIP is the same for one IPv4 address or IPv6 /64 network.
	// 0 = 16.
	MaxHandshakesPerIP int
	// ReadBufferSize and WriteBufferSize are those of the connections, in bytes; they
	// do not limit messages. 0 = 64 KiB, the size at which throughput stops growing.
	// Write buffers are shared: an idle connection has none.
	ReadBufferSize, WriteBufferSize int

	// WrapConn, if not nil, may put something around each accepted connection, below
	// TLS. It is called before anything is read, for one connection after the other, and
	// must return at once. Over TLS, NetConn of the *tls.Conn is what it returned.
	WrapConn func(net.Conn) net.Conn

	// Mapper asks the gateway to map the port, if not nil. Only the address that is
	// listened on is mapped.
	Mapper portmap.Mapper
	// Lease is how long a mapping lasts if it is not renewed. 0 = one hour.
	Lease time.Duration
	// Description is what the gateway's own pages show beside the mapping.
	// "" = "WebSocket listener".
	Description string

	// Notify, if not nil, is called after each change of the state and after each
	// attempt to map the port, one call at a time. It must return soon and must not
	// call Close.
	Notify func(Status)
	// Logger nil discards.
	Logger *slog.Logger
}

// State is a stage in the life of a [Listener].
type State int

// The states, as in the WebSocketListener interface. They follow one another; none
// comes back.
const (
	// Opening: the socket is not bound yet. Only [Config.Notify] gets to see it,
	// since [Listen] returns when it is over.
	Opening State = iota
	// Listening: connections are accepted. Whether a port is mapped is another
	// matter: see [Status].
	Listening
	// Closed: the listener has been closed, or its socket failed.
	Closed
)

// String returns the state as one lower-case word.
func (s State) String() string {
	switch s {
	case Opening:
		return "opening"
	case Listening:
		return "listening"
	case Closed:
		return "closed"
	}
	return fmt.Sprintf("State(%d)", int(s))
}

// Status tells how a [Listener] is doing.
type Status struct {
	State State
	// Addr is the address that is really bound; the zero value while opening.
	Addr netip.AddrPort
	// Mapping is how the port mapping is doing; off without a Mapper.
	Mapping portmap.Status
}

// ErrClosed is returned by Accept after Close.
var ErrClosed = errors.New("listener closed")

// withDefaults returns the config with all zero values filled in.
func (cfg Config) withDefaults() Config {
	cfg.Subprotocols = slices.Clone(cfg.Subprotocols)
	setDefault(&cfg.Addr, ":0")
	setDefault(&cfg.HandshakeTimeout, 10*time.Second)
	setDefault(&cfg.Backlog, 16)
	setDefault(&cfg.MaxHandshakes, 256)
	setDefault(&cfg.MaxHandshakesPerIP, 16)
	setDefault(&cfg.ReadBufferSize, 64<<10)
	setDefault(&cfg.WriteBufferSize, 64<<10)
	setDefault(&cfg.Lease, portmap.DefaultLease)
	setDefault(&cfg.Description, "WebSocket listener")
	if cfg.CheckOrigin == nil {
		cfg.CheckOrigin = noOrigin
	}
	if cfg.WrapConn == nil {
		cfg.WrapConn = func(c net.Conn) net.Conn { return c }
	}
	if cfg.Notify == nil {
		cfg.Notify = func(Status) {}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg
}

func (cfg Config) check() error {
	for _, n := range []int{cfg.Backlog, cfg.MaxHandshakes, cfg.MaxHandshakesPerIP, cfg.ReadBufferSize, cfg.WriteBufferSize,
		int(cfg.HandshakeTimeout), int(cfg.Lease)} {
		if n < 0 {
			return errors.New("config: negative limit")
		}
	}
	for _, p := range cfg.Subprotocols {
		if !isToken(p) {
			return fmt.Errorf("config: subprotocol %q is not a token", p)
		}
	}
	if cfg.TLS != nil && len(cfg.TLS.Certificates) == 0 && cfg.TLS.GetCertificate == nil && cfg.TLS.GetConfigForClient == nil {
		return errors.New("config: TLS without a certificate")
	}
	return nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func noOrigin(r *http.Request) bool { return len(r.Header["Origin"]) == 0 }
