package intercept

import (
	"container/list"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// leaves keeps certificates, those used last. Each is made once for all that want it at
// the time, by the first of them, and few at a time.
type leaves struct {
	issue func(name string) (*tls.Certificate, error)
	max   int
	now   func() time.Time
	busy  chan struct{} // holds a token for each issue under way

	mu     sync.Mutex
	byName map[string]*list.Element // of *leaf
	order  *list.List               // used last in front
	age    int                      // how often clear was called
	making map[string]*making
}

type leaf struct {
	name string
	cert *tls.Certificate
	from time.Time
	till time.Time // it is to be replaced then
}

// making is an issue under way.
type making struct {
	age  int           // of the keeper when it began
	done chan struct{} // closed when the rest is set
	cert *tls.Certificate
	err  error
}

func newLeaves(issue func(string) (*tls.Certificate, error), limit int, now func() time.Time) *leaves {
	return &leaves{
		issue: issue, max: limit, now: now, busy: make(chan struct{}, max(1, runtime.GOMAXPROCS(0))),
		byName: map[string]*list.Element{}, order: list.New(), making: map[string]*making{},
	}
}

// get returns a certificate for a name in normal form.
func (l *leaves) get(ctx context.Context, name string) (*tls.Certificate, error) {
	for {
		cert, other, mine := l.begin(name)
		switch {
		case cert != nil:
			return cert, nil
		case mine != nil:
			return l.make(ctx, name, mine)
		}
		select {
		case <-other.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("certificate: %w", ctx.Err())
		}
		// If the other client had no time to wait for its turn, it is the turn of this one.
		if other.err == nil || !errors.Is(other.err, errNoTurn) {
			return other.cert, other.err
		}
	}
}

// errNoTurn says that too many certificates were being issued.
var errNoTurn = errors.New("too many certificates are being issued")

// begin returns the certificate that is kept, or the issue that is under way, or a new one.
func (l *leaves) begin(name string) (cert *tls.Certificate, other, mine *making) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, kept := l.byName[name]; kept {
		found := e.Value.(*leaf)
		if now := l.now(); now.Before(found.till) && !now.Before(found.from) {
			l.order.MoveToFront(e)
			return found.cert, nil, nil
		}
		l.dropLocked(e)
	}
	if other = l.making[name]; other != nil {
		return nil, other, nil
	}
	mine = &making{age: l.age, done: make(chan struct{})}
	l.making[name] = mine
	return nil, nil, mine
}

func (l *leaves) make(ctx context.Context, name string, m *making) (*tls.Certificate, error) {
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.making, name)
		close(m.done)
	}()
	select {
	case l.busy <- struct{}{}:
		defer func() { <-l.busy }()
	case <-ctx.Done():
		m.err = errNoTurn
		return nil, m.err
	}
	m.err = errors.New("certificate was not issued") // if issue panics
	made, err := l.issue(name)
	if err == nil {
		err = l.keep(name, made, m.age)
	}
	if err != nil {
		m.err = fmt.Errorf("certificate: %w", err)
		return nil, m.err
	}
	m.cert, m.err = made, nil
	return made, nil
}

// keep keeps a certificate until three quarters of its time are over, unless those of its age
// were dropped meanwhile.
func (l *leaves) keep(name string, made *tls.Certificate, age int) error {
	if made == nil || len(made.Certificate) == 0 {
		return errors.New("nothing was issued")
	}
	parsed := made.Leaf
	if parsed == nil {
		var err error
		if parsed, err = x509.ParseCertificate(made.Certificate[0]); err != nil {
			return err
		}
	}
	life := parsed.NotAfter.Sub(parsed.NotBefore)
	l.mu.Lock()
	defer l.mu.Unlock()
	if age != l.age {
		return nil
	}
	l.byName[name] = l.order.PushFront(&leaf{name, made, parsed.NotBefore, parsed.NotAfter.Add(-life / 4)})
	for l.order.Len() > l.max {
		l.dropLocked(l.order.Back())
	}
	return nil
}

func (l *leaves) dropLocked(e *list.Element) {
	l.order.Remove(e)
	delete(l.byName, e.Value.(*leaf).name)
}

// clear drops all.
func (l *leaves) clear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.age++
	clear(l.byName)
	l.order.Init()
}
