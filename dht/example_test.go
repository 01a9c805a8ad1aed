package dht_test

import (
	"context"
	"fmt"
	"log"

	"github.com/peerproxy/peerproxy/dht"
)

// Two devices of one user find each other: they share a secret, and nobody else can tell
// what the infohash stands for.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	desktop := run(ctx, dht.Config{Listen: "127.0.0.1:0", NoPublicBootstrap: true})
	phone := run(ctx, dht.Config{
		Listen:            "127.0.0.1:0",
		NoPublicBootstrap: true, // on the internet neither this nor Bootstrap is needed
		Bootstrap:         []string{desktop.Addrs()[0].String()},
	})
	meeting := dht.Blind([]byte("secret of this household"), "sync", "bookmarks")
	if err := phone.Announce(ctx, meeting, 4242); err != nil {
		log.Fatal(err)
	}
	for peer, err := range desktop.FindPeers(ctx, meeting) {
		fmt.Println(peer, err)
	}
}

func run(ctx context.Context, cfg dht.Config) *dht.Node {
	node, err := dht.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		if err := node.Run(ctx); err != nil {
			log.Print(err)
		}
	}()
	return node
}
