package trust

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

func TestPolicyDecides(t *testing.T) {
	friend, stranger := seeded(1), seeded(2)
	self := friend.Key()
	now := trusting().Now
	tests := []struct {
		name   string
		policy Policy
		signer *Identity
		tier   resource.Tier
		err    error
	}{
		{"zero policy", Policy{Now: now}, friend, 0, ErrUntrusted},
		{"listed key", trusting(friend), friend, resource.Signer, nil},
		{"second listed key", trusting(stranger, friend), friend, resource.Signer, nil},
		{"unknown key", trusting(friend), stranger, 0, ErrUntrusted},
		{"own key", Policy{Now: now, Self: &self}, friend, resource.Signer, nil},
		{"not the own key", Policy{Now: now, Self: &self}, stranger, 0, ErrUntrusted},
		{"any key", Policy{Now: now, Any: true}, stranger, resource.Unproven, nil},
		{"any key, but listed", Policy{Now: now, Any: true, Keys: []Key{self}}, friend, resource.Signer, nil},
		{"any key, but own", Policy{Now: now, Any: true, Self: &self}, friend, resource.Signer, nil},
		{"any key beside a list", Policy{Now: now, Any: true, Keys: []Key{self}}, stranger, resource.Unproven, nil},
	}
	for _, tt := range tests {
		ex := sampleExchange(t)
		if err := tt.signer.Sign(ex); err != nil {
			t.Fatal(err)
		}
		tier, key, err := tt.policy.Verify(ex, queryFor(ex))
		want := tt.signer.Key()
		if tt.err != nil {
			want = Key{}
		}
		if tier != tt.tier || key != want || !errors.Is(err, tt.err) {
			t.Errorf("%s: got %v, %v, %v", tt.name, tier, key, err)
		}
	}
}

func TestFuture(t *testing.T) {
	ex := signedSample(t)
	for ahead, want := range map[time.Duration]error{
		-100 * 365 * 24 * time.Hour:        nil, // age is httpcache's concern
		0:                                  nil,
		maxClockError:                      nil,
		maxClockError + time.Nanosecond:    ErrFuture,
		10 * 365 * 24 * time.Hour:          ErrFuture,
		maxClockError + 24*time.Hour + 999: ErrFuture,
	} {
		for _, policy := range []Policy{trusting(seeded(1)), {Any: true}, {}} {
			policy.Now = func() time.Time { return ex.Received.Add(-ahead) }
			_, _, err := policy.Verify(ex, queryFor(ex))
			if want != nil && !errors.Is(err, want) || want == nil && errors.Is(err, ErrFuture) {
				t.Errorf("received %v ahead of now: %v", ahead, err)
			}
		}
	}
	if _, _, err := (Policy{Any: true}).Verify(ex, queryFor(ex)); errors.Is(err, ErrFuture) != time.Now().Before(sampleTime) {
		t.Errorf("with the real clock: %v", err)
	}
}

func TestSeveralSignatures(t *testing.T) {
	signedBy := func(numbers ...byte) *resource.Exchange {
		ex := sampleExchange(t)
		for _, n := range slices.Backward(numbers) {
			signFully(t, seeded(n), ex)
		}
		return ex
	}
	spoil := func(ex *resource.Exchange, indices ...int) *resource.Exchange {
		for _, i := range indices {
			ex.Signatures[i].Value = make([]byte, 64)
		}
		return ex
	}
	var crowd [resource.MaxSignatures]byte
	for i := range crowd {
		crowd[i] = byte(10 + i)
	}
	pushedOut := signedBy(crowd[:]...)
	pushedOut.Signatures = append(pushedOut.Signatures, signedBy(1).Signatures...)
	tests := []struct {
		name string
		ex   *resource.Exchange
		any  bool
		tier resource.Tier
		key  byte
		err  error
	}{
		{"the friend's is the last", signedBy(2, 3, 1), true, resource.Signer, 1, nil},
		{"the friend's is the first", signedBy(1, 2), false, resource.Signer, 1, nil},
		{"none is a friend's", signedBy(3, 2), true, resource.Unproven, 3, nil},
		{"none is a friend's, nor any good", signedBy(3, 2), false, 0, 0, ErrUntrusted},
		{"the friend's is spoilt", spoil(signedBy(1, 2), 0), true, resource.Unproven, 2, nil},
		{"the friend's is spoilt, others don't count", spoil(signedBy(1, 2), 0), false, 0, 0, ErrUntrusted},
		{"others are spoilt", spoil(signedBy(2, 3, 1), 0, 1), false, resource.Signer, 1, nil},
		{"all are spoilt", spoil(signedBy(1, 2), 0, 1), true, 0, 0, ErrBadSignature},
		{"the friend's is the 17th", pushedOut, false, 0, 0, ErrUntrusted},
		{"the friend's is the 17th, any counts", pushedOut, true, resource.Unproven, 10, nil},
	}
	for _, tt := range tests {
		policy := trusting(seeded(1))
		policy.Any = tt.any
		tier, key, err := policy.Verify(tt.ex, queryFor(tt.ex))
		if tier != tt.tier || !errors.Is(err, tt.err) || err == nil && key != seeded(tt.key).Key() {
			t.Errorf("%s: got %v, %v, %v", tt.name, tier, key, err)
		}
	}
}

func TestParsePolicy(t *testing.T) {
	a, b := seeded(1).Key(), seeded(2).Key()
	tests := []struct {
		texts          []string
		any, witnessed bool
		keys           []Key
	}{
		{nil, false, false, nil},
		{[]string{"any"}, true, false, nil},
		{[]string{"witnessed"}, false, true, nil},
		{[]string{a.String()}, false, false, []Key{a}},
		{[]string{b.String(), "any", a.String(), "witnessed", b.String()}, true, true, []Key{b, a}},
	}
	for _, tt := range tests {
		p, err := ParsePolicy(tt.texts)
		if err != nil || p.Any != tt.any || p.Witnessed != tt.witnessed || !slices.Equal(p.Keys, tt.keys) || p.Self != nil {
			t.Errorf("%v: got %+v, %v", tt.texts, p, err)
		}
	}
	for _, text := range []string{"", "Any", "ANY", "all", "none", "Witnessed", "witness", "any,any", "ed25519:", strings.Repeat("x", 1<<20), a.String() + "," + b.String()} {
		p, err := ParsePolicy([]string{"any", text})
		if !errors.Is(err, ErrBadKey) || p.Any {
			t.Errorf("%.20q: got %+v, %v", text, p, err)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("error of %d bytes", len(err.Error()))
		}
	}
}
