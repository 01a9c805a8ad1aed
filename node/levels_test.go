package node

import (
	"context"
	"iter"
	"maps"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerproxy/peerproxy/dht"
	"github.com/peerproxy/peerproxy/peer"
	"github.com/peerproxy/peerproxy/resource"
)

// What the level is where the user says nothing, and what is refused.
func TestLevelDefaults(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want levels
	}{
		{Config{}, levels{LevelBucket, 10, 4 << 20, true}},
		{Config{Share: SharePublic}, levels{LevelBucket, 10, 4 << 20, true}},
		{Config{Share: ShareGroup}, levels{LevelSite, 10, 4 << 20, false}},
		{Config{Share: ShareGroup, Level: LevelBucket, BucketBits: 4}, levels{LevelBucket, 4, 4 << 20, false}},
		{Config{Share: SharePublic, Level: LevelExact, BucketBits: 20, ExactFrom: 1}, levels{LevelExact, 20, 1, true}},
	} {
		c.cfg.DataDir = "unused"
		got, err := c.cfg.withDefaults()
		if err != nil || got.levels() != c.want {
			t.Errorf("%+v: %+v, %v", c.cfg, got.levels(), err)
		}
	}
	for _, bad := range []Config{{Level: "url"}, {BucketBits: 3}, {BucketBits: 21}, {BucketBits: -1}, {ExactFrom: -1}} {
		bad.DataDir = "unused"
		if _, err := bad.withDefaults(); !IsConfigError(err) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// lookedUp is a DHT that writes down what it is asked for.
type lookedUp struct {
	mu     sync.Mutex
	hashes map[dht.InfoHash]int
}

var somebody = netip.MustParseAddrPort("11.0.0.1:4000")

func (l *lookedUp) FindPeers(_ context.Context, hash dht.InfoHash) iter.Seq2[netip.AddrPort, error] {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hashes == nil {
		l.hashes = map[dht.InfoHash]int{}
	}
	l.hashes[hash]++
	return func(yield func(netip.AddrPort, error) bool) { yield(somebody, nil) }
}

// Looked up is what the level says; who was found by a bucket is
// not taken for one that has the site.
func TestLookUpByLevel(t *testing.T) {
	secret := []byte("secret")
	bucket, _ := dht.Bucket("example.org", 10)
	site, id := dht.Topic{Level: "site", Name: "example.org"}, resource.ID{1}
	exact := dht.Topic{Level: "exact", Name: id.String()}
	for _, c := range []struct {
		levels levels
		target peer.Target
		want   []dht.Topic
	}{
		{levels{level: LevelBucket, bits: 10}, peer.Target{Site: "example.org"}, []dht.Topic{bucket}},
		{levels{level: LevelBucket, bits: 10, public: true}, peer.Target{Site: "example.org"}, []dht.Topic{bucket}},
		{levels{level: LevelSite, bits: 10}, peer.Target{Site: "example.org"}, []dht.Topic{site}},
		{levels{level: LevelSite, bits: 10, public: true}, peer.Target{Site: "example.org"}, []dht.Topic{site, bucket}},
		{levels{level: LevelExact, bits: 10, public: true}, peer.Target{Site: "example.org"}, []dht.Topic{site, bucket}},
		{levels{level: LevelExact, bits: 10, public: true}, peer.Target{Site: "example.org", ID: id}, []dht.Topic{exact}},
	} {
		synctest.Test(t, func(t *testing.T) { // its clock begins in the midst of an epoch
			network, got, want := &lookedUp{}, map[peer.Found]int{}, map[peer.Found]int{}
			for found, err := range (swarmFinder{network, secret, c.levels}).FindPeers(t.Context(), c.target) {
				if err != nil {
					t.Error(err)
				}
				got[found]++
			}
			hashes := map[dht.InfoHash]int{}
			for _, topic := range c.want {
				hashes[topic.InfoHash(secret, dht.Epoch(time.Now()))] = 1
				want[peer.Found{Addr: somebody, Named: topic.Level != bucket.Level}] = 1
			}
			if !maps.Equal(network.hashes, hashes) || !maps.Equal(got, want) {
				t.Errorf("%+v, %+v: looked up %v, want %v; found %v, want %v", c.levels, c.target, network.hashes, hashes, got, want)
			}
		})
	}
}

// Who wants no more gets no more, and nothing is left running.
func TestLookUpBrokenOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		finder := swarmFinder{&lookedUp{}, []byte("secret"), levels{level: LevelSite, bits: 10, public: true}}
		n := 0
		for range finder.FindPeers(t.Context(), peer.Target{Site: "example.org"}) {
			n++
			break
		}
		if n != 1 {
			t.Errorf("%d found", n)
		}
	})
}

// At the turn of an epoch both are looked up.
func TestLookUpAtTheTurnOfAnEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := dht.Epoch(time.Now())
		for dht.Epoch(time.Now().Add(time.Minute)) == now {
			time.Sleep(time.Minute)
		}
		network := &lookedUp{}
		finder := swarmFinder{network, []byte("secret"), levels{level: LevelSite}}
		for _, err := range finder.FindPeers(t.Context(), peer.Target{Site: "example.org"}) {
			if err != nil {
				t.Error(err)
			}
		}
		site := dht.Topic{Level: "site", Name: "example.org"}
		if want := map[dht.InfoHash]int{site.InfoHash(finder.secret, now): 1, site.InfoHash(finder.secret, now+1): 1}; !maps.Equal(network.hashes, want) {
			t.Errorf("looked up %v, want %v", network.hashes, want)
		}
	})
}
