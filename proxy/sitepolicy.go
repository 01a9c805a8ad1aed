package proxy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/peerproxy/peerproxy/resource"
)

// ErrBadSitePolicy is wrapped by the errors of [NewSitePolicies].
var ErrBadSitePolicy = errors.New("bad site policy")

// DefaultAccept is the weakest tier that is delivered without asking the user, where
// nothing else is set: what nobody that counts vouches for is asked about.
const DefaultAccept = resource.Witnessed

// SitePolicy is what the user has set for a site.
type SitePolicy struct {
	// Site is a registrable domain, with all its hosts, or one host, in canonical form.
	Site string
	// Accept is the weakest tier of a copy that is delivered without asking; 0 =
	// [DefaultAccept].
	Accept resource.Tier
	// Plain delivers a witnessed copy without a sandbox.
	Plain bool
	// Private: never shared, and peers are never asked for it.
	Private bool
}

// SitePolicies is what the user has set for sites, by their names. It is not changed
// once it is in use. The nil SitePolicies sets nothing.
type SitePolicies map[string]SitePolicy

// NewSitePolicies makes a set of policies. No site may be there twice, and every tier
// must be one; errors wrap [ErrBadSitePolicy].
func NewSitePolicies(list []SitePolicy) (SitePolicies, error) {
	s := SitePolicies{}
	for _, p := range list {
		if !canonicalSite(p.Site) {
			return nil, fmt.Errorf("%w: %.80q is no site in canonical form", ErrBadSitePolicy, p.Site)
		}
		if p.Accept != 0 && !p.Accept.Valid() {
			return nil, fmt.Errorf("%w: %s: %v is no tier", ErrBadSitePolicy, p.Site, p.Accept)
		}
		if _, twice := s[p.Site]; twice {
			return nil, fmt.Errorf("%w: %s is there twice", ErrBadSitePolicy, p.Site)
		}
		s[p.Site] = p
	}
	return s, nil
}

func canonicalSite(site string) bool {
	authority := site
	if strings.Contains(site, ":") { // an IPv6 address
		authority = "[" + site + "]"
	}
	u, err := resource.ParseURL("http://" + authority + "/")
	return err == nil && u.Host() == site
}

// For returns the policy of a URL: that of its host, else that of its site, else the
// default one. Accept is never 0. What is private as a site is so for all its hosts.
func (s SitePolicies) For(u resource.URL) SitePolicy {
	site := s[u.Site()]
	p, ok := s[u.Host()]
	if !ok {
		p = site
	}
	p.Private = p.Private || site.Private
	if p.Accept == 0 {
		p.Accept = DefaultAccept
	}
	return p
}
