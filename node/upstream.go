package node

import "github.com/peerproxy/peerproxy/proxy"

// upstream is the other proxy that is to be gone through, nil = none.
func (c Config) upstream() (*proxy.Upstream, error) {
	if c.Upstream == "" {
		return nil, nil
	}
	if c.DoH != "" {
		return nil, badConfig("upstream: the other proxy looks names up, so that doh would have no effect: set one of them")
	}
	up, err := proxy.ParseUpstream(c.Upstream)
	if err != nil {
		return nil, badConfig("upstream: %w", err)
	}
	return up, nil
}

// doh looks names up over HTTPS, nil = the system does.
func (c Config) doh() (*proxy.DoH, error) {
	if c.DoH == "" {
		return nil, nil
	}
	d, err := proxy.NewDoH(proxy.DoHConfig{URL: c.DoH})
	if err != nil {
		return nil, badConfig("doh: %w", err)
	}
	return d, nil
}
