package peer

import (
	"bytes"
	"context"
	"net/http"
	"time"
)

const (
	partialDelays = 300 // a digest that leaves things out is not worth to be followed closely
	maxTellPauses = 32  // to which the pauses after failures grow, each twice the last
)

// tell sends the other side the digest of the catalog, and then its changes, until
// ctx ends or the other side does not want it. What was not answered in time is made
// good by the whole digest later, or the other side would hold an old one for ever.
func (w *Swarm) tell(ctx context.Context, s *session) {
	var seq uint64
	whole := true
	pauses := time.Duration(1)
	for ctx.Err() == nil {
		delay := w.cfg.Timeouts.DigestDelay
		began := time.Now()
		var status int
		if whole {
			d, now := w.cfg.Catalog.snapshot(w.cfg.Limits.DigestEntries)
			status, seq = w.sendDigest(ctx, s, http.MethodPut, d.encode()), now
			if d.partial {
				delay *= partialDelays
			}
			whole = d.partial
		} else if d, now, ok := w.cfg.Catalog.since(seq, w.cfg.Limits.DigestEntries); ok {
			status, seq = w.sendDigest(ctx, s, http.MethodPatch, d.encode()), now
		} else {
			whole = true
			continue
		}
		switch status {
		case http.StatusNoContent:
			pauses = 1
			// The first change after a quiet time is told at once.
			if !sleepAfter(ctx, w.cfg.Catalog.changes(seq), 0) || !sleepAfter(ctx, nil, delay-time.Since(began)) {
				return
			}
		case 0, http.StatusRequestTimeout:
			whole = true
			if !sleepAfter(ctx, nil, pauses*w.cfg.Timeouts.Stall) {
				return
			}
			pauses = min(2*pauses, maxTellPauses)
		case http.StatusConflict, http.StatusTooManyRequests, http.StatusServiceUnavailable:
			whole = true
			if !sleepAfter(ctx, nil, 2*delay) {
				return
			}
		default:
			return
		}
	}
}

// sleepAfter waits for event, if there is one, and then for d. It reports whether
// ctx lasted.
func sleepAfter(ctx context.Context, event <-chan struct{}, d time.Duration) bool {
	if event != nil {
		select {
		case <-event:
		case <-ctx.Done():
			return false
		}
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// sendDigest returns the status of the answer, 0 if there was none.
func (w *Swarm) sendDigest(ctx context.Context, s *session, method string, content []byte) int {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeouts.Stall)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://peer"+pathDigest, bytes.NewReader(content))
	if err != nil {
		return 0
	}
	req.Header.Set("Content-Type", digestType)
	req.Header["User-Agent"] = nil
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
