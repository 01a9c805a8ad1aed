package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/peerproxy/peerproxy/node"
	"golang.org/x/sync/errgroup"
)

// names of the five nodes. The first browses, the last revives, the second is the one
// that the others join the DHT by: the first and the last never hear of each other.
var names = []string{"A", "B", "C", "D", "E"}

const joinBy = 1

// network is the five nodes, running.
type network struct {
	nodes []*node.Node
	group *errgroup.Group
	stop  context.CancelFunc
	dir   string
}

func startNetwork(ctx context.Context, resolve string, log *slog.Logger) (_ *network, err error) {
	dir, err := os.MkdirTemp("", "peerproxy-demo-")
	if err != nil {
		return nil, fmt.Errorf("start the nodes: %w", err)
	}
	running, stop := context.WithCancel(ctx)
	n := &network{nodes: make([]*node.Node, len(names)), group: new(errgroup.Group), stop: stop, dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	friends, err := keys(dir)
	if err != nil {
		return nil, err
	}
	var bootstrap []string
	for _, i := range []int{joinBy, 0, 2, 3, 4} {
		nd, err := node.New(node.Config{
			DataDir: filepath.Join(dir, names[i]), Proxy: "127.0.0.1:0", Listen: "127.0.0.1:0", DHT: "127.0.0.1:0",
			Bootstrap: bootstrap, NoPublicBootstrap: true, NoMapping: true,
			Share: node.SharePublic, Resolve: []string{resolve}, Trust: friends,
			Logger: log.With("node", names[i]),
		})
		if err != nil {
			return nil, fmt.Errorf("start node %s: %w", names[i], err)
		}
		n.nodes[i] = nd
		bootstrap = []string{n.nodes[joinBy].Addresses().DHT}
		n.group.Go(func() error { return nd.Run(running) })
	}
	for _, nd := range n.nodes {
		if err := nd.Settled(running); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// keys makes the nodes' keys, so that each can trust the others from the start.
func keys(dir string) (list []string, err error) {
	for _, name := range names {
		key, err := node.MakeOwnKey(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("make the key of node %s: %w", name, err)
		}
		list = append(list, key.String())
	}
	return list, nil
}

// announced waits until a node has stored so many files, and has the site in the DHT.
func announced(ctx context.Context, n *node.Node, files int) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		if s := n.Status(); s.Announced > 0 && s.Shared >= files {
			tick.Stop()
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return fmt.Errorf("announce the site: %w", ctx.Err())
		}
	}
}

func (n *network) close() error {
	n.stop()
	return errors.Join(n.group.Wait(), os.RemoveAll(n.dir))
}
