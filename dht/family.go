package dht

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	mainline "github.com/anacrolix/dht/v2"
	"github.com/anacrolix/dht/v2/krpc"
	"github.com/anacrolix/log"
	"golang.org/x/time/rate"

	"github.com/peerproxy/peerproxy/internal/addr"
)

const (
	resendDelay = time.Second // how long an answer may take
	pingQueue   = 64
	pingWorkers = 4
)

// errRefused is the error of a query that was answered by an error message.
var errRefused = errors.New("dht: refused by the node asked")

// family is the half of a node that lives on one address family. BEP 32 makes the IPv4 and
// the IPv6 DHT two networks with one protocol.
type family struct {
	network  string // "udp4" or "udp6"
	local    netip.AddrPort
	id       krpc.ID
	guard    *guard
	server   *mainline.Server
	peers    *peerStore
	contacts *contacts
	items    *itemStore
	saved    []contact           // of an earlier run
	pings    chan netip.AddrPort // sources of queries, to be asked in turn
	lost     chan struct{}       // signalled when nobody answered a lookup
	round    roundLog

	maintenance sync.WaitGroup
}

// newFamily starts a server on conn, which it owns from now on.
func newFamily(conn net.PacketConn, cfg Config, saved savedNodes) (*family, error) {
	local, ok := udpAddrPort(conn.LocalAddr())
	if !ok {
		return nil, fmt.Errorf("dht: %v is no UDP address", conn.LocalAddr())
	}
	f := &family{
		network:  familyOf(local.Addr()),
		local:    local,
		id:       newNodeID(saved.observed[familyOf(local.Addr())]),
		peers:    newPeerStore(cfg.PeerLifetime),
		items:    newItemStore(maxItems),
		contacts: newContacts(),
		pings:    make(chan netip.AddrPort, pingQueue),
		lost:     make(chan struct{}, 1),
	}
	f.saved = saved.of(f.network)
	f.guard = newGuard(conn, cfg.QueryRate, f.noteAnswer)
	server, err := mainline.NewServer(f.serverConfig(cfg))
	if err != nil {
		return nil, fmt.Errorf("dht: start server: %w", err)
	}
	f.server = server
	return f, nil
}

func (f *family) serverConfig(cfg Config) *mainline.ServerConfig {
	var quiet log.Logger
	quiet.SetHandlers() // the library's log is full of addresses
	c := mainline.NewDefaultServerConfig()
	c.NodeId = f.id
	c.Conn = f.guard
	c.StartingNodes = noStartingNodes
	c.OnQuery = f.onQuery
	c.QueryResendDelay = func() time.Duration { return resendDelay }
	c.PeerStore = f.peers
	c.Store = f.items
	c.Exp = itemLifetime
	c.Logger = quiet
	c.DefaultWant = []krpc.Want{f.want()}
	c.SendLimiter = rate.NewLimiter(rate.Limit(cfg.SendRate), cfg.SendRate)
	return c
}

// newNodeID is random, within what BEP 42 allows the address, if that is known.
func newNodeID(public netip.Addr) krpc.ID {
	id := krpc.RandomNodeID()
	if addr.Public(public) {
		mainline.SecureNodeId(&id, public.AsSlice())
	}
	return id
}

// noStartingNodes gives the library one node that it will not ask. With none at all its
// bootstrap, which its table maintainer calls every minute then, leaks a goroutine; and by
// default it asks public hosts. Ours are asked by family.bootstrap.
func noStartingNodes() ([]mainline.Addr, error) {
	return []mainline.Addr{mainline.NewAddr(&net.UDPAddr{IP: net.IPv4zero})}, nil
}

func familyOf(ip netip.Addr) string {
	if ip.Unmap().Is4() {
		return "udp4"
	}
	return "udp6"
}

// want is the kind of nodes that this family can use (BEP 32).
func (f *family) want() krpc.Want {
	if f.network == "udp4" {
		return krpc.WantNodes
	}
	return krpc.WantNodes6
}

// onQuery corrects queries so that the library answers them rightly. It runs under the
// library's lock, so it must not call the server.
func (f *family) onQuery(q *krpc.Msg, source net.Addr) (propagate bool) {
	a := q.A
	if a == nil { // the guard lets none pass
		return false
	}
	a.Want = []krpc.Want{f.want()} // else IPv4 nodes are listed again as IPv6
	switch q.Q {
	case "find_node", "get":
		a.InfoHash = a.Target // the library looks at the wrong one
	case "put":
		if a.K == [32]byte{} { // immutable items have no sequence number, the library wants one
			a.Seq, a.Cas = new(int64), 0
		}
	}
	if ap, ok := udpAddrPort(source); ok && !q.ReadOnly {
		f.contacts.heard(ap)
		f.offerPing(ap)
	}
	return true
}

// offerPing has a source of queries asked in turn. Only nodes that have answered are named
// to others, so without this a young network never learns of itself.
func (f *family) offerPing(source netip.AddrPort) {
	if source == f.local || !f.contacts.worthAsking(source, time.Now()) {
		return
	}
	select {
	case f.pings <- source:
	default: // under load there are others to know
	}
}

// pingSources works off the queue until ctx ends.
func (f *family) pingSources(ctx context.Context) {
	var workers sync.WaitGroup
	for range pingWorkers {
		workers.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case source := <-f.pings:
					_, _ = f.query(ctx, source, "ping", krpc.MsgArgs{}, 1) // silence is noted by query
				}
			}
		})
	}
	workers.Wait()
}

// noteAnswer is told of every answer. The library also asks this node itself, when others name it.
func (f *family) noteAnswer(from netip.AddrPort, m *krpc.Msg) {
	n := contact{addr: from, seen: time.Now()}
	if m.R != nil {
		n.id = m.R.ID
	}
	if n.id == f.id {
		return
	}
	f.contacts.answered(n, plainAddrPort(m.IP.IP, m.IP.Port))
}

// query asks one node. The result is never nil without an error.
func (f *family) query(
	ctx context.Context, to netip.AddrPort, name string, args krpc.MsgArgs, tries int,
) (*krpc.Return, error) {
	node, sent := mainline.NewAddr(net.UDPAddrFromAddrPort(to)), time.Now()
	res := f.server.Query(ctx, node, name, mainline.QueryInput{MsgArgs: args, NumTries: tries})
	if errors.Is(res.Err, mainline.TransactionTimeout) {
		f.contacts.failed(to, sent, time.Now())
	}
	if res.Err != nil {
		return nil, fmt.Errorf("dht: %s: %w", name, res.Err)
	}
	if res.Reply.Y != krpc.YResponse || res.Reply.R == nil {
		return nil, fmt.Errorf("dht: %s: %w", name, errRefused)
	}
	return res.Reply.R, nil
}

// close ends the server and waits until it reads no more and maintains no more.
func (f *family) close() error {
	err := f.guard.finish(f.server.Close)
	f.maintenance.Wait()
	return err
}
