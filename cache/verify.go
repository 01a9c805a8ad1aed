package cache

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/peerproxy/peerproxy/resource"
)

// Report says what Verify has looked at.
type Report struct {
	Responses int64
	Bodies    int64 // that are stored on their own, equal ones once, as in [Stats]
	Bytes     int64 // of all bodies that were read and hashed, also of those beside a response
	Problems  int
}

// Verify checks everything that is stored: the structure of the file, also with
// bbolt's own check; that responses, bodies and counters agree and nothing is left
// over; every body against its BLAKE3 root, its SHA-256 and its outboard tree. Each
// problem is given to found, if that is not nil. Nothing is changed.
//
// Writers wait while the structure is checked, readers don't. Memory is taken in
// proportion to the number of responses and pages, some 100 bytes for each. A file
// whose structure is damaged is not looked at any further. The error says only why
// Verify could not go on; when ctx ends, the current step of the structure is
// finished first.
func (s *Store) Verify(ctx context.Context, found func(Problem)) (Report, error) {
	v := &verifier{s: s, found: found}
	err := s.submit(nil, &job{cost: jobOverhead, alone: func() error { return v.structure(ctx) }})
	if err == nil && len(v.untold) == 0 {
		err = v.content(ctx)
	}
	v.tell(ctx)
	if err != nil {
		return v.report, fmt.Errorf("cache: verify: %w", err)
	}
	return v.report, nil
}

type verifier struct {
	s      *Store
	found  func(Problem)
	report Report
	untold []Problem
	bodies map[uint64]*bodyUse // by number
}

// bodyUse is what is known about a body from various places in the file.
type bodyUse struct {
	key      resource.Root
	root     *rootRecord // nil if it is pending
	refs     uint64      // responses that refer to it
	data     int64       // bytes in chunks
	outboard int64
}

// note keeps a problem until nobody waits any more, found being code of others, and
// until its URLs have been looked for.
func (v *verifier) note(p Problem) {
	v.report.Problems++
	v.untold = append(v.untold, p)
}

func (v *verifier) damaged(format string, args ...any) {
	v.note(Problem{Err: fmt.Errorf("%w: "+format, append([]any{ErrCorrupt}, args...)...)})
}

// structure is everything that has to be seen at one moment. It runs while nothing
// else is written.
func (v *verifier) structure(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if _, err := checkPages(v.s.file, allPages); err != nil {
		v.note(Problem{Err: err})
		return nil
	}
	err := v.s.view(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			v.damaged("%w", err)
		}
		v.bodies = make(map[uint64]*bodyUse)
		for _, step := range []func(*bolt.Tx){v.roots, v.pending, v.responses, v.chunks, v.counters} {
			if err := ctx.Err(); err != nil {
				return err
			}
			step(tx)
		}
		return nil
	})
	v.bodies = nil
	if errors.Is(err, ErrCorrupt) {
		v.note(Problem{Err: err})
		return nil
	}
	return err
}

// roots notes all bodies.
func (v *verifier) roots(tx *bolt.Tx) {
	_ = tx.Bucket(rootsBucket).ForEach(func(k, value []byte) error {
		r, err := parseRootRecord(bytes.Clone(value))
		if err != nil || len(k) != len(resource.Root{}) {
			v.damaged("root %x", k)
			return nil
		}
		r.outboard = nil // content looks at it
		if v.bodies[r.body] != nil {
			v.damaged("body %d has two roots", r.body)
		}
		v.bodies[r.body] = &bodyUse{key: resource.Root(k), root: r}
		return nil
	})
}

func (v *verifier) pending(tx *bolt.Tx) {
	_ = tx.Bucket(pendingBucket).ForEach(func(k, _ []byte) error {
		if len(k) != 8 {
			v.damaged("key of a pending body")
			return nil
		}
		body := binary.BigEndian.Uint64(k)
		if v.bodies[body] != nil {
			v.damaged("body %d is pending, but has a root", body)
		}
		v.bodies[body] = new(bodyUse)
		return nil
	})
}

// responses checks all metadata, and counts references to bodies.
func (v *verifier) responses(tx *bolt.Tx) {
	order := tx.Bucket(orderBucket)
	_ = tx.Bucket(metaBucket).ForEach(func(k, value []byte) error {
		if len(k) != len(metaKey{}) {
			v.damaged("key of a response")
			return nil
		}
		key := metaKey(k)
		v.report.Responses++
		e := entry{key, bytes.Clone(value)}
		if err := v.response(order, e); err != nil {
			v.note(Problem{ID: key.id(), URLs: urlOf(e), Err: err, Removable: errors.Is(err, errOtherBytes)})
		}
		return nil
	})
	if n := int64(order.Stats().KeyN); n != v.report.Responses {
		v.damaged("%d responses, but %d in the order", v.report.Responses, n)
	}
	for body, use := range v.bodies {
		if use.root != nil && use.refs != use.root.refs {
			v.damaged("body %d has %d references, should have %d", body, use.root.refs, use.refs)
		}
	}
}

func (v *verifier) response(order *bolt.Bucket, e entry) error {
	st, rec, err := e.decode()
	if err != nil {
		return err
	}
	k := orderKey(rec.accessed, &e.key)
	if found, _ := order.Cursor().Seek(k); !bytes.Equal(found, k) {
		return fmt.Errorf("%w: not in the order", ErrCorrupt)
	}
	if rec.isInline() {
		return v.inline(st.Exchange.Body, rec.inline)
	}
	use := v.bodies[rec.body]
	if use == nil || use.root == nil || use.root.length != rec.length || use.root.sha256 != st.Exchange.Body.SHA256 {
		return fmt.Errorf("%w: its body is missing or another one", ErrCorrupt)
	}
	use.refs++
	return nil
}

func (v *verifier) inline(want resource.Body, data []byte) error {
	h := resource.NewHasher()
	_, _ = h.Write(data)
	v.report.Bytes += int64(len(data))
	if h.Body() != want {
		return fmt.Errorf("%w: its body %w", ErrCorrupt, errOtherBytes)
	}
	return nil
}

// chunks checks that all bodies are without gaps, and that no chunk belongs to none.
func (v *verifier) chunks(tx *bolt.Tx) {
	bodies := tx.Bucket(bodiesBucket)
	_ = bodies.ForEachBucket(func(k []byte) error {
		body, kind, end, err := parseChunkKey(k)
		if err != nil {
			v.damaged("key of a chunk")
			return nil
		}
		use := v.bodies[body]
		if use == nil {
			v.damaged("chunk of body %d, which nothing refers to", body)
			return nil
		}
		have := &use.data
		if kind == kindOutboard {
			have = &use.outboard
		}
		if *have += int64(len(bodies.Bucket(k).Get(dataKey))); *have != end {
			v.incomplete(use, fmt.Errorf("%w: gap before %d", ErrCorrupt, end))
			*have = end
		}
		return nil
	})
	for _, use := range v.bodies {
		if use.root == nil {
			continue // may have any length
		}
		outboard := resource.OutboardSize(use.root.length) - int64(inlineOutboard(use.root.length))
		if use.data != use.root.length || use.outboard != outboard {
			v.incomplete(use, fmt.Errorf("%w: it has %d bytes, should have %d", ErrCorrupt, use.data, use.root.length))
		}
	}
}

// incomplete notes that a part of a body is missing.
func (v *verifier) incomplete(use *bodyUse, err error) {
	if use.root == nil { // nobody will read it
		v.note(Problem{Err: err})
		return
	}
	v.note(Problem{Root: use.key, Err: err, Removable: true})
}

// counters checks what is counted in the file.
func (v *verifier) counters(tx *bolt.Tx) {
	st, err := parseState(tx.Bucket(systemBucket).Get(stateKey))
	if err != nil {
		v.note(Problem{Err: err})
		return
	}
	want := state{nextBody: st.nextBody, responses: v.report.Responses, bodyBytes: v.report.Bytes}
	for body, use := range v.bodies {
		if body >= st.nextBody {
			v.damaged("body %d has a number that will be given again", body)
		}
		if use.root != nil {
			want.bodies++
			want.bodyBytes += use.root.length
		}
	}
	if st != want {
		v.damaged("counters are %+v, should be %+v", st, want)
	}
}
