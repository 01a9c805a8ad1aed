package portmap

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	// attemptTime bounds one attempt, with searching and all concessions.
	attemptTime = 30 * time.Second
	// removeTime bounds a removal: a program that ends must not be held up.
	removeTime = 2 * time.Second
	// maxRenewal is the longest time between two looks at the gateway, so that a
	// restart or another external address is noticed although the lease is long.
	maxRenewal = 30 * time.Minute
	// minRenewal is the shortest, whatever lease a gateway grants.
	minRenewal = 10 * time.Second
	firstRetry = 5 * time.Second
	maxRetry   = 15 * time.Minute
)

// Keep asks for a mapping and keeps it until ctx ends; then it removes the
// mapping, within two seconds, and returns. It renews at half of the lease (and
// at least every half hour), wishing for the external port that it had last; after
// a failure it tries again in 5 seconds, then in ever longer intervals up to 15
// minutes, for gateways come back and machines change networks.
//
// It calls report, if not nil, from its own goroutine: first with the state
// [Asking], then after each attempt, and with [Off] in the end. A mapping whose
// external address or port changed is reported like any other.
//
// The error is an [ErrBadRequest] at once, or says that the mapping could not be
// removed; it is never that of ctx.
func Keep(ctx context.Context, m Mapper, req Request, report func(Status)) error {
	req, err := req.normal()
	if err != nil {
		return fmt.Errorf("portmap: keep: %w", err)
	}
	if report == nil {
		report = func(Status) {}
	}
	defer report(Status{State: Off})
	report(Status{State: Asking})
	k := keeper{mapper: m, req: req}
	for ctx.Err() == nil {
		former, held := k.mapping, k.held
		err := k.attempt(ctx)
		if ctx.Err() != nil {
			break
		}
		report(k.status(err))
		if err == nil && held {
			k.removeFormer(ctx, former)
		}
		sleep(ctx, k.pause())
	}
	return k.end(ctx)
}

// keeper is the state of one Keep.
type keeper struct {
	mapper   Mapper
	req      Request
	held     bool
	mapping  Mapping   // valid while held
	until    time.Time // when the lease ends, or a permanent one is no longer believed in
	failures int       // since the last success
}

func (k *keeper) attempt(ctx context.Context) error {
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	m, err := k.mapper.Map(ctx, k.req)
	if err != nil {
		k.failures++
		k.held = k.held && time.Now().Before(k.until)
		return err
	}
	k.failures, k.held, k.mapping = 0, true, m
	k.req.ExternalPort = m.External.Port() // others may have been told of it
	k.until = started.Add(m.Lease)
	if m.Lease <= 0 {
		k.until = started.Add(2 * maxRenewal)
	}
	return nil
}

func (k *keeper) status(err error) Status {
	if !k.held {
		return Status{State: Unmapped, Err: err}
	}
	return Status{State: Mapped, Mapping: k.mapping, Err: err}
}

// pause returns how long to wait for the next attempt. It is made a little
// shorter by chance, so that many nodes behind one gateway that restarted don't
// ask in step for ever.
func (k *keeper) pause() time.Duration {
	if k.failures == 0 {
		pause := maxRenewal
		if k.mapping.Lease > 0 {
			pause = min(pause, k.mapping.Lease/2)
		}
		return max(shorten(pause), minRenewal)
	}
	pause := maxRetry
	if n := k.failures - 1; n < 8 { // 5 s × 2⁸ is above the maximum
		pause = min(pause, firstRetry<<n)
	}
	pause = shorten(pause)
	if k.held { // be there when the lease ends, to report it
		pause = min(pause, time.Until(k.until))
	}
	return pause
}

// removeFormer removes the mapping that the present one took the place of, unless
// it is the same one. It may be out of reach; then its lease ends it.
func (k *keeper) removeFormer(ctx context.Context, former Mapping) {
	same := former.Gateway == k.mapping.Gateway && former.Internal == k.mapping.Internal &&
		former.External.Port() == k.mapping.External.Port()
	if same {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, removeTime)
	defer cancel()
	_ = k.mapper.Unmap(ctx, former)
}

func (k *keeper) end(ctx context.Context) error {
	if !k.held {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTime)
	defer cancel()
	if err := k.mapper.Unmap(ctx, k.mapping); err != nil {
		return fmt.Errorf("portmap: remove mapping: %w", err)
	}
	return nil
}

// shorten returns d less up to a tenth.
func shorten(d time.Duration) time.Duration {
	return d - time.Duration(rand.Int64N(int64(d)/10+1))
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
