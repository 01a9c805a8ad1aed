package node

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/peerproxy/peerproxy/proxy"
	"github.com/peerproxy/peerproxy/resource"
)

func keyFile(dataDir string) string   { return filepath.Join(dataDir, "node.key") }
func nodesFile(dataDir string) string { return filepath.Join(dataDir, "dht.nodes") }

func (n *Node) openProxy() error {
	dialer := &proxy.Dialer{AllowPrivate: n.cfg.AllowPrivate}
	for _, text := range n.cfg.Resolve {
		rule, err := proxy.ParseResolve(text)
		if err != nil {
			return badConfig("resolve: %w", err)
		}
		dialer.Resolve = append(dialer.Resolve, rule)
	}
	auth, err := proxyAuth(n.cfg.ProxyAuth)
	if err != nil {
		return err
	}
	cfg := proxy.Config{
		Store: proxyStore{n.store}, Signer: n.identity, Dialer: dialer,
		Stored: n.stored, Auth: auth, Logger: n.cfg.Logger,
	}
	if len(n.cfg.Trust) > 0 { // asking tells peers what is wanted: not for copies that would be refused
		cfg.Peers = n.swarm
	}
	if n.proxy, err = proxy.New(cfg); err != nil {
		return err
	}
	if n.proxySocket, err = net.Listen("tcp", n.cfg.Proxy); err != nil {
		return fmt.Errorf("listen for browsers (proxy): %w", err)
	}
	n.closeLater(ignoreClosed(n.proxySocket.Close))
	return nil
}

// stored is called for each response that the proxy has committed.
func (n *Node) stored(st *resource.Stored) {
	if n.cfg.Share != ShareOff {
		n.sharing.stored(st)
	}
}

// removed is called for each resource of which the store holds nothing any more.
func (n *Node) removed(id resource.ID) {
	if n.sharing != nil {
		n.sharing.removed(id)
	}
}

// fetch answers r as the proxy would, from the given source: "get" on the command line.
func (n *Node) fetch(w http.ResponseWriter, r *http.Request, from string) {
	n.proxy.Trusted().ServeHTTP(w, r.WithContext(proxy.WithSource(r.Context(), proxy.Source(from))))
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
