package peer

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// readerAtFunc makes an io.ReaderAt of a function.
type readerAtFunc func(p []byte, off int64) (int, error)

func (f readerAtFunc) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

// copyOf lets another node share the same copy, signed by the first.
func (n *testNode) copyOf(it *item) {
	n.hold(it)
	n.catalog.Add(it.exchange.ID())
}

// breakAt makes a node's bodies fail from an offset on.
func (n *testNode) breakAt(limit int64, fail func() error) {
	n.shelf.mu.Lock()
	defer n.shelf.mu.Unlock()
	n.shelf.wrap = func(r io.ReaderAt) io.ReaderAt {
		return readerAtFunc(func(p []byte, off int64) (int, error) {
			if off+int64(len(p)) > limit {
				if err := fail(); err != nil {
					return 0, err
				}
			}
			return r.ReadAt(p, off)
		})
	}
}

// A body is put together from three peers, two of which break off.
func TestFailover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		a, b, c, reader := w.node(), w.node(), w.node(), w.node()
		want := randomBody(3_000_000)
		it := a.share(page, want)
		b.copyOf(it)
		c.copyOf(it)
		broken := func() error { return errors.New("disk on fire") }
		a.breakAt(700_000, broken)
		b.breakAt(1_500_000, broken)
		w.announce("example.org", a.addr, b.addr, c.addr)
		for _, read := range []func(io.Reader) ([]byte, error){
			io.ReadAll,
			func(r io.Reader) ([]byte, error) { return readBySmall(r, 1000) },
			func(r io.Reader) ([]byte, error) { return writeTo(r) },
		} {
			copied, err := reader.Fetch(t.Context(), query(page))
			if err != nil {
				t.Fatal(err)
			}
			got, err := read(copied.Body)
			if err != nil {
				t.Fatalf("after %d bytes: %v", len(got), err)
			}
			equalBody(t, got, want)
			copied.Body.Close()
		}
		if reader.Status().Shunned != 0 {
			t.Error("an honest failure was taken for a lie")
		}
	})
}

func readBySmall(r io.Reader, size int) (all []byte, err error) {
	p := make([]byte, size)
	for {
		n, err := r.Read(p)
		all = append(all, p[:n]...)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, err
		}
	}
}

type appender []byte

func (a *appender) Write(p []byte) (int, error) { *a = append(*a, p...); return len(p), nil }

func writeTo(r io.Reader) ([]byte, error) {
	var a appender
	_, err := r.(io.WriterTo).WriteTo(&a)
	return a, err
}

// Where nobody else has the rest, the reader gets an error and never a short body.
func TestNoSilentTruncation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		a, other, reader := w.node(), w.node(), w.node()
		a.share(page, randomBody(1_000_000))
		other.share(page, randomBody(1_000_000)) // another body: it must not be mixed in
		a.breakAt(600_000, func() error { return errors.New("disk on fire") })
		if err := reader.Connect(t.Context(), a.addr); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.announce("example.org", other.addr)
		c, err := reader.Fetch(t.Context(), query(page))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Body.Close()
		n, err := io.Copy(io.Discard, c.Body)
		if !errors.Is(err, ErrBroken) || n >= 1_000_000 {
			t.Errorf("%d bytes, %v", n, err)
		}
		if _, err := c.Body.Read(make([]byte, 1)); !errors.Is(err, ErrBroken) {
			t.Errorf("read on: %v", err)
		}
	})
}

// A session that ends in the middle of a body is no end of the body.
func TestSessionEndsInBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		a, b, reader := w.node(), w.node(), w.node()
		want := randomBody(20 << 20) // more than windows and buffers hold
		it := a.share(page, want)
		if err := reader.Connect(t.Context(), a.addr); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		c, err := reader.Fetch(t.Context(), query(page))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Body.Close()
		first := make([]byte, 1<<20)
		if _, err := io.ReadFull(c.Body, first); err != nil {
			t.Fatal(err)
		}
		b.copyOf(it)
		w.announce("example.org", b.addr)
		a.stop()
		rest, err := io.ReadAll(c.Body)
		if err != nil {
			t.Fatal(err)
		}
		equalBody(t, append(first, rest...), want)
	})
}

// A reader that pauses for longer than any stall time goes on where it was.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		a, reader := w.node(), w.node()
		want := randomBody(8 << 20)
		a.share(page, want)
		w.announce("example.org", a.addr)
		c, err := reader.Fetch(t.Context(), query(page))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Body.Close()
		var got []byte
		for range 3 {
			part := make([]byte, 2<<20)
			if _, err := io.ReadFull(c.Body, part); err != nil {
				t.Fatal(err)
			}
			got = append(got, part...)
			time.Sleep(5 * time.Minute)
		}
		rest, err := io.ReadAll(c.Body)
		if err != nil {
			t.Fatal(err)
		}
		equalBody(t, append(got, rest...), want)
	})
}

// Whoever gives a fetch up gets its body's end at once, whatever that waits for, and
// nobody is asked or dialled for it any more.
func TestContextGovernsBody(t *testing.T) {
	for name, read := range map[string]func(io.Reader) error{
		"read":    func(r io.Reader) error { _, err := readBySmall(r, 1000); return err },
		"writeTo": func(r io.Reader) error { _, err := writeTo(r); return err },
	} {
		for when, after := range map[string]time.Duration{
			"in a stall":         5 * time.Second,  // the first peer says no more
			"in a search":        20 * time.Second, // which looks up again
			"before the reading": 0,
		} {
			t.Run(name+" "+when, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					defer w.end()
					a, reader := w.node(), w.node(func(c *Config) { c.Timeouts.Found = time.Second })
					a.share(page, randomBody(3_000_000))
					hang := make(chan struct{})
					defer close(hang)
					a.breakAt(700_000, func() error { <-hang; return io.ErrUnexpectedEOF })
					w.announce("example.org", a.addr)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					c, err := reader.Fetch(ctx, query(page))
					if err != nil {
						t.Fatal(err)
					}
					w.finder.mu.Lock()
					w.finder.delay = time.Hour
					w.finder.mu.Unlock()
					start := time.Now()
					if after == 0 {
						cancel()
						synctest.Wait()
					} else {
						time.AfterFunc(after, cancel)
					}
					if err := read(c.Body); !errors.Is(err, context.Canceled) {
						t.Errorf("read: %v", err)
					}
					if d := time.Since(start); d != after {
						t.Errorf("the end took %v, want %v", d, after)
					}
					if err := read(c.Body); !errors.Is(err, context.Canceled) {
						t.Errorf("read on: %v", err)
					}
					synctest.Wait()
					if busy := reader.Status().Sessions[0].Busy; busy != 0 {
						t.Errorf("%d questions under way before Close", busy)
					}
					c.Body.Close()
				})
			})
		}
	}
}
