package portmap

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakeMapper is a gateway without a network. Once it is in use its fields are
// used within locked alone.
type fakeMapper struct {
	mu         sync.Mutex
	external   netip.AddrPort // what is granted; port 0 = the one wished for
	lease      time.Duration
	gateway    string
	err        error
	hang       bool // until the context ends
	lateGrant  bool // grants after the context has ended
	hangUnmap  bool
	unmapError error

	attempts []time.Time
	wishes   []uint16
	mapped   map[netip.AddrPort]bool
}

func (f *fakeMapper) Map(ctx context.Context, req Request) (Mapping, error) {
	if f.hang {
		<-ctx.Done()
		if !f.lateGrant {
			return Mapping{}, ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.attempts = append(f.attempts, time.Now())
	f.wishes = append(f.wishes, req.ExternalPort)
	if f.err != nil {
		return Mapping{}, f.err
	}
	external := f.external
	if external.Port() == 0 {
		external = netip.AddrPortFrom(external.Addr(), req.ExternalPort)
	}
	if f.mapped == nil {
		f.mapped = map[netip.AddrPort]bool{}
	}
	f.mapped[external] = true
	return Mapping{Protocol: req.Protocol, External: external, Lease: f.lease, Gateway: netip.MustParseAddr(f.gateway)}, nil
}

func (f *fakeMapper) Unmap(ctx context.Context, m Mapping) error {
	if f.hangUnmap {
		<-ctx.Done()
		return ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.mapped, m.External)
	return f.unmapError
}

// locked is for using fields while Keep may be running.
func (f *fakeMapper) locked(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

func newFakeMapper() *fakeMapper {
	return &fakeMapper{external: netip.MustParseAddrPort("11.0.0.100:0"), lease: time.Hour, gateway: "192.168.1.1"}
}

// kept is a Keep that runs within a synctest bubble.
type kept struct {
	mu       sync.Mutex
	statuses []Status

	cancel context.CancelFunc
	done   chan struct{}
	err    error // once done is closed
}

func keepRunning(t *testing.T, m Mapper, req Request) *kept {
	ctx, cancel := context.WithCancel(t.Context())
	k := &kept{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(k.done)
		k.err = Keep(ctx, m, req, k.report)
	}()
	synctest.Wait()
	return k
}

func (k *kept) report(s Status) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.statuses = append(k.statuses, s)
}

// stop ends the Keep and returns how long that took.
func (k *kept) stop() time.Duration {
	began := time.Now()
	k.cancel()
	<-k.done
	return time.Since(began)
}

func (k *kept) last() Status {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.statuses[len(k.statuses)-1]
}

// states returns the reported states without repetitions.
func (k *kept) states() []State {
	k.mu.Lock()
	defer k.mu.Unlock()
	var list []State
	for _, s := range k.statuses {
		if len(list) == 0 || list[len(list)-1] != s.State {
			list = append(list, s.State)
		}
	}
	return list
}

// elapse lets time pass and everything that is due happen.
func elapse(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func gaps(times []time.Time) []time.Duration {
	var list []time.Duration
	for i := 1; i < len(times); i++ {
		list = append(list, times[i].Sub(times[i-1]))
	}
	return list
}

func TestKeepRenewsAtHalfLife(t *testing.T) {
	for _, test := range []struct {
		lease, interval time.Duration
	}{
		{20 * time.Minute, 10 * time.Minute},
		{time.Hour, 30 * time.Minute},
		{7 * 24 * time.Hour, 30 * time.Minute}, // a changed address must be noticed
		{0, 30 * time.Minute},                  // without end
		{time.Nanosecond, 10 * time.Second},    // a gateway can't make us run hot
	} {
		t.Run(test.lease.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newFakeMapper()
				m.lease = test.lease
				k := keepRunning(t, m, request)
				elapse(10 * test.interval)
				if took := k.stop(); took != 0 || k.err != nil {
					t.Errorf("stopping took %v: %v", took, k.err)
				}
				for _, gap := range gaps(m.attempts) {
					if gap > test.interval || gap < min(test.interval, max(10*time.Second, test.interval*9/10)) {
						t.Errorf("renewed after %v, want %v or up to a tenth less", gap, test.interval)
					}
				}
				if n := len(m.attempts); n < 10 || n > 13 {
					t.Errorf("%d attempts", n)
				}
				if !slices.Equal(k.states(), []State{Asking, Mapped, Off}) {
					t.Errorf("states %v", k.states())
				}
				if len(m.mapped) != 0 {
					t.Errorf("left behind: %v", m.mapped)
				}
			})
		})
	}
}

func TestKeepBacksOffAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newFakeMapper()
		m.err = ErrNoGateway
		k := keepRunning(t, m, request)
		elapse(3 * time.Hour)
		if s := k.last(); s.State != Unmapped || !errors.Is(s.Err, ErrNoGateway) {
			t.Errorf("status %+v", s)
		}
		m.locked(func() {
			want := firstRetry
			for _, gap := range gaps(m.attempts) {
				if gap > want || gap < want*9/10 {
					t.Errorf("tried again after %v, want %v or up to a tenth less", gap, want)
				}
				want = min(2*want, maxRetry)
			}
			m.err = nil
		})
		elapse(maxRetry)
		if s := k.last(); s.State != Mapped || s.Err != nil {
			t.Errorf("status %+v", s)
		}
		k.stop()
		if !slices.Equal(k.states(), []State{Asking, Unmapped, Mapped, Off}) {
			t.Errorf("states %v", k.states())
		}
	})
}

// While the gateway does not answer, what it has promised holds until its time
// is over, and is given up to the second then.
func TestKeepHoldsUntilTheLeaseEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newFakeMapper()
		k := keepRunning(t, m, request)
		m.locked(func() { m.err = errors.New("silence") })
		elapse(time.Hour - time.Second)
		if s := k.last(); s.State != Mapped || s.Err == nil {
			t.Errorf("before the end: %+v", s)
		}
		elapse(time.Second)
		if s := k.last(); s.State != Unmapped || s.Err == nil || s.Mapping != (Mapping{}) {
			t.Errorf("after the end: %+v", s)
		}
		m.locked(func() { m.err = nil })
		elapse(maxRetry)
		if s := k.last(); s.State != Mapped || s.Mapping.External.Port() != 4711 {
			t.Errorf("after the return: %+v", s)
		}
		k.stop()
	})
}

func TestKeepGivesUpPermanentMappingOfADeadGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newFakeMapper()
		m.lease = 0
		k := keepRunning(t, m, request)
		m.locked(func() { m.err = errors.New("silence") })
		elapse(2 * maxRenewal)
		if s := k.last(); s.State != Unmapped {
			t.Errorf("status %+v", s)
		}
		k.stop()
	})
}

func TestKeepReportsChangedAddressAndPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newFakeMapper()
		k := keepRunning(t, m, request)
		m.locked(func() { m.external = netip.MustParseAddrPort("11.0.0.200:0") })
		elapse(30 * time.Minute)
		if got := k.last().Mapping.External.String(); got != "11.0.0.200:4711" {
			t.Errorf("external %v", got)
		}
		m.locked(func() { clear(m.mapped) }) // the gateway restarts, and another machine is quicker to get the port
		m.locked(func() { m.external = netip.MustParseAddrPort("11.0.0.200:5000") })
		elapse(30 * time.Minute)
		if got := k.last().Mapping.External.String(); got != "11.0.0.200:5000" {
			t.Errorf("external %v", got)
		}
		m.locked(func() { m.external = netip.MustParseAddrPort("11.0.0.200:0") })
		elapse(30 * time.Minute)
		k.stop()
		if got := m.wishes[len(m.wishes)-1]; got != 5000 {
			t.Errorf("wished for %d, not for the port that others know", got)
		}
		if len(m.mapped) != 0 {
			t.Errorf("left behind: %v", m.mapped)
		}
	})
}

func TestKeepRemovesTheFormerMapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newFakeMapper()
		k := keepRunning(t, m, request)
		m.locked(func() { m.external = netip.MustParseAddrPort("11.0.0.100:5000") })
		elapse(30 * time.Minute)
		m.locked(func() {
			if len(m.mapped) != 1 || !m.mapped[m.external] {
				t.Errorf("mapped %v, want the new one alone", m.mapped)
			}
		})
		k.stop()
	})
}

func TestKeepIsNotHeldUp(t *testing.T) {
	t.Run("by a mapper that hangs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := newFakeMapper()
			m.hang = true
			k := keepRunning(t, m, request)
			elapse(attemptTime)
			if s := k.last(); s.State != Unmapped || !errors.Is(s.Err, context.DeadlineExceeded) {
				t.Errorf("status %+v", s)
			}
			if took := k.stop(); took != 0 || k.err != nil {
				t.Errorf("stopping took %v: %v", took, k.err)
			}
		})
	})
	t.Run("by a removal that hangs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := newFakeMapper()
			m.hangUnmap = true
			k := keepRunning(t, m, request)
			if took := k.stop(); took != removeTime || !errors.Is(k.err, context.DeadlineExceeded) {
				t.Errorf("stopping took %v: %v", took, k.err)
			}
		})
	})
	t.Run("during an attempt that succeeds too late", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := newFakeMapper()
			m.hang, m.lateGrant = true, true
			k := keepRunning(t, m, request)
			if took := k.stop(); took != 0 || k.err != nil || len(m.mapped) != 0 {
				t.Errorf("stopping took %v: %v; left behind: %v", took, k.err, m.mapped)
			}
		})
	})
	t.Run("and says when it could not clean up", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			m := newFakeMapper()
			m.unmapError = &FaultError{Action: "DeletePortMapping", Code: 606}
			k := keepRunning(t, m, request)
			if k.stop(); !errors.Is(k.err, ErrRefused) {
				t.Errorf("error %v", k.err)
			}
		})
	})
}

func TestStatusTellsAPerson(t *testing.T) {
	mapping := Mapping{External: netip.MustParseAddrPort("11.0.0.100:4711"), Lease: time.Hour, Method: MethodUPnP}
	private := mapping
	private.External = netip.MustParseAddrPort("100.64.1.2:4711")
	private.Lease = 0
	tests := []struct {
		status Status
		want   string
	}{
		{Status{}, "port mapping is off"},
		{Status{State: Asking}, "asking for a gateway"},
		{Status{State: Mapped, Mapping: mapping}, "mapped by UPnP-IGD: 11.0.0.100:4711, for 1h0m0s"},
		{Status{State: Mapped, Mapping: mapping, Err: ErrNoGateway}, "mapped by UPnP-IGD: 11.0.0.100:4711, for 1h0m0s; renewing failed: no gateway answered"},
		{Status{State: Mapped, Mapping: private}, "mapped by UPnP-IGD: 100.64.1.2:4711, without end; the address is not public, so another NAT lies ahead"},
		{Status{State: Unmapped, Err: ErrNoGateway}, "not mapped: no gateway answered"},
		{Status{State: Unmapped, Err: errors.New("http://192.168.1.1/: strange words")}, "not mapped: failed"},
		{Status{State: Unmapped, Err: context.DeadlineExceeded}, "not mapped: no answer in time"},
		{Status{State: Unmapped, Err: &FaultError{"AddPortMapping", 718}}, "not mapped: AddPortMapping: gateway refused: 718 (the port is mapped to another machine)"},
	}
	for _, test := range tests {
		if got := test.status.String(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}
