package listener

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/peerproxy/peerproxy/listener/portmap"
)

const (
	maxHeaderBytes = 12 << 10 // to which net/http adds 4 KiB
	// closeTime bounds Close. It is longer than removing a mapping may take.
	closeTime = 4 * time.Second
	// farewellTime bounds how long connections that nobody took are told so.
	farewellTime = 500 * time.Millisecond
)

// Listener accepts WebSocket connections. All methods may be called from any
// goroutine.
type Listener struct {
	cfg      Config
	addr     netip.AddrPort
	guard    *guard
	server   *http.Server
	upgrader websocket.Upgrader

	places  chan struct{}        // one for each connection that waits or is about to
	waiting chan *websocket.Conn // handshaken, not taken
	closed  chan struct{}        // closed when the state gets Closed

	stop     context.CancelFunc // ends the goroutines
	running  sync.WaitGroup     // the goroutines: serving and mapping
	handlers sync.WaitGroup     // requests being answered

	closing  sync.Once
	closeErr error // after closing

	notifying sync.Mutex // one call of cfg.Notify at a time; taken before mu
	mu        sync.Mutex
	state     State
	mapping   portmap.Status
	failure   error // why the state is Closed
}

// Listen binds the socket and starts to accept connections. ctx governs this call
// alone. Close must be called in the end.
func Listen(ctx context.Context, cfg Config) (*Listener, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("listener: %w", err)
	}
	l := newListener(cfg)
	l.cfg.Notify(l.Status())
	var lc net.ListenConfig
	socket, err := lc.Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		l.end(err)
		return nil, fmt.Errorf("listener: %w", err) // net names the address and the cause
	}
	l.start(ctx, socket)
	return l, nil
}

func newListener(cfg Config) *Listener {
	return &Listener{
		cfg:     cfg,
		places:  make(chan struct{}, cfg.Backlog),
		waiting: make(chan *websocket.Conn, cfg.Backlog),
		closed:  make(chan struct{}),
		stop:    func() {},
		upgrader: websocket.Upgrader{
			HandshakeTimeout: cfg.HandshakeTimeout,
			ReadBufferSize:   cfg.ReadBufferSize,
			WriteBufferSize:  cfg.WriteBufferSize,
			WriteBufferPool:  &sync.Pool{},
			Subprotocols:     cfg.Subprotocols,
			CheckOrigin:      func(*http.Request) bool { return true }, // has been checked
		},
	}
}

// start starts serving and mapping on the bound socket.
func (l *Listener) start(ctx context.Context, socket net.Listener) {
	l.addr = boundAddr(socket.Addr())
	l.guard = newGuard(socket, l.cfg)
	// The goroutines live until Close, not as long as the call of Listen.
	ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	l.server = l.newServer(ctx)
	l.change(func() bool { l.state = Listening; return true })
	l.running.Go(l.serve)
	if l.cfg.Mapper != nil {
		l.running.Go(func() { l.keepMapped(ctx) })
	}
}

func (l *Listener) newServer(ctx context.Context) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	server := &http.Server{
		Handler:           http.HandlerFunc(l.serveHTTP),
		ReadHeaderTimeout: l.cfg.HandshakeTimeout,
		ReadTimeout:       l.cfg.HandshakeTimeout,
		WriteTimeout:      2 * l.cfg.HandshakeTimeout, // counted from when the header has been read
		IdleTimeout:       l.cfg.HandshakeTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(l.cfg.Logger.Handler(), slog.LevelDebug),
		Protocols:         protocols,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnContext:       withConn,
		ConnState:         l.guard.connState,
	}
	server.SetKeepAlivesEnabled(l.cfg.Fallback != nil)
	return server
}

// serve runs the HTTP server until its socket is closed, or fails.
func (l *Listener) serve() {
	var socket net.Listener = l.guard
	if l.cfg.TLS != nil {
		// net/http wants to see *tls.Conn, and so do those who accept.
		cfg := l.cfg.TLS.Clone()
		cfg.NextProtos = []string{"http/1.1"}
		socket = tls.NewListener(l.guard, cfg)
	}
	if err := l.server.Serve(socket); !errors.Is(err, http.ErrServerClosed) {
		l.cfg.Logger.Error("listener: socket failed")
		l.cfg.Logger.Debug("listener: socket failed", "error", err) // names the address
		l.end(err)
	}
}

// Accept returns a connection with its handshake done, roughly in the order in
// which handshakes ended. Over TLS its NetConn is a *tls.Conn. The caller owns it;
// it stays open after Close.
//
// The error is that of ctx, [ErrClosed], or why the socket failed.
func (l *Listener) Accept(ctx context.Context) (*websocket.Conn, error) {
	select {
	case ws := <-l.waiting:
		<-l.places
		return ws, nil
	case <-l.closed:
		return nil, l.failed()
	case <-ctx.Done():
		return nil, fmt.Errorf("listener: accept: %w", ctx.Err())
	}
}

func (l *Listener) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if errors.Is(l.failure, ErrClosed) {
		return ErrClosed
	}
	return fmt.Errorf("listener: accept: %w", l.failure)
}

// Close closes the socket and the connections that nobody took, removes the
// mapping, and waits for all that, at most 4 seconds. Connections that were
// handed out stay open. Closing again waits too and returns the same.
//
// That the mapping could not be removed is logged and no error; its lease ends it.
func (l *Listener) Close() error {
	l.closing.Do(func() { l.closeErr = l.close() })
	return l.closeErr
}

func (l *Listener) close() error {
	l.end(ErrClosed)
	l.stop()
	_ = l.server.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.running.Wait()
		<-l.guard.drained()
		l.handlers.Wait()
		l.dismiss()
	}()
	timeout := time.NewTimer(closeTime)
	defer timeout.Stop()
	select {
	case <-done:
		return nil
	case <-timeout.C:
		return errors.New("listener: close: a request is still being answered")
	}
}

// dismiss closes the connections that nobody took.
func (l *Listener) dismiss() {
	deadline := time.Now().Add(farewellTime) // for all of them together
	farewell := websocket.FormatCloseMessage(websocket.CloseGoingAway, "")
	for {
		select {
		case ws := <-l.waiting:
			<-l.places
			_ = ws.WriteControl(websocket.CloseMessage, farewell, deadline)
			_ = ws.Close()
		default:
			return
		}
	}
}

// enter registers a handler, unless the listener is closed.
func (l *Listener) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state == Closed {
		return false
	}
	l.handlers.Add(1)
	return true
}

// end makes the state Closed, for the first reason given.
func (l *Listener) end(reason error) {
	l.change(func() bool {
		if l.state == Closed {
			return false
		}
		l.state, l.failure = Closed, reason
		close(l.closed)
		return true
	})
}

// change changes what mu guards and, if do says that it did, tells it to those
// who want to know.
func (l *Listener) change(do func() bool) {
	l.notifying.Lock()
	defer l.notifying.Unlock()
	l.mu.Lock()
	changed := do()
	l.mu.Unlock()
	if changed {
		l.cfg.Notify(l.Status())
	}
}

// Status returns how the listener is doing.
func (l *Listener) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Status{State: l.state, Addr: l.addr, Mapping: l.mapping}
}

// State returns the stage that the listener is in.
func (l *Listener) State() State { return l.Status().State }

// Addr returns the address that is really bound.
func (l *Listener) Addr() netip.AddrPort { return l.addr }

func boundAddr(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
