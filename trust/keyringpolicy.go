package trust

import (
	"slices"

	"github.com/peerproxy/peerproxy/resource"
)

// trusts reports whether what a key signed is [resource.Signer] for a URL.
func (p Policy) trusts(key Key, u resource.URL, ring *Keyring) bool {
	if p.isSelf(key) {
		return true
	}
	e, known := ring.Lookup(key)
	if known && e.IsRevoked() {
		return false
	}
	if only, ok := p.only(u); ok {
		return known && slices.Contains(only, e.Name) || slices.Contains(only, key.String())
	}
	return slices.Contains(p.Keys, key) || known && e.Counts(u)
}

// only returns who alone counts for a URL, if there is such a list.
func (p Policy) only(u resource.URL) ([]string, bool) {
	if len(p.Sites) == 0 {
		return nil, false
	}
	if list, ok := p.Sites[u.Host()]; ok {
		return list, true
	}
	list, ok := p.Sites[u.Site()]
	return list, ok
}

func (p Policy) isSelf(key Key) bool { return p.Self != nil && *p.Self == key }

// revoked reports whether a key must not count as anything. The node's own key is never
// revoked: it is a matter of those who would take its copies.
func (p Policy) revoked(key Key, ring *Keyring) bool {
	e, known := ring.Lookup(key)
	return known && e.IsRevoked() && !p.isSelf(key)
}

// Counts reports whether a signer, given as the text of its key, counts for a URL now:
// what was taken from a peer as [resource.Signer] is so no longer once its key is revoked, removed or
// out of scope. It may be called for every delivery.
func (p Policy) Counts(signer string, u resource.URL) bool {
	key, err := ParseKey(signer)
	return err == nil && p.trusts(key, u, p.Ring.Load())
}

// Refused reports whether a signer, given as the text of its key, is revoked: its copies
// are not even [resource.Unproven].
func (p Policy) Refused(signer string) bool {
	key, err := ParseKey(signer)
	return err == nil && p.revoked(key, p.Ring.Load())
}

// Accepts reports whether there is anybody but the node itself whose copies of a URL would
// be taken. If not, there is no sense in asking peers, which tells them what is wanted.
func (p Policy) Accepts(u resource.URL) bool {
	if p.Any {
		return true
	}
	ring := p.Ring.Load()
	if only, ok := p.only(u); ok {
		return slices.ContainsFunc(only, func(who string) bool { return p.mayCount(who, ring) })
	}
	if p.Quorum() > 0 || slices.ContainsFunc(p.Keys, func(key Key) bool { return !p.revoked(key, ring) }) {
		return true
	}
	return ring != nil && slices.ContainsFunc(ring.entries, func(e Entry) bool { return !p.isSelf(e.Key) && e.Counts(u) })
}

// mayCount reports whether a name or key of [Policy.Sites] is one that can count.
func (p Policy) mayCount(who string, ring *Keyring) bool {
	if e, err := ring.Find(who); err == nil {
		return !e.IsRevoked() && !p.isSelf(e.Key)
	}
	key, err := ParseKey(who)
	return err == nil && !p.isSelf(key)
}
