package intercept

import (
	"container/list"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Why hosts are not looked into.
const (
	Configured = "configured"
	Refused    = "client refused certificate"
)

// When a client that hangs up without a reason counts as one that refuses certificates.
const (
	leaveTime  = time.Second      // within this time after the handshake, without a word
	leaveTimes = 3                // in a row
	leaveSpan  = 10 * time.Minute // all of them, and that long after a client has stayed none counts
)

// Entry is a host that is not looked into.
type Entry struct {
	Host    string    // as in [Pattern]
	Reason  string    // [Configured] or [Refused]
	Since   time.Time // zero if configured
	Expires time.Time // zero if configured

	guessed bool // no client has said so: see left
}

// bypass is the hosts that are not looked into.
type bypass struct {
	configured []Pattern
	max        int
	time       time.Duration
	now        func() time.Time
	log        *slog.Logger

	mu      sync.Mutex
	refusal map[string]*list.Element // of *Entry
	order   *list.List               // the latest in front
	leaving map[string]*leaving
	staying map[string]time.Time // when a client has accepted a certificate for a host
}

// leaving counts how often clients have left a host without a word, one after the other.
type leaving struct {
	times int
	first time.Time
}

func newBypass(cfg Config) *bypass {
	return &bypass{
		configured: slices.Clone(cfg.Bypass), max: cfg.MaxBypass, time: cfg.BypassFor, now: cfg.Now, log: cfg.Logger,
		refusal: map[string]*list.Element{}, order: list.New(), leaving: map[string]*leaving{}, staying: map[string]time.Time{},
	}
}

func (b *bypass) has(name, port string) bool {
	for _, p := range b.configured {
		if p.matches(name, port) {
			return true
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expireLocked()
	return b.refusal[name] != nil
}

// expireLocked drops entries whose time is over. All have the same, so the last are the
// oldest.
func (b *bypass) expireLocked() {
	for e := b.order.Back(); e != nil && !b.now().Before(e.Value.(*Entry).Expires); e = b.order.Back() {
		b.dropLocked(e)
	}
}

func (b *bypass) dropLocked(e *list.Element) {
	b.order.Remove(e)
	delete(b.refusal, e.Value.(*Entry).Host)
}

// refused puts a host on the list: a client has said that it does not accept certificates for it.
func (b *bypass) refused(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refusedLocked(name, false)
}

func (b *bypass) refusedLocked(name string, guessed bool) {
	delete(b.leaving, name)
	now := b.now()
	since := now
	if e := b.refusal[name]; e != nil {
		since = e.Value.(*Entry).Since
		b.dropLocked(e)
	} else {
		b.log.Info("a client does not accept certificates made here: the host is not looked into for a while", "time", b.time)
		b.log.Debug("host is bypassed", "host", name)
	}
	b.refusal[name] = b.order.PushFront(&Entry{Host: name, Reason: Refused, Since: since, Expires: now.Add(b.time), guessed: guessed})
	for b.order.Len() > b.max {
		b.dropLocked(b.order.Back())
	}
}

// left notes that a client has seen a certificate and gone without a word. Browsers do that with the
// connections that they do not need any more when the first of several turns out to be HTTP/2. So it says
// nothing where clients have stayed lately.
func (b *bypass) left(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if when, ok := b.staying[name]; ok && b.now().Sub(when) < leaveSpan {
		return
	}
	l := b.leaving[name]
	if l == nil || b.now().Sub(l.first) > leaveSpan {
		if l == nil && len(b.leaving) >= b.max { // no memory for whoever asks for many names
			clear(b.leaving)
		}
		l = &leaving{first: b.now()}
		b.leaving[name] = l
	}
	l.times++
	if l.times >= leaveTimes {
		b.refusedLocked(name, true)
	}
}

// stayed notes that a client has accepted a certificate. If the host was taken for one whose clients do not,
// because some had left a moment before, that was wrong.
func (b *bypass) stayed(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.leaving, name)
	if _, known := b.staying[name]; !known && len(b.staying) >= b.max {
		clear(b.staying)
	}
	b.staying[name] = b.now()
	if e := b.refusal[name]; e != nil && e.Value.(*Entry).guessed {
		b.dropLocked(e)
	}
}

// Bypassed lists the hosts that are not looked into: those that the user has set, in the given
// order, and then those that were found, the latest first.
func (i *Interceptor) Bypassed() []Entry {
	b := i.bypass
	all := make([]Entry, 0, len(b.configured))
	for _, p := range b.configured {
		all = append(all, Entry{Host: p.String(), Reason: Configured})
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expireLocked()
	for e := b.order.Front(); e != nil; e = e.Next() {
		all = append(all, *e.Value.(*Entry))
	}
	return all
}

// Renew is to be called when Issue has another authority: certificates that are kept are dropped, and
// hosts that were found to refuse them get another chance.
func (i *Interceptor) Renew() {
	i.leaves.clear()
	i.bypass.mu.Lock()
	defer i.bypass.mu.Unlock()
	clear(i.bypass.refusal)
	clear(i.bypass.leaving)
	clear(i.bypass.staying)
	i.bypass.order.Init()
}

// Forget takes a host from those that were found; false = it was not among them.
func (i *Interceptor) Forget(host string) bool {
	b := i.bypass
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expireLocked()
	e := b.refusal[normal(host)]
	if e == nil {
		return false
	}
	b.dropLocked(e)
	delete(b.leaving, normal(host))
	return true
}
