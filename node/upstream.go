package node

import (
	"crypto/x509"

	"github.com/peerproxy/peerproxy/proxy"
)

// upstream is the other proxy that is to be gone through, nil = none.
func (c Config) upstream(roots *x509.CertPool) (*proxy.Upstream, error) {
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
	up.RootCAs = roots
	return up, nil
}

// doh looks names up over HTTPS, nil = the system does.
func (c Config) doh(roots *x509.CertPool) (*proxy.DoH, error) {
	if c.DoH == "" {
		return nil, nil
	}
	d, err := proxy.NewDoH(proxy.DoHConfig{URL: c.DoH, RootCAs: roots})
	if err != nil {
		return nil, badConfig("doh: %w", err)
	}
	return d, nil
}
