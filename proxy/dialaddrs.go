package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// attemptDelay is how long one address may be silent until the next is tried beside it
// (RFC 8305 section 5).
const attemptDelay = 250 * time.Millisecond

// dialResolved looks the host up by DNS over HTTPS and connects to one of its
// addresses, each of which is checked as any other.
func (d *Dialer) dialResolved(ctx context.Context, network, address string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("proxy: dial: %w: no host and port", errBadTarget)
	}
	port, err := parsePort(portText)
	if err != nil {
		return nil, fmt.Errorf("proxy: dial: %w: no valid port", errBadTarget)
	}
	ctx, cancel := context.WithTimeout(ctx, d.timeout())
	defer cancel()
	addrs, err := d.DoH.LookupNetIP(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("proxy: dial: %w", err)
	}
	return dialFirst(ctx, interleave(addrs), func(ctx context.Context, ip netip.Addr) (net.Conn, error) {
		return d.dial(ctx, network, netip.AddrPortFrom(ip, port).String(), false)
	})
}

// interleave orders addresses so that the families take turns (RFC 8305 section 4).
func interleave(addrs []netip.Addr) []netip.Addr {
	var six, four []netip.Addr
	for _, ip := range addrs {
		if ip.Is4() {
			four = append(four, ip)
		} else {
			six = append(six, ip)
		}
	}
	mixed := make([]netip.Addr, 0, len(addrs))
	for i := range max(len(six), len(four)) {
		if i < len(six) {
			mixed = append(mixed, six[i])
		}
		if i < len(four) {
			mixed = append(mixed, four[i])
		}
	}
	return mixed
}

// dialFirst tries addresses, the next when one fails or has been silent for a moment,
// and returns the first connection. It returns when all attempts have ended.
func dialFirst(ctx context.Context, addrs []netip.Addr, dial func(context.Context, netip.Addr) (net.Conn, error)) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type attempt struct {
		conn net.Conn
		err  error
	}
	results := make(chan attempt, len(addrs))
	started, ended := 0, 0
	start := func() {
		if started < len(addrs) {
			ip := addrs[started]
			started++
			go func() { // waited for below
				conn, err := dial(ctx, ip)
				results <- attempt{conn, err}
			}()
		}
	}
	tick := time.NewTicker(attemptDelay)
	defer tick.Stop()
	var won net.Conn
	var failed error
	for start(); ended < started; {
		select {
		case a := <-results:
			ended++
			switch {
			case a.err != nil && won == nil:
				failed = telling(failed, a.err)
				start()
			case a.err == nil && won == nil:
				won = a.conn
				cancel()
			case a.err == nil:
				_ = a.conn.Close()
			}
		case <-tick.C:
			if won == nil {
				start()
			}
		}
	}
	if won == nil {
		return nil, failed
	}
	return won, nil
}

// telling is the error that says more of two: the first, unless it only says that this
// machine has no way to a whole family of addresses.
func telling(first, next error) error {
	if first == nil || errors.Is(first, syscall.ENETUNREACH) || errors.Is(first, syscall.EADDRNOTAVAIL) {
		return next
	}
	return first
}
