package peer

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

const (
	pace      = 100 * time.Millisecond // until one more peer is asked or dialled beside the others
	headStart = 400 * time.Millisecond // of connected peers that say they have it, over the look-up
	diallers  = 2                      // dials at first
	maxMisses = 16                     // digest entries in vain until a peer is asked last
)

// hunt is one search for answers: it asks the connected peers that say they have
// it, the best first, looks up and dials others, and hands out the good answers as they come, until
// one is enough. It belongs to the goroutine that runs it.
type hunt struct {
	swarm  *Swarm
	site   string
	target Target // of the look-up
	id     resource.BlindedID
	ask    question
	avoid  map[trust.Key]bool // peers that are not asked

	queue   []*session             // to be asked, the best first
	asked   map[*session]bool      // queued or asked already
	saidNo  map[*session]bool      // their digests have no such copy
	doubted []*session             // of these, those that were found for the site all the same
	unheard map[*session]time.Time // found, but not for the site: until when their digest is waited for
	addrs   []Found                // to be dialled
	lookup  *lookup                // nil until it has begun
	seen    int                    // of what the look-up found
	all     bool                   // the look-up gives no more
	budget  int                    // of questions
	spread  *spread                // nil: all the same in which networks peers are
	asks    lane
	dials   lane
	results chan askResult
	joined  chan dialResult
	over    chan struct{} // closed when nobody takes results any more

	tally    FetchError
	refused  bool // somebody gave no answer
	unproven bool // somebody's copy could not be verified
}

type askResult struct {
	answer *answer
	err    error
}

type dialResult struct {
	session *session
	named   bool // it was found for the very site
	err     error
}

// lane runs things side by side: few at first, more with time, one in the place of
// each that fails.
type lane struct{ running, width, limit int }

func (l *lane) free() bool { return l.running < l.width }
func (l *lane) widen()     { l.width = min(l.width+1, l.limit) }

func (w *Swarm) newHunt(q resource.Query, ask question, avoid map[trust.Key]bool) *hunt {
	target := Target{Site: q.URL.Site()}
	if w.cfg.Exact {
		target.ID = q.ID()
	}
	return &hunt{
		swarm:   w,
		site:    target.Site,
		target:  target,
		id:      q.ID().Blind(w.cfg.Secret),
		ask:     ask,
		avoid:   avoid,
		asked:   make(map[*session]bool),
		saidNo:  make(map[*session]bool),
		unheard: make(map[*session]time.Time),
		all:     w.cfg.Finder == nil,
		budget:  math.MaxInt,
		asks:    lane{width: 1, limit: w.cfg.Limits.Asks},
		dials:   lane{width: min(diallers, w.cfg.Limits.Dials), limit: w.cfg.Limits.Dials},
		results: make(chan askResult),
		joined:  make(chan dialResult),
		over:    make(chan struct{}),
	}
}

// first returns the first good answer, or a *FetchError, or the error of ctx wrapped in one.
func (h *hunt) first(ctx context.Context) (first *answer, err error) {
	err = h.each(ctx, func(a *answer) (more bool) {
		h.swarm.affinity.put(h.site, a.session.key, h.swarm.cfg.Timeouts.Idle)
		first = a
		return false
	})
	return first, err
}

// each hands out the good answers until take wants no more; the error is nil then. Else there
// is nobody left to ask, or ctx has ended, and the error is a *FetchError.
func (h *hunt) each(ctx context.Context, take func(*answer) (more bool)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer close(h.over)
	sure := h.enqueueSessions()
	lookUpAt := time.After(headStart)
	if !sure {
		lookUpAt = time.After(0)
	}
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	for {
		h.hearDigests()
		more, err := h.advance(ctx)
		if err != nil {
			return h.fail(err)
		}
		if h.exhausted() && h.enqueueDoubted() {
			continue
		}
		if h.exhausted() {
			if h.lookup != nil || h.all {
				return h.fail(h.verdict())
			}
			lookUpAt = time.After(0)
		}
		select {
		case r := <-h.results:
			h.asks.running--
			if r.err != nil {
				h.noteFailure(r.err)
			} else if !take(r.answer) {
				return nil
			}
		case r := <-h.joined:
			h.noteDial(r)
		case <-lookUpAt:
			if err := h.lookUp(ctx); err != nil {
				return h.fail(err)
			}
		case <-more:
		case <-ticker.C:
			h.enqueueSessions() // digests come while the search runs, and so do peers
			h.asks.widen()
			h.dials.widen()
		case <-ctx.Done():
			return h.fail(ctx.Err())
		}
	}
}

// lookUp begins the look-up, once.
func (h *hunt) lookUp(ctx context.Context) (err error) {
	if h.lookup == nil && !h.all {
		h.lookup, err = h.swarm.lookUp(ctx, h.target)
	}
	return err
}

// advance starts what may be started, and returns a channel that is closed when the
// look-up has more.
func (h *hunt) advance(ctx context.Context) (more <-chan struct{}, err error) {
	if h.lookup != nil && !h.all {
		var found []Found
		found, h.all, more = h.lookup.after(h.seen)
		h.seen += len(found)
		h.addrs = append(h.addrs, found...)
		h.tally.Found = h.seen
	}
	for len(h.queue) > 0 && h.asks.free() {
		s := h.queue[0]
		h.queue = h.queue[1:]
		if err := h.startAsk(ctx, s); err != nil {
			return nil, err
		}
	}
	for len(h.addrs) > 0 && h.dials.free() {
		a := h.addrs[0]
		h.addrs = h.addrs[1:]
		if err := h.startDial(ctx, a); err != nil {
			return nil, err
		}
	}
	return more, nil
}

func (h *hunt) startAsk(ctx context.Context, s *session) error {
	if s.gone() || h.budget == 0 || !h.spread.ask(s.addr.Addr()) {
		return nil
	}
	h.budget--
	h.asks.running++
	h.tally.Tried++
	return h.swarm.start(ctx, func(context.Context) {
		a, err := h.swarm.ask(ctx, s, h.ask)
		select {
		case h.results <- askResult{a, err}:
		case <-h.over:
			if err == nil {
				a.close()
			}
		}
	})
}

// startDial connects to an address, unless that failed not long ago or the budget is used up.
func (h *hunt) startDial(ctx context.Context, f Found) error {
	if h.tally.Dialled >= h.swarm.cfg.Limits.DialsPerFetch {
		h.addrs = nil
		return nil
	}
	if h.swarm.dials.resting(f.Addr) || h.budget == 0 || !h.spread.dial(f.Addr.Addr()) {
		return nil
	}
	h.dials.running++
	h.tally.Dialled++
	return h.swarm.start(ctx, func(context.Context) {
		s, err := h.swarm.connect(ctx, f.Addr)
		select {
		case h.joined <- dialResult{s, f.Named, err}:
		case <-h.over:
		}
	})
}

func (h *hunt) noteFailure(err error) {
	switch {
	case errors.Is(err, ErrNotHeld):
		h.tally.Absent++
		return
	case errors.Is(err, ErrUnverified), errors.Is(err, errLie):
		h.unproven = true
		h.tally.refuse(err)
	default:
		h.refused = true
		if errors.Is(err, ErrTruncated) {
			h.tally.refuse(err)
		}
	}
	h.tally.Failed++
}

// exhausted reports whether nothing is under way and nothing is left to start.
func (h *hunt) exhausted() bool {
	idle := h.asks.running == 0 && h.dials.running == 0 && len(h.unheard) == 0
	return idle && len(h.queue) == 0 && len(h.addrs) == 0 && (h.lookup == nil || h.all)
}

// verdict is the sentinel that says most about why there is no answer.
func (h *hunt) verdict() error {
	switch {
	case h.unproven:
		return ErrUnverified
	case h.refused:
		return ErrRefused
	case h.tally.Tried > 0 || len(h.saidNo) > 0:
		return ErrNotFound
	}
	return ErrNoPeers
}

func (h *hunt) fail(reason error) *FetchError {
	e := h.tally
	e.reason, e.Refusals = reason, slices.Clone(e.Refusals)
	for s := range h.saidNo {
		if !h.asked[s] {
			e.Tried++
			e.Absent++
		}
	}
	return &e
}
