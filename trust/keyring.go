package trust

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/peerproxy/peerproxy/resource"
)

// Limits of a [Keyring].
const (
	MaxEntries    = 1000 // keys in a keyring, the revoked ones too
	MaxNameLength = 64   // characters of a name, and no more than 255 bytes
	MaxNoteLength = 200  // characters of a note
	MaxSites      = 100  // in the scope of a key
)

// Errors of changes to a [Keyring].
var (
	// ErrNoEntry: no key of that name or text is in the keyring.
	ErrNoEntry = errors.New("not in the keyring")
	// ErrBadEntry: a name, note or site that can't be, or one thing too many.
	ErrBadEntry = errors.New("bad entry")
	// ErrTaken: the name or the key is in the keyring already.
	ErrTaken = errors.New("already in the keyring")
)

// Entry is a key that the user knows. Its slices are only read.
type Entry struct {
	Key  Key
	Name string // unique in a keyring; printable, never empty
	// Sites is where the key's signatures count: registrable domains with all their
	// hosts, or single hosts, in canonical form and order. Empty is everywhere.
	Sites   []string
	Added   time.Time // when the user did so, to the second, UTC
	Revoked time.Time // when the key was revoked; zero: it was not
	Note    string    // the user's own words, never exported
}

// IsRevoked reports whether the key counts nowhere any more.
func (e Entry) IsRevoked() bool { return !e.Revoked.IsZero() }

// Counts reports whether the key's signatures count for a URL.
func (e Entry) Counts(u resource.URL) bool {
	return !e.IsRevoked() && (len(e.Sites) == 0 || slices.Contains(e.Sites, u.Host()) || slices.Contains(e.Sites, u.Site()))
}

// Keyring is the keys that a user knows, with names: those whose copies are taken, and
// those that are revoked. A Keyring never changes; what changes it returns another one.
// A nil Keyring is an empty one.
type Keyring struct {
	entries []Entry // by name
	byKey   map[Key]int
}

func newKeyring(entries []Entry) *Keyring {
	r := &Keyring{entries: entries, byKey: make(map[Key]int, len(entries))}
	slices.SortFunc(r.entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	for i, e := range r.entries {
		r.byKey[e.Key] = i
	}
	return r
}

// Entries are all keys in the order of their names.
func (r *Keyring) Entries() []Entry {
	if r == nil {
		return nil
	}
	return slices.Clone(r.entries)
}

// Lookup returns the entry of a key.
func (r *Keyring) Lookup(key Key) (Entry, bool) {
	if r == nil {
		return Entry{}, false
	}
	i, ok := r.byKey[key]
	if !ok {
		return Entry{}, false
	}
	return r.entries[i], true
}

// Find returns the entry of a name or of the text of a key, or [ErrNoEntry].
func (r *Keyring) Find(nameOrKey string) (Entry, error) {
	if key, err := ParseKey(nameOrKey); err == nil {
		if e, ok := r.Lookup(key); ok {
			return e, nil
		}
	}
	if i, ok := r.named(nameOrKey); ok {
		return r.entries[i], nil
	}
	return Entry{}, fmt.Errorf("%.80q: %w", nameOrKey, ErrNoEntry)
}

func (r *Keyring) named(name string) (int, bool) {
	if r == nil {
		return 0, false
	}
	return slices.BinarySearchFunc(r.entries, name, func(e Entry, name string) int { return strings.Compare(e.Name, name) })
}

// FreeName is name, or the first of name-2, name-3 and so on that no entry has.
func (r *Keyring) FreeName(name string) string {
	for n, free := 2, name; ; n++ {
		if _, taken := r.named(free); !taken {
			return free
		}
		suffix := fmt.Sprintf("-%d", n)
		// Room enough also where every character has four bytes.
		runes := []rune(name)
		free = strings.TrimSpace(string(runes[:min(len(runes), MaxNameLength-2*len(suffix))])) + suffix
	}
}

// With returns the keyring with another entry, brought into canonical form. Errors wrap
// [ErrBadEntry] or [ErrTaken].
func (r *Keyring) With(e Entry) (*Keyring, error) {
	e, err := e.canonical()
	if err != nil {
		return nil, err
	}
	if known, ok := r.Lookup(e.Key); ok {
		return nil, fmt.Errorf("%s: %w as %q", e.Key, ErrTaken, known.Name)
	}
	if _, taken := r.named(e.Name); taken {
		return nil, fmt.Errorf("the name %q is %w, for another key", e.Name, ErrTaken)
	}
	entries := append(r.Entries(), e)
	if len(entries) > MaxEntries {
		return nil, fmt.Errorf("%w: a keyring has no more than %d keys", ErrBadEntry, MaxEntries)
	}
	return newKeyring(entries), nil
}

// Without returns the keyring without a key: it is as if never heard of, also if it
// was revoked.
func (r *Keyring) Without(key Key) *Keyring {
	return newKeyring(slices.DeleteFunc(r.Entries(), func(e Entry) bool { return e.Key == key }))
}

// Revoke returns the keyring with a key in it revoked. What is revoked stays so, since then.
func (r *Keyring) Revoke(key Key, at time.Time) *Keyring {
	entries := r.Entries()
	for i := range entries {
		if entries[i].Key == key && !entries[i].IsRevoked() {
			entries[i].Revoked = toSecond(at)
		}
	}
	return newKeyring(entries)
}

// canonical returns the entry as it is kept, or says why it can't be.
func (e Entry) canonical() (Entry, error) {
	if e.Key.weak() {
		return e, fmt.Errorf("%w: anybody can sign by this key", ErrBadEntry)
	}
	if err := CheckName(e.Name); err != nil {
		return e, err
	}
	if !printable(e.Note, MaxNoteLength) {
		return e, fmt.Errorf("%w: a note has at most %d printable characters", ErrBadEntry, MaxNoteLength)
	}
	if len(e.Sites) > MaxSites {
		return e, fmt.Errorf("%w: a scope has at most %d sites", ErrBadEntry, MaxSites)
	}
	var sites []string
	for _, text := range e.Sites {
		site, err := ParseSite(text)
		if err != nil {
			return e, err
		}
		sites = append(sites, site)
	}
	slices.Sort(sites)
	e.Sites = slices.Compact(sites)
	e.Added, e.Revoked = toSecond(e.Added), toSecond(e.Revoked)
	return e, nil
}

// CheckName says why a name can't be one: it has 1 to [MaxNameLength] printable
// characters, none of them a blank at an end, and does not look like a key or like
// the words "any" and "witnessed". Errors wrap [ErrBadEntry].
func CheckName(name string) error {
	switch {
	case name == "" || len(name) > 255 || !printable(name, MaxNameLength) || strings.TrimSpace(name) != name:
		return fmt.Errorf("%w: a name has 1 to %d printable characters and no blank at its ends", ErrBadEntry, MaxNameLength)
	case name == "any", name == "witnessed", strings.HasPrefix(name, keyPrefix):
		return fmt.Errorf("%w: %.60q can't be a name: it means something else where keys are named", ErrBadEntry, name)
	}
	return nil
}

// ParseSite brings a registrable domain or host, as in [Entry.Sites], into the form that
// [resource.URL] has it in. Errors wrap [ErrBadEntry].
func ParseSite(text string) (string, error) {
	bad := fmt.Errorf("%w: %.80q is no site: a domain such as example.org is wanted", ErrBadEntry, text)
	if len(text) > 1000 {
		return "", bad
	}
	host := text
	if strings.Contains(text, ":") { // an IPv6 address, or what has no place here: a port
		host = "[" + strings.TrimSuffix(strings.TrimPrefix(text, "["), "]") + "]"
	}
	u, err := resource.FromURL(&url.URL{Scheme: "http", Host: host, Path: "/"})
	if err != nil {
		return "", bad
	}
	return u.Host(), nil
}

// printable reports whether a text has at most so many characters, and none that a
// terminal or a list could be deceived by.
func printable(text string, limit int) bool {
	return len(text) <= limit*utf8.UTFMax && utf8.ValidString(text) && utf8.RuneCountInString(text) <= limit &&
		!strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) })
}

func toSecond(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Second)
}

// LiveKeyring holds the keyring that is in force now. The zero LiveKeyring holds an
// empty one, and so does a nil one.
type LiveKeyring struct{ now atomic.Pointer[Keyring] }

// Load returns the keyring in force.
func (l *LiveKeyring) Load() *Keyring {
	if l == nil {
		return nil
	}
	return l.now.Load()
}

// Store puts a keyring into force.
func (l *LiveKeyring) Store(r *Keyring) { l.now.Store(r) }
