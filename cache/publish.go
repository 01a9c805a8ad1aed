package cache

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerproxy/peerproxy/resource"
)

// Commit makes what has been written the body of st.Exchange, and both part of the
// cache. It returns when that is durable. Nothing is stored on [ErrMismatch]: the
// exchange describes another body; [ErrWeaker]: the response that is stored is
// better; [ErrFull]; or if a Write failed before. st.StoredAt is not used: the time
// of storing is now.
//
// If ctx ends first, the response may still become stored.
func (w *Writer) Commit(ctx context.Context, st *resource.Stored) error {
	if err := w.commit(ctx, st); err != nil {
		return fmt.Errorf("cache: commit: %w", err)
	}
	return nil
}

func (w *Writer) commit(ctx context.Context, st *resource.Stored) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	rec, err := newRecord(st)
	if err != nil {
		return err
	}
	if err := w.writable(0); err != nil {
		return err
	}
	if st.Exchange.Body != w.Body() {
		return ErrMismatch
	}
	tail, err := w.begin()
	if err != nil {
		return err
	}
	p := &publication{w: w, key: metaKeyOf(st.Exchange), rec: rec, tail: tail}
	p.root = rootRecord{refs: 1, length: rec.length, sha256: st.Exchange.Body.SHA256}
	if err := w.sendOutboard(&p.root); err != nil {
		w.settle(err, false)
		return err
	}
	return p.submit(ctx)
}

// begin ends the writing, and returns the part of the body that is not sent yet.
func (w *Writer) begin() (piece, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.ended:
		return piece{}, ErrClosed
	case w.err != nil:
		return piece{}, w.err
	case w.progress != writing:
		return piece{}, errWritten
	}
	w.progress = committing
	if w.body == 0 && w.size > inlineMax {
		w.body = w.store.newBody()
	}
	return piece{off: w.size - int64(len(w.tail)), data: w.tail}, nil
}

// settle ends what begin began.
func (w *Writer) settle(err error, double bool) {
	w.mu.Lock()
	w.progress, w.double = committed, double
	if err != nil {
		w.progress = refused
	} else {
		w.unreserveLocked()
	}
	ended := w.ended
	w.mu.Unlock()
	if ended {
		w.release()
	}
}

// sendOutboard puts the outboard tree of the body into r, or, if it is large, sends
// it to the file in chunks.
func (w *Writer) sendOutboard(r *rootRecord) error {
	if r.length <= inlineMax {
		return nil
	}
	o := &outboardSender{w: w}
	if inlineOutboard(r.length) > 0 {
		o.inline = r
	}
	if err := w.hasher.WriteOutboard(o); err != nil {
		return err
	}
	return o.flush()
}

// outboardSender cuts the outboard tree into chunks.
type outboardSender struct {
	w      *Writer
	inline *rootRecord
	off    int64
	buf    []byte
}

func (o *outboardSender) Write(p []byte) (int, error) {
	if o.inline != nil {
		o.inline.outboard = append(o.inline.outboard, p...)
		return len(p), nil
	}
	for rest := p; len(rest) > 0; {
		n := min(len(rest), o.w.store.sizes.chunk-len(o.buf))
		o.buf = append(o.buf, rest[:n]...)
		rest = rest[n:]
		if len(o.buf) == o.w.store.sizes.chunk {
			if err := o.flush(); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

func (o *outboardSender) flush() error {
	if len(o.buf) == 0 {
		return nil
	}
	p := piece{off: o.off, data: o.buf}
	o.off += int64(len(o.buf))
	o.buf = nil
	return o.w.send(p, kindOutboard)
}

// publication is the last step of storing: what makes a body and an exchange part of
// the cache.
type publication struct {
	w    *Writer
	key  metaKey
	rec  *record
	root rootRecord
	tail piece

	double bool // as the last apply found it: an equal body is stored
}

func (p *publication) submit(ctx context.Context) error {
	result := make(chan error, 1)
	j := &job{
		cost:   int64(p.rec.size()+len(p.tail.data)+len(p.root.outboard)) + jobOverhead,
		pages:  p.w.store.pages(p.rec.size()) + p.w.store.pages(len(p.tail.data)) + 1,
		urgent: true,
	}
	j.apply = func(t *txn) error { return p.apply(t, j.pages) }
	j.done = func(err error) {
		p.w.settle(err, p.double)
		result <- err
	}
	if err := p.w.store.queue.push(ctx.Done(), j); err != nil {
		p.w.settle(err, false)
		return orContext(ctx, err)
	}
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// orContext is the context's error in place of errCanceled.
func orContext(ctx context.Context, err error) error {
	if errors.Is(err, errCanceled) {
		return ctx.Err()
	}
	return err
}

// apply refuses before it changes anything: see job.
func (p *publication) apply(t *txn, pages int64) error {
	body, err := p.w.enter(false)
	if err != nil {
		return err
	}
	old, victim, err := t.admit(p.key, p.rec)
	if err != nil {
		return err
	}
	if err := t.spend(pages); err != nil {
		return err
	}
	if victim != nil {
		if err := t.deleteKey(*victim); err != nil {
			return err
		}
	}
	rec := *p.rec
	if rec.isInline() {
		rec.inline = p.tail.data
	} else if rec.body, err = p.place(t, body); err != nil {
		return err
	}
	return t.putResponse(p.key, &rec, old)
}

// place gives the body its root, or finds that an equal body has it already. It
// returns the number of the body that counts; the other one goes with the Writer.
func (p *publication) place(t *txn, body uint64) (uint64, error) {
	same, err := t.root(p.rec.root)
	if err != nil {
		return 0, err
	}
	if p.double = same != nil; p.double {
		same.refs++
		return same.body, t.putRoot(p.rec.root, same)
	}
	if err := t.putChunk(body, kindData, p.tail.off, p.tail.data); err != nil {
		return 0, err
	}
	if err := t.pending.Delete(bodyKey(body)); err != nil {
		return 0, fmt.Errorf("forget pending body: %w", err)
	}
	r := p.root
	r.body = body
	t.state.bodies++
	t.state.bodyBytes += r.length
	return body, t.putRoot(p.rec.root, &r)
}
