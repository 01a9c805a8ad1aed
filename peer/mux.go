package peer

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-yamux/v5"

	"github.com/peerproxy/peerproxy/trust"
)

const (
	streamBacklog = 64               // streams that wait to be accepted
	maxStreams    = 64               // that the other side may have open
	muxWriteWait  = 10 * time.Second // for one write to the connection, and for a pong
	keepAlive     = 30 * time.Second
	firstWindow   = 1 << 20  // of one stream
	maxWindow     = 16 << 20 // to which it grows while its reader keeps up
)

func muxConfig() *yamux.Config {
	c := yamux.DefaultConfig()
	c.AcceptBacklog = streamBacklog
	c.MaxIncomingStreams = maxStreams
	c.KeepAliveInterval = keepAlive
	c.ConnectionWriteTimeout = muxWriteWait
	c.InitialStreamWindowSize = firstWindow
	c.MaxStreamWindowSize = maxWindow
	c.MaxMessageSize = maxFrame
	c.LogOutput = io.Discard
	return c
}

// newMux puts streams onto c. The dialler is the multiplexer's client.
func newMux(c *wsConn, r trust.Role, windows *windowBudget) (*yamux.Session, error) {
	if r == roleAcceptor {
		c.guard.parity = 1
	}
	span := func() (yamux.MemoryManager, error) { return &windowSpan{budget: windows}, nil }
	if r == roleDialler {
		return yamux.Client(c, muxConfig(), span)
	}
	return yamux.Server(c, muxConfig(), span)
}

// windowBudget bounds by how much all windows together may grow, and so the memory
// that peers can fill while nobody reads. The first windows are free: of streams that
// this node opens they are bounded by what it asks for, of others by maxUnread.
type windowBudget struct {
	mu   sync.Mutex // guards free
	free int64
}

var errWindow = errors.New("no budget for larger windows")

// windowSpan is one stream's part of the budget. The multiplexer grows the window no
// further if it gets an error.
type windowSpan struct {
	budget *windowBudget

	mu   sync.Mutex // guards held
	held int64
	done bool
}

// openPriority is how the multiplexer asks for a stream's first window.
const openPriority = 255

// ReserveMemory implements yamux.MemoryManager.
func (s *windowSpan) ReserveMemory(size int, priority uint8) error {
	if priority == openPriority {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done || !s.budget.take(int64(size)) {
		return errWindow
	}
	s.held += int64(size)
	return nil
}

// ReleaseMemory implements yamux.MemoryManager. Windows never shrink.
func (s *windowSpan) ReleaseMemory(int) {}

// Done implements yamux.MemoryManager: the stream is gone.
func (s *windowSpan) Done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.budget.give(s.held)
	s.held, s.done = 0, true
}

func (b *windowBudget) take(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.free {
		return false
	}
	b.free -= n
	return true
}

func (b *windowBudget) give(n int64) {
	b.mu.Lock()
	b.free += n
	b.mu.Unlock()
}

// muxListener is the streams that the other side opens, for an http.Server.
type muxListener struct {
	mux   *yamux.Session
	stall time.Duration
	read  *atomic.Int64 // counts what is read, if not nil
}

// Accept returns net.ErrClosed when the session ends, whatever it ended by: a
// server would try again after a temporary error.
func (l muxListener) Accept() (net.Conn, error) {
	s, err := l.mux.AcceptStream()
	if err != nil {
		return nil, net.ErrClosed
	}
	return &stream{Stream: s, stall: l.stall, read: l.read}, nil
}

func (l muxListener) Close() error   { return nil }
func (l muxListener) Addr() net.Addr { return l.mux.LocalAddr() }

// stream is one stream of a session. A Write fails when nothing of it could be sent
// for the stall time, since the reader at the other end takes nothing.
type stream struct {
	*yamux.Stream
	stall time.Duration
	set   time.Time // when the write deadline was last moved
	reset bool      // Close drops what the other side has not read or sent yet
	read  *atomic.Int64
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Stream.Read(p)
	if s.read != nil {
		s.read.Add(int64(n))
	}
	return n, err
}

func (s *stream) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		if now := time.Now(); now.Sub(s.set) > s.stall/8 {
			s.set = now
			_ = s.Stream.SetWriteDeadline(now.Add(s.stall))
		}
		var m int
		m, err = s.Stream.Write(p[n:min(len(p), n+maxPayload)])
		n += m
	}
	return n, err
}

// SetWriteDeadline does nothing: each Write has its own.
func (s *stream) SetWriteDeadline(time.Time) error { return nil }

// SetDeadline sets the deadline of reading.
func (s *stream) SetDeadline(t time.Time) error { return s.SetReadDeadline(t) }

// Close ends the stream. The client side resets it, so that a server does not fill
// the window of a stream that nobody reads.
func (s *stream) Close() error {
	if s.reset {
		return s.Reset()
	}
	return s.Stream.Close()
}

// openStream opens a stream for an http.Transport.
func openStream(ctx context.Context, mux *yamux.Session, stall time.Duration) (net.Conn, error) {
	s, err := mux.OpenStream(ctx)
	if err != nil {
		return nil, err
	}
	return &stream{Stream: s, stall: stall, reset: true}, nil
}
