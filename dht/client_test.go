package dht

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/anacrolix/dht/v2/krpc"
	"github.com/anacrolix/torrent/bencode"
)

// client is a bare socket that speaks KRPC, or anything else.
type client struct {
	*net.UDPConn
	id krpc.ID
}

func newClient(t testing.TB) *client {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &client{conn, krpc.RandomNodeID()}
}

func (c *client) addr() netip.AddrPort {
	ap, _ := udpAddrPort(c.LocalAddr())
	return ap
}

func (c *client) send(t testing.TB, to netip.AddrPort, datagram []byte) {
	t.Helper()
	if _, err := c.WriteToUDPAddrPort(datagram, to); err != nil {
		t.Fatal(err)
	}
}

// receive waits for a message that fits; ok is false if none came in the time given.
func (c *client) receive(patience time.Duration, fits func(*krpc.Msg) bool) (m *krpc.Msg, ok bool) {
	buf := make([]byte, 65536)
	_ = c.SetReadDeadline(time.Now().Add(patience))
	for {
		n, err := c.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
			return nil, false
		}
		if m, err := decodeMessage(buf[:n]); err == nil && fits(m) {
			return m, true
		}
	}
}

// ask repeats a query until it is answered; UDP may lose it. The client is read-only (BEP 43), so
// the node asks nothing in turn.
func (c *client) ask(t testing.TB, to netip.AddrPort, name string, args krpc.MsgArgs) *krpc.Msg {
	t.Helper()
	args.ID = c.id
	query := bencode.MustMarshal(krpc.Msg{Q: name, A: &args, T: "ask" + name, Y: "q", ReadOnly: true})
	for range patience / resendDelay {
		c.send(t, to, query)
		m, ok := c.receive(resendDelay, func(m *krpc.Msg) bool { return m.T == "ask"+name && m.Y != "q" })
		if ok {
			return m
		}
	}
	t.Fatalf("no answer to %s", name)
	return nil
}

// alive fails the test if n does not answer a ping.
func alive(t testing.TB, n *Node) {
	t.Helper()
	if m := newClient(t).ask(t, n.Addrs()[0], "ping", krpc.MsgArgs{}); m.Y != "r" {
		t.Fatalf("ping answered by %+v", m)
	}
}

// liar is a client that answers each query as it likes; nil is silence.
func liar(t testing.TB, answer func(c *client, q *krpc.Msg) *krpc.Msg) *client {
	t.Helper()
	c := newClient(t)
	var reader sync.WaitGroup
	reader.Go(func() {
		buf := make([]byte, 65536)
		for {
			n, from, err := c.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			q, err := decodeMessage(buf[:n])
			if err != nil || q.Y != "q" {
				continue
			}
			if m := answer(c, q); m != nil {
				m.T = q.T
				_, _ = c.WriteToUDPAddrPort(bencode.MustMarshal(m), from)
			}
		}
	})
	t.Cleanup(func() { _ = c.Close(); reader.Wait() })
	return c
}

// reply is the frame of an honest answer.
func (c *client) reply(r krpc.Return) *krpc.Msg {
	r.ID = c.id
	return &krpc.Msg{Y: "r", R: &r}
}
