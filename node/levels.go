package node

import (
	"context"
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/peerproxy/peerproxy/dht"
	"github.com/peerproxy/peerproxy/peer"
	"github.com/peerproxy/peerproxy/resource"
)

// Level says what is announced and looked up in the DHT. docs/privacy.md says what each tells whom.
type Level string

// The levels, the most private first.
const (
	LevelBucket Level = "bucket" // one of 2^b sets of sites: about one site in 2^b is in it
	LevelSite   Level = "site"   // the site
	LevelExact  Level = "exact"  // large resources one by one, and the site
)

const (
	// DefaultBucketBits is that of the public swarm. Among the 100,000 sites that a dictionary may
	// have, each of 1,024 buckets has 98 on average and more than 64; with each bit more it is half.
	// With each bit less twice as many peers share a bucket, which have to be dialled in
	// search of the one that has the page.
	DefaultBucketBits = 10
	// DefaultExactFrom is from which size on resources are announced one by one, in bytes.
	DefaultExactFrom = 4 << 20
	// maxExact bounds the resources that are announced one by one: half of what the announcer's budget
	// keeps announced, so that sites have the other half.
	maxExact = 500
)

// levels is what the nodes of a swarm agree on about names in the DHT.
type levels struct {
	level     Level
	bits      int   // of a bucket
	exactFrom int64 // bytes
	public    bool  // strangers meet: those who name more are to be found by those who name buckets only
}

// sites lists the topics of a site. In the public swarm the bucket is
// always among them: it tells less than the others, and whatever level two strangers have chosen,
// they meet there.
func (l levels) sites(site string) []dht.Topic {
	var list []dht.Topic
	if l.level != LevelBucket {
		list = append(list, dht.Topic{Level: "site", Name: site})
	}
	if l.level == LevelBucket || l.public {
		bucket, err := dht.Bucket(site, l.bits)
		if err != nil {
			panic(err) // Config.withDefaults has checked the bits
		}
		list = append(list, bucket)
	}
	return list
}

// exact returns the topic of one resource.
func (l levels) exact(id resource.ID) dht.Topic {
	return dht.Topic{Level: "exact", Name: id.String()}
}

// announcesExact reports whether a resource of that size is announced by itself.
func (l levels) announcesExact(size int64) bool {
	return l.level == LevelExact && size >= l.exactFrom
}

// namesMore reports whether who announces the topic says that it has the very thing, and not only
// one of many.
func namesMore(t dht.Topic) bool { return t.Level == "site" || t.Level == "exact" }

// peerFinder is the DHT as the adapter needs it; [dht.Node] is one.
type peerFinder interface {
	FindPeers(ctx context.Context, hash dht.InfoHash) iter.Seq2[netip.AddrPort, error]
}

// swarmFinder looks for peers in the way that the swarm agrees on.
type swarmFinder struct {
	dht    peerFinder
	secret []byte
	levels levels
}

// FindPeers implements peer.Finder. All topics of a target are looked up side by side, under each epoch in
// which somebody may announce them at the time: a look-up takes seconds, and the search is short.
func (f swarmFinder) FindPeers(ctx context.Context, target peer.Target) iter.Seq2[peer.Found, error] {
	topics := f.levels.sites(target.Site)
	if target.Exact() {
		topics = []dht.Topic{f.levels.exact(target.ID)}
	}
	return func(yield func(peer.Found, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		results := f.lookUp(ctx, topics, dht.LookupEpochs(time.Now()))
		for r := range results {
			if !yield(r.found, r.err) {
				cancel()
				for range results { // until all look-ups have ended
				}
			}
		}
	}
}

type found struct {
	found peer.Found
	err   error
}

// lookUp looks all topics up under all epochs. The channel must be read to its end.
func (f swarmFinder) lookUp(ctx context.Context, topics []dht.Topic, epochs []int64) <-chan found {
	results := make(chan found)
	var running sync.WaitGroup
	for _, topic := range topics {
		for _, epoch := range epochs {
			running.Go(func() {
				for a, err := range f.dht.FindPeers(ctx, topic.InfoHash(f.secret, epoch)) {
					results <- found{peer.Found{Addr: a, Named: namesMore(topic)}, err}
				}
			})
		}
	}
	go func() {
		running.Wait()
		close(results)
	}()
	return results
}

// withLevels fills in the level, which is the more private one where strangers take part.
func (c Config) withLevels() (Config, error) {
	if c.Level == "" {
		c.Level = LevelBucket
		if c.Share == ShareGroup { // its secret hides all names already, and every member may be asked
			c.Level = LevelSite
		}
	}
	if !slices.Contains([]Level{LevelBucket, LevelSite, LevelExact}, c.Level) {
		return c, badConfig("level %q is none of bucket, site, exact", string(c.Level))
	}
	if c.BucketBits == 0 {
		c.BucketBits = DefaultBucketBits
	}
	if _, err := dht.Bucket("", c.BucketBits); err != nil {
		return c, badConfig("bucket bits: from %s to %s are possible", strconv.Itoa(dht.MinBucketBits), strconv.Itoa(dht.MaxBucketBits))
	}
	if c.ExactFrom < 0 {
		return c, badConfig("exact from %d bytes: not a size", c.ExactFrom)
	}
	if c.ExactFrom == 0 {
		c.ExactFrom = DefaultExactFrom
	}
	return c, nil
}

func (c Config) levels() levels {
	return levels{level: c.Level, bits: c.BucketBits, exactFrom: c.ExactFrom, public: c.Share != ShareGroup}
}
