package observer

import (
	"github.com/peerproxy/peerproxy/dht"
)

// Observer is somebody who has tried all names of a dictionary.
type Observer struct {
	names map[dht.InfoHash][]string // that an infohash may stand for
}

// New tries a dictionary: what topics gives for each name, under the secret of the public swarm and
// in one epoch.
func New(secret []byte, epoch int64, dictionary []string, topics func(name string) []dht.Topic) *Observer {
	secret = dht.EpochSecret(secret, epoch)
	o := &Observer{names: make(map[dht.InfoHash][]string)}
	hashes := make(map[dht.Topic]dht.InfoHash) // many names share a bucket
	for _, name := range dictionary {
		for _, topic := range topics(name) {
			hash, known := hashes[topic]
			if !known {
				hash = dht.Blind(secret, topic.Level, topic.Name)
				hashes[topic] = hash
			}
			o.names[hash] = append(o.names[hash], name)
		}
	}
	return o
}

// Result is what an observer has made of the infohashes seen.
type Result struct {
	InfoHashes int     // different ones that were seen
	Visited    int     // sites that were visited in truth
	Named      int     // of these, some infohash seen may stand for
	Min        int     // sites that a visited one can't be told apart from, itself counted: the fewest
	Mean       float64 // and on average, over those named
	Expected   float64 // visited sites recovered by guessing one candidate each
}

// Attack looks up what the infohashes seen may stand for. Of those that may stand for a site
// the one with the fewest candidates counts.
func (o *Observer) Attack(seen map[dht.InfoHash]bool, visited []string) Result {
	fewest := make(map[string]int)
	for hash := range seen {
		candidates := o.names[hash]
		for _, name := range candidates {
			if n := fewest[name]; n == 0 || len(candidates) < n {
				fewest[name] = len(candidates)
			}
		}
	}
	r := Result{InfoHashes: len(seen), Visited: len(visited)}
	for _, site := range visited {
		n := fewest[site]
		if n == 0 {
			continue
		}
		if r.Named++; r.Named == 1 || n < r.Min {
			r.Min = n
		}
		r.Mean += float64(n)
		r.Expected += 1 / float64(n)
	}
	if r.Named > 0 {
		r.Mean /= float64(r.Named)
	}
	return r
}
