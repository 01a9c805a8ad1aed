package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	bolt "go.etcd.io/bbolt"

	"github.com/peerproxy/peerproxy/resource"
)

// content hashes all bodies that are stored on their own, each in short transactions.
func (v *verifier) content(ctx context.Context) error {
	from := []byte{0}
	for {
		roots, err := v.someRoots(from)
		if err != nil || len(roots) == 0 {
			return err
		}
		for _, root := range roots {
			if err := v.body(ctx, root); err != nil {
				return err
			}
		}
		if len(v.untold) >= maxUntold {
			v.tell(ctx)
		}
		last := roots[len(roots)-1]
		from = append(last[:], 0)
	}
}

func (v *verifier) someRoots(from []byte) (roots []resource.Root, err error) {
	err = v.s.view(func(tx *bolt.Tx) error {
		roots = roots[:0]
		c := tx.Bucket(rootsBucket).Cursor()
		for k, _ := c.Seek(from); len(k) == len(resource.Root{}) && len(roots) < 256; k, _ = c.Next() {
			roots = append(roots, resource.Root(k))
		}
		return nil
	})
	return roots, err
}

// body hashes one body, from the file and not from memory. One that has gone since is
// no problem.
func (v *verifier) body(ctx context.Context, root resource.Root) error {
	r, err := v.s.rootRecord(root)
	if err != nil || !v.s.pins.acquire(r.body) {
		return ignoreGone(err)
	}
	b := &Body{store: v.s, length: r.length, body: r.body, outboard: r.outboard}
	defer func() { _ = b.Close() }()
	if _, err := v.s.rootRecord(root); err != nil {
		return ignoreGone(err)
	}
	h := resource.NewHasher()
	src := &contextReader{ctx, io.NewSectionReader(b, 0, b.Size())}
	if _, err := io.CopyBuffer(h, src, make([]byte, 256<<10)); err != nil {
		return v.unreadable(root, err)
	}
	v.report.Bodies++
	v.report.Bytes += b.Size()
	if h.Body() != (resource.Body{Root: root, SHA256: r.sha256, Length: r.length}) {
		v.note(Problem{Root: root, Err: fmt.Errorf("%w: it %w", ErrCorrupt, errOtherBytes), Removable: true})
		return nil
	}
	return v.outboard(root, h, b)
}

// outboard compares the stored tree with the right one.
func (v *verifier) outboard(root resource.Root, h *resource.Hasher, b *Body) error {
	c := &comparer{r: b.Outboard()}
	if err := h.WriteOutboard(c); err == nil {
		return nil
	} else if !errors.Is(err, errDiffers) {
		return v.unreadable(root, err)
	}
	v.note(Problem{Root: root, Err: fmt.Errorf("%w: its outboard tree is wrong", ErrCorrupt), Removable: true})
	return nil
}

// unreadable is a problem of the body, unless it is one of Verify itself.
func (v *verifier) unreadable(root resource.Root, err error) error {
	if errors.Is(err, ErrClosed) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	v.note(Problem{Root: root, Err: err, Removable: true})
	return nil
}

func ignoreGone(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

var errDiffers = errors.New("differs")

// comparer is a writer that compares with what can be read.
type comparer struct {
	r   io.ReaderAt
	off int64
	buf []byte
}

func (c *comparer) Write(p []byte) (int, error) {
	if len(c.buf) < len(p) {
		c.buf = make([]byte, len(p))
	}
	n, err := c.r.ReadAt(c.buf[:len(p)], c.off)
	c.off += int64(n)
	if n < len(p) {
		return 0, errors.Join(io.ErrUnexpectedEOF, err)
	}
	if !bytes.Equal(c.buf[:n], p) {
		return 0, errDiffers
	}
	return n, nil
}
