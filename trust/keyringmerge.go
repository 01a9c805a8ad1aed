package trust

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Change is what taking over an entry of another keyring does to the own one.
type Change struct {
	What  ChangeKind
	Entry Entry  // as it is in the own keyring now
	Why   string // what differs, and why it is so; "" if there is nothing to tell
}

// ChangeKind is the kind of a [Change].
type ChangeKind string

// The kinds of changes.
const (
	ChangeAdded   ChangeKind = "added"   // a key that is trusted from now on
	ChangeRevoked ChangeKind = "revoked" // a key that counts no more, known before or not
	ChangeKept    ChangeKind = "kept"    // the other keyring says something else, and the own one stays
)

// Merge takes over what another keyring has: its keys, and its revocations. It never
// takes a revocation back, and never touches the scope, the name or the note of
// a key that is known; what would need that is reported as [ChangeKept]. A name that is taken
// gets a number. own is this node's key, which is not taken over; the zero Key is none.
// Changes come in the order of the other keyring's names; entries that are the same in both cause none.
func (r *Keyring) Merge(other *Keyring, own Key, now time.Time) (*Keyring, []Change, error) {
	var changes []Change
	for _, theirs := range other.Entries() {
		merged, change, err := r.mergeOne(theirs, own, now)
		if err != nil {
			return nil, nil, err
		}
		r = merged
		if change.What != "" {
			changes = append(changes, change)
		}
	}
	return r, changes, nil
}

func (r *Keyring) mergeOne(theirs Entry, own Key, now time.Time) (*Keyring, Change, error) {
	ours, known := r.Lookup(theirs.Key)
	switch {
	case theirs.Key == own && theirs.IsRevoked():
		return r, Change{ChangeKept, theirs, "is this node's own key, which others have revoked"}, nil
	case theirs.Key == own:
		return r, Change{}, nil // it is trusted anyway
	case !known:
		return r.mergeNew(theirs, now)
	case theirs.IsRevoked() && !ours.IsRevoked():
		ours.Revoked = theirs.Revoked
		return r.Revoke(ours.Key, theirs.Revoked), Change{ChangeRevoked, ours, ""}, nil
	case ours.IsRevoked() && !theirs.IsRevoked():
		return r, Change{ChangeKept, ours, "is revoked here and stays so"}, nil
	case !slices.Equal(ours.Sites, theirs.Sites):
		return r, Change{ChangeKept, ours, fmt.Sprintf("keeps its scope here (%s); theirs is %s", ScopeText(ours.Sites), ScopeText(theirs.Sites))}, nil
	case ours.Name != theirs.Name:
		return r, Change{ChangeKept, ours, fmt.Sprintf("keeps its name here; they call it %q", theirs.Name)}, nil
	}
	return r, Change{}, nil
}

func (r *Keyring) mergeNew(theirs Entry, now time.Time) (*Keyring, Change, error) {
	e := theirs
	e.Name, e.Added, e.Note = r.FreeName(theirs.Name), now, ""
	merged, err := r.With(e)
	if err != nil {
		return nil, Change{}, err
	}
	change := Change{What: ChangeAdded}
	change.Entry, _ = merged.Lookup(e.Key)
	if e.IsRevoked() {
		change.What = ChangeRevoked
	}
	if e.Name != theirs.Name {
		change.Why = fmt.Sprintf("they call it %q, a name that is taken here", theirs.Name)
	}
	return merged, change, nil
}

// ScopeText says in words where a key counts.
func ScopeText(sites []string) string {
	switch len(sites) {
	case 0:
		return "all sites"
	case 1, 2, 3:
		return strings.Join(sites, ", ")
	}
	return fmt.Sprintf("%s and %d more", sites[0], len(sites)-1)
}
