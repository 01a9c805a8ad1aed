package dht

import (
	"crypto/hmac"
	"crypto/sha256"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestEpoch(t *testing.T) {
	berlin := time.FixedZone("CET", 3600)
	for _, c := range []struct {
		at   time.Time
		want int64
	}{
		{time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), 0},
		{time.Date(2024, 1, 7, 23, 59, 59, 999999999, time.UTC), 0},
		{time.Date(2024, 1, 8, 0, 0, 0, 0, time.UTC), 1},
		{time.Date(2024, 1, 8, 0, 30, 0, 0, berlin), 0}, // still Sunday in UTC
		{time.Date(2024, 1, 8, 1, 0, 0, 0, berlin), 1},
		{time.Date(2025, 1, 6, 0, 0, 0, 0, time.UTC), 53},
		{time.Date(2023, 12, 31, 23, 59, 59, 0, time.UTC), -1},
		{time.Date(2023, 12, 25, 0, 0, 0, 0, time.UTC), -1},
		{time.Date(2023, 12, 24, 23, 59, 59, 0, time.UTC), -2},
		{time.Date(2424, 1, 1, 0, 0, 0, 0, time.UTC), 20871}, // beyond what a time.Duration holds
	} {
		if got := Epoch(c.at); got != c.want {
			t.Errorf("%v: epoch %d, want %d", c.at, got, c.want)
		}
	}
}

func TestEpochSecret(t *testing.T) {
	mac := hmac.New(sha256.New, []byte("secret"))
	mac.Write([]byte("epoch\x0042"))
	if got := EpochSecret([]byte("secret"), 42); !hmac.Equal(got, mac.Sum(nil)) {
		t.Errorf("secret %x", got)
	}
}

func TestEpochsOverlap(t *testing.T) {
	boundary := epochZero.Add(10 * EpochLength)
	for _, c := range []struct {
		from             time.Duration // the boundary
		announce, lookup []int64
	}{
		{-84 * time.Hour, []int64{9}, []int64{9}},
		{-2*time.Hour - time.Second, []int64{9}, []int64{9}},
		{-2 * time.Hour, []int64{9, 10}, []int64{9, 10}},
		{-time.Second, []int64{9, 10}, []int64{9, 10}},
		{0, []int64{10}, []int64{10, 9}},
		{time.Hour - time.Second, []int64{10}, []int64{10, 9}},
		{time.Hour, []int64{10}, []int64{10}},
	} {
		at := boundary.Add(c.from)
		if got := AnnounceEpochs(at); !slices.Equal(got, c.announce) {
			t.Errorf("%v from the boundary: announced under %v, want %v", c.from, got, c.announce)
		}
		if got := LookupEpochs(at); !slices.Equal(got, c.lookup) {
			t.Errorf("%v from the boundary: looked up under %v, want %v", c.from, got, c.lookup)
		}
	}
}

// Whatever the time is: who announces is found by who looks up, if the clock of each is right to an hour,
// and even if the announcements of the last half hour have not been made yet.
func TestClocksMayBeAnHourOff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		second := func(limit time.Duration) *rapid.Generator[int64] {
			return rapid.Int64Range(-int64(limit/time.Second), int64(limit/time.Second))
		}
		boundary := epochZero.Add(time.Duration(rapid.IntRange(-100, 1000).Draw(t, "epoch")) * EpochLength)
		now := boundary.Add(time.Duration(second(5*time.Hour).Draw(t, "time")) * time.Second)
		announcer := now.Add(time.Duration(second(time.Hour).Draw(t, "announcer")) * time.Second)
		finder := now.Add(time.Duration(second(time.Hour).Draw(t, "finder")) * time.Second)
		late := announcer.Add(-30 * time.Minute)
		looked := LookupEpochs(finder)
		found := func(list []int64) bool {
			return slices.ContainsFunc(list, func(n int64) bool { return slices.Contains(looked, n) })
		}
		if !found(AnnounceEpochs(announcer)) {
			t.Fatalf("announced under %v, looked up under %v", AnnounceEpochs(announcer), looked)
		}
		// What was announced half an hour ago, other nodes remember.
		if both := append(AnnounceEpochs(late), AnnounceEpochs(announcer)...); !found(both) {
			t.Fatalf("late: announced under %v, looked up under %v", both, looked)
		}
	})
}

// A worse clock loses the days by which it is off, each week, and no more.
func TestWorseClocks(t *testing.T) {
	for _, c := range []struct {
		off  time.Duration
		lost time.Duration // of a week, at most
	}{
		{2 * time.Hour, 0}, {-2 * time.Hour, 0}, {5 * time.Hour, 3 * time.Hour}, {-5 * time.Hour, 3 * time.Hour},
		{24 * time.Hour, 22 * time.Hour}, {-24 * time.Hour, 22 * time.Hour}, {8 * 24 * time.Hour, EpochLength},
	} {
		var lost time.Duration
		for at := time.Duration(0); at < EpochLength; at += time.Minute {
			now := epochZero.Add(at)
			looked := LookupEpochs(now.Add(c.off))
			if !slices.ContainsFunc(AnnounceEpochs(now), func(n int64) bool { return slices.Contains(looked, n) }) {
				lost += time.Minute
			}
		}
		if lost > c.lost {
			t.Errorf("off by %v: %v of each week are lost, want %v at most", c.off, lost, c.lost)
		}
	}
}

// At the boundary the announcer goes over from one epoch's infohashes to the next one's, without a
// gap, and what is added or removed meanwhile is so under both.
func TestRotationTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &fakePublisher{}
		a := NewAnnouncer(AnnouncerConfig{Node: p, Port: fixedPort})
		secret := []byte("secret")
		r := NewRotation(secret, a)
		defer runAnnouncer(t, a)()
		defer runAnnouncer(t, r)()
		kept, gone, late := Topic{"site", "kept.example"}, Topic{"site", "gone.example"}, Topic{"site", "late.example"}
		r.Add(kept)
		r.Add(gone)
		now := Epoch(time.Now())
		boundary := epochZero.Add(time.Duration(now+1) * EpochLength)
		time.Sleep(time.Until(boundary.Add(-3 * time.Hour)))
		if n := len(p.times(kept.InfoHash(secret, now+1))); n != 0 {
			t.Errorf("three hours before the boundary it was announced %d times under the next epoch", n)
		}
		time.Sleep(time.Until(boundary.Add(-110 * time.Minute)))
		r.Add(late)
		r.Remove(gone)
		time.Sleep(time.Until(boundary.Add(-80 * time.Minute)))
		for _, topic := range []Topic{kept, late} {
			for _, epoch := range []int64{now, now + 1} {
				if !a.Announced(topic.InfoHash(secret, epoch)) {
					t.Errorf("before the boundary %v is not announced under epoch %d", topic, epoch)
				}
			}
		}
		if !r.Announced(kept) || !r.Announced(late) || r.Announced(gone) {
			t.Errorf("announced: %v, %v, and what was removed: %v", r.Announced(kept), r.Announced(late), r.Announced(gone))
		}
		time.Sleep(time.Until(boundary.Add(2 * time.Minute)))
		synctest.Wait()
		if s := a.Status(); s.InfoHashes != 2 || s.Announced != 2 || !r.Announced(kept) || !r.Announced(late) {
			t.Errorf("after the boundary: %+v", s)
		}
		ended := len(p.times(kept.InfoHash(secret, now)))
		time.Sleep(time.Hour)
		if n := len(p.times(kept.InfoHash(secret, now))); n != ended {
			t.Errorf("announced %d times under the epoch that has ended", n-ended)
		}
		for i, calls := 1, p.times(kept.InfoHash(secret, now+1)); i < len(calls); i++ {
			if gap := calls[i].Sub(calls[i-1]); gap > 15*time.Minute+2*time.Second {
				t.Errorf("a gap of %v", gap)
			}
		}
		if n := len(p.times(gone.InfoHash(secret, now+1))); n > 4 {
			t.Errorf("what was removed was announced %d times under the next epoch", n)
		}
	})
}
