package peer

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerproxy/peerproxy/trust"
)

func TestWitnessNetwork(t *testing.T) {
	for _, tt := range []struct {
		ip            string
		public, local string // "": counts for none
	}{
		{"11.0.1.2", "11.0.1.0/24", "11.0.1.0/24"},
		{"::ffff:11.0.1.2", "11.0.1.0/24", "11.0.1.0/24"},
		{"2a00:1:2:3::4", "2a00:1:2::/48", "2a00:1:2::/48"},
		{"127.0.2.1", "", "127.0.2.0/24"},
		{"::1", "", "::/48"},
		{"10.1.2.3", "", "10.1.2.0/24"},
		{"fd00:1:2:3::4", "", "fd00:1:2::/48"},
		{"169.254.1.1", "", ""},
		{"2002:b00:1::1", "", ""}, // 6to4: one IPv4 address has a whole /48
		{"2001:0:b00:1::1", "", ""},
		{"", "", ""},
	} {
		ip, _ := netip.ParseAddr(tt.ip)
		for private, want := range map[bool]string{false: tt.public, true: tt.local} {
			network, ok := witnessNetwork(ip, private)
			if ok != (want != "") || ok && network.String() != want {
				t.Errorf("%q, private %v: %v, %v", tt.ip, private, network, ok)
			}
		}
	}
}

func numbered(n int) (key trust.Key) {
	binary.BigEndian.PutUint64(key[:], uint64(n)+1)
	return key
}

func numberedNetwork(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{11, byte(n >> 8), byte(n)}), 24)
}

func TestSightings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sightings
		if _, ok := s.met(numbered(0)); ok {
			t.Error("met nobody")
		}
		s.note(numbered(0), numberedNetwork(0))
		s.note(numbered(0), numberedNetwork(1))
		if network, ok := s.met(numbered(0)); !ok || network != numberedNetwork(1) {
			t.Errorf("met in %v, not where it was last", network)
		}
		time.Sleep(sightingLife - time.Second)
		if _, ok := s.met(numbered(0)); !ok {
			t.Error("forgotten")
		}
		time.Sleep(time.Second)
		if _, ok := s.met(numbered(0)); ok {
			t.Error("remembered for too long")
		}
		s.note(numbered(0), numberedNetwork(3))
		if network, ok := s.met(numbered(0)); !ok || network != numberedNetwork(3) {
			t.Errorf("met in %v", network)
		}
	})
}

// Keys are free: those of one network push out one another, and nobody else.
func TestSightingsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sightings
		s.note(numbered(0), numberedNetwork(0))
		for n := 1; n < 3*maxSightings; n++ {
			time.Sleep(time.Millisecond)
			s.note(numbered(n), numberedNetwork(1))
		}
		if len(s.byKey) != 1+maxSightingsNear || len(s.nearby) != 2 {
			t.Errorf("%d keys of %d networks", len(s.byKey), len(s.nearby))
		}
		if _, ok := s.met(numbered(0)); !ok {
			t.Error("the only key of another network was pushed out")
		}
		for n := range 2 * maxSightings {
			time.Sleep(time.Millisecond)
			s.note(numbered(n), numberedNetwork(n))
		}
		if len(s.byKey) != maxSightings || len(s.nearby) != maxSightings {
			t.Errorf("%d keys of %d networks", len(s.byKey), len(s.nearby))
		}
		if _, ok := s.met(numbered(2*maxSightings - 1)); !ok {
			t.Error("the latest was pushed out")
		}
	})
}
