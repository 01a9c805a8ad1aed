package node

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"github.com/peerproxy/peerproxy/dht"
	"github.com/peerproxy/peerproxy/internal/observer"
	"github.com/peerproxy/peerproxy/peer"
	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

// wiretap is a DHT all of whose nodes write down what they are asked and told.
type wiretap struct {
	mu   sync.Mutex
	seen map[dht.InfoHash]bool
}

func newWiretap() *wiretap { return &wiretap{seen: map[dht.InfoHash]bool{}} }

func (w *wiretap) note(hash dht.InfoHash) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[hash] = true
}

func (w *wiretap) Announce(_ context.Context, hash dht.InfoHash, _ uint16) error {
	w.note(hash)
	return nil
}

func (w *wiretap) FindPeers(_ context.Context, hash dht.InfoHash) iter.Seq2[netip.AddrPort, error] {
	w.note(hash)
	return func(func(netip.AddrPort, error) bool) {}
}

func homePage(t interface{ Fatal(...any) }, site string) *resource.Stored {
	st := storedResponse(t, "https://"+site+"/")
	st.Exchange.Body.Length = DefaultExactFrom // large enough for the exact level
	return st
}

// announced is what the DHT sees of a node that shares a page of each site, for ten minutes.
func announced(t *testing.T, l levels, secret []byte, sites []string) map[dht.InfoHash]bool {
	tap := newWiretap()
	announcer := dht.NewAnnouncer(dht.AnnouncerConfig{Node: tap, Port: func() uint16 { return 4000 }})
	rotation := dht.NewRotation(secret, announcer)
	s := newSharing(fakeCatalog{}, l, rotation.Add, rotation.Remove)
	s.start(func(resource.ID) (int64, bool) { return DefaultExactFrom, true })
	for _, site := range sites {
		s.stored(homePage(t, site))
	}
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
	defer stop()
	var running sync.WaitGroup
	running.Go(func() { _ = rotation.Run(ctx) })
	_ = announcer.Run(ctx)
	running.Wait()
	return tap.seen
}

// lookedUpFor is what the DHT sees of a node that looks for a page of each site.
func lookedUpFor(t *testing.T, l levels, secret []byte, sites []string) map[dht.InfoHash]bool {
	tap := newWiretap()
	finder := swarmFinder{tap, secret, l}
	for _, site := range sites {
		targets := []peer.Target{{Site: site}}
		if l.level == LevelExact {
			targets = append(targets, peer.Target{Site: site, ID: homePage(t, site).Exchange.ID()})
		}
		for _, target := range targets {
			for _, err := range finder.FindPeers(t.Context(), target) {
				if err != nil {
					t.Error(err)
				}
			}
		}
	}
	return tap.seen
}

// guesses lists what an observer tries for a site: all levels, and its home page.
func guesses(t testing.TB) func(site string) []dht.Topic {
	all := levels{level: LevelExact, bits: DefaultBucketBits, public: true}
	return func(site string) []dht.Topic {
		return append(all.sites(site), all.exact(homePage(t, site).Exchange.ID()))
	}
}

// The observer game: with a dictionary of 100,000 sites all that are named are recovered, of
// those in buckets one in 64 at most, and of a group's none.
func TestObserverGame(t *testing.T) {
	const k, visited = 64, 50
	dictionary := observer.Dictionary(100_000)
	sites := observer.Spread(dictionary, visited)
	var watching *observer.Observer
	synctest.Test(t, func(t *testing.T) { // in the epoch in which all begin
		watching = observer.New([]byte(publicSecret), dht.Epoch(time.Now()), dictionary, guesses(t))
	})
	group := bytes.Repeat([]byte{7}, trust.SwarmSecretSize)
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "\nlevel\tseen\tsites\tinfohashes\tcandidates, min\tmean\tsites recovered\n")
	for _, c := range []struct {
		name   string
		levels levels
		secret []byte
		right  func(observer.Result) bool
	}{
		{"exact", Config{Level: LevelExact}.mustLevels(t), []byte(publicSecret), func(r observer.Result) bool { return r.Expected == visited && r.Min == 1 }},
		{"site", Config{Level: LevelSite}.mustLevels(t), []byte(publicSecret), func(r observer.Result) bool { return r.Expected == visited && r.Min == 1 }},
		{"bucket", Config{}.mustLevels(t), []byte(publicSecret), func(r observer.Result) bool {
			return r.Named == visited && r.Min >= k && r.Expected <= visited/float64(k)
		}},
		{"group", Config{Share: ShareGroup}.mustLevels(t), group, func(r observer.Result) bool { return r.Named == 0 && r.Expected == 0 }},
	} {
		for _, way := range []struct {
			name string
			see  func(*testing.T, levels, []byte, []string) map[dht.InfoHash]bool
		}{{"announced", announced}, {"looked up", lookedUpFor}} {
			synctest.Test(t, func(t *testing.T) {
				r := watching.Attack(way.see(t, c.levels, c.secret, sites), sites)
				fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%d\t%.1f\t%.2f\n", c.name, way.name, r.Visited, r.InfoHashes, r.Min, r.Mean, r.Expected)
				if !c.right(r) || r.InfoHashes == 0 {
					t.Errorf("%s, %s: %+v", c.name, way.name, r)
				}
			})
		}
	}
	_ = table.Flush()
	t.Log(out.String())
}

func (c Config) mustLevels(t testing.TB) levels {
	c, err := c.withLevels()
	if err != nil {
		t.Fatal(err)
	}
	return c.levels()
}

// Who watches for many weeks knows no more of a site than after one: it is in the same bucket each week.
// What was collected in one week, though, stands nowhere in the next one's DHT.
func TestObserverOverWeeks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dictionary := observer.Dictionary(10_000)
		site := observer.Spread(dictionary, 1)
		l, secret := Config{}.mustLevels(t), []byte(publicSecret)
		var before map[dht.InfoHash]bool
		candidates := 0
		for range 4 {
			o := observer.New(secret, dht.Epoch(time.Now()), dictionary, l.sites)
			seen := announced(t, l, secret, site)
			r := o.Attack(seen, site)
			if candidates != 0 && r.Min != candidates {
				t.Errorf("%d candidates, and %d the week before", r.Min, candidates)
			}
			for hash := range seen {
				if before[hash] {
					t.Errorf("%v was seen the week before", hash)
				}
			}
			before, candidates = seen, r.Min
			time.Sleep(dht.EpochLength)
		}
		if candidates < 2 {
			t.Errorf("%d candidates", candidates)
		}
	})
}
