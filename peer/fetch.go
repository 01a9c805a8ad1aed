package peer

import (
	"context"
	"errors"
	"fmt"

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
// What others may use goes on when ctx has ended: a look-up, and the dial of an address.
//
// Errors are a [*FetchError] that wraps [ErrNoPeers], [ErrNotFound], [ErrRefused],
// [ErrUnverified] or the error of ctx; or [ErrClosed].
func (w *Swarm) Fetch(ctx context.Context, q resource.Query) (*resource.Copy, error) {
	if q.URL.IsZero() || q.Method != "GET" {
		return nil, errors.New("peer: fetch: only GET of a URL can be asked for")
	}
	a, err := w.hunt(ctx, q, w.whole(q), nil)
	if err != nil {
		return nil, err
	}
	c := &resource.Copy{
		Exchange: a.exchange,
		Body:     newBody(ctx, w, q, a),
		Tier:     a.tier,
		Peer:     a.session.key.String(),
	}
	if a.signer != (trust.Key{}) {
		c.Signer = a.signer.String()
	}
	return c, nil
}

// hunt runs one search within its time. The peers to avoid are not asked.
func (w *Swarm) hunt(ctx context.Context, q resource.Query, ask question, avoid map[trust.Key]bool) (*answer, error) {
	bounded, cancel := context.WithTimeout(ctx, w.cfg.Timeouts.Search)
	defer cancel()
	h := w.newHunt(q, ask, avoid)
	a, err := h.run(bounded)
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
