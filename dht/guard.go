package dht

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anacrolix/dht/v2/krpc"
)

// maxDatagram is the largest datagram that is looked at. A reply to find_node for both
// families has about 600 bytes, an item of BEP 44 at most 1,000 and its signature.
const maxDatagram = 4096

// Drops counts the datagrams that were not let in, by reason.
type Drops struct {
	TooLarge     uint64 // over 4096 bytes
	Malformed    uint64 // not bencode, or not a KRPC message that can be decoded
	UnknownQuery uint64 // a query that is none of BEP 5 and BEP 44
	Invalid      uint64 // a message that lacks what its kind must have
	Unsolicited  uint64 // an answer to a query that was never sent to that address
	RateLimited  uint64 // a query above its source network's share
}

type dropReason int

const (
	accepted dropReason = iota
	tooLarge
	malformed
	unknownQuery
	invalid
	unsolicited
	rateLimited
	dropReasons
)

// guard is the socket that the library gets. It lets in only messages on which the
// library can neither panic nor leak, tags outgoing queries, and drops answers without the tag.
// When it is closed it ends the queries that are under way.
// Read errors other than an expired deadline and the guard's own end never reach the library,
// which would panic on them.
type guard struct {
	net.PacketConn
	tags     tagger
	rates    *rateTable
	pending  *pending
	answered func(from netip.AddrPort, m *krpc.Msg) // called for each accepted answer, before the library sees it

	drops     [dropReasons]atomic.Uint64
	closeOnce sync.Once
	closeErr  error
	closed    chan struct{}
	parkOnce  sync.Once
	parked    chan struct{} // closed when the reader has come back to a closed guard
	released  chan struct{} // closed when the reader may be told
}

func newGuard(conn net.PacketConn, queriesPerSecond int, answered func(netip.AddrPort, *krpc.Msg)) *guard {
	return &guard{
		PacketConn: conn,
		tags:       newTagger(),
		rates:      newRateTable(queriesPerSecond),
		pending:    newPending(),
		answered:   answered,
		closed:     make(chan struct{}),
		parked:     make(chan struct{}),
		released:   make(chan struct{}),
	}
}

// ReadFrom returns the next acceptable datagram.
func (g *guard) ReadFrom(p []byte) (int, net.Addr, error) {
	pause := time.Millisecond
	for {
		n, from, err := g.PacketConn.ReadFrom(p)
		switch {
		case err == nil:
			pause = time.Millisecond
			if kept := g.admit(p, n, from); kept > 0 {
				return kept, from, nil
			}
		case g.isClosed():
			if answer, from, ok := g.pending.refuseOne(); ok {
				return copy(p, answer), net.UDPAddrFromAddrPort(from), nil
			}
			g.parkOnce.Do(func() { close(g.parked) })
			<-g.released
			return 0, nil, net.ErrClosed
		case errors.Is(err, os.ErrDeadlineExceeded):
			return 0, nil, err
		default:
			g.wait(pause)
			pause = min(2*pause, time.Second)
		}
	}
}

// wait pauses after an error of the socket, which may last (network down) or not
// (a port was unreachable, as Windows reports).
func (g *guard) wait(pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-g.closed:
	}
}

// admit judges the datagram p[:n], may rewrite it in p, and returns its length, or 0 if it was dropped.
func (g *guard) admit(p []byte, n int, from net.Addr) int {
	source, ok := udpAddrPort(from)
	if !ok {
		g.drops[invalid].Add(1)
		return 0
	}
	b, reason := g.judge(p[:n], source, time.Now())
	if reason == accepted && len(b) > len(p) {
		reason = tooLarge
	}
	if reason != accepted {
		g.drops[reason].Add(1)
		return 0
	}
	return copy(p, b)
}

// judge returns the message as the library may see it. The cheap tests come first.
func (g *guard) judge(b []byte, source netip.AddrPort, now time.Time) ([]byte, dropReason) {
	if len(b) > maxDatagram {
		return nil, tooLarge
	}
	env, err := openEnvelope(b)
	if err != nil {
		return nil, malformed
	}
	b = b[:env.end]
	if env.kind == krpc.YQuery {
		if !slices.Contains(knownQueries, env.name) {
			return nil, unknownQuery
		}
		if !g.rates.allow(networkOf(source), now) {
			return nil, rateLimited
		}
	} else {
		id, ours := g.tags.remove(env.id, source)
		if !ours {
			return nil, unsolicited
		}
		b = env.withID(b, id)
		g.pending.answered(source, id)
	}
	return g.judgeContent(b, source)
}

func (g *guard) judgeContent(b []byte, source netip.AddrPort) ([]byte, dropReason) {
	m, err := decodeMessage(b)
	if err != nil {
		return nil, malformed
	}
	if vet(m) != nil {
		return nil, invalid
	}
	if prune(m, source.Addr()) {
		if b, err = encodeMessage(m); err != nil {
			return nil, malformed
		}
	}
	if m.Y != krpc.YQuery && g.answered != nil {
		g.answered(source, m)
	}
	return b, accepted
}

// WriteTo sends the library's messages; queries get their tag.
func (g *guard) WriteTo(p []byte, to net.Addr) (int, error) {
	target, ok := udpAddrPort(to)
	env, err := openEnvelope(p)
	if !ok || err != nil || env.kind != krpc.YQuery {
		return g.PacketConn.WriteTo(p, to)
	}
	if _, err := g.PacketConn.WriteTo(env.withID(p, g.tags.add(env.id, target)), to); err != nil {
		return 0, err
	}
	g.pending.sent(target, env.id)
	return len(p), nil
}

// Close closes the socket. ReadFrom ends when finish has been called too. It may be called more than once.
func (g *guard) Close() error {
	g.closeOnce.Do(func() {
		close(g.closed)
		g.closeErr = g.PacketConn.Close()
	})
	return g.closeErr
}

// finish closes the guard and then its reader by closeReader. The reader, which panics when it is told of
// a closed socket first, learns of it after that; when finish returns it is on its way out.
func (g *guard) finish(closeReader func()) error {
	err := g.Close()
	<-g.parked
	closeReader()
	close(g.released)
	return err
}

func (g *guard) isClosed() bool {
	select {
	case <-g.closed:
		return true
	default:
		return false
	}
}

func (g *guard) counts() Drops {
	return Drops{
		TooLarge:     g.drops[tooLarge].Load(),
		Malformed:    g.drops[malformed].Load(),
		UnknownQuery: g.drops[unknownQuery].Load(),
		Invalid:      g.drops[invalid].Load(),
		Unsolicited:  g.drops[unsolicited].Load(),
		RateLimited:  g.drops[rateLimited].Load(),
	}
}
