package trust

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// ringOf makes a keyring, or ends the test.
func ringOf(t testing.TB, entries ...Entry) *Keyring {
	t.Helper()
	var r *Keyring
	for _, e := range entries {
		var err error
		if r, err = r.With(e); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func entry(n byte, name string, sites ...string) Entry {
	return Entry{Key: seeded(n).Key(), Name: name, Sites: sites, Added: sampleTime}
}

func revoked(e Entry) Entry {
	e.Revoked = sampleTime.Add(time.Hour)
	return e
}

func TestKeyringRefuses(t *testing.T) {
	full := make([]Entry, MaxEntries)
	for i := range full {
		full[i] = Entry{Key: NewIdentity().Key(), Name: fmt.Sprint("n", i)}
	}
	small := ringOf(t, entry(1, "alice"))
	tests := []struct {
		name string
		ring *Keyring
		add  Entry
		want error
	}{
		{"no name", nil, entry(1, ""), ErrBadEntry},
		{"control character", nil, entry(1, "a\x1b[2Jb"), ErrBadEntry},
		{"line break", nil, entry(1, "a\nb"), ErrBadEntry},
		{"right-to-left override", nil, entry(1, "a\u202eb"), ErrBadEntry},
		{"not UTF-8", nil, entry(1, "a\xff"), ErrBadEntry},
		{"blank at the end", nil, entry(1, "a "), ErrBadEntry},
		{"too long", nil, entry(1, strings.Repeat("ä", MaxNameLength+1)), ErrBadEntry},
		{"as long as may be", nil, entry(1, strings.Repeat("ä", MaxNameLength)), nil},
		{"the word any", nil, entry(1, "any"), ErrBadEntry},
		{"the word witnessed", nil, entry(1, "witnessed"), ErrBadEntry},
		{"like a key", nil, entry(1, "ed25519:x"), ErrBadEntry},
		{"blank within", nil, entry(1, "Alice B."), nil},
		{"weak key", nil, Entry{Name: "a"}, ErrBadEntry},
		{"no site", nil, entry(1, "a", "http://example.org/"), ErrBadEntry},
		{"site with port", nil, entry(1, "a", "example.org:80"), ErrBadEntry},
		{"too many sites", nil, entry(1, "a", make([]string, MaxSites+1)...), ErrBadEntry},
		{"long note", nil, Entry{Key: seeded(1).Key(), Name: "a", Note: strings.Repeat("x", MaxNoteLength+1)}, ErrBadEntry},
		{"key known", small, entry(1, "bob"), ErrTaken},
		{"name known", small, entry(2, "alice"), ErrTaken},
		{"full", newKeyring(full), entry(1, "bob"), ErrBadEntry},
	}
	for _, tt := range tests {
		if _, err := tt.ring.With(tt.add); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
}

func TestParseSite(t *testing.T) {
	for text, want := range map[string]string{
		"example.org": "example.org", "WWW.Example.ORG.": "www.example.org", "bücher.example": "xn--bcher-kva.example",
		"192.0.2.1": "192.0.2.1", "[2001:DB8::1]": "2001:db8::1", "2001:db8::1": "2001:db8::1",
		"": "", "a b": "", "*.example.org": "", "example.org/": "", "user@example.org": "", "example.org:80": "", "[2001:db8::1]:80": "", "http://a.example": "",
		"1.2.3": "", "a..b": "", strings.Repeat("a", 2000): "",
	} {
		got, err := ParseSite(text)
		if got != want || (err == nil) != (want != "") || err != nil && !errors.Is(err, ErrBadEntry) {
			t.Errorf("%.30q: got %q, %v", text, got, err)
		}
	}
}

func TestScope(t *testing.T) {
	tests := []struct {
		sites []string
		url   string
		want  bool
	}{
		{nil, "https://anything.example/", true},
		{[]string{"example.org"}, "https://example.org/", true},
		{[]string{"example.org"}, "http://deep.www.example.org:8080/x", true},
		{[]string{"example.org"}, "https://example.com/", false},
		{[]string{"example.org"}, "https://notexample.org/", false},
		{[]string{"www.example.org"}, "https://www.example.org/", true},
		{[]string{"www.example.org"}, "https://example.org/", false},
		{[]string{"www.example.org"}, "https://a.www.example.org/", false},
		{[]string{"org"}, "https://example.org/", false},
		{[]string{"github.io"}, "https://alice.github.io/", false},
		{[]string{"alice.github.io"}, "https://alice.github.io/", true},
		{[]string{"192.0.2.1"}, "http://192.0.2.1:81/", true},
		{[]string{"a.example", "B.example"}, "http://b.example/", true},
	}
	for _, tt := range tests {
		e, _ := ringOf(t, entry(1, "alice", tt.sites...)).Find("alice")
		if e.Counts(mustURL(t, tt.url)) != tt.want {
			t.Errorf("%v for %s: want %v", tt.sites, tt.url, tt.want)
		}
		if revoked(e).Counts(mustURL(t, tt.url)) {
			t.Errorf("%v for %s: revoked, and counts", tt.sites, tt.url)
		}
	}
}

func TestFreeName(t *testing.T) {
	long := strings.Repeat("x", MaxNameLength)
	r := ringOf(t, entry(1, "a"), entry(2, "a-2"), entry(3, long))
	for name, want := range map[string]string{"b": "b", "a": "a-3", "a-2": "a-2-2", long: long[4:] + "-2"} {
		if got := r.FreeName(name); got != want {
			t.Errorf("%q: got %q", name, got)
		}
	}
}

// TestParseKeyring: what is not understood is refused, with the line or the key.
func TestParseKeyring(t *testing.T) {
	a, b := seeded(1).Key().String(), seeded(2).Key().String()
	one := "version = 1\n[[key]]\nname = \"alice\"\nkey = \"" + a + "\"\nadded = 2026-01-02T03:04:05Z\n"
	tests := []struct{ name, text, says string }{
		{"empty", "", "version 0"},
		{"another version", "version = 2\n", "version 2"},
		{"unknown top key", "version = 1\nkeys = 3\n", "line 2: unknown key"},
		{"unknown field", one + "trust = \"all\"\n", "line 6: unknown key"},
		{"no TOML", "version = 1\n\n=", "line 3"},
		{"wrong type", "version = 1\n[[key]]\nname = 7\n", "line 3"},
		{"bad key", strings.Replace(one, a, "ed25519:AAAA", 1), `key 1 ("alice")`},
		{"key of small order", strings.Replace(one, a, Key{}.String(), 1), "small order"},
		{"no name", strings.Replace(one, "alice", "", 1), "key 1"},
		{"bad site", one + "sites = [\"a/b\"]\n", "a/b"},
		{"name twice", one + strings.Replace(one[len("version = 1\n"):], a, b, 1), `"alice" is there twice`},
		{"key twice", one + strings.Replace(one[len("version = 1\n"):], "alice", "bob", 1), "its key is there twice"},
		{"too long", one + strings.Repeat("#", MaxKeyringText), "longer than"},
	}
	for _, tt := range tests {
		r, err := ParseKeyring([]byte(tt.text))
		if !errors.Is(err, ErrBadKeyring) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: got %v, %v", tt.name, r, err)
		}
	}
	r, err := ParseKeyring([]byte(one))
	if e, _ := r.Find("alice"); err != nil || e.Key != seeded(1).Key() || e.IsRevoked() || e.Added.Year() != 2026 {
		t.Errorf("got %+v, %v", e, err)
	}
}

func TestExportHasNoNotes(t *testing.T) {
	e := entry(1, "alice", "example.org")
	e.Note = "met in Ulm"
	r := ringOf(t, revoked(e))
	kept, err := r.MarshalText()
	if err != nil || !strings.Contains(string(kept), "met in Ulm") {
		t.Errorf("the own text: %v\n%s", err, kept)
	}
	exported, err := r.Export()
	if err != nil || strings.Contains(string(exported), "Ulm") || !strings.Contains(string(exported), "revoked = ") {
		t.Errorf("the exported text: %v\n%s", err, exported)
	}
}

// TestMerge: an import adds keys and revocations. It takes no revocation back and
// widens no scope, and says what differs.
func TestMerge(t *testing.T) {
	own := seeded(9).Key()
	tests := []struct {
		name         string
		ours, theirs []Entry
		want         []Entry
		changes      []ChangeKind
	}{
		{"new key", nil, []Entry{entry(1, "a", "example.org")}, []Entry{entry(1, "a", "example.org")}, []ChangeKind{ChangeAdded}},
		{"new key, revoked", nil, []Entry{revoked(entry(1, "a"))}, []Entry{revoked(entry(1, "a"))}, []ChangeKind{ChangeRevoked}},
		{"the same", []Entry{entry(1, "a")}, []Entry{entry(1, "a")}, []Entry{entry(1, "a")}, nil},
		{"revoked there", []Entry{entry(1, "a")}, []Entry{revoked(entry(1, "b", "x.example"))}, []Entry{revoked(entry(1, "a"))}, []ChangeKind{ChangeRevoked}},
		{"revoked here", []Entry{revoked(entry(1, "a"))}, []Entry{entry(1, "a")}, []Entry{revoked(entry(1, "a"))}, []ChangeKind{ChangeKept}},
		{"wider there", []Entry{entry(1, "a", "x.example")}, []Entry{entry(1, "a")}, []Entry{entry(1, "a", "x.example")}, []ChangeKind{ChangeKept}},
		{"narrower there", []Entry{entry(1, "a")}, []Entry{entry(1, "a", "x.example")}, []Entry{entry(1, "a")}, []ChangeKind{ChangeKept}},
		{"other name", []Entry{entry(1, "a")}, []Entry{entry(1, "b")}, []Entry{entry(1, "a")}, []ChangeKind{ChangeKept}},
		{"name of another key", []Entry{entry(1, "a")}, []Entry{entry(2, "a")}, []Entry{entry(1, "a"), entry(2, "a-2")}, []ChangeKind{ChangeAdded}},
		{"own key", nil, []Entry{entry(9, "me")}, nil, nil},
		{"own key, revoked", nil, []Entry{revoked(entry(9, "me"))}, nil, []ChangeKind{ChangeKept}},
	}
	for _, tt := range tests {
		got, changes, err := ringOf(t, tt.ours...).Merge(ringOf(t, tt.theirs...), own, sampleTime)
		var kinds []ChangeKind
		for _, c := range changes {
			kinds = append(kinds, c.What)
			if (c.What == ChangeKept) != (c.Why != "") && tt.name != "name of another key" {
				t.Errorf("%s: %q because %q", tt.name, c.What, c.Why)
			}
		}
		if err != nil || !equalEntries(got, ringOf(t, tt.want...)) || !slices.Equal(kinds, tt.changes) {
			t.Errorf("%s: got %+v, %v, %v", tt.name, got.Entries(), kinds, err)
		}
	}
}

func equalEntries(a, b *Keyring) bool {
	return slices.EqualFunc(a.Entries(), b.Entries(), func(x, y Entry) bool {
		return x.Key == y.Key && x.Name == y.Name && slices.Equal(x.Sites, y.Sites) && x.Added.Equal(y.Added) && x.Revoked.Equal(y.Revoked) && x.Note == y.Note
	})
}

func TestKeyringFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trust.toml")
	r, err := LoadKeyring(path)
	if err != nil || len(r.Entries()) != 0 {
		t.Fatalf("no file: %v, %v", r, err)
	}
	add := func(e Entry) func(*Keyring) (*Keyring, error) {
		return func(r *Keyring) (*Keyring, error) { return r.With(e) }
	}
	if err := UpdateKeyring(path, add(entry(1, "alice", "example.org"))); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	before, _ := os.ReadFile(path)
	if err := UpdateKeyring(path, add(entry(1, "bob"))); !errors.Is(err, ErrTaken) {
		t.Errorf("known key: %v", err)
	}
	if after, _ := os.ReadFile(path); string(after) != string(before) {
		t.Errorf("a failed change has changed the file:\n%s", after)
	}
	if r, err = LoadKeyring(path); err != nil || !equalEntries(r, ringOf(t, entry(1, "alice", "example.org"))) {
		t.Errorf("read back: %v, %v", r.Entries(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeyring(path); !errors.Is(err, ErrKeyFile) {
		t.Errorf("readable by others: %v", err)
	}
}

// TestBrokenKeyringStays: a file that is not understood is never written over, or its
// revocations would be lost.
func TestBrokenKeyringStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trust.toml")
	if err := os.WriteFile(path, []byte("version = 1\nrubbish\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := UpdateKeyring(path, func(*Keyring) (*Keyring, error) {
		t.Error("edited")
		return nil, nil
	})
	if text, _ := os.ReadFile(path); !errors.Is(err, ErrBadKeyring) || string(text) != "version = 1\nrubbish\n" {
		t.Errorf("%v, %q", err, text)
	}
}

// TestConcurrentUpdates: no change of several at once is lost.
func TestConcurrentUpdates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trust.toml")
	var group sync.WaitGroup
	for n := range byte(20) {
		group.Go(func() {
			err := UpdateKeyring(path, func(r *Keyring) (*Keyring, error) { return r.With(entry(n, fmt.Sprint("n", n))) })
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if r, err := LoadKeyring(path); err != nil || len(r.Entries()) != 20 {
		t.Errorf("%d entries, %v", len(r.Entries()), err)
	}
}

// TestPolicyFollowsKeyring: scopes, revocation and lists for sites, also when they
// change while the policy is in use.
func TestPolicyFollowsKeyring(t *testing.T) {
	friend, other, self := seeded(1), seeded(2), seeded(9).Key()
	host, site := "www.example.org", "example.org"
	tests := []struct {
		name   string
		ring   []Entry
		policy Policy
		tier   resource.Tier
		err    error
	}{
		{"in the ring", []Entry{entry(1, "a")}, Policy{}, resource.Signer, nil},
		{"in scope by site", []Entry{entry(1, "a", site)}, Policy{}, resource.Signer, nil},
		{"in scope by host", []Entry{entry(1, "a", host)}, Policy{}, resource.Signer, nil},
		{"out of scope", []Entry{entry(1, "a", "x.example")}, Policy{}, 0, ErrUntrusted},
		{"out of scope, any", []Entry{entry(1, "a", "x.example")}, Policy{Any: true}, resource.Unproven, nil},
		{"out of scope, but in the list", []Entry{entry(1, "a", "x.example")}, Policy{Keys: []Key{friend.Key()}}, resource.Signer, nil},
		{"revoked", []Entry{revoked(entry(1, "a"))}, Policy{}, 0, ErrRevoked},
		{"revoked, any", []Entry{revoked(entry(1, "a"))}, Policy{Any: true}, 0, ErrRevoked},
		{"revoked, in the list", []Entry{revoked(entry(1, "a"))}, Policy{Any: true, Keys: []Key{friend.Key()}}, 0, ErrRevoked},
		{"revoked, named for the site", []Entry{revoked(entry(1, "a"))}, Policy{Sites: map[string][]string{site: {"a"}}}, 0, ErrRevoked},
		{"revoked, the node's own", []Entry{revoked(entry(1, "a"))}, Policy{Self: ptr(friend.Key())}, resource.Signer, nil},
		{"named for the site", []Entry{entry(1, "a", "x.example")}, Policy{Sites: map[string][]string{site: {"a"}}}, resource.Signer, nil},
		{"key for the host", nil, Policy{Sites: map[string][]string{host: {friend.Key().String()}, site: nil}}, resource.Signer, nil},
		{"another is named", []Entry{entry(1, "a"), entry(2, "b")}, Policy{Keys: []Key{friend.Key()}, Sites: map[string][]string{site: {"b"}}}, 0, ErrUntrusted},
		{"nobody is named", []Entry{entry(1, "a")}, Policy{Any: true, Sites: map[string][]string{site: {}}}, resource.Unproven, nil},
		{"named for another site", []Entry{entry(1, "a")}, Policy{Sites: map[string][]string{"x.example": {}}}, resource.Signer, nil},
		{"another is revoked", []Entry{entry(1, "a"), revoked(entry(2, "b"))}, Policy{}, resource.Signer, nil},
	}
	for _, tt := range tests {
		ex := signedSample(t)
		p := tt.policy
		p.Now, p.Ring = trusting().Now, &LiveKeyring{}
		if p.Self == nil {
			p.Self = &self
		}
		p.Ring.Store(ringOf(t, tt.ring...))
		tier, _, err := p.Verify(ex, queryFor(ex))
		if tier != tt.tier || !errors.Is(err, tt.err) {
			t.Errorf("%s: got %v, %v", tt.name, tier, err)
		}
		if got := p.Counts(friend.Key().String(), ex.URL); got != (tt.tier == resource.Signer) {
			t.Errorf("%s: counts: %v", tt.name, got)
		}
		if got := p.Refused(friend.Key().String()); got != errors.Is(tt.err, ErrRevoked) {
			t.Errorf("%s: refused: %v", tt.name, got)
		}
		if accepts := p.Accepts(ex.URL); err == nil && !accepts && p.Self == &self {
			t.Errorf("%s: accepted, but nobody would be asked", tt.name)
		}
		p.Ring.Store(ringOf(t, revoked(entry(1, "a"))))
		if _, _, err := p.Verify(ex, queryFor(ex)); !errors.Is(err, ErrRevoked) && *p.Self == self {
			t.Errorf("%s: revoked later: %v", tt.name, err)
		}
	}
	both := signedSample(t)
	if err := other.Sign(both); err != nil {
		t.Fatal(err)
	}
	p := Policy{Any: true, Ring: &LiveKeyring{}, Now: trusting().Now}
	for _, gone := range []byte{1, 2} { // the other signature counts as if it were alone
		p.Ring.Store(ringOf(t, revoked(entry(gone, "a"))))
		if tier, key, err := p.Verify(both, queryFor(both)); tier != resource.Unproven || key != seeded(3-gone).Key() || err != nil {
			t.Errorf("%d revoked: %v, %v, %v", gone, tier, key, err)
		}
	}
}

// TestAccepts: peers are not asked for what would be refused, since asking tells.
func TestAccepts(t *testing.T) {
	self, friend := seeded(9).Key(), seeded(1).Key()
	tests := []struct {
		name   string
		ring   []Entry
		policy Policy
		want   bool
	}{
		{"nobody", nil, Policy{}, false},
		{"only the node itself", []Entry{entry(9, "me")}, Policy{}, false},
		{"any", nil, Policy{Any: true}, true},
		{"a listed key", nil, Policy{Keys: []Key{friend}}, true},
		{"a listed key, revoked", []Entry{revoked(entry(1, "a"))}, Policy{Keys: []Key{friend}}, false},
		{"in the ring", []Entry{entry(1, "a")}, Policy{}, true},
		{"in the ring, elsewhere", []Entry{entry(1, "a", "x.example")}, Policy{}, false},
		{"in the ring, revoked", []Entry{revoked(entry(1, "a"))}, Policy{}, false},
		{"named for the site", []Entry{entry(1, "a", "x.example")}, Policy{Sites: map[string][]string{"example.org": {"a"}}}, true},
		{"nobody for the site", []Entry{entry(1, "a")}, Policy{Keys: []Key{friend}, Sites: map[string][]string{"example.org": {}}}, false},
		{"an unknown name for the site", nil, Policy{Sites: map[string][]string{"example.org": {"who"}}}, false},
	}
	for _, tt := range tests {
		tt.policy.Self, tt.policy.Ring = &self, &LiveKeyring{}
		tt.policy.Ring.Store(ringOf(t, tt.ring...))
		if got := tt.policy.Accepts(mustURL(t, "https://www.example.org/")); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
	if (Policy{}).Accepts(mustURL(t, "https://www.example.org/")) {
		t.Error("the zero policy accepts something")
	}
}

func ptr[T any](v T) *T { return &v }
