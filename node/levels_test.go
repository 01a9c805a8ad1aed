package node

import (
	"context"
	"iter"
	"net/netip"
	"slices"
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
type lookedUp struct{ hashes []dht.InfoHash }

var somebody = netip.MustParseAddrPort("11.0.0.1:4000")

func (l *lookedUp) FindPeers(_ context.Context, hash dht.InfoHash) iter.Seq2[netip.AddrPort, error] {
	l.hashes = append(l.hashes, hash)
	return func(yield func(netip.AddrPort, error) bool) { yield(somebody, nil) }
}

// Looked up is what the level says, that which says most first; who was found by a bucket is
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
			network := &lookedUp{}
			i := 0
			for found, err := range (swarmFinder{network, secret, c.levels}).FindPeers(t.Context(), c.target) {
				if want := (peer.Found{Addr: somebody, Named: c.want[i].Level != bucket.Level}); err != nil || found != want {
					t.Errorf("%+v: found %+v, %v; want %+v", c.levels, found, err, want)
				}
				i++
			}
			var want []dht.InfoHash
			for _, topic := range c.want {
				want = append(want, topic.InfoHash(secret, dht.Epoch(time.Now())))
			}
			if !slices.Equal(network.hashes, want) {
				t.Errorf("%+v, %+v: looked up %v, want %v", c.levels, c.target, network.hashes, want)
			}
		})
	}
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
		if want := []dht.InfoHash{site.InfoHash(finder.secret, now), site.InfoHash(finder.secret, now+1)}; !slices.Equal(network.hashes, want) {
			t.Errorf("looked up %v, want %v", network.hashes, want)
		}
	})
}
