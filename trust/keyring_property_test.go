package trust

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// modelEntry is an entry as plain values.
type modelEntry struct {
	name  string
	sites string
	gone  bool
}

// TestKeyringAgainstModel edits a keyring and a plain map by random scripts, and demands
// that they agree, also after a trip through the text.
func TestKeyringAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var ring *Keyring
		model := map[Key]modelEntry{}
		for range rapid.IntRange(0, 25).Draw(t, "edits") {
			key := seeded(rapid.ByteRange(1, 6).Draw(t, "key")).Key()
			name := rapid.SampledFrom([]string{"a", "b", "c", "a-2", "ü"}).Draw(t, "name")
			site := rapid.SampledFrom([]string{"", "example.org", "www.example.org"}).Draw(t, "site")
			switch rapid.SampledFrom([]string{"add", "add", "add", "rm", "revoke"}).Draw(t, "edit") {
			case "add":
				e := Entry{Key: key, Name: name, Added: sampleTime}
				if site != "" {
					e.Sites = []string{site}
				}
				changed, err := ring.With(e)
				_, known := model[key]
				taken := known || slices.ContainsFunc(slices.Collect(maps.Values(model)), func(m modelEntry) bool { return m.name == name })
				if errors.Is(err, ErrTaken) != taken || !taken && err != nil {
					t.Fatalf("add %q: %v, taken %v", name, err, taken)
				}
				if !taken {
					ring, model[key] = changed, modelEntry{name, site, false}
				}
			case "rm":
				ring = ring.Without(key)
				delete(model, key)
			case "revoke":
				ring = ring.Revoke(key, sampleTime)
				if m, ok := model[key]; ok {
					m.gone = true
					model[key] = m
				}
			}
			text, err := ring.MarshalText()
			if err != nil {
				t.Fatal(err)
			}
			read, err := ParseKeyring(text)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			agree(t, read, model)
			ring = read
		}
	})
}

func agree(t *rapid.T, ring *Keyring, model map[Key]modelEntry) {
	if len(ring.Entries()) != len(model) {
		t.Fatalf("%d entries, want %d", len(ring.Entries()), len(model))
	}
	for key, m := range model {
		e, err := ring.Find(m.name)
		again, known := ring.Lookup(key)
		if err != nil || !known || e.Key != key || again.Name != m.name || e.IsRevoked() != m.gone || (len(e.Sites) == 0) != (m.sites == "") {
			t.Fatalf("%+v: got %+v, %v", m, e, err)
		}
	}
}

// TestMergeNeverWidens: whatever is imported, no revocation is taken back, no known
// key's scope or name changes, and a second time nothing happens.
func TestMergeNeverWidens(t *testing.T) {
	own := seeded(6).Key()
	rapid.Check(t, func(t *rapid.T) {
		ours, theirs := drawKeyring(t, "ours"), drawKeyring(t, "theirs")
		merged, changes, err := ours.Merge(theirs, own, sampleTime)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range ours.Entries() {
			now, _ := merged.Lookup(e.Key)
			if now.Name != e.Name || !slices.Equal(now.Sites, e.Sites) || e.IsRevoked() && !now.IsRevoked() {
				t.Fatalf("%+v has become %+v", e, now)
			}
		}
		for _, e := range theirs.Entries() {
			now, known := merged.Lookup(e.Key)
			if e.Key == own {
				if _, before := ours.Lookup(own); known != before {
					t.Fatal("the own key was taken over")
				}
				continue
			}
			if !known || e.IsRevoked() && !now.IsRevoked() {
				t.Fatalf("%+v was not taken over: %+v", e, now)
			}
		}
		var did int
		for _, c := range changes {
			if c.What != ChangeKept {
				did++
			}
		}
		if (did == 0) != equalEntries(ours, merged) {
			t.Fatalf("%d changes told of, but %v and %v", did, ours.Entries(), merged.Entries())
		}
		twice, changes, err := merged.Merge(theirs, own, sampleTime.Add(time.Hour))
		if err != nil || !equalEntries(twice, merged) || slices.ContainsFunc(changes, func(c Change) bool { return c.What != ChangeKept }) {
			t.Fatalf("a second time: %+v, %v", changes, err)
		}
	})
}

func drawKeyring(t *rapid.T, label string) *Keyring {
	var ring *Keyring
	for n := range byte(6) {
		if !rapid.Bool().Draw(t, label) {
			continue
		}
		e := entry(n+1, ring.FreeName(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "name")))
		if rapid.Bool().Draw(t, "scoped") {
			e.Sites = []string{"example.org"}
		}
		if rapid.Bool().Draw(t, "revoked") {
			e = revoked(e)
		}
		var err error
		if ring, err = ring.With(e); err != nil {
			t.Fatal(err)
		}
	}
	return ring
}

// FuzzParseKeyring: what is read is written and read the same again, and is within its bounds.
func FuzzParseKeyring(f *testing.F) {
	e := revoked(entry(1, "Zoë \"Z\"", "example.org", "192.0.2.1"))
	e.Note = `back\slash`
	r, err := (*Keyring)(nil).With(e)
	if err != nil {
		f.Fatal(err)
	}
	text, err := r.MarshalText()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("version = 1\n[[key]]\nname = 'a'\nkey = 'ed25519:x'\nadded = 1979-05-27\n"))
	f.Add([]byte("version = 1\nkey = []\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ParseKeyring(text)
		if err != nil {
			return
		}
		written, err := r.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseKeyring(written)
		if err != nil || !equalEntries(r, again) {
			t.Fatalf("%v\n%s", err, written)
		}
	})
}
