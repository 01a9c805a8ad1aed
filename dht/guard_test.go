package dht

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/anacrolix/dht/v2/krpc"
	"github.com/anacrolix/torrent/bencode"
)

// fakeConn is a socket whose traffic is a channel each way.
type fakeConn struct {
	net.PacketConn
	in     chan packet
	out    chan packet
	closed chan struct{}
}

type packet struct {
	data string
	addr net.Addr
	err  error
}

func newFakeConn() *fakeConn {
	return &fakeConn{in: make(chan packet, 100), out: make(chan packet, 100), closed: make(chan struct{})}
}

func (c *fakeConn) ReadFrom(p []byte) (int, net.Addr, error) {
	select {
	case in := <-c.in:
		return copy(p, in.data), in.addr, in.err
	case <-c.closed:
		return 0, nil, net.ErrClosed
	}
}

func (c *fakeConn) WriteTo(p []byte, to net.Addr) (int, error) {
	c.out <- packet{data: string(p), addr: to}
	return len(p), nil
}

func (c *fakeConn) Close() error { close(c.closed); return nil }

var (
	stranger = &net.UDPAddr{IP: net.IPv4(8, 8, 8, 8), Port: 6881}
	strange  = netip.MustParseAddrPort("8.8.8.8:6881")
	nodeID   = strings.Repeat("n", 20)
)

// killers are datagrams of which each ended, emptied or misled v2.23.0 of the library.
// The answers among them are completed by a transaction ID that is under way: %s.
var killers = map[string]string{
	"announce_peer without arguments": "d1:q13:announce_peer1:t1:x1:y1:qe",
	"put without arguments":           "d1:q3:put1:t1:x1:y1:qe",
	"ip of one byte":                  "d2:ip1:x1:rd2:id20:" + nodeID + "e1:t%s1:y1:re",
	"peer of one byte":                "d1:rd2:id20:" + nodeID + "6:valuesl1:xee1:t%s1:y1:re",
	"query with ip of one byte":       "d1:ad2:id20:" + nodeID + "e2:ip1:x1:q4:ping1:t1:x1:y1:qe",
	"query with empty ip":             "d1:ad2:id20:" + nodeID + "e2:ip0:1:q4:ping1:t1:x1:y1:qe",
	"item with key, without number":   "d1:rd2:id20:" + nodeID + "1:k32:" + strings.Repeat("k", 32) + "1:v1:xe1:t%s1:y1:re",
	"a name to be counted for ever":   "d1:ad2:id20:" + nodeID + "e1:q9:invented11:t1:x1:y1:qe",
	"string of 128 MiB":               "d1:t134217726:e",
	"key of 128 MiB":                  "d1:ad1:k134217726:ee",
	"error without an error":          "d1:t%s1:y1:ee",
}

func TestGuardDrops(t *testing.T) {
	query := func(q, args string) string {
		return fmt.Sprintf("d1:ad2:id20:%s%se1:q%d:%s1:t1:x1:y1:qe", nodeID, args, len(q), q)
	}
	tests := []struct {
		name, in string
		want     dropReason
	}{
		{"ping", query("ping", ""), accepted},
		{"find_node", query("find_node", "6:target20:"+nodeID), accepted},
		{"announce_peer", query("announce_peer", "9:info_hash20:"+nodeID+"4:porti1e5:token1:t"), accepted},
		{"announce_peer with implied port", query("announce_peer", "12:implied_porti1e9:info_hash20:"+nodeID), accepted},
		{"put", query("put", "1:v1:x"), accepted},
		{"trailing bytes", query("ping", "") + "\x00\x00", accepted},
		{"unknown query (BEP 51)", query("sample_infohashes", ""), unknownQuery},
		{"no query name", "d1:ad2:id20:" + nodeID + "e1:t1:x1:y1:qe", unknownQuery},
		{"ping without arguments", "d1:q4:ping1:t1:x1:y1:qe", invalid},
		{"ping without ID", "d1:ade1:q4:ping1:t1:x1:y1:qe", invalid},
		{"ID too short", "d1:ad2:id1:xe1:q4:ping1:t1:x1:y1:qe", malformed},
		{"announce_peer without port", query("announce_peer", "9:info_hash20:"+nodeID), invalid},
		{"announce_peer with port 65536", query("announce_peer", "4:porti65536e"), invalid},
		{"announce_peer with port -1", query("announce_peer", "4:porti-1e"), invalid},
		{"put without value", query("put", ""), invalid},
		{"long transaction ID", "d1:ad2:id20:" + nodeID + "e1:q4:ping1:t33:" + strings.Repeat("t", 33) + "1:y1:qe", invalid},
		{"unknown kind", "d1:t1:x1:y1:ze", unsolicited},
		{"answer never asked for", "d1:rd2:id20:" + nodeID + "e1:t1:x1:y1:re", unsolicited},
		{"answer with a guessed tag", "d1:rd2:id20:" + nodeID + "e1:t5:xaaaa1:y1:re", unsolicited},
		{"not bencode", "hello", malformed},
		{"large", query("put", "1:v4096:"+strings.Repeat("x", 4096)), tooLarge},
	}
	for _, tt := range tests {
		g := newGuard(newFakeConn(), -1, nil)
		_, reason := g.judge([]byte(tt.in), strange, time.Now())
		if reason != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, reason, tt.want)
		}
	}
	for name, in := range killers {
		g := newGuard(newFakeConn(), -1, nil)
		if _, reason := g.judge(answerTo(g, in, strange), strange, time.Now()); reason == accepted {
			t.Errorf("%s: accepted", name)
		}
	}
}

// answerTo completes an answer with a transaction ID that g takes for its own.
func answerTo(g *guard, format string, from netip.AddrPort) []byte {
	if !strings.Contains(format, "%s") {
		return []byte(format)
	}
	id := g.tags.add([]byte("x"), from)
	return fmt.Appendf(nil, format, fmt.Sprintf("%d:%s", len(id), id))
}

// A tagged query's answer is let in from the address asked, and from no other.
func TestGuardKnowsItsOwnQueries(t *testing.T) {
	conn := newFakeConn()
	g := newGuard(conn, -1, nil)
	query, _ := bencode.Marshal(krpc.Msg{Q: "ping", T: "xy", Y: "q", A: &krpc.MsgArgs{ID: krpc.RandomNodeID()}})
	if n, err := g.WriteTo(query, stranger); n != len(query) || err != nil {
		t.Fatalf("WriteTo = %d, %v", n, err)
	}
	var sent krpc.Msg
	if err := bencode.Unmarshal([]byte((<-conn.out).data), &sent); err != nil {
		t.Fatal(err)
	}
	if len(sent.T) != len("xy")+tagSize || sent.Q != "ping" {
		t.Fatalf("sent %+v", sent)
	}
	answer, _ := bencode.Marshal(krpc.Msg{T: sent.T, Y: "r", R: &krpc.Return{ID: krpc.RandomNodeID()}})
	for _, other := range []string{"8.8.4.4:6881", "8.8.8.8:6882", "[2001:4860:4860::8888]:6881"} {
		if _, reason := g.judge(answer, netip.MustParseAddrPort(other), time.Now()); reason != unsolicited {
			t.Errorf("answer from %s: %v", other, reason)
		}
	}
	b, reason := g.judge(answer, strange, time.Now())
	m, err := decodeMessage(b)
	if reason != accepted || err != nil || m.T != "xy" {
		t.Errorf("answer: %v, %+v, %v", reason, m, err)
	}
	g2 := newGuard(conn, -1, nil)
	if _, reason := g2.judge(answer, strange, time.Now()); reason != unsolicited {
		t.Errorf("another guard: %v", reason)
	}
}

// What a public node says of private networks, and other nonsense, is left out; the rest stays.
func TestGuardPrunes(t *testing.T) {
	info := func(ip string, port int) krpc.NodeInfo {
		return krpc.NodeInfo{ID: krpc.RandomNodeID(), Addr: krpc.NodeAddr{IP: net.ParseIP(ip), Port: port}}
	}
	peer := func(ip string, port int) krpc.NodeAddr {
		a := netip.MustParseAddr(ip)
		return krpc.NodeAddr{IP: a.AsSlice(), Port: port}
	}
	reply := krpc.Return{
		ID: krpc.RandomNodeID(),
		Nodes: krpc.CompactIPv4NodeInfo{
			info("9.9.9.9", 1), info("127.0.0.1", 1), info("10.0.0.1", 1), info("9.9.9.9", 0), info("0.0.0.0", 1),
		},
		Nodes6: krpc.CompactIPv6NodeInfo{info("2620:fe::fe", 1), info("::1", 1), info("fe80::1", 1), info("::ffff:9.9.9.9", 1)},
		Values: []krpc.NodeAddr{
			peer("9.9.9.9", 1), peer("192.168.1.1", 1), peer("9.9.9.9", 0), peer("2620:fe::fe", 1), {IP: net.IP{1, 2, 3}, Port: 1},
		},
	}
	tests := []struct {
		source                string
		nodes, nodes6, values int
	}{
		{"8.8.8.8:1", 1, 1, 2},
		{"127.0.0.1:1", 3, 3, 3},
	}
	for _, tt := range tests {
		source := netip.MustParseAddrPort(tt.source)
		g := newGuard(newFakeConn(), -1, nil)
		msg, err := bencode.Marshal(krpc.Msg{T: string(g.tags.add([]byte("x"), source)), Y: "r", R: &reply})
		if err != nil {
			t.Fatal(err)
		}
		b, reason := g.judge(msg, source, time.Now())
		m, err := decodeMessage(b)
		if reason != accepted || err != nil {
			t.Fatalf("%s: %v, %v", tt.source, reason, err)
		}
		if len(m.R.Nodes) != tt.nodes || len(m.R.Nodes6) != tt.nodes6 || len(m.R.Values) != tt.values {
			t.Errorf("%s: left %v, %v, %v", tt.source, m.R.Nodes, m.R.Nodes6, m.R.Values)
		}
	}
}

// BEP 51: a reply with samples can be pruned, too, though the library panics when it encodes them.
func TestGuardPrunesSamples(t *testing.T) {
	g := newGuard(newFakeConn(), -1, nil)
	id := g.tags.add([]byte("x"), strange)
	private := nodeID + "\x7f\x00\x00\x01\x00\x01"
	msg := fmt.Sprintf("d1:rd2:id20:%s5:nodes26:%s7:samples20:%se1:t%d:%s1:y1:re", nodeID, private, nodeID, len(id), id)
	b, reason := g.judge([]byte(msg), strange, time.Now())
	m, err := decodeMessage(b)
	if reason != accepted || err != nil || len(m.R.Nodes) != 0 {
		t.Errorf("%v, %+v, %v", reason, m, err)
	}
}

func TestGuardBoundsReplies(t *testing.T) {
	g := newGuard(newFakeConn(), -1, nil)
	reply := krpc.Return{ID: krpc.RandomNodeID()}
	for range 60 {
		reply.Nodes = append(reply.Nodes, krpc.NodeInfo{ID: krpc.RandomNodeID(), Addr: krpc.NodeAddr{IP: net.IP{9, 9, 9, 9}, Port: 9}})
	}
	for range 200 {
		reply.Values = append(reply.Values, krpc.NodeAddr{IP: net.IP{9, 9, 9, 9}, Port: 9})
	}
	msg, _ := bencode.Marshal(krpc.Msg{T: string(g.tags.add([]byte("x"), strange)), Y: "r", R: &reply})
	b, _ := g.judge(msg, strange, time.Now())
	m, err := decodeMessage(b)
	if err != nil || len(m.R.Nodes) != maxNodesPerReply || len(m.R.Values) != maxPeersPerReply {
		t.Errorf("%d nodes and %d peers, %v", len(m.R.Nodes), len(m.R.Values), err)
	}
}

// The library panics on any error of its socket, so it hears of none but its own end.
func TestGuardHidesReadErrors(t *testing.T) {
	conn := newFakeConn()
	g := newGuard(conn, -1, nil)
	ping := "d1:ad2:id20:" + nodeID + "e1:q4:ping1:t1:x1:y1:qe"
	conn.in <- packet{err: errors.New("network is down")}
	conn.in <- packet{err: errors.New("port unreachable")}
	conn.in <- packet{data: ping, addr: stranger}
	buf := make([]byte, 65536)
	if n, from, err := g.ReadFrom(buf); err != nil || string(buf[:n]) != ping || from != stranger {
		t.Fatalf("ReadFrom = %q, %v, %v", buf[:n], from, err)
	}
	conn.in <- packet{err: os.ErrDeadlineExceeded}
	if _, _, err := g.ReadFrom(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("after the deadline: %v", err)
	}
	for range 2 {
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// The end comes in order: the socket closes, queries under way end, the reader is told last.
func TestGuardFinishes(t *testing.T) {
	conn := newFakeConn()
	g := newGuard(conn, -1, nil)
	query, _ := bencode.Marshal(krpc.Msg{Q: "ping", T: "xy", Y: "q", A: &krpc.MsgArgs{ID: krpc.RandomNodeID()}})
	if _, err := g.WriteTo(query, stranger); err != nil {
		t.Fatal(err)
	}
	readerClosed := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		buf := make([]byte, 65536)
		n, from, err := g.ReadFrom(buf)
		m, err2 := decodeMessage(buf[:n])
		if err != nil || err2 != nil || m.Y != "e" || m.T != "xy" || from.String() != stranger.String() {
			t.Errorf("query under way got %q, %v, %v, %v", buf[:n], from, err, err2)
		}
		_, _, err = g.ReadFrom(buf)
		select {
		case <-readerClosed:
		default:
			t.Error("reader told before it was closed")
		}
		ended <- err
	}()
	if err := g.finish(func() { close(readerClosed) }); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("reader ended with %v", err)
	}
}

func TestRateTable(t *testing.T) {
	now := time.Unix(1e9, 0)
	rates := newRateTable(5)
	take := func(source string, at time.Time) (n int) {
		for rates.allow(networkOf(netip.MustParseAddrPort(source)), at) {
			n++
		}
		return n
	}
	if n := take("8.8.8.8:1", now); n != 10 {
		t.Errorf("%d at once, want two seconds' worth", n)
	}
	if n := take("8.8.8.8:2", now); n != 0 {
		t.Errorf("%d more from another port", n)
	}
	if n := take("[2001:4860::1]:1", now) + take("[2001:4860::2]:1", now); n != 10 {
		t.Errorf("%d from one /64", n)
	}
	if n := take("127.0.0.1:1", now) + take("127.0.0.1:2", now); n != 20 {
		t.Errorf("%d from two ports on loopback", n)
	}
	if n := take("8.8.8.8:1", now.Add(time.Second)); n != 5 {
		t.Errorf("%d a second later, want 5", n)
	}
	for i := range 3 * maxRateEntries {
		ip := netip.AddrFrom4([4]byte{9, byte(i >> 16), byte(i >> 8), byte(i)})
		rates.allow(networkOf(netip.AddrPortFrom(ip, 1)), now.Add(time.Second))
	}
	if len(rates.buckets) > maxRateEntries {
		t.Errorf("table has %d entries", len(rates.buckets))
	}
	if !newRateTable(-1).allow(network{}, now) {
		t.Error("no limit, but limited")
	}
}
