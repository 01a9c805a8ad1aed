package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	bolt "go.etcd.io/bbolt"

	"github.com/peerproxy/peerproxy/resource"
)

// memoryMax is the largest body, in bytes, that is kept in the memory tier. It has
// one group, and therefore no outboard tree.
const memoryMax = resource.GroupSize

// Body is the content of a stored response. It stays readable until Close, whatever
// happens to the response meanwhile. ReadAt may be called by any number of goroutines.
type Body struct {
	store    *Store
	length   int64
	data     []byte // the whole body, if it is small
	body     uint64 // its number, 0 if it is in data
	outboard []byte // the whole tree, if it is small

	mu     sync.Mutex
	closed bool
}

// OpenBody opens the body of a response that Lookup or All returned. [ErrNotFound]
// says that it has been evicted, deleted or replaced since.
func (s *Store) OpenBody(st *resource.Stored) (*Body, error) {
	b, err := s.openBody(st.Exchange)
	if err != nil {
		return nil, fmt.Errorf("cache: open body: %w", err)
	}
	return b, nil
}

func (s *Store) openBody(ex *resource.Exchange) (*Body, error) {
	if data, ok := s.tier.body(ex.Body.Root); ok {
		return &Body{store: s, length: int64(len(data)), data: data}, nil
	}
	if ex.Body.Length <= inlineMax {
		return s.openInline(ex)
	}
	return s.openRoot(ex.Body.Root)
}

// openInline finds the body beside its metadata.
func (s *Store) openInline(ex *resource.Exchange) (*Body, error) {
	var rec *record
	key := metaKeyOf(ex)
	err := s.view(func(tx *bolt.Tx) (err error) {
		v := tx.Bucket(metaBucket).Get(key[:])
		if v == nil {
			return ErrNotFound
		}
		rec, err = parseRecord(bytes.Clone(v))
		return err
	})
	if err != nil {
		return nil, err
	}
	if rec.root != ex.Body.Root {
		return nil, ErrNotFound
	}
	s.tier.setBody(rec.root, rec.inline)
	return &Body{store: s, length: rec.length, data: rec.inline}, nil
}

// openRoot opens a body that is stored on its own.
func (s *Store) openRoot(root resource.Root) (*Body, error) {
	r, err := s.rootRecord(root)
	if err != nil {
		return nil, err
	}
	if !s.pins.acquire(r.body) {
		return nil, ErrNotFound
	}
	b := &Body{store: s, length: r.length, body: r.body, outboard: r.outboard}
	// It may have been deleted before acquire. Now it can't be any more.
	if again, err := s.rootRecord(root); err != nil || again.body != r.body {
		_ = b.Close()
		return nil, errors.Join(ErrNotFound, err)
	}
	if r.length <= memoryMax {
		return s.load(root, b)
	}
	return b, nil
}

func (s *Store) rootRecord(root resource.Root) (r *rootRecord, err error) {
	err = s.view(func(tx *bolt.Tx) (err error) {
		v := tx.Bucket(rootsBucket).Get(root[:])
		if v == nil {
			return ErrNotFound
		}
		r, err = parseRootRecord(bytes.Clone(v))
		return err
	})
	return r, err
}

// load brings a small body into memory, and lets go of it in the file.
func (s *Store) load(root resource.Root, b *Body) (*Body, error) {
	defer func() { _ = b.Close() }()
	data := make([]byte, b.length)
	if _, err := b.ReadAt(data, 0); err != nil {
		return nil, err
	}
	s.tier.setBody(root, data)
	return &Body{store: s, length: b.length, data: data}, nil
}

// Size is the length of the body in bytes.
func (b *Body) Size() int64 { return b.length }

// ReadAt implements [io.ReaderAt].
func (b *Body) ReadAt(p []byte, off int64) (int, error) {
	return b.readAt(kindData, b.data, b.length, p, off)
}

// Outboard reads the body's outboard tree, in the form that [resource.Hasher]'s
// WriteOutboard gives; it is [resource.OutboardSize] bytes long. It is part of the
// Body and ends with it.
func (b *Body) Outboard() io.ReaderAt { return outboardReader{b} }

type outboardReader struct{ b *Body }

func (o outboardReader) ReadAt(p []byte, off int64) (int, error) {
	return o.b.readAt(kindOutboard, o.b.outboard, resource.OutboardSize(o.b.length), p, off)
}

// readAt reads something of the given size that is either in memory as a whole or in
// the file.
func (b *Body) readAt(kind byte, memory []byte, size int64, p []byte, off int64) (int, error) {
	if b.isClosed() {
		return 0, fmt.Errorf("cache: read: %w", ErrClosed)
	}
	if off < 0 {
		return 0, errors.New("cache: read: negative offset")
	}
	if off >= size {
		return 0, io.EOF
	}
	var end error
	if int64(len(p)) > size-off {
		p, end = p[:size-off], io.EOF
	}
	if int64(len(memory)) == size {
		return copy(p, memory[off:]), end
	}
	for n := 0; n < len(p); {
		m, err := b.store.readChunk(b.body, kind, p[n:], off+int64(n))
		n += m
		if err != nil {
			return n, err
		}
	}
	return len(p), end
}

func (b *Body) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// Close lets go of the body. ReadAt fails from then on.
func (b *Body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	if b.body != 0 {
		b.store.pins.release(b.body, false)
	}
	return nil
}

// readChunk reads from the chunk of a body that holds the byte at off, up to the end
// of that chunk: at least one byte, or it returns an error.
func (s *Store) readChunk(body uint64, kind byte, p []byte, off int64) (n int, err error) {
	err = s.view(func(tx *bolt.Tx) error {
		bodies := tx.Bucket(bodiesBucket)
		k, _ := bodies.Cursor().Seek(chunkKey(body, kind, off+1))
		inKey, kindInKey, end, err := parseChunkKey(k)
		if err != nil || inKey != body || kindInKey != kind {
			return ErrNotFound
		}
		v := bodies.Bucket(k).Get(dataKey)
		if start := end - int64(len(v)); start > off {
			return ErrNotFound
		} else {
			v = v[off-start:]
		}
		n = copyValue(tx, s.file, p, v)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("cache: read: %w", err)
	}
	return n, nil
}
