package node

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/peerproxy/peerproxy/control"
	"github.com/peerproxy/peerproxy/proxy"
	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

// KeyringFile is where a data directory's keyring is.
func KeyringFile(dataDir string) string { return filepath.Join(dataDir, "trust.toml") }

// OwnKey returns the key of a data directory's node, and false if it has none yet.
func OwnKey(dataDir string) (trust.Key, bool, error) {
	identity, err := trust.Load(keyFile(dataDir))
	if errors.Is(err, fs.ErrNotExist) {
		return trust.Key{}, false, nil
	}
	if err != nil {
		return trust.Key{}, false, err
	}
	return identity.Key(), true, nil
}

// MakeOwnKey is [OwnKey] that makes the key, and the directory, if need be.
func MakeOwnKey(dataDir string) (trust.Key, error) {
	if err := openDataDir(dataDir); err != nil {
		return trust.Key{}, err
	}
	identity, err := trust.LoadOrCreate(keyFile(dataDir))
	if err != nil {
		return trust.Key{}, err
	}
	return identity.Key(), nil
}

// The word of one stranger is worth nothing, and no copy carries more signatures than
// resource.MaxSignatures.
const (
	minWitnesses = 2
	maxWitnesses = resource.MaxSignatures
)

// readTrust reads whom the user trusts: from the configuration and from the keyring. A
// keyring that can't be understood is an error, since it may have revocations.
func (n *Node) readTrust() (err error) {
	if n.trusted, err = trust.ParsePolicy(n.cfg.Trust); err != nil {
		return badConfig("%w", err)
	}
	if w := n.cfg.Witnesses; w != 0 && (w < minWitnesses || w > maxWitnesses) {
		return badConfig("witnesses: %d is not between %d and %d", w, minWitnesses, maxWitnesses)
	}
	n.trusted.Witnesses = n.cfg.Witnesses
	if n.sites, n.trusted.Sites, err = n.cfg.sitePolicies(); err != nil {
		return err
	}
	ring, err := trust.LoadKeyring(KeyringFile(n.cfg.DataDir))
	if err != nil {
		return err
	}
	for _, who := range unknown(ring, n.trusted.Sites) {
		return badConfig("site policy: %q is neither a name in the keyring nor a key", who)
	}
	n.trusted.Ring = &trust.LiveKeyring{}
	n.trusted.Ring.Store(ring)
	return nil
}

// ReloadTrust reads the keyring again and puts it into force. If it can't be used, the
// old one stays in force.
func (n *Node) ReloadTrust() (control.TrustReloaded, error) {
	ring, err := trust.LoadKeyring(KeyringFile(n.cfg.DataDir))
	if err != nil {
		n.cfg.Logger.Error("the keyring can't be used: the old one stays in force", "error", err)
		return control.TrustReloaded{}, fmt.Errorf("the old keyring stays in force: %w", err)
	}
	n.trusted.Ring.Store(ring)
	for _, who := range unknown(ring, n.trusted.Sites) {
		n.cfg.Logger.Warn("a site policy names somebody who is not in the keyring any more", "name", who)
	}
	reloaded := count(ring)
	if n.sharing != nil {
		n.sharing.again() // what nobody vouches for any more is not passed on either
	}
	n.cfg.Logger.Info("keyring reloaded", "trusted", reloaded.Trusted, "revoked", reloaded.Revoked)
	return reloaded, nil
}

func count(ring *trust.Keyring) (c control.TrustReloaded) {
	for _, e := range ring.Entries() {
		if e.IsRevoked() {
			c.Revoked++
		} else {
			c.Trusted++
		}
	}
	return c
}

// Counts reports whether copies signed by a key, given as its text, are
// [resource.Signer] for a URL by what the user trusts now. What was stored as such
// may have lost that since: the key was revoked or removed, or its scope was changed.
func (n *Node) Counts(signer string, u resource.URL) bool { return n.trusted.Counts(signer, u) }

// vouched reports whether somebody who counts by what the user trusts now vouches for what is stored.
// Nothing else is passed on: it may be a lie.
func (n *Node) vouched(st *resource.Stored) bool {
	switch st.Tier {
	case resource.Signer:
		return n.Counts(st.Signer, st.Exchange.URL)
	case resource.Witnessed:
		_, still := n.trusted.StillWitnessed(st.Exchange)
		return still && !n.trusted.Refused(st.Signer)
	}
	return st.Tier > resource.Signer
}

// askFor reports whether peers may be asked for a URL. Asking tells them what is wanted:
// not what is private, and not for copies that would be refused.
func (n *Node) askFor(u resource.URL) bool { return !n.sites.For(u).Private && n.trusted.Accepts(u) }

// Trusting says in words whom the node trusts: "any", keys from the configuration, and
// the keyring's by name. Empty: nobody.
func (n *Node) Trusting() []string {
	words, ring := []string(nil), n.trusted.Ring.Load()
	for _, text := range n.cfg.Trust {
		if e, err := ring.Find(text); err == nil && e.IsRevoked() {
			text += " (revoked: not trusted)"
		}
		words = append(words, text)
	}
	for _, e := range ring.Entries() {
		switch {
		case e.IsRevoked() || e.Key == n.identity.Key():
		case len(e.Sites) == 0:
			words = append(words, e.Name)
		default:
			words = append(words, fmt.Sprintf("%s (for %s)", e.Name, trust.ScopeText(e.Sites)))
		}
	}
	return words
}

// SitePolicy is what the user sets for a site in the configuration.
type SitePolicy struct {
	Site string // registrable domain, with all its hosts, or one host
	// Trust, unless it is nil, lists who alone counts as a signer for the site: names in the
	// keyring, whatever their scope there, and keys.
	Trust   []string
	Accept  string // weakest tier delivered without asking; "" = the default
	Plain   bool   // a witnessed copy is shown without a sandbox
	Private bool   // never shared, never asked for
}

// sitePolicies are those of the configuration as the proxy and as the policy of trust have them.
func (c Config) sitePolicies() (proxy.SitePolicies, map[string][]string, error) {
	trusted := map[string][]string{}
	var list []proxy.SitePolicy
	at := map[string]int{}
	for _, s := range c.Sites {
		site, err := trust.ParseSite(s.Site)
		if err != nil {
			return nil, nil, badConfig("site policy: %w", err)
		}
		accept, err := parseTier(s.Accept)
		if err != nil {
			return nil, nil, badConfig("site policy of %s: %w", site, err)
		}
		if s.Trust != nil {
			trusted[site] = s.Trust
		}
		at[site] = len(list)
		list = append(list, proxy.SitePolicy{Site: site, Accept: accept, Plain: s.Plain, Private: s.Private})
	}
	for _, text := range c.Private {
		site, err := trust.ParseSite(text)
		if err != nil {
			return nil, nil, badConfig("private site: %w", err)
		}
		if i, known := at[site]; known {
			list[i].Private = true
			continue
		}
		at[site] = len(list)
		list = append(list, proxy.SitePolicy{Site: site, Private: true})
	}
	policies, err := proxy.NewSitePolicies(list)
	if err != nil {
		return nil, nil, badConfig("%w", err)
	}
	return policies, trusted, nil
}

// parseTier reads the name of a tier. "" is 0.
func parseTier(name string) (resource.Tier, error) {
	var names []string
	for tier := resource.Origin; tier.Valid(); tier-- {
		if tier.String() == name {
			return tier, nil
		}
		names = append(names, tier.String())
	}
	if name == "" {
		return 0, nil
	}
	return 0, fmt.Errorf("accept: %.40q is none of %s", name, strings.Join(names, ", "))
}

// unknown lists who is named for a site and is neither in the keyring nor a key.
func unknown(ring *trust.Keyring, sites map[string][]string) (list []string) {
	for _, names := range sites {
		for _, who := range names {
			_, notFound := ring.Find(who)
			if _, err := trust.ParseKey(who); err != nil && notFound != nil {
				list = append(list, who)
			}
		}
	}
	return list
}
