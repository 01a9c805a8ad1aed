package dht

import (
	"fmt"
	"testing"
)

// BEP 5: what one node announces, any other finds, also one that joined later.
func TestAnnounceThenFind(t *testing.T) {
	for _, size := range []int{2, 5, 30} {
		t.Run(fmt.Sprint(size, " nodes"), func(t *testing.T) {
			nodes := startNetwork(t, size, loopback)
			announce(t, nodes[1], hashOf("a"), 4242)
			for _, n := range nodes {
				finds(t, n, hashOf("a"), peerAt("127.0.0.1", 4242))
			}
			late := startNode(t, loopback(nodes[0].Addrs()[0].String()))
			finds(t, late, hashOf("a"), peerAt("127.0.0.1", 4242))
			if found := lookupOnce(t, late, hashOf("b")); len(found) != 0 {
				t.Errorf("found %v under a hash that nobody announced", found)
			}
		})
	}
}
