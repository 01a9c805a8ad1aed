package proxy

import "github.com/peerproxy/peerproxy/resource"

// SitePolicy is a placeholder until the keyring's lands.
type SitePolicy struct {
	Site    string
	Accept  resource.Tier
	Plain   bool
	Private bool
}

type SitePolicies []SitePolicy

func (l SitePolicies) For(u resource.URL) SitePolicy {
	for _, s := range l {
		if s.Site == u.Site() || s.Site == u.Host() {
			return s
		}
	}
	return SitePolicy{}
}
