package node_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/dht"
	"github.com/peerproxy/peerproxy/node"
)

// relay stands between a node and the only DHT node that it knows, and sees each datagram, as
// an internet provider does or a DHT node.
type relay struct {
	t      *testing.T
	front  net.PacketConn
	to     net.Addr
	wg     sync.WaitGroup
	mu     sync.Mutex
	back   map[string]net.Conn // towards the DHT node, by the source that it stands for
	hashes map[dht.InfoHash]bool
	all    bytes.Buffer // what was seen, of both directions
}

func newRelay(t *testing.T, to string) *relay {
	front, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{t: t, front: front, to: net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to)), back: map[string]net.Conn{}, hashes: map[dht.InfoHash]bool{}}
	r.wg.Go(r.forward)
	t.Cleanup(func() {
		_ = front.Close()
		r.mu.Lock()
		for _, c := range r.back {
			_ = c.Close()
		}
		r.mu.Unlock()
		r.wg.Wait()
	})
	return r
}

func (r *relay) forward() {
	buffer := make([]byte, 4096)
	for {
		n, from, err := r.front.ReadFrom(buffer)
		if err != nil {
			return
		}
		if c := r.note(buffer[:n], from); c != nil {
			_, _ = c.Write(buffer[:n])
		}
	}
}

// note reads what a datagram is about (BEP 5: get_peers and announce_peer have an "info_hash"), and returns
// the socket that stands for its sender.
func (r *relay) note(datagram []byte, from net.Addr) net.Conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all.Write(datagram)
	if _, rest, found := bytes.Cut(datagram, []byte("9:info_hash20:")); found && len(rest) >= 20 {
		r.hashes[dht.InfoHash(rest[:20])] = true
	}
	c := r.back[from.String()]
	if c == nil {
		var err error
		if c, err = net.Dial("udp4", r.to.String()); err != nil {
			r.t.Error(err)
			return nil
		}
		r.back[from.String()] = c
		r.wg.Go(func() { r.answer(c, from) })
	}
	return c
}

func (r *relay) answer(c net.Conn, to net.Addr) {
	buffer := make([]byte, 4096)
	for {
		n, err := c.Read(buffer)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.all.Write(buffer[:n])
		r.mu.Unlock()
		_, _ = r.front.WriteTo(buffer[:n], to)
	}
}

func (r *relay) seen() (hashes []dht.InfoHash, traffic []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for hash := range r.hashes {
		hashes = append(hashes, hash)
	}
	return hashes, bytes.Clone(r.all.Bytes())
}

// What stands in the datagrams of a real node that shares, and of one that looks for something, is what
// the level says: buckets by themselves, and neither the name of a site nor its infohash.
func TestDatagramsSayWhatTheLevelSays(t *testing.T) {
	hosts := []string{"www.one.example", "www.two.example", "www.three.example"}
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		_, _ = io.WriteString(w, "content")
	}))
	t.Cleanup(origin.Close)
	var resolve []string
	for _, host := range hosts {
		resolve = append(resolve, host+":80:"+strings.TrimPrefix(origin.URL, "http://"))
	}
	secret := []byte("peerproxy public swarm 1")
	var buckets, sites []dht.Topic
	for _, host := range hosts {
		site := strings.TrimPrefix(host, "www.")
		bucket, err := dht.Bucket(site, node.DefaultBucketBits)
		if err != nil {
			t.Fatal(err)
		}
		buckets, sites = append(buckets, bucket), append(sites, dht.Topic{Level: "site", Name: site})
	}
	join := hub(t)

	sharing := newRelay(t, join[0])
	a := start(t, func(c *node.Config) {
		c.Share, c.Resolve, c.Bootstrap = node.SharePublic, resolve, []string{sharing.front.LocalAddr().String()}
	})
	for _, host := range hosts {
		get(t, client(t, a), "http://"+host+"/page")
	}
	eventually(t, "the announcements", func() bool { return a.Status().Announced == len(hosts) })
	sharing.mustHave(buckets, sites, secret)
	origin.Close()

	asking := newRelay(t, join[0])
	e := start(t, func(c *node.Config) {
		c.Resolve, c.Trust, c.Bootstrap = resolve, []string{a.Addresses().Key}, []string{asking.front.LocalAddr().String()}
	})
	for _, host := range hosts {
		if resp, text := get(t, client(t, e), "http://"+host+"/page"); text != "content" {
			t.Errorf("the copy: %s", resp.Status)
		}
	}
	asking.mayHave(buckets, sites, secret)
}

// mustHave wants all buckets in the datagrams, and nothing else.
func (r *relay) mustHave(buckets, sites []dht.Topic, secret []byte) {
	r.t.Helper()
	hashes := r.mayHave(buckets, sites, secret)
	for _, bucket := range buckets {
		if !slices.Contains(hashes, bucket.InfoHash(secret, dht.Epoch(time.Now()))) {
			r.t.Errorf("%v is not announced", bucket)
		}
	}
}

// mayHave wants some bucket in the datagrams, and nothing else: one session may be enough to be given all.
func (r *relay) mayHave(buckets, sites []dht.Topic, secret []byte) []dht.InfoHash {
	r.t.Helper()
	hashes, traffic := r.seen()
	allowed := map[dht.InfoHash]bool{}
	for _, epoch := range dht.LookupEpochs(time.Now()) {
		for _, bucket := range buckets {
			allowed[bucket.InfoHash(secret, epoch)] = true
		}
		for _, site := range sites {
			hash := site.InfoHash(secret, epoch)
			if bytes.Contains(traffic, hash[:]) || bytes.Contains(traffic, []byte(site.Name)) {
				r.t.Errorf("the datagrams name %s", site.Name)
			}
		}
	}
	for _, hash := range hashes {
		if !allowed[hash] {
			r.t.Errorf("%v is the infohash of no bucket", hash)
		}
	}
	if len(hashes) == 0 {
		r.t.Error("no infohash was seen")
	}
	return hashes
}

// A node that neither shares nor trusts anybody tells the DHT nothing of what its user does, even when an origin fails.
func TestDatagramsOfOneWhoDoesNotTakePart(t *testing.T) {
	origin, resolve := serve(t, "www.example.org", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "content") })
	tap := newRelay(t, hub(t)[0])
	n := start(t, func(c *node.Config) {
		c.Resolve, c.Bootstrap = []string{resolve}, []string{tap.front.LocalAddr().String()}
	})
	get(t, client(t, n), "http://www.example.org/page")
	origin.Close()
	get(t, client(t, n), "http://www.example.org/other")
	ctx, stop := context.WithTimeout(t.Context(), node.StopTime)
	defer stop()
	if err := n.Settled(ctx); err != nil {
		t.Fatal(err)
	}
	if hashes, traffic := tap.seen(); len(hashes) > 0 || len(traffic) == 0 {
		t.Errorf("infohashes %v in %d bytes", hashes, len(traffic))
	}
}

// Whoever asks for level site names sites in the DHT, and buckets, by which the others find it.
func TestDatagramsAtLevelSite(t *testing.T) {
	_, resolve := serve(t, "www.example.org", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		_, _ = io.WriteString(w, "content")
	})
	tap := newRelay(t, hub(t)[0])
	n := start(t, func(c *node.Config) {
		c.Share, c.Level, c.Resolve, c.Bootstrap = node.SharePublic, node.LevelSite, []string{resolve}, []string{tap.front.LocalAddr().String()}
	})
	get(t, client(t, n), "http://www.example.org/page")
	bucket, err := dht.Bucket("example.org", node.DefaultBucketBits)
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range []dht.Topic{bucket, {Level: "site", Name: "example.org"}} {
		eventually(t, "the announcement", func() bool {
			hashes, _ := tap.seen()
			return slices.Contains(hashes, topic.InfoHash([]byte("peerproxy public swarm 1"), dht.Epoch(time.Now())))
		})
	}
}

// In the public swarm everybody finds everybody, whatever level each has chosen.
func TestLevelsMeet(t *testing.T) {
	origin, resolve := serve(t, "www.example.org", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		_, _ = io.WriteString(w, "content")
	})
	all := []node.Level{node.LevelBucket, node.LevelSite, node.LevelExact}
	var holders []*node.Node
	var joins [][]string
	for _, level := range all {
		join := hub(t) // a network for each, so that there is nobody else to find
		a := start(t, func(c *node.Config) {
			c.Share, c.Level, c.ExactFrom, c.Resolve, c.Bootstrap = node.SharePublic, level, 1, []string{resolve}, join
		})
		get(t, client(t, a), "http://www.example.org/page")
		holders, joins = append(holders, a), append(joins, join)
	}
	for _, a := range holders {
		eventually(t, "the announcement", func() bool { return a.Status().Announced == 1 })
	}
	origin.Close()
	for i, has := range all {
		for _, wants := range all {
			e := start(t, func(c *node.Config) {
				c.Level, c.Resolve, c.Trust, c.Bootstrap = wants, []string{resolve}, []string{holders[i].Addresses().Key}, joins[i]
			})
			if resp, text := get(t, client(t, e), "http://www.example.org/page"); text != "content" {
				t.Errorf("announced at level %s, wanted at level %s: %s", has, wants, resp.Status)
			}
		}
	}
}
