package peer

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-yamux/v5"
	"golang.org/x/time/rate"

	"github.com/peerproxy/peerproxy/trust"
)

const (
	maxRequestHeader  = 8 << 10
	maxResponseHeader = 16 << 10
	requestWait       = 10 * time.Second // for a request's header, and for a digest's content
	idleStream        = 30 * time.Second
	spareStreams      = 4 // of the requests that a session allows, not used for questions

	digestEvery = 500 * time.Millisecond // digests that are accepted, on average
	digestBurst = 16
)

// session is a connection to one peer, whose key is proven. Either side asks.
type session struct {
	key     trust.Key
	addr    netip.AddrPort // of the other end; what was dialled, if this node dialled
	dialled bool
	since   time.Time

	conn      *wsConn
	mux       *yamux.Session
	transport *http.Transport
	stall     time.Duration // for a write that gets nowhere

	remote  remoteDigest
	digests *rate.Limiter           // of those that come in
	sites   table[string, struct{}] // whose look-up gave the peer
	slots   chan struct{}           // one for each request that is being served

	busy   atomic.Int64 // questions under way, both directions
	used   atomic.Int64 // when the last one ended, in Unix nanoseconds
	misses atomic.Int64 // answers "not held" to what the digest has
	served atomic.Int64 // bytes of slices
}

func newSession(conn *wsConn, mux *yamux.Session, l Limits, t Timeouts) *session {
	s := &session{
		since:   time.Now(),
		conn:    conn,
		mux:     mux,
		stall:   t.Stall,
		digests: rate.NewLimiter(rate.Every(digestEvery), digestBurst),
		slots:   make(chan struct{}, l.RequestsPerSession),
	}
	s.used.Store(s.since.UnixNano())
	s.transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return openStream(ctx, mux, t.Stall)
		},
		DisableCompression:     true,
		MaxConnsPerHost:        max(l.RequestsPerSession-spareStreams, 1),
		MaxIdleConnsPerHost:    max(l.RequestsPerSession/2, 1),
		IdleConnTimeout:        idleStream,
		MaxResponseHeaderBytes: maxResponseHeader,
	}
	return s
}

// run serves the other side's questions and tells it what is shared, until ctx
// ends, the connection does, or nobody asked for the idle time.
func (s *session) run(ctx context.Context, h http.Handler, tell func(context.Context), idle time.Duration) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { s.serve(ctx, h) })
	wg.Go(func() { tell(ctx) })
	s.wait(ctx, idle)
	s.close(closeDone)
	cancel()
	wg.Wait()
}

// serve answers on the streams that the other side opens. It returns when the
// session has ended and all handlers have returned.
func (s *session) serve(ctx context.Context, h http.Handler) {
	var conns sync.WaitGroup
	server := http.Server{
		Handler:                      h,
		ReadHeaderTimeout:            requestWait,
		IdleTimeout:                  2 * idleStream,
		MaxHeaderBytes:               maxRequestHeader,
		ErrorLog:                     log.New(io.Discard, "", 0),
		BaseContext:                  func(net.Listener) context.Context { return ctx },
		DisableGeneralOptionsHandler: true,
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				conns.Add(1)
			case http.StateClosed:
				conns.Done()
			}
		},
	}
	_ = server.Serve(muxListener{s.mux, s.stall, &s.conn.guard.read})
	_ = server.Close()
	conns.Wait()
}

// wait returns when the session has come to its end.
func (s *session) wait(ctx context.Context, idle time.Duration) {
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.mux.CloseChan():
			return
		case <-timer.C:
			left := idle - s.idleFor()
			if left <= 0 {
				return
			}
			timer.Reset(left)
		}
	}
}

// idleFor is for how long nobody has asked anything.
func (s *session) idleFor() time.Duration {
	if s.busy.Load() > 0 {
		return 0
	}
	return time.Since(time.Unix(0, s.used.Load()))
}

// use marks the session as used until the returned function is called.
func (s *session) use() (done func()) {
	s.busy.Add(1)
	return sync.OnceFunc(func() {
		s.used.Store(time.Now().UnixNano())
		s.busy.Add(-1)
	})
}

// close ends the session and says why. It may be called more than once.
func (s *session) close(code int) {
	s.conn.bye(code)
	_ = s.mux.Close()
	s.transport.CloseIdleConnections()
}

// gone reports whether the connection is closed.
func (s *session) gone() bool { return s.mux.IsClosed() }
