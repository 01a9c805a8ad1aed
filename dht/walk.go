package dht

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	k_nearest_nodes "github.com/anacrolix/dht/v2/k-nearest-nodes"
	"github.com/anacrolix/dht/v2/krpc"
	"github.com/anacrolix/dht/v2/traversal"
	"github.com/anacrolix/dht/v2/types"

	"github.com/peerproxy/peerproxy/internal/addr"
)

const (
	bucketSize     = 8   // k of BEP 5
	lookupWidth    = 4   // queries in flight
	bootstrapWidth = 8   // more, as many of the first nodes tried may be gone
	maxWalkQueries = 256 // a walk needs 10 to 50; liars could make it endless
	maxWalkTime    = 30 * time.Second
)

// ErrNoNodes is returned when no node of the DHT answered at all: offline, blocked, or
// nobody to start from.
var ErrNoNodes = errors.New("dht: no node answered")

// walk is one iterative lookup (BEP 5): nodes ever nearer to the target are asked until
// the nearest that answer are known.
type walk struct {
	name    string // of the query: "find_node" or "get_peers"
	target  InfoHash
	width   int
	start   []types.AddrMaybeId
	onReply func(ctx context.Context, from netip.AddrPort, r *krpc.Return) // may be nil; called by several goroutines

	mu      sync.Mutex
	asked   map[network]bool
	queries int
	answers int
}

// holder is a node near to the target that would store something there.
type holder struct {
	addr  netip.AddrPort
	token string
}

// walk runs w to its end and returns the nearest nodes that gave a token. When ctx ends it
// returns at once, with the error of ctx and what it has got so far.
func (f *family) walk(ctx context.Context, w *walk) ([]holder, error) {
	limited, cancel := context.WithTimeout(ctx, maxWalkTime)
	defer cancel()
	w.asked = make(map[network]bool)
	op := traversal.Start(traversal.OperationInput{
		Target:     krpc.ID(w.target),
		Alpha:      w.width,
		K:          bucketSize,
		DoQuery:    func(ctx context.Context, to krpc.NodeAddr) traversal.QueryResult { return f.step(ctx, w, to) },
		NodeFilter: f.usable,
		DataFilter: func(token any) bool { return w.name != "get_peers" || token != nil },
	})
	op.AddNodes(w.start)
	awaitStall(limited, op)
	op.Stop()
	<-op.Stopped()
	for range op.Stalled() { // until its goroutine has ended
	}
	if w.answers == 0 && ctx.Err() == nil {
		return nil, ErrNoNodes
	}
	return holders(op.Closest()), ctx.Err()
}

// awaitStall waits until op has no one left to ask. The first report counts for nothing:
// it may have been due before the first nodes were added.
func awaitStall(ctx context.Context, op *traversal.Operation) {
	for range 2 {
		select {
		case <-op.Stalled():
		case <-ctx.Done():
			return
		}
	}
}

// step asks one node and passes on what it says.
func (f *family) step(ctx context.Context, w *walk, to krpc.NodeAddr) (res traversal.QueryResult) {
	node := plainAddrPort(to.IP, to.Port)
	if !w.mayAsk(node) {
		return res
	}
	r, err := f.query(ctx, node, w.name, w.args(f.want()), 1)
	if err != nil {
		return res
	}
	w.mu.Lock()
	w.answers++
	w.mu.Unlock()
	if w.onReply != nil {
		w.onReply(ctx, node, r)
	}
	res.ResponseFrom = &krpc.NodeInfo{ID: r.ID, Addr: to}
	if f.network == "udp4" {
		res.Nodes = r.Nodes
	} else {
		res.Nodes6 = r.Nodes6
	}
	if r.Token != nil && *r.Token != "" {
		res.ClosestData = *r.Token
	}
	return res
}

func (w *walk) args(want krpc.Want) krpc.MsgArgs {
	args := krpc.MsgArgs{Want: []krpc.Want{want}}
	if w.name == "find_node" {
		args.Target = krpc.ID(w.target)
	} else {
		args.InfoHash = krpc.ID(w.target)
	}
	return args
}

// mayAsk keeps to the budget and asks one node per public network only, so that one party
// with many node IDs does not become all that is found.
func (w *walk) mayAsk(node netip.AddrPort) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queries >= maxWalkQueries {
		return false
	}
	if addr.Public(node.Addr()) {
		if w.asked[networkOf(node)] {
			return false
		}
		w.asked[networkOf(node)] = true
	}
	w.queries++
	return true
}

// usable filters nodes that are learnt during a walk. Others know this node too, but it
// must not count itself among those that answer.
func (f *family) usable(n types.AddrMaybeId) bool {
	if n.Id.Ok && n.Id.Value.AsByteArray() == f.id {
		return false
	}
	node := netip.AddrPortFrom(n.Addr.Addr().Unmap(), n.Addr.Port())
	return node.IsValid() && node.Port() != 0 && node != f.local &&
		familyOf(node.Addr()) == f.network && !f.contacts.silent(node, time.Now())
}

// startingNodes are those of the table; of a small table also who has answered before.
func (f *family) startingNodes() []types.AddrMaybeId {
	nodes := types.AddrMaybeIdSliceFromNodeInfoSlice(f.server.Nodes())
	if len(nodes) >= bucketSize {
		return nodes
	}
	return append(nodes, f.knownNodes()...)
}

// knownNodes are those that answered in this run or in an earlier one.
func (f *family) knownNodes() []types.AddrMaybeId {
	var nodes []krpc.NodeInfo
	for _, c := range append(f.contacts.latest(), f.saved...) {
		at := krpc.NodeAddr{IP: c.addr.Addr().AsSlice(), Port: int(c.addr.Port())}
		nodes = append(nodes, krpc.NodeInfo{ID: c.id, Addr: at})
	}
	return types.AddrMaybeIdSliceFromNodeInfoSlice(nodes)
}

func holders(closest *k_nearest_nodes.Type) []holder {
	var out []holder
	closest.Range(func(e k_nearest_nodes.Elem) {
		if token, ok := e.Data.(string); ok {
			node := netip.AddrPortFrom(e.Addr.Addr().Unmap(), e.Addr.Port())
			out = append(out, holder{node, token})
		}
	})
	return out
}
