package peer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerproxy/peerproxy/trust"
)

func FuzzHello(f *testing.F) {
	id := trust.NewIdentity()
	real := hello{helloVersion, roleAcceptor, id.Key(), id.SignChannel(roleAcceptor, make([]byte, exporterSize))}.encode()
	f.Add(real)
	f.Add(appendField(real, 4, []byte("something new")))
	f.Add(appendField(real, criticalField, nil))
	f.Add(real[:len(real)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHello(b)
		if err != nil {
			if !errors.Is(err, errHello) {
				t.Fatalf("error %v", err)
			}
			return
		}
		again, err := parseHello(h.encode())
		if err != nil || again.role != h.role || again.key != h.key || !bytes.Equal(again.signature, h.signature) || again.version != h.version {
			t.Fatalf("second reading: %+v, %v", again, err)
		}
	})
}

func TestHelloIgnoresNewFields(t *testing.T) {
	id := trust.NewIdentity()
	h := hello{helloVersion + 1, roleDialler, id.Key(), make([]byte, signatureSize)}
	got, err := parseHello(appendField(h.encode(), 77, []byte("new")))
	if err != nil || got.key != h.key {
		t.Errorf("%+v, %v", got, err)
	}
	twice := appendField(h.encode(), fieldSignature, h.signature)
	if _, err := parseHello(twice); !errors.Is(err, errHello) {
		t.Errorf("a field twice: %v", err)
	}
}

func FuzzHead(f *testing.F) {
	it := makeItem(f, trust.NewIdentity(), page, []byte("hello"))
	head, err := encodeHead(it.exchange)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(head, int64(len(head)+5))
	f.Add(head, int64(len(head)))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff}, int64(1)<<62)
	f.Add([]byte{0, 0, 0, 0}, int64(4))
	f.Fuzz(func(t *testing.T, b []byte, length int64) {
		alone, err := readHeadOnly(bytes.NewReader(b), length)
		if err == nil {
			again, err := encodeHead(alone)
			if err != nil || !bytes.HasPrefix(b, again) || int64(len(again)) != length {
				t.Fatalf("a head alone is different when encoded anew: %v", err)
			}
		}
		ex, err := readHead(bytes.NewReader(b), length)
		if err != nil {
			return
		}
		if alone != nil && ex.Body.Length > 0 {
			t.Fatal("with and without a slice")
		}
		again, err := encodeHead(ex)
		if err != nil || !bytes.HasPrefix(b, again) {
			t.Fatalf("encoded anew it is different: %v", err)
		}
	})
}

func FuzzRange(f *testing.F) {
	f.Add("bao=0-99", int64(100))
	f.Add("bao=5-", int64(6))
	f.Add("bytes=0-1", int64(6))
	f.Add("bao=1-2,3-4", int64(6))
	f.Add("BAO = 9223372036854775807-", int64(0))
	f.Fuzz(func(t *testing.T, field string, length int64) {
		if length < 0 {
			return
		}
		s, present, err := parseRange(field, length)
		if err != nil || !present {
			return
		}
		if s.offset < 0 || s.n < 1 || s.offset+s.n > length {
			t.Fatalf("%q of %d: %+v", field, length, s)
		}
		if again, _, err := parseRange(s.rangeField(), length); err != nil || again != s {
			t.Fatalf("%q: %+v, then %+v, %v", field, s, again, err)
		}
	})
}

// The guard sees the same frames however the bytes are cut.
func FuzzFrameGuard(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3, 'a', 'b', 'c', 0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0}, uint8(1))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0}, uint8(5))
	f.Fuzz(func(t *testing.T, b []byte, cut uint8) {
		var whole, pieces frameGuard
		want := whole.check(b)
		var got error
		for step := int(cut%64) + 1; len(b) > 0 && got == nil; {
			n := min(step, len(b))
			got = pieces.check(b[:n])
			b = b[n:]
		}
		same := whole.frames == pieces.frames && whole.carried == pieces.carried && whole.asked == pieces.asked && whole.skip == pieces.skip
		if !errors.Is(got, want) || want == nil && !same {
			t.Fatalf("%v, in pieces %v", want, got)
		}
	})
}

func TestFrameGuard(t *testing.T) {
	data := func(length int) []byte {
		b := binary.BigEndian.AppendUint32([]byte{0, 0, 0, 0, 0, 0, 0, 1}, uint32(length))
		return append(b, make([]byte, length)...)
	}
	g := new(frameGuard)
	g.parity = 1 // the streams below are the other side's
	g.read.Store(1 << 40)
	for range 100_000 { // small requests and answers are no flood
		if err := g.check(data(bytesPerFrame)); err != nil {
			t.Fatal(err)
		}
	}
	g = new(frameGuard)
	n := 0
	for ; n < 10*freeFrames; n++ {
		if g.check(data(1)) != nil {
			break
		}
	}
	if n < freeFrames || n > freeFrames+100 {
		t.Errorf("%d frames of one byte passed", n)
	}
	g = new(frameGuard)
	g.parity = 1
	unread := 0
	for g.check(data(maxPayload)) == nil {
		unread += maxPayload
	}
	if unread > maxUnread || unread < maxUnread-maxPayload {
		t.Errorf("%d unread bytes passed", unread)
	}
	g = new(frameGuard)
	for range 1000 { // answers to our own questions are bounded by windows
		if err := g.check(data(maxPayload)); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.check(data(maxPayload)); err != nil {
		t.Errorf("the largest frame: %v", err)
	}
	if err := g.check(data(maxMessage)); !errors.Is(err, errFlood) {
		t.Errorf("a frame larger than a message: %v", err)
	}
}

func TestWindowBudget(t *testing.T) {
	b := &windowBudget{free: 100}
	one, two := &windowSpan{budget: b}, &windowSpan{budget: b}
	if err := one.ReserveMemory(1<<20, openPriority); err != nil {
		t.Errorf("first window: %v", err)
	}
	if one.ReserveMemory(60, 128) != nil || two.ReserveMemory(60, 128) == nil {
		t.Error("the budget is not kept")
	}
	one.Done()
	one.Done()
	if two.ReserveMemory(100, 128) != nil || one.ReserveMemory(0, 128) == nil {
		t.Error("a stream that ended gives its part back, once")
	}
	two.Done()
	if b.free != 100 {
		t.Errorf("%d free", b.free)
	}
}

func TestTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tab table[string, int]
		tab.put("a", 1, time.Second)
		tab.put("b", 2, time.Minute)
		if v, ok := tab.get("a"); !ok || v != 1 {
			t.Error("a is gone")
		}
		time.Sleep(time.Second)
		if tab.has("a") || !tab.has("b") {
			t.Error("a stays or b is gone")
		}
		tab.update("a", func(old int) (int, time.Duration) { return old + 5, time.Minute })
		if v, _ := tab.get("a"); v != 5 {
			t.Errorf("update of an expired value: %d", v)
		}
		for i := range maxTable + 100 {
			tab.put(fmt.Sprint(i), i, time.Duration(i+60)*time.Second)
		}
		if n := tab.len(); n != maxTable {
			t.Errorf("%d entries", n)
		}
		if tab.has("0") || !tab.has(fmt.Sprint(maxTable+99)) {
			t.Error("not the first to expire was forgotten")
		}
		tab.remove(fmt.Sprint(maxTable + 99))
		if tab.has(fmt.Sprint(maxTable + 99)) {
			t.Error("removed and there")
		}
	})
}

func TestBackoffGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d dialler
		a := netip.MustParseAddrPort("11.0.0.1:4000")
		last := time.Duration(0)
		for i := range 20 {
			d.failed(a)
			start := time.Now()
			for d.resting(a) {
				time.Sleep(time.Second)
			}
			rest := time.Since(start)
			if rest < last || rest > maxRest {
				t.Errorf("rest %d is %v after %v", i, rest, last)
			}
			last = rest
		}
		if last != maxRest {
			t.Errorf("the last rest is %v", last)
		}
	})
}

func TestConfig(t *testing.T) {
	id, policy := trust.NewIdentity(), trust.Policy{}
	for name, cfg := range map[string]Config{
		"no identity": {Verifier: policy},
		"no verifier": {Identity: id},
		"no source":   {Identity: id, Verifier: policy, Catalog: NewCatalog(nil)},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	cfg := Config{Identity: id, Verifier: policy}
	if _, err := New(cfg); err != nil || cfg.Limits != (Limits{}) || cfg.Logger != nil {
		t.Errorf("the caller's config was changed, or %v", err)
	}
}
