package proxy

import (
	"io"
	"maps"
	"slices"
	"sync"
	"time"
)

// tunnels are all connections that have been taken over from the server. They are
// kept to be closed in the end.
type tunnels struct {
	mu     sync.Mutex
	open   map[io.Closer]struct{}
	closed bool
	wg     sync.WaitGroup
}

func newTunnels() *tunnels { return &tunnels{open: map[io.Closer]struct{}{}} }

// enter registers a connection until leave is called. It returns false, and closes
// the connection, when the proxy is closing.
func (t *tunnels) enter(c io.Closer) (leave func(), ok bool) {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		_ = c.Close()
		return nil, false
	}
	defer t.mu.Unlock()
	t.open[c] = struct{}{}
	t.wg.Add(1)
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.open, c)
		t.wg.Done()
	}, true
}

// close closes all connections and waits until nobody uses them.
func (t *tunnels) close() {
	t.mu.Lock()
	t.closed = true
	open := slices.Collect(maps.Keys(t.open))
	t.mu.Unlock()
	for _, c := range open { // which may leave another one
		_ = c.Close()
	}
	t.wg.Wait()
}

// run carries bytes both ways until both sides have ended, one of them fails, or
// nothing has moved for the idle time. It closes both.
func (t *tunnels) run(client, upstream io.ReadWriteCloser, idle time.Duration) {
	both := &pair{client, upstream}
	leave, ok := t.enter(both)
	if !ok {
		return
	}
	defer leave()
	defer func() { _ = both.Close() }()
	timer := time.AfterFunc(idle, func() { _ = both.Close() })
	defer timer.Stop()
	done := make(chan struct{})
	go func() {
		defer close(done)
		both.pump(upstream, client, timer, idle)
	}()
	both.pump(client, upstream, timer, idle)
	<-done
}

// pair is the two ends of a tunnel.
type pair struct{ a, b io.Closer }

// Close closes both ends. It may be called more than once.
func (p *pair) Close() error {
	_ = p.a.Close()
	return p.b.Close()
}

// pump copies one way. When the sender has finished, the receiver is told so, and
// the other direction goes on; when anything fails, both ends are closed.
func (p *pair) pump(dst io.WriteCloser, src io.Reader, timer *time.Timer, idle time.Duration) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		n, err := src.Read(*buf)
		timer.Reset(idle)
		if n > 0 {
			if _, err := dst.Write((*buf)[:n]); err != nil {
				_ = p.Close()
				return
			}
		}
		if err == io.EOF && closeWrite(dst) == nil {
			return
		}
		if err != nil {
			_ = p.Close()
			return
		}
	}
}
