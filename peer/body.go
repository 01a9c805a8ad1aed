package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

const (
	maxResumes = 6 // in a row, without one more byte
	maxBreaks  = 8 // of one peer, until others are asked to go on
)

// body is the content of a copy, verified, from as many peers as it takes. Read and
// WriteTo are for one goroutine; Close may be called from any.
type body struct {
	swarm   *Swarm
	content resource.Body
	// rest searches for a peer that has the bytes from offset on.
	rest func(offset int64, avoid map[trust.Key]bool) (*answer, error)
	// release ends a search, and what waits for the end of the context.
	release func()

	offset  int64              // verified bytes handed out
	vain    int                // attempts since the last of them
	began   int64              // offset at which the current answer began
	breaks  map[trust.Key]int  // how often a peer broke off
	avoid   map[trust.Key]bool // peers that others are preferred to
	slice   *resource.SliceReader
	err     error       // final
	watch   *time.Timer // cuts the answer off when no verified byte comes
	stalled atomic.Bool // that has happened

	mu     sync.Mutex // guards following
	answer *answer    // nil if it was dropped
	over   error      // why no more is read: Close, or the end of the context
}

var errBodyClosed = errors.New("peer: body closed")

// newBody returns the body whose first answer is a. It ends with ctx, and when it is closed.
func newBody(ctx context.Context, w *Swarm, q resource.Query, a *answer) *body {
	searching, cancel := context.WithCancel(ctx)
	b := &body{swarm: w, content: a.exchange.Body,
		breaks: make(map[trust.Key]int), avoid: make(map[trust.Key]bool)}
	b.rest = func(offset int64, avoid map[trust.Key]bool) (*answer, error) {
		return w.hunt(searching, q, w.rest(q, b.content, offset), avoid)
	}
	b.watch = time.AfterFunc(w.cfg.Timeouts.Stall, b.cutOff)
	b.watch.Stop()
	b.use(a)
	stop := context.AfterFunc(ctx, func() { b.stop(fmt.Errorf("peer: read body: %w", ctx.Err())) })
	b.release = func() { stop(); cancel() }
	return b
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, b.err
	}
	for b.err == nil {
		if err := b.stopped(); err != nil {
			return 0, err
		}
		b.startWatch()
		n, err := b.slice.Read(p)
		b.watch.Stop()
		b.progress(n)
		if n > 0 {
			return n, nil
		}
		b.goOn(err)
	}
	return 0, b.err
}

// WriteTo implements io.WriterTo; it saves a copy.
func (b *body) WriteTo(dst io.Writer) (int64, error) {
	start := b.offset
	for b.err == nil {
		if err := b.stopped(); err != nil {
			return b.offset - start, err
		}
		out := watchedWriter{b: b, dst: dst}
		b.startWatch()
		_, err := b.slice.WriteTo(&out)
		b.watch.Stop()
		if out.err != nil {
			return b.offset - start, out.err
		}
		b.goOn(err)
	}
	if errors.Is(b.err, io.EOF) {
		return b.offset - start, nil
	}
	return b.offset - start, b.err
}

// watchedWriter is where verified bytes go. While dst takes its time, no peer stalls.
type watchedWriter struct {
	b   *body
	dst io.Writer
	err error // of dst
}

// Write implements io.Writer.
func (o *watchedWriter) Write(p []byte) (n int, err error) {
	o.b.watch.Stop()
	n, o.err = o.dst.Write(p)
	if o.err == nil && n < len(p) {
		o.err = io.ErrShortWrite
	}
	o.b.progress(n)
	o.b.startWatch()
	return n, o.err
}

// Close drops the body. It is for good.
func (b *body) Close() error {
	b.release()
	b.stop(errBodyClosed)
	return nil
}

// stop ends the reading, also a Read that is under way, for the first reason given.
func (b *body) stop(reason error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over == nil {
		b.over = reason
	}
	b.dropLocked()
}

// stopped is why no more is to be read, if so.
func (b *body) stopped() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.over
}

func (b *body) progress(n int) {
	if n > 0 {
		b.offset += int64(n)
		b.vain = 0
	}
}

// goOn decides what follows the end of a slice: the end of the body, another answer
// or an error. Afterwards there is a slice to read, or b.err is set.
func (b *body) goOn(err error) {
	ended := err == nil || errors.Is(err, io.EOF)
	if ended && b.offset == b.content.Length {
		b.end(io.EOF)
		return
	}
	if over := b.stopped(); over != nil {
		b.end(over)
		return
	}
	if ended {
		err = io.ErrUnexpectedEOF
	}
	b.blame(err)
	if b.vain++; b.vain > maxResumes {
		b.end(fmt.Errorf("peer: %w: %w", ErrBroken, err))
		return
	}
	a, huntErr := b.rest(b.offset, b.avoid)
	if huntErr != nil && len(b.avoid) > 0 {
		// There is nobody else; perhaps it was the network that failed.
		a, huntErr = b.rest(b.offset, nil)
	}
	if huntErr != nil {
		b.end(fmt.Errorf("peer: %w: %w", ErrBroken, huntErr))
		return
	}
	b.use(a)
}

// blame drops the answer that failed. Who lied is shunned. Who stalled, got nowhere or
// broke off too often is not asked again as long as there is anybody else.
func (b *body) blame(err error) {
	b.mu.Lock()
	a := b.answer
	b.dropLocked()
	b.mu.Unlock()
	if a == nil {
		return // stopped
	}
	key := a.session.key
	b.swarm.log.Debug("body broke off", "peer", key, "stalled", b.stalled.Load(), "error", err)
	if errors.Is(err, resource.ErrMismatch) {
		b.swarm.lied(a.session, fmt.Errorf("%w: %w", errLie, err))
		return
	}
	b.breaks[key]++
	if b.stalled.Load() || b.offset == b.began || b.breaks[key] >= maxBreaks {
		b.avoid[key] = true
	}
}

// use goes on with an answer, which begins at the current offset.
func (b *body) use(a *answer) {
	b.stalled.Store(false)
	b.began = b.offset
	b.slice = resource.NewSliceReader(a.slice, b.content, b.offset, b.content.Length-b.offset)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = a
	if b.over != nil {
		b.dropLocked()
		b.err = b.over
	}
}

func (b *body) startWatch() { b.watch.Reset(b.swarm.cfg.Timeouts.Stall) }

// cutOff interrupts a Read that waits in vain.
func (b *body) cutOff() {
	b.stalled.Store(true)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.answer != nil {
		_ = b.answer.slice.Close()
	}
}

// end makes err final and gives the connection back.
func (b *body) end(err error) {
	b.release()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
	if b.over != nil && !errors.Is(err, io.EOF) {
		b.err = b.over
	}
	b.dropLocked()
}

func (b *body) dropLocked() {
	if b.answer != nil {
		b.answer.close()
		b.answer = nil
	}
}
