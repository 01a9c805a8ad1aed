package proxy

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// contender is one of those who can answer.
type contender int

const (
	origin contender = iota
	peers
)

// race asks the origin and peers, one after the other or side by side, and takes
// the first good answer. The goroutine that runs a race also closes it.
type race struct {
	p     *Proxy
	fetch *fetch

	order   []contender // who is asked, in this order
	next    int         // index of who has not been asked yet
	cancel  [2]context.CancelCauseFunc
	results chan answer
	pending int
	started [2]time.Time
	heard   [2]bool // who has answered
	hurried bool    // the site is known to fail, and there is a copy to fall back to

	silent   bool      // the origin had the patience time and has not answered
	tried    []string  // for the error page
	refused  string    // why peers' copies were not taken, "" = there were none
	newer    time.Time // when a copy was received that is newer than the stored one, but less proven
	fallback answer    // the answer of an origin that failed
	err      error     // of the contender that counts most: the origin
}

func (p *Proxy) newRace(f *fetch) *race {
	x := &race{p: p, fetch: f, order: p.order(f), results: make(chan answer, 2)}
	x.hurried = f.usable && p.health.failing(f.url.Site())
	return x
}

// order decides who is asked first. A fresh copy in store makes asking peers needless.
func (p *Proxy) order(f *fetch) []contender {
	switch {
	case f.source == SourcePeers:
		return []contender{peers}
	case f.fresh || !p.mayAskPeers(f.request):
		return []contender{origin}
	case p.health.failing(f.url.Site()):
		return []contender{peers, origin}
	}
	return []contender{origin, peers}
}

// patience is how long who is asked first is alone. An origin that failed before gets
// its chance in time, or it would count as failing as long as somebody asks.
func (x *race) patience() time.Duration {
	if x.hurried {
		return x.p.cfg.Patience / 2
	}
	return x.p.cfg.Patience
}

// budget is how long the race may last. Where a copy is at hand that is as good as
// what peers have, or the site is known to fail, nobody has to wait that long.
func (x *race) budget() time.Duration {
	if x.fetch.fresh || x.hurried {
		return x.p.cfg.Patience
	}
	return x.p.cfg.Budget
}

// run returns the first good answer; the others are cancelled. Without one it
// returns the answer of an origin that failed, or the reason for there being none,
// in both cases with its err set.
func (x *race) run(ctx context.Context) answer {
	x.startNext(ctx)
	patience := time.NewTimer(x.patience())
	defer patience.Stop()
	budget := time.NewTimer(x.budget())
	defer budget.Stop()
	for x.pending > 0 {
		select {
		case a := <-x.results:
			x.pending--
			x.heard[a.from] = true
			if a.err == nil {
				x.won(a)
				return a
			}
			x.note(ctx, a)
			x.startNext(ctx)
		case <-patience.C:
			x.silent = x.triedPatience()
			x.startNext(ctx)
		case <-budget.C:
			if !x.onlyOrigin() {
				return x.outOfTime()
			}
		case <-ctx.Done():
			return answer{err: context.Cause(ctx)}
		}
	}
	return x.lost()
}

// onlyOrigin reports whether nobody but the origin can answer any more, and it has not yet. Then its
// slowness is the client's affair, as it were without the proxy: reports that take a minute to
// make, and requests that wait for news. Connecting has its own time limit.
func (x *race) onlyOrigin() bool {
	return !x.fetch.usable && x.waitsFor(origin) && !x.waitsFor(peers) && x.next == len(x.order)
}

func (x *race) startNext(ctx context.Context) {
	if x.next == len(x.order) {
		return
	}
	who := x.order[x.next]
	x.next++
	x.pending++
	x.started[who] = time.Now()
	ctx, x.cancel[who] = context.WithCancelCause(ctx)
	ask := x.p.askOrigin
	if who == peers {
		ask = x.p.askPeers
	}
	go func() { x.results <- ask(ctx, x.fetch) }() // close waits for it
}

// won cancels the loser and draws the conclusions for the next requests.
func (x *race) won(a answer) {
	x.cancelAllBut(a.from)
	site := x.fetch.url.Site()
	if a.from == origin {
		x.p.health.worked(site)
	} else if x.silent {
		x.p.health.failed(site)
	}
}

// note keeps what is needed of an answer that is none.
func (x *race) note(ctx context.Context, a answer) {
	var newer *newerError
	if errors.As(a.err, &newer) {
		x.newer = newer.received
	}
	if a.from == peers {
		x.tried, x.refused = append(x.tried, peerWords(a.err)), refusalWords(a.err)
		if x.refused != "" {
			x.p.log.Info("copies of peers refused", "why", x.refused)
		}
		if x.err == nil && len(x.order) == 1 {
			x.err = a.err
		}
		return
	}
	x.tried = append(x.tried, originWords(a.err))
	if err := x.p.notAsked(x.fetch.request); err != nil && x.p.cfg.Peers != nil {
		x.tried = append(x.tried, peerWords(err))
	}
	x.err, x.fallback = a.err, a
	if ctx.Err() == nil && !errors.Is(a.err, ErrLoop) {
		x.p.health.failed(x.fetch.url.Site())
	}
}

func originWords(err error) string {
	var status badStatusError
	var upstream *upstreamError
	switch {
	case errors.As(err, &upstream):
		return "The upstream proxy was asked for the site. " + explain(err).title + "."
	case errors.As(err, &status):
		return "The site was asked. It answered “" + statusWords(int(status)) + "”."
	case errors.Is(err, ErrForbiddenAddress), errors.Is(err, ErrLoop):
		return "The site was not asked: the proxy does not connect to its address."
	}
	return "The site was asked. " + explain(err).title + "."
}

func peerWords(err error) string {
	switch {
	case errors.Is(err, errPrivate):
		return "Peers were not asked: they are only asked for what is public."
	case errors.Is(err, errNotAsked):
		return "Peers were not asked: nobody's copies of this site would be taken, or it is set to be private."
	case errors.Is(err, errNoNewer):
		return "Peers were asked: they have nothing newer than the copy that is kept here."
	}
	var told interface{ Why() string }
	switch refused := refusalWords(err); {
	case errors.Is(err, errUnfit) && refused == "":
		return "Peers were asked: the copies they have are of no use here."
	case errors.Is(err, errUnfit):
		return "Peers were asked: the copies they have are of no use here: " + refused + "."
	case refused != "":
		return "Peers were asked. What they offered was refused: " + refused + "."
	case errors.As(err, &told):
		return "Peers were looked for: " + told.Why() + "."
	}
	return "Peers were asked: none has it."
}

// maxRefusal bounds what an answer says about refused copies, in bytes.
const maxRefusal = 200

// refusalWords says why copies that peers offered were not taken, "" if none was offered. It is
// for programs, too, and names nobody.
func refusalWords(err error) string {
	var told interface{ Refused() string }
	var unfit *unfitError
	why := ""
	switch {
	case errors.Is(err, errNoNewer): // nothing is wrong with it
	case errors.As(err, &unfit):
		why = unfit.why
	case errors.As(err, &told):
		why = told.Refused()
	}
	return why[:min(len(why), maxRefusal)]
}

func statusWords(status int) string {
	if text := http.StatusText(status); text != "" {
		return text
	}
	return "an error without a name"
}

func (x *race) outOfTime() answer {
	if x.waitsFor(origin) {
		x.tried = append(x.tried, "The site was asked. It did not answer in time.")
	}
	if x.triedPatience() {
		x.p.health.failed(x.fetch.url.Site())
	}
	if x.waitsFor(peers) {
		x.tried = append(x.tried, "Peers were asked: no answer in time.")
	}
	if x.err == nil {
		x.err = errBudget
	}
	return x.lost()
}

func (x *race) waitsFor(who contender) bool { return x.cancel[who] != nil && !x.heard[who] }

// triedPatience reports whether the origin has been silent for the whole patience
// time. Less is no reason to call it failing.
func (x *race) triedPatience() bool {
	return x.waitsFor(origin) && time.Since(x.started[origin]) >= x.p.cfg.Patience
}

// lost is the outcome without a good answer.
func (x *race) lost() answer {
	if x.fallback.response != nil {
		x.cancelAllBut(origin)
		a := x.fallback
		x.fallback = answer{}
		return a
	}
	x.cancelAllBut(-1)
	return answer{err: x.err}
}

func (x *race) cancelAllBut(winner contender) {
	for who, cancel := range x.cancel {
		if cancel != nil && contender(who) != winner {
			cancel(errLost)
		}
	}
}

// stall breaks the body of an answer off.
func (x *race) stall(who contender) { x.cancel[who](errStalled) }

// close ends everything that belongs to the race and waits for it.
func (x *race) close() {
	x.cancelAllBut(-1)
	x.fallback.discard()
	for ; x.pending > 0; x.pending-- {
		a := <-x.results
		a.discard()
	}
}

// tierWords labels a copy that peers gave, for Proxy-Status.
func tierWords(t resource.Tier) string { return "from a peer, " + t.String() }
