package node

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/proxy"
	"github.com/peerproxy/peerproxy/resource"
)

func keyFile(dataDir string) string   { return filepath.Join(dataDir, "node.key") }
func nodesFile(dataDir string) string { return filepath.Join(dataDir, "dht.nodes") }

// dialer opens connections to origins as the configuration says.
func (c Config) dialer(roots *x509.CertPool) (_ *proxy.Dialer, err error) {
	dialer := &proxy.Dialer{AllowPrivate: c.AllowPrivate}
	if dialer.Upstream, err = c.upstream(roots); err != nil {
		return nil, err
	}
	for _, text := range c.Resolve {
		rule, err := proxy.ParseResolve(text)
		if err != nil {
			return nil, badConfig("%w", err)
		}
		dialer.Resolve = append(dialer.Resolve, rule)
	}
	dialer.DoH, err = c.doh(roots)
	return dialer, err
}

func (n *Node) openProxy() (err error) {
	cfg := proxy.Config{
		Store: proxyStore{n.store}, MaxBody: n.store.MaxBody(), Signer: n.identity, Dialer: n.dialer,
		Policy: n.policy(), Stored: n.stored, Recheck: n.cfg.recheck(), Auth: n.auth, RootCAs: n.roots, Logger: n.cfg.Logger,
		Peers: n.swarm, AskFor: n.askFor, Sites: n.sites, SignerCounts: n.Counts, SignerRefused: n.trusted.Refused,
		StillWitnessed: n.trusted.StillWitnessed,
	}
	if n.interceptor != nil {
		cfg.Interceptor = n.interceptor
	}
	if n.proxy, err = proxy.New(cfg); err != nil {
		return err
	}
	if n.proxySocket, err = net.Listen(tcpNetwork(n.cfg.Proxy), n.cfg.Proxy); err != nil {
		return fmt.Errorf("listen for browsers (proxy): %w", err)
	}
	n.closeLater(ignoreClosed(n.proxySocket.Close))
	return nil
}

// tcpNetwork keeps to IPv4 where an IPv4 address is given: Go would listen on both
// families for 0.0.0.0.
func tcpNetwork(address string) string {
	if ap, err := netip.ParseAddrPort(address); err == nil && ap.Addr().Is4() {
		return "tcp4"
	}
	return "tcp"
}

// stored is called for each response that the proxy has committed.
func (n *Node) stored(st *resource.Stored) {
	if n.cfg.Share != ShareOff {
		n.sharing.stored(st)
	}
}

// policy is the operator's choice in matters of RFC 9111.
func (n *Node) policy() httpcache.Policy { return httpcache.Policy{Targets: n.cfg.Targeted} }

// fetch answers r as the proxy would, from the given source: "get" on the command line.
func (n *Node) fetch(w http.ResponseWriter, r *http.Request, from string, tell func(httpcache.Finding)) {
	source, err := proxy.ParseSource(from)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx := proxy.WithConsent(proxy.WithSource(r.Context(), source))
	if tell != nil {
		ctx = proxy.WithExplanation(ctx, tell)
	}
	n.proxy.Trusted().ServeHTTP(w, r.WithContext(ctx))
}

// proxyAuth reads USER:PASSWORD-FILE. The password is the file's first line.
func proxyAuth(setting string) (func(user, password string) bool, error) {
	if setting == "" {
		return nil, nil
	}
	user, file, ok := strings.Cut(setting, ":")
	if !ok || user == "" || file == "" {
		return nil, badConfig("proxy-auth is not USER:PASSWORD-FILE")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, badConfig("proxy-auth: %w", err)
	}
	password, _, _ := strings.Cut(string(text), "\n")
	password = strings.TrimSuffix(password, "\r")
	if password == "" {
		return nil, badConfig("proxy-auth: the first line of %s is empty", file)
	}
	return proxy.Users(map[string]string{user: password}), nil
}
