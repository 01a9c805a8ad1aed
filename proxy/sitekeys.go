package proxy

import (
	"slices"
	"sync"

	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

const (
	maxKeyedSites  = 4096
	maxKeysPerSite = 8
)

// keyRing remembers with which keys origins sign their responses: those seen on what this node
// fetched from them itself over TLS. It is safe for concurrent use; the zero keyRing is empty.
type keyRing struct {
	mu   sync.Mutex
	keys map[string][]trust.Key // by scheme, host and port; the latest last
}

func (k *keyRing) of(u resource.URL) []trust.Key {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.keys[originName(u)])
}

func (k *keyRing) add(u resource.URL, keys []trust.Key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := originName(u)
	if k.keys == nil {
		k.keys = map[string][]trust.Key{}
	}
	if _, known := k.keys[name]; !known && len(k.keys) >= maxKeyedSites {
		return // as long as this node runs; those that are there are as good
	}
	list := k.keys[name]
	for _, key := range keys {
		list = slices.DeleteFunc(list, func(old trust.Key) bool { return old == key })
		list = append(list, key)
	}
	k.keys[name] = list[max(0, len(list)-maxKeysPerSite):]
}

// originName is the origin of a URL (RFC 6454).
func originName(u resource.URL) string { return u.Scheme() + "://" + u.Authority() }

// Learn takes from a stored response with which keys its site signs. It is for what was stored before
// this proxy was made; what it stores itself it looks at.
func (p *Proxy) Learn(st *resource.Stored) {
	ex := st.Exchange
	if st.Tier != resource.Origin || ex.URL.Scheme() != "https" || ex.Header["Signature-Input"] == nil {
		return
	}
	if keys := trust.OriginKeys(ex, p.cfg.Now()); len(keys) > 0 {
		p.demands.sites.add(ex.URL, keys)
	}
}
