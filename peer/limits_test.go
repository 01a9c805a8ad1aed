package peer

import (
	"context"
	"encoding/binary"
	"io"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-yamux/v5"
)

func TestLimitOfRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		n, f := w.node(func(c *Config) { c.Limits.Requests, c.Limits.RequestsPerSession = 6, 4 }), w.fake()
		n.share(page, randomBody(8<<20)) // more than a window holds
		flood := func(mux *yamux.Session) (ok, busy int) {
			for range 10 {
				s, err := mux.OpenStream(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.WriteString(s, request("GET", pathOf(page)))
				line := make([]byte, 12)
				if _, err := io.ReadFull(s, line); err != nil {
					t.Fatal(err)
				}
				switch string(line) {
				case "HTTP/1.1 200":
					ok++
				case "HTTP/1.1 503":
					busy++
				}
			}
			return ok, busy
		}
		one := f.session(n.addr)
		if ok, busy := flood(one); ok != 4 || busy != 6 {
			t.Errorf("one session: %d served, %d refused", ok, busy)
		}
		two := w.fake().session(n.addr)
		if ok, busy := flood(two); ok != 2 || busy != 8 {
			t.Errorf("second session: %d served, %d refused", ok, busy)
		}
		// Nobody reads: after the stall time there is room again.
		time.Sleep(30 * time.Second)
		if st := n.Status(); st.Serving != 0 {
			t.Errorf("still serving %d", st.Serving)
		}
		if opened, closed := n.shelf.counts(); opened != closed {
			t.Errorf("%d copies opened, %d closed", opened, closed)
		}
		if ok, _ := flood(two); ok == 0 {
			t.Error("nothing is served any more")
		}
	})
}

// More streams than allowed are reset; the session goes on.
func TestFloodOfStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		n, f := w.node(), w.fake()
		n.share(page, []byte("hello"))
		mux := f.session(n.addr)
		refused := 0
		for range 3 * maxStreams {
			s, err := mux.OpenStream(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if _, err := s.Write([]byte("G")); err != nil {
				refused++
			}
		}
		if refused < 2*maxStreams-1 { // the digest takes one
			t.Errorf("%d streams were refused", refused)
		}
		// Streams without a request are closed in time.
		time.Sleep(requestWait + time.Second)
		if resp := ask(t, mux, request("GET", pathOf(page))); resp.StatusCode != 200 {
			t.Errorf("status %d", resp.StatusCode)
		}
	})
}

// A peer that asks for much and never reads from its connection is cut off, and so is
// one that says nothing at all.
func TestSilence(t *testing.T) {
	for name, request := range map[string]string{
		"asks and never reads": request("GET", pathOf(page)),
		"says nothing":         "",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.end()
				n, f := w.node(), w.fake()
				n.share(page, randomBody(4<<20))
				ws := f.dial(n.addr)
				conn := newWSConn(ws)
				if _, err := f.swarm.exchangeHellos(conn, roleDialler); err != nil {
					t.Fatal(err)
				}
				if request != "" { // a stream with a window of 16 MiB, and the request
					b := []byte{0, 1, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0}
					b = append(b, 0, 0, 0, 0, 0, 0, 0, 1)
					b = binary.BigEndian.AppendUint32(b, uint32(len(request)))
					_, _ = conn.Write(append(b, request...))
				}
				time.Sleep(90 * time.Second)
				if st := n.Status(); len(st.Sessions) != 0 || st.Serving != 0 {
					t.Errorf("%d sessions, serving %d", len(st.Sessions), st.Serving)
				}
				if opened, closed := n.shelf.counts(); opened != closed {
					t.Errorf("%d copies opened, %d closed", opened, closed)
				}
			})
		})
	}
}

func TestIdleSessionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		a, b := w.node(), w.node()
		a.share(page, []byte("hello"))
		if err := b.Connect(t.Context(), a.addr); err != nil {
			t.Fatal(err)
		}
		time.Sleep(9 * time.Minute)
		b.mustFetch(page)
		time.Sleep(9 * time.Minute)
		if len(b.Status().Sessions) != 1 {
			t.Error("a session that was used has ended")
		}
		time.Sleep(2 * time.Minute)
		if len(b.Status().Sessions) != 0 || len(a.Status().Sessions) != 0 {
			t.Error("an idle session goes on")
		}
	})
}

func TestUploadRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		a := w.node(func(c *Config) { c.Limits.UploadRate = 100_000 })
		b := w.node()
		a.share(page, randomBody(1_000_000))
		w.announce("example.org", a.addr)
		start := time.Now()
		b.mustFetch(page)
		if d := time.Since(start); d < 9*time.Second || d > 12*time.Second {
			t.Errorf("1 MB at 100 kB/s took %v", d)
		}
	})
}

// Many sessions: strangers get three quarters of the room, and the idle ones make way.
func TestLimitOfSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		n := w.node(func(c *Config) { c.Limits.Sessions = 8 })
		for range 6 {
			w.fake().session(n.addr)
		}
		synctest.Wait()
		late := w.fake().session(n.addr)
		time.Sleep(time.Second)
		if !late.IsClosed() {
			t.Error("a seventh stranger was let in")
		}
		if err := n.Connect(t.Context(), w.node().addr); err != nil {
			t.Errorf("no room for a dial of our own: %v", err)
		}
		time.Sleep(2 * time.Minute)
		late = w.fake().session(n.addr)
		time.Sleep(time.Second)
		if late.IsClosed() {
			t.Error("idle strangers made no room")
		}
		if got := len(n.Status().Sessions); got > 8 {
			t.Errorf("%d sessions", got)
		}
	})
}

// One stranger takes only so much, however many addresses its network gives it.
func TestLimitPerNetwork(t *testing.T) {
	for name, c := range map[string]struct {
		from []string
		open int
	}{
		"an IPv4 address":     {[]string{"11.0.0.1", "11.0.0.1", "11.0.0.1"}, 2},
		"IPv4 neighbours":     {[]string{"11.0.0.1", "11.0.0.2", "11.0.0.3"}, 3},
		"an IPv6 /64":         {[]string{"2a11::1", "2a11::2", "2a11::ffff:0:0:3"}, 2},
		"two networks":        {[]string{"2a11::1", "2a11::2", "2a11:0:0:1::1", "2a11:0:0:1::2"}, 4},
		"a home's own (IPv4)": {[]string{"192.168.1.1", "192.168.1.1", "192.168.1.1"}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.end()
				n := w.node(func(c *Config) { c.Limits.SessionsPerAddress = 2 })
				open := 0
				for _, ip := range c.from {
					f := w.fake()
					f.addr = netip.AddrPortFrom(netip.MustParseAddr(ip), 4000)
					if mux := f.mux(f.dial(n.addr), roleDialler); mux != nil {
						open++
						defer mux.Close()
					}
				}
				if open != c.open {
					t.Errorf("%d connections, want %d", open, c.open)
				}
			})
		})
	}
}

// A look-up that one network fills with its addresses has room for those of others.
func TestLookUpLimitPerNetwork(t *testing.T) {
	l := newLookup()
	from := netip.MustParseAddr("2a11::1")
	for port := range uint16(200) {
		l.add(Found{Addr: netip.AddrPortFrom(from, 4000)})
		l.add(Found{Addr: netip.AddrPortFrom(netip.MustParseAddr("11.0.0.1"), 4000+port)})
		from = from.Next()
	}
	l.add(Found{Addr: netip.MustParseAddrPort("11.0.0.2:4000")})
	l.add(Found{Addr: netip.MustParseAddrPort("[2a11:0:0:1::1]:4000")})
	if want := 2*maxFoundNear + 2; len(l.found) != want {
		t.Errorf("%d addresses found, want %d", len(l.found), want)
	}
}
