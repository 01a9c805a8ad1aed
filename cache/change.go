package cache

import (
	"context"
	"errors"
	"fmt"

	"github.com/peerproxy/peerproxy/resource"
)

// Delete deletes all responses of a resource. It returns when that is durable.
// [ErrNotFound] says that there was none.
func (s *Store) Delete(ctx context.Context, id resource.ID) error {
	err := s.submit(ctx.Done(), &job{cost: jobOverhead, apply: func(t *txn) error {
		keys := t.variants(id)
		if len(keys) == 0 {
			return ErrNotFound
		}
		for _, key := range keys {
			if err := t.deleteKey(key); err != nil {
				return err
			}
		}
		return nil
	}})
	if err != nil {
		return fmt.Errorf("cache: delete: %w", orContext(ctx, err))
	}
	return nil
}

// Freshen replaces the exchange of a stored response whose body stays the same, as
// after a 304 (RFC 9111 section 4.3.4): the response of the same resource and the
// same selecting fields. It returns when that is durable. Nothing is changed on
// [ErrNotFound], on [ErrMismatch]: the stored body is another one; and on [ErrWeaker].
func (s *Store) Freshen(ctx context.Context, st *resource.Stored) error {
	rec, err := newRecord(st)
	if err != nil {
		return fmt.Errorf("cache: freshen: %w", err)
	}
	j := &job{cost: int64(rec.size()) + jobOverhead, pages: s.pages(rec.size())}
	key := metaKeyOf(st.Exchange)
	j.apply = func(t *txn) error { return t.freshen(key, rec, st.Exchange.Body, j.pages) }
	if err := s.submit(ctx.Done(), j); err != nil {
		return fmt.Errorf("cache: freshen: %w", orContext(ctx, err))
	}
	return nil
}

func (t *txn) freshen(key metaKey, rec *record, body resource.Body, pages int64) error {
	old, err := t.record(key)
	if err != nil {
		return err
	}
	if old == nil {
		return ErrNotFound
	}
	if st, err := old.stored(key); err != nil || st.Exchange.Body != body {
		return errors.Join(ErrMismatch, err)
	}
	if rec.weakerThan(old) {
		return ErrWeaker
	}
	if err := t.spend(pages); err != nil {
		return err
	}
	fresh := *rec
	fresh.body, fresh.inline = old.body, old.inline
	fresh.storedAt, fresh.accessed = t.s.cfg.Now().UnixMicro(), t.now
	t.changed[key.id()] = true
	return t.putRecord(key, &fresh, old)
}
