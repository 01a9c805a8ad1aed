package dht

import (
	"net/netip"
	"testing"
	"time"

	"github.com/anacrolix/dht/v2/krpc"
)

func TestContacts(t *testing.T) {
	now := time.Unix(1e9, 0)
	c := newContacts()
	for i := range 3 * maxContacts {
		c.answered(contact{krpc.ID{1}, peerAt("9.9.9.9", uint16(i+1)), now}, netip.AddrPort{})
	}
	c.answered(contact{krpc.ID{2}, peerAt("9.9.9.9", uint16(3*maxContacts-1)), now}, netip.AddrPort{})
	latest := c.latest()
	if len(latest) != maxContacts || latest[0].id != (krpc.ID{2}) || latest[1].addr.Port() != 3*maxContacts {
		t.Errorf("%d contacts, the latest %v", len(latest), latest[:2])
	}
	c.answered(contact{addr: peerAt("9.9.9.9", 60000)}, netip.AddrPort{}) // an error message: no ID
	if c.latest()[0].addr.Port() == 60000 {
		t.Error("a node without ID is a contact")
	}
}

// A node counts as gone after three losses over half a minute, in which others answered: not
// after a burst of losses, and not because this machine was offline.
func TestContactsRememberSilence(t *testing.T) {
	start := time.Unix(1e9, 0)
	node, other := peerAt("9.9.9.9", 1), peerAt("8.8.8.8", 1)
	lose := func(c *contacts, losses int, every time.Duration, othersAnswer bool) time.Time {
		now := start
		for range losses {
			sent := now
			now = now.Add(every)
			if othersAnswer {
				c.answered(contact{krpc.ID{1}, other, now}, netip.AddrPort{})
			}
			c.failed(node, sent, now)
		}
		return now
	}
	tests := []struct {
		name   string
		losses int
		every  time.Duration
		online bool
		want   bool
	}{
		{"gone", 3, 20 * time.Second, true, true},
		{"two losses", 2, time.Minute, true, false},
		{"a burst of losses", 10, time.Second, true, false},
		{"offline", 10, time.Minute, false, false},
	}
	for _, tt := range tests {
		c := newContacts()
		now := lose(c, tt.losses, tt.every, tt.online)
		if got := c.silent(node, now); got != tt.want {
			t.Errorf("%s: silent = %v", tt.name, got)
		}
		if c.silent(node, now.Add(failureForgets)) {
			t.Errorf("%s: held against it for ever", tt.name)
		}
	}
	for name, live := range map[string]func(c *contacts){
		"answered": func(c *contacts) { c.answered(contact{krpc.ID{1}, node, start}, netip.AddrPort{}) },
		"asked":    func(c *contacts) { c.heard(node) },
	} {
		c := newContacts()
		now := lose(c, 5, time.Minute, true)
		live(c)
		if c.silent(node, now) {
			t.Errorf("silent although it has %s", name)
		}
	}
	c := newContacts()
	c.answered(contact{krpc.ID{1}, other, start}, netip.AddrPort{})
	for i := range 3 * maxRemembered {
		c.failed(peerAt("8.8.8.8", uint16(i+1)), start, start)
		c.worthAsking(peerAt("8.8.8.8", uint16(i+1)), start)
	}
	if len(c.failures.m) > maxRemembered || len(c.asked.m) > maxRemembered {
		t.Errorf("%d failures, %d asked", len(c.failures.m), len(c.asked.m))
	}
}

func TestContactsWorthAsking(t *testing.T) {
	now := time.Unix(1e9, 0)
	node := peerAt("9.9.9.9", 1)
	c := newContacts()
	if !c.worthAsking(node, now) || c.worthAsking(node, now) {
		t.Error("a new source is to be asked once")
	}
	if !c.worthAsking(node, now.Add(contactFresh)) {
		t.Error("never asked again")
	}
	c.answered(contact{krpc.ID{1}, node, now.Add(contactFresh)}, netip.AddrPort{})
	if c.worthAsking(node, now.Add(2*contactFresh-1)) {
		t.Error("asked although it answered lately")
	}
}

// BEP 42: our own address is what most others say; one network has one vote.
func TestContactsObserved(t *testing.T) {
	ours, lie := peerAt("9.9.9.9", 4000), peerAt("6.6.6.6", 1)
	c := newContacts()
	vote := func(voter string, port uint16, seen netip.AddrPort) {
		c.answered(contact{krpc.ID{1}, peerAt(voter, port), time.Unix(1e9, 0)}, seen)
	}
	for i := range 100 {
		vote("1.1.1.1", uint16(i+1), lie)
	}
	vote("2.2.2.2", 1, ours)
	vote("3.3.3.3", 1, ours)
	if got := c.observed(); got.IsValid() {
		t.Errorf("two votes and a liar decided for %v", got)
	}
	vote("4.4.4.4", 1, ours)
	if got := c.observed(); got != ours {
		t.Errorf("observed %v, want %v", got, ours)
	}
	vote("5.5.5.5", 1, lie)
	vote("6.6.6.6", 1, lie)
	if got := c.observed(); got.IsValid() {
		t.Errorf("three of six decided for %v", got)
	}
}

func TestMayPointAt(t *testing.T) {
	tests := []struct {
		source, target string
		want           bool
	}{
		{"8.8.8.8", "9.9.9.9:1", true},
		{"8.8.8.8", "[2620:fe::fe]:1", true},
		{"8.8.8.8", "9.9.9.9:0", false},
		{"8.8.8.8", "127.0.0.1:1", false},
		{"8.8.8.8", "192.168.1.1:1", false},
		{"8.8.8.8", "[fe80::1]:1", false},
		{"8.8.8.8", "[::ffff:10.0.0.1]:1", false},
		{"2620:fe::fe", "10.0.0.1:1", false},
		{"192.168.1.2", "192.168.1.1:1", true},
		{"127.0.0.1", "127.0.0.1:1", true},
		{"::1", "[::1]:1", true},
		{"127.0.0.1", "9.9.9.9:1", true},
		{"127.0.0.1", "0.0.0.0:1", false},
		{"127.0.0.1", "[::]:1", false},
		{"127.0.0.1", "224.0.0.1:1", false},
		{"127.0.0.1", "255.255.255.255:1", false},
	}
	for _, tt := range tests {
		if got := mayPointAt(netip.MustParseAddr(tt.source), netip.MustParseAddrPort(tt.target)); got != tt.want {
			t.Errorf("%s naming %s: %v, want %v", tt.source, tt.target, got, tt.want)
		}
	}
}
