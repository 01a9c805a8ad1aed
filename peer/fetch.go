package peer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

// Fetch asks peers for a copy and returns the first one whose head is verified. The
// search ends after [Timeouts.Search], or with ctx. The copy's Body ends with its last
// byte, an error, its Close, or ctx, which governs its reading too, and the searches for
// its rest. A body that breaks off, stalls or does not match is continued with the copy
// of another peer, or with the same peer's if that only broke off, without the reader
// noticing.
//
// If no trusted key has signed that copy and the [Verifier] is a [Jury], the heads of further peers
// are asked for, at most for [Timeouts.Witness]. They may make the copy [resource.Witnessed], or
// show that another one is better, which is returned then; and what is newer shows in
// [resource.Copy.Newer].
//
// What others may use goes on when ctx has ended: a look-up, and the dial of an address.
//
// Errors are a [*FetchError] that wraps [ErrNoPeers], [ErrNotFound], [ErrRefused],
// [ErrUnverified] or the error of ctx; or [ErrClosed]. It has the reasons for which copies
// that were offered were refused.
func (w *Swarm) Fetch(ctx context.Context, q resource.Query) (*resource.Copy, error) {
	if q.URL.IsZero() || q.Method != "GET" {
		return nil, errors.New("peer: fetch: only GET of a URL can be asked for")
	}
	until := time.Now().Add(w.cfg.Timeouts.Search)
	a, err := w.hunt(ctx, q, w.whole(q), nil)
	if err != nil {
		return nil, err
	}
	a, c, refusal := w.weigh(ctx, q, a)
	if refusal != nil {
		a, c, err = w.fetchTrusted(ctx, q, until, refusal)
	}
	if err != nil {
		return nil, err
	}
	c.Body = newBody(ctx, w, q, a)
	return c, nil
}

// fetchTrusted goes on with the search when what came first was refused for want of
// witnesses: somebody may still have a copy that needs none.
func (w *Swarm) fetchTrusted(ctx context.Context, q resource.Query, until time.Time, refusal error) (*answer, *resource.Copy, error) {
	h := w.newHunt(q, w.trusted(q), nil)
	h.unproven = true
	h.tally.refuse(refusal)
	a, err := w.runHunt(ctx, h, time.Until(until))
	if err != nil {
		return nil, nil, err
	}
	return a, copyOf(a), nil
}

// hunt runs one search within its time. The peers to avoid are not asked.
func (w *Swarm) hunt(ctx context.Context, q resource.Query, ask question, avoid map[trust.Key]bool) (*answer, error) {
	return w.runHunt(ctx, w.newHunt(q, ask, avoid), w.cfg.Timeouts.Search)
}

// runHunt runs one search within the given time.
func (w *Swarm) runHunt(ctx context.Context, h *hunt, within time.Duration) (*answer, error) {
	bounded, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	a, err := h.first(bounded)
	if err == nil {
		return a, nil
	}
	if errors.Is(err, ErrClosed) {
		return nil, fmt.Errorf("peer: fetch: %w", ErrClosed)
	}
	if ctx.Err() == nil && bounded.Err() != nil {
		h.refused = h.refused || h.asks.running > 0
		return nil, h.fail(h.verdict())
	}
	return nil, err
}
