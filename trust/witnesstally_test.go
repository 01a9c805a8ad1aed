package trust

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// book has met the keys that stand in it.
type book map[Key]netip.Prefix

func (b book) met(key Key) (netip.Prefix, bool) {
	network, ok := b[key]
	return network, ok
}

func network(n int) netip.Prefix { return netip.MustParsePrefix(fmt.Sprintf("11.0.%d.0/24", n)) }

// witnessed is an exchange of a stranger with the given witnesses.
func witnessed(t testing.TB, witnesses ...byte) *resource.Exchange {
	ex := sampleExchange(t)
	signFully(t, seeded(100), ex)
	for _, n := range witnesses {
		signAsWitness(t, seeded(n), ex, sampleTime.Add(time.Duration(n)*time.Minute))
	}
	return ex
}

func TestCountingWitnesses(t *testing.T) {
	own := seeded(9).Key()
	tests := []struct {
		name      string
		witnesses []byte
		networks  map[byte]int // where which key was met
		want      int
	}{
		{"nobody", nil, map[byte]int{1: 1}, 0},
		{"three of three networks", []byte{1, 2, 3}, map[byte]int{1: 1, 2: 2, 3: 3}, 3},
		{"carried keys never met", []byte{1, 2, 3, 4}, map[byte]int{1: 1}, 1},
		{"none ever met", []byte{1, 2, 3, 4}, nil, 0},
		{"equal keys", []byte{1, 1, 1, 1}, map[byte]int{1: 1}, 1},
		{"many keys in one network", []byte{1, 2, 3, 4, 5}, map[byte]int{1: 1, 2: 1, 3: 1, 4: 1, 5: 1}, 1},
		{"two networks, many keys", []byte{1, 2, 3, 4, 5}, map[byte]int{1: 1, 2: 1, 3: 1, 4: 2, 5: 2}, 2},
		{"own key", []byte{1, 9, 2}, map[byte]int{1: 1, 9: 9, 2: 2}, 2},
		{"met, but no witness", []byte{1}, map[byte]int{1: 1, 2: 2, 3: 3}, 1},
	}
	for _, tt := range tests {
		met := book{}
		for n, where := range tt.networks {
			met[seeded(n).Key()] = network(where)
		}
		policy := trusting()
		policy.Any, policy.Self = true, &own
		tally, err := policy.Tally(witnessed(t, tt.witnesses...))
		if err != nil {
			t.Fatal(err)
		}
		got := tally.Count(met.met)
		if got.Witnesses != tt.want || got.Enough() != (tt.want >= defaultQuorum) {
			t.Errorf("%s: %+v, want %d", tt.name, got, tt.want)
		}
	}
}

func TestQuorum(t *testing.T) {
	for _, tt := range []struct {
		policy Policy
		want   int
	}{
		{Policy{}, 0},
		{Policy{Witnesses: 2}, 0},
		{Policy{Any: true}, 3},
		{Policy{Witnessed: true}, 3},
		{Policy{Witnessed: true, Witnesses: 5}, 5},
		{Policy{Any: true, Witnesses: -1}, 0},
	} {
		if got := tt.policy.Quorum(); got != tt.want {
			t.Errorf("%+v: %d", tt.policy, got)
		}
	}
}

// TestWhenWitnessed: an old testimony stays true and stays old.
func TestWhenWitnessed(t *testing.T) {
	now := sampleTime.Add(time.Hour)
	long := sampleTime.Add(-365 * 24 * time.Hour)
	for _, tt := range []struct {
		name  string
		seen  []time.Time
		count int
		at    time.Time
	}{
		{"third newest of four", []time.Time{now, now.Add(-time.Minute), long, now.Add(-time.Hour)}, 4, now.Add(-time.Hour)},
		{"old bytes in a new exchange", []time.Time{long, long, long}, 3, long},
		{"too few", []time.Time{now, now}, 2, time.Time{}},
		{"a clock ahead a little", []time.Time{now.Add(maxClockError), now, now}, 3, now},
		{"from the future", []time.Time{now.Add(maxClockError + time.Second), now, now}, 2, time.Time{}},
	} {
		ex := sampleExchange(t)
		for i, at := range tt.seen {
			signAsWitness(t, seeded(byte(i)), ex, at)
		}
		got := newTally(t, ex).Count(everywhere)
		if got.Witnesses != tt.count || !got.At.Equal(tt.at.Truncate(time.Second)) {
			t.Errorf("%s: %+v, want %d at %v", tt.name, got, tt.count, tt.at)
		}
	}
}

// TestNewestOfAKey: a witness that looked again counts once, with the newest time that is not from
// the future.
func TestNewestOfAKey(t *testing.T) {
	ex := sampleExchange(t)
	for _, after := range []time.Duration{2, 1, 100, 3} {
		signAsWitness(t, seeded(1), ex, sampleTime.Add(after*time.Hour))
	}
	policy := Policy{Any: true, Witnesses: 1, Now: func() time.Time { return sampleTime.Add(4 * time.Hour) }}
	tally, err := policy.Tally(ex)
	if err != nil {
		t.Fatal(err)
	}
	if got := tally.Count(everywhere); got.Witnesses != 1 || !got.At.Equal(sampleTime.Add(3*time.Hour).Truncate(time.Second)) {
		t.Errorf("%+v", got)
	}
}

func TestCarry(t *testing.T) {
	ex := witnessed(t, 1)
	for n := byte(50); n < 62; n++ { // crowds the others out, if it is let
		signFully(t, seeded(n), ex)
	}
	tally := newTally(t, ex)
	for n := byte(1); n <= 20; n++ {
		other := anotherFetch(t)
		if err := seeded(n).Sign(other); err != nil {
			t.Fatal(err)
		}
		if !tally.Add(other) {
			t.Fatal("not the same")
		}
	}
	met := book{seeded(3).Key(): network(3), seeded(17).Key(): network(17)}
	before := slices.Clone(ex.Signatures)
	carrier := ex.Clone()
	if !tally.Carry(carrier, met.met) {
		t.Fatal("not carried")
	}
	if !slices.EqualFunc(ex.Signatures, before, func(a, b resource.Signature) bool { return a.Input == b.Input }) {
		t.Error("the clone's original was changed")
	}
	if _, err := carrier.MarshalBinary(); err != nil || len(carrier.Signatures) != resource.MaxSignatures {
		t.Errorf("%d signatures, %v", len(carrier.Signatures), err)
	}
	again := newTally(t, carrier)
	if got := again.Count(met.met); got.Witnesses != 2 {
		t.Errorf("%d of 2 that were met are carried", got.Witnesses)
	}
	policy := Policy{Any: true, Now: trusting().Now}
	if _, key, err := policy.Verify(carrier, queryFor(carrier)); err != nil || key != seeded(61).Key() {
		t.Errorf("the exchange is not signed any more: %v", err)
	}
	other := sampleExchange(t)
	other.Body.Root[0] ^= 1
	if tally.Carry(other, met.met) || other.Signatures != nil {
		t.Error("carried by another response")
	}
}

// FuzzWitness: whatever comes from a peer, nobody is made a witness who is not.
func FuzzWitness(f *testing.F) {
	for _, change := range []func(*resource.Exchange){
		func(*resource.Exchange) {},
		func(ex *resource.Exchange) { ex.Signatures = ex.Signatures[1:] },
		func(ex *resource.Exchange) { ex.Header.Set("Date", "x") },
		func(ex *resource.Exchange) { ex.Signatures[1].Input = ex.Signatures[0].Input },
		func(ex *resource.Exchange) { ex.Header, ex.Selecting = nil, nil },
	} {
		ex := signedSample(f)
		change(ex)
		encoded, err := ex.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	genuine, err := newWitnessStatement(sampleExchange(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		var ex resource.Exchange
		if ex.UnmarshalBinary(encoded) != nil {
			return
		}
		tally, err := Policy{Any: true}.Tally(&ex)
		if err != nil {
			return
		}
		met := book{seeded(1).Key(): network(1)}
		if tally.Count(met.met).Witnesses == 0 {
			return
		}
		s, err := newWitnessStatement(&ex)
		if err != nil || !s.same(genuine) {
			t.Fatalf("made a witness of:\n%+v", ex)
		}
	})
}

// TestWhoMayBeWitness: revoked keys are none, and where only some count, neither are others.
func TestWhoMayBeWitness(t *testing.T) {
	ring := new(LiveKeyring)
	ring.Store(newKeyring([]Entry{revoked(entry(2, "mallory"))}))
	for _, tt := range []struct {
		name   string
		policy Policy
		want   int
	}{
		{"no keyring", Policy{Any: true}, 3},
		{"one is revoked", Policy{Any: true, Ring: ring}, 2},
		{"for another site", Policy{Any: true, Sites: map[string][]string{"other.example": nil}}, 3},
		{"only one counts here", Policy{Any: true, Sites: map[string][]string{"example.org": {seeded(1).Key().String()}}}, 1},
	} {
		tt.policy.Now = trusting().Now
		tally, err := tt.policy.Tally(witnessed(t, 1, 2, 3))
		if err != nil {
			t.Fatal(err)
		}
		if got := tally.Count(everywhere); got.Witnesses != tt.want {
			t.Errorf("%s: %+v, want %d", tt.name, got, tt.want)
		}
	}
	if u := sampleExchange(t).URL; !(Policy{Witnessed: true}).Accepts(u) || (Policy{Witnessed: true, Witnesses: -1}).Accepts(u) {
		t.Error("witnesses are no reason to ask peers, or none are one")
	}
}

// TestStillWitnessed: what came as witnessed is so no longer once one of the witnesses that it
// carries is revoked, or more are wanted. Those that were revoked before are not carried.
func TestStillWitnessed(t *testing.T) {
	everywhere := func(key Key) (netip.Prefix, bool) { return network(int(key[0])), true }
	mallory := revoked(entry(3, "mallory"))
	for _, tt := range []struct {
		name          string
		before, after Policy
		want          bool
	}{
		{"nothing has changed", Policy{Any: true}, Policy{Any: true}, true},
		{"one is revoked", Policy{Any: true}, Policy{Any: true, Ring: ring(mallory)}, false},
		{"one was revoked before", Policy{Any: true, Ring: ring(mallory)}, Policy{Any: true, Ring: ring(mallory)}, true},
		{"more are wanted", Policy{Witnessed: true}, Policy{Witnessed: true, Witnesses: 5}, false},
		{"witnesses are not taken", Policy{Witnessed: true}, Policy{}, false},
		{"only others count for the site", Policy{Any: true}, Policy{Any: true, Sites: map[string][]string{"example.org": nil}}, false},
	} {
		tt.before.Now, tt.after.Now = trusting().Now, trusting().Now
		ex := witnessed(t, 1, 2, 3, 4)
		tally, err := tt.before.Tally(ex)
		if err != nil {
			t.Fatal(err)
		}
		if !tally.Count(everywhere).Enough() || !tally.Carry(ex, everywhere) {
			t.Fatal(tt.name, "was not even witnessed")
		}
		if at, got := tt.after.StillWitnessed(ex); got != tt.want || at.IsZero() == tt.want {
			t.Errorf("%s: %v, %v", tt.name, got, at)
		}
	}
}

// TestStoredTestimony: a stored copy is as old as its witnesses said when it came, however many keys of one
// network, or never met, call it new.
func TestStoredTestimony(t *testing.T) {
	ex := witnessed(t, 1, 2, 3)
	met := book{seeded(1).Key(): network(1), seeded(2).Key(): network(2), seeded(3).Key(): network(3)}
	for n := byte(30); n < 34; n++ {
		signAsWitness(t, seeded(n), ex, sampleTime.Add(time.Hour))
		met[seeded(n).Key()] = network(3)
	}
	for n := byte(40); n < 44; n++ {
		signAsWitness(t, seeded(n), ex, sampleTime.Add(time.Hour))
	}
	policy := Policy{Witnessed: true, Now: func() time.Time { return sampleTime.Add(2 * time.Hour) }}
	tally, err := policy.Tally(ex)
	if err != nil {
		t.Fatal(err)
	}
	fresh := tally.Count(met.met)
	if !fresh.At.Equal(sampleTime.Add(time.Minute).Truncate(time.Second)) || !tally.Carry(ex, met.met) {
		t.Fatalf("%+v", fresh)
	}
	if at, ok := policy.StillWitnessed(ex); !ok || !at.Equal(fresh.At) {
		t.Errorf("%v, %v; it was %v", at, ok, fresh.At)
	}
}

func ring(entries ...Entry) *LiveKeyring {
	live := new(LiveKeyring)
	live.Store(newKeyring(entries))
	return live
}
