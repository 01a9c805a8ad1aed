package peer

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

// believing is a reader that takes any copy, and counts witnesses; strict one that takes
// nothing without them.
func believing(c *Config) { c.Verifier = trust.Policy{Any: true} }
func strict(c *Config)    { c.Verifier = trust.Policy{Witnessed: true} }

// announceAll has nodes found for the site of [page], in this order.
func (w *world) announceAll(nodes ...*testNode) {
	for _, n := range nodes {
		w.announce("example.org", n.addr)
	}
}

// readersOf runs a test once for each kind of reader.
func readersOf(t *testing.T, test func(t *testing.T, w *world, reader *testNode)) {
	for name, kind := range map[string]func(*Config){"believing": believing, "strict": strict} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.end()
				w.net.latency = 10 * time.Millisecond
				test(t, w, w.nodeIn(200, kind))
			})
		})
	}
}

// honestNodes got the same page, each from the origin and at a time of its own.
func (w *world) honestNodes(n int, body []byte) (list []*testNode) {
	for i := range n {
		time.Sleep(time.Second)
		node := w.nodeIn(byte(1 + i))
		node.share(page, body)
		list = append(list, node)
	}
	return list
}

// Five honest nodes in networks of their own, and a crowd in one network that has another
// body, comes first and vouches for itself: the crowd's is never witnessed, the honest one is.
func TestSybilsAreNoWitnesses(t *testing.T) {
	readersOf(t, func(t *testing.T, w *world, reader *testNode) {
		want := randomBody(100_000)
		honest := w.honestNodes(5, want)
		crowd := w.crowd(12, randomBody(len(want)))
		w.announceAll(crowd...)
		w.announceAll(honest...)
		c, got := reader.mustFetch(page)
		equalBody(t, got, want)
		if c.Tier != resource.Witnessed || c.Witnesses < 3 || c.WitnessedAt.IsZero() {
			t.Errorf("tier %v by %d witnesses, at %v", c.Tier, c.Witnesses, c.WitnessedAt)
		}
		if reader.Status().Shunned > 0 {
			t.Error("somebody was shunned: each gave what it said")
		}
	})
}

// The crowd is connected, too, says that it has the page and is larger than the number of heads that
// are asked for: it does not take the place of others.
func TestCrowdTakesNoPlace(t *testing.T) {
	readersOf(t, func(t *testing.T, w *world, reader *testNode) {
		reader.cfg.Limits.Heads = 6
		want := randomBody(1000)
		for _, n := range append(w.crowd(16, []byte("forged")), w.honestNodes(5, want)...) {
			if err := reader.Connect(t.Context(), n.addr); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(3 * time.Second) // for the digests
		c, got := reader.mustFetch(page)
		equalBody(t, got, want)
		if c.Tier != resource.Witnessed {
			t.Errorf("tier %v by %d witnesses", c.Tier, c.Witnesses)
		}
	})
}

// carry adds the signatures of witnesses, those behind the first, to another exchange of the same response.
func carry(into, from *resource.Exchange) {
	all := append(slices.Clone(into.Signatures), from.Signatures[1:]...)
	into.Signatures = all[:min(len(all), resource.MaxSignatures)]
}

// crowd are nodes in one network that vouch for one another's forgery.
func (w *world) crowd(n int, body []byte) (list []*testNode) {
	var all *item
	for range n {
		node := w.nodeIn(66)
		it := node.share(page, body)
		if all != nil {
			carry(it.exchange, all.exchange)
		}
		all = it
		list = append(list, node)
	}
	return list
}

// A crowd alone, connected and claiming to have it: whoever takes anything gets its forgery as
// unproven, whoever wants witnesses gets nothing, and is told why.
func TestCrowdAlone(t *testing.T) {
	readersOf(t, func(t *testing.T, w *world, reader *testNode) {
		crowd := w.crowd(12, []byte("forged"))
		for _, n := range crowd {
			if err := reader.Connect(t.Context(), n.addr); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(3 * time.Second) // for the digests
		if reader.cfg.Verifier.(trust.Policy).Any {
			if c, _ := reader.mustFetch(page); c.Tier != resource.Unproven || c.Witnesses != 1 || !c.WitnessedAt.IsZero() {
				t.Errorf("tier %v by %d witnesses", c.Tier, c.Witnesses)
			}
			return
		}
		fe := reader.fetchError(page, ErrUnverified)
		if !errors.Is(fe, trust.ErrTooFewWitnesses) || !strings.Contains(fe.Why(), "too few witnesses") {
			t.Errorf("%v: %s", fe, fe.Why())
		}
		if reader.Status().Shunned > 0 {
			t.Error("who is merely unknown was shunned")
		}
	})
}

// One peer serves the copy and carries the signatures of others. They count exactly if this node has
// met their keys.
func TestCarriedWitnesses(t *testing.T) {
	readersOf(t, func(t *testing.T, w *world, reader *testNode) {
		body := randomBody(1000)
		honest := w.honestNodes(4, body)
		carrier := w.nodeIn(50)
		it := honest[0].copyForOthers()
		for _, n := range honest[1:] {
			carry(it.exchange, n.copyForOthers().exchange)
			n.unshare()
		}
		honest[0].unshare()
		carrier.hold(it)
		carrier.catalog.Add(it.exchange.ID())
		w.announceAll(carrier)
		any := reader.cfg.Verifier.(trust.Policy).Any
		if any {
			if c, _ := reader.mustFetch(page); c.Tier != resource.Unproven || c.Witnesses != 0 {
				t.Errorf("keys never met: tier %v by %d", c.Tier, c.Witnesses)
			}
		} else if fe := reader.fetchError(page, ErrUnverified); !errors.Is(fe, trust.ErrTooFewWitnesses) {
			t.Errorf("keys never met: %v", fe)
		}
		if err := honest[3].Connect(t.Context(), reader.addr); err != nil { // one calls, which counts for nothing
			t.Fatal(err)
		}
		for _, n := range honest[:3] {
			if err := reader.Connect(t.Context(), n.addr); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		start := time.Now()
		c, got := reader.mustFetch(page)
		equalBody(t, got, body)
		if c.Tier != resource.Witnessed || c.Witnesses != 3 || len(c.Exchange.Signatures) != 5 {
			t.Errorf("tier %v by %d, %d signatures", c.Tier, c.Witnesses, len(c.Exchange.Signatures))
		}
		// Nobody else had to be asked. It was seen when the first of the three had seen it.
		if d := time.Since(start); d > 200*time.Millisecond {
			t.Errorf("took %v", d)
		}
		if at := honest[0].shelf.items[it.exchange.ID()].exchange.Received; c.WitnessedAt.Unix() != at.Unix() {
			t.Errorf("witnessed at %v, want %v", c.WitnessedAt, at)
		}
	})
}

func (n *testNode) copyForOthers() *item {
	it := n.shelf.items[query(page).ID()]
	return &item{it.exchange.Clone(), it.body, it.outboard}
}

func (n *testNode) unshare() { n.catalog.Remove(query(page).ID()) }

// Signatures of keys never met, or on a session from an address that everybody can have,
// are none of witnesses, unless a laboratory says so.
func TestPrivateAddressesAreNoWitnesses(t *testing.T) {
	for _, counting := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			defer w.end()
			reader := w.nodeIn(200, strict, func(c *Config) { c.AllowPrivate, c.PrivateWitnesses = true, counting })
			for i := range byte(3) {
				w.local = true
				n := w.nodeIn(1 + i)
				w.local = false
				n.share(page, []byte("hello"))
				w.announceAll(n)
			}
			if !counting {
				reader.fetchError(page, ErrUnverified)
			} else if c, _ := reader.mustFetch(page); c.Tier != resource.Witnessed || c.Witnesses != 3 {
				t.Errorf("tier %v by %d", c.Tier, c.Witnesses)
			}
		})
	}
}

// What was collected is carried on: the next reader needs the one peer only.
func TestWitnessesTravel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		honest := w.honestNodes(3, []byte("hello"))
		first, second := w.nodeIn(201, believing), w.nodeIn(202, strict)
		w.announceAll(honest...)
		c, body := first.mustFetch(page)
		if c.Tier != resource.Witnessed {
			t.Fatalf("tier %v", c.Tier)
		}
		it := makeItem(t, first.identity, page, body)
		it.exchange = c.Exchange // as it would be stored
		first.hold(it)
		first.catalog.Add(it.exchange.ID())
		for _, n := range honest {
			n.unshare()
			if err := second.Connect(t.Context(), n.addr); err != nil {
				t.Fatal(err)
			}
		}
		if err := second.Connect(t.Context(), first.addr); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		if c, _ := second.mustFetch(page); c.Tier != resource.Witnessed || c.Peer != first.identity.Key().String() {
			t.Errorf("tier %v from %v", c.Tier, c.Peer)
		}
	})
}

// A copy that a trusted key signed turns up while witnesses are looked for.
func TestTrustedCopyTurnsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		stranger, friend := w.nodeIn(1), w.nodeIn(2)
		forged := stranger.share(page, []byte("forged"))
		friend.share(page, []byte("genuine"))
		for _, policy := range []trust.Policy{{Any: true}, {Witnessed: true}} {
			policy.Keys = []trust.Key{friend.identity.Key()}
			reader := w.nodeIn(200, func(c *Config) { c.Verifier = policy })
			if err := reader.Connect(t.Context(), stranger.addr); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Second)
			w.announceAll(friend)
			c, got := reader.mustFetch(page)
			equalBody(t, got, []byte("genuine"))
			if c.Tier != resource.Signer || c.Signer != friend.identity.Key().String() {
				t.Errorf("tier %v of %v", c.Tier, c.Signer)
			}
		}
		// The same bytes from both: the friend's word counts, the stranger's stream may go on.
		stranger.hold(makeItem(t, stranger.identity, page, []byte("genuine")))
		_ = forged
		reader := w.nodeIn(200, func(c *Config) {
			c.Verifier = trust.Policy{Any: true, Keys: []trust.Key{friend.identity.Key()}}
		})
		if err := reader.Connect(t.Context(), stranger.addr); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		c, _ := reader.mustFetch(page)
		if c.Tier != resource.Signer || c.Peer != stranger.identity.Key().String() {
			t.Errorf("the same bytes: tier %v from %v", c.Tier, c.Peer)
		}
	})
}

// When nobody that is found has a witnessed copy, one that needs none is still looked for.
func TestSearchGoesOnWithoutWitnesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		stranger, friend := w.nodeIn(1), w.nodeIn(2)
		stranger.share(page, []byte("forged"))
		friend.share(page, []byte("genuine"))
		reader := w.nodeIn(200, func(c *Config) {
			c.Verifier = trust.Policy{Witnessed: true, Keys: []trust.Key{friend.identity.Key()}}
		})
		w.finder.delay = 2500 * time.Millisecond // longer than witnesses are waited for
		w.announceAll(stranger, friend)
		c, got := reader.mustFetch(page)
		equalBody(t, got, []byte("genuine"))
		if c.Tier != resource.Signer {
			t.Errorf("tier %v", c.Tier)
		}
	})
}

// Of an old page that enough still have and a new one that one has, the old one is proven, and it is
// told that there is a newer one. When enough have seen the new one, it is taken.
func TestNewerContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		reader := w.nodeIn(200, func(c *Config) { c.Verifier = trust.Policy{Any: true, Witnesses: 4} })
		nodes := w.honestNodes(6, []byte("old"))
		time.Sleep(time.Hour)
		renew := func(list ...*testNode) (at time.Time) {
			for _, n := range list {
				time.Sleep(time.Second)
				it := n.share(page, []byte("new"))
				at = it.exchange.Received
			}
			return at
		}
		at := renew(nodes[0])
		for _, n := range nodes {
			if err := reader.Connect(t.Context(), n.addr); err != nil {
				t.Fatal(err)
			}
		}
		w.net.latency = 0
		time.Sleep(3 * time.Second)
		reader.affinity.put("example.org", nodes[0].identity.Key(), time.Hour) // the new one is asked first
		c, got := reader.mustFetch(page)
		equalBody(t, got, []byte("old"))
		if c.Tier != resource.Witnessed || !c.Newer.Equal(at) {
			t.Errorf("tier %v, newer at %v, want %v", c.Tier, c.Newer, at)
		}
		renew(nodes[1:4]...)
		time.Sleep(3 * time.Second) // two have the old one still
		c, got = reader.mustFetch(page)
		equalBody(t, got, []byte("new"))
		if c.Tier != resource.Witnessed || !c.Newer.IsZero() || c.WitnessedAt.Before(at.Truncate(time.Second)) {
			t.Errorf("tier %v, newer at %v, witnessed at %v", c.Tier, c.Newer, c.WitnessedAt)
		}
	})
}

// Fields that witnesses do not vouch for are no way around them: the type of the same bytes is.
func TestSameBytesAsAnotherType(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		reader := w.nodeIn(200, believing)
		body := randomBody(3000)
		honest := w.honestNodes(3, body)
		liar := w.nodeIn(9)
		it := honest[0].copyForOthers()
		it.exchange.Header.Set("Content-Type", "text/javascript")
		if err := liar.identity.Sign(it.exchange); err != nil {
			t.Fatal(err)
		}
		liar.hold(it)
		liar.catalog.Add(it.exchange.ID())
		if err := reader.Connect(t.Context(), liar.addr); err != nil { // it is asked first
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		w.announceAll(honest...)
		c, got := reader.mustFetch(page)
		equalBody(t, got, body)
		if c.Tier != resource.Witnessed || c.Exchange.Header.Get("Content-Type") != "text/html" || c.Peer != liar.identity.Key().String() {
			t.Errorf("tier %v, type %v, from %v", c.Tier, c.Exchange.Header, c.Peer)
		}
	})
}

// The wait for witnesses has an end, and so has what is asked in it.
func TestInquiryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		reader := w.nodeIn(200, believing, func(c *Config) { c.Limits.Heads = 5 })
		first := w.nodeIn(1)
		first.share(page, []byte("hello"))
		if err := reader.Connect(t.Context(), first.addr); err != nil {
			t.Fatal(err)
		}
		asked := make(chan string, 100)
		for i := range byte(10) {
			w.place = 10 + i
			f := w.fake()
			f.claims.prefixes = []uint32{prefix(query(page).ID().Blind(testSecret))}
			f.serve(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path == pathDigest {
					rw.WriteHeader(http.StatusNoContent)
					return
				}
				asked <- r.URL.Path
				if i%2 == 1 {
					rw.Header().Set("Content-Type", contentType)
					rw.Header().Set("Content-Length", "1000")
					_, _ = rw.Write([]byte{0, 0, 3, 0xe4, 'G', 'E'})
					_ = http.NewResponseController(rw).Flush()
				}
				<-r.Context().Done() // never answers, or stalls in the middle of a head
			})
			if err := reader.Connect(t.Context(), f.addr); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(3 * time.Second)
		reader.affinity.put("example.org", first.identity.Key(), time.Hour)
		start := time.Now()
		c, err := reader.Fetch(t.Context(), query(page))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Body.Close()
		if d := time.Since(start); d < time.Second || d > 2*time.Second || c.Tier != resource.Unproven {
			t.Errorf("took %v, tier %v", d, c.Tier)
		}
		if n := len(asked); n != 5 {
			t.Errorf("%d heads were asked for, want 5", n)
		}
		for range len(asked) {
			if path := <-asked; !strings.HasPrefix(path, pathWitness) {
				t.Errorf("asked for %.10s", path)
			}
		}
		if b, err := io.ReadAll(c.Body); err != nil || string(b) != "hello" {
			t.Errorf("%q, %v", b, err)
		}
	})
}

// Witnesses are asked for only among those whom the question tells nothing new: whose digest has
// it, or who were found for the site.
func TestNobodyElseLearnsOfIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		reader := w.nodeIn(200, believing)
		w.announceAll(w.honestNodes(2, []byte("hello"))...)
		var others []*testNode
		for i := range byte(4) {
			n := w.nodeIn(20 + i)
			n.share("https://other.example/", []byte("x"))
			n.hold(makeItem(t, n.identity, page, []byte("hello"))) // privately
			if err := reader.Connect(t.Context(), n.addr); err != nil {
				t.Fatal(err)
			}
			others = append(others, n)
		}
		time.Sleep(3 * time.Second)
		served := func(n *testNode) int64 { return n.Status().Sessions[0].Served }
		if c, _ := reader.mustFetch(page); c.Tier != resource.Unproven || c.Witnesses != 2 {
			t.Errorf("tier %v by %d", c.Tier, c.Witnesses)
		}
		if slices.ContainsFunc(others, func(n *testNode) bool {
			return served(n) > 0 || n.sessions.all()[0].used.Load() > n.sessions.all()[0].since.UnixNano()
		}) {
			t.Error("others were asked")
		}
	})
}
