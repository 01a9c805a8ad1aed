package node

import (
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/proxy"
	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

func mustParse(t *testing.T, raw string) resource.URL {
	t.Helper()
	u, err := resource.ParseURL(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// trusting makes as much of a node as decides whom it trusts.
func trusting(t *testing.T, cfg Config) *Node {
	t.Helper()
	if cfg.DataDir == "" {
		cfg.DataDir = t.TempDir()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	n := &Node{cfg: cfg, identity: trust.NewIdentity()}
	if err := n.readTrust(); err != nil {
		t.Fatal(err)
	}
	own := n.identity.Key()
	n.trusted.Self = &own
	return n
}

func edit(t *testing.T, n *Node, change func(*trust.Keyring) (*trust.Keyring, error)) {
	t.Helper()
	if err := trust.UpdateKeyring(KeyringFile(n.cfg.DataDir), change); err != nil {
		t.Fatal(err)
	}
}

// TestReloadTrust: what was taken as a friend's counts no more once the friend is revoked,
// and a broken file changes nothing.
func TestReloadTrust(t *testing.T) {
	var log strings.Builder
	n := trusting(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	friend, u := trust.NewIdentity().Key(), mustParse(t, "https://www.example.org/")
	check := func(when string, counts, asked bool) {
		t.Helper()
		if n.Counts(friend.String(), u) != counts || n.askFor(u) != asked {
			t.Errorf("%s: counts %v, asked %v", when, n.Counts(friend.String(), u), n.askFor(u))
		}
	}
	check("at first", false, false)
	edit(t, n, func(r *trust.Keyring) (*trust.Keyring, error) {
		return r.With(trust.Entry{Key: friend, Name: "alice", Sites: []string{"example.org"}, Added: time.Now()})
	})
	check("before it is read", false, false)
	if c, err := n.ReloadTrust(); err != nil || c.Trusted != 1 || c.Revoked != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	check("once it is read", true, true)
	if words := n.Trusting(); len(words) != 1 || words[0] != "alice (for example.org)" {
		t.Errorf("trusting %q", words)
	}
	good, err := os.ReadFile(KeyringFile(n.cfg.DataDir))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(KeyringFile(n.cfg.DataDir), []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := n.ReloadTrust(); err == nil || !strings.Contains(log.String(), "stays in force") {
		t.Errorf("broken: %v, logged %q", err, log.String())
	}
	check("with a broken file", true, true)
	if err := os.WriteFile(KeyringFile(n.cfg.DataDir), good, 0o600); err != nil {
		t.Fatal(err)
	}
	edit(t, n, func(r *trust.Keyring) (*trust.Keyring, error) { return r.Revoke(friend, time.Now()), nil })
	if c, err := n.ReloadTrust(); err != nil || c.Trusted != 0 || c.Revoked != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	check("revoked", false, false)
	if words := n.Trusting(); len(words) != 0 {
		t.Errorf("trusting %q", words)
	}
}

// TestReloadWhileAsked is for the race detector: verdicts and reloads meet.
func TestReloadWhileAsked(t *testing.T) {
	n := trusting(t, Config{})
	friend, u := trust.NewIdentity().Key(), mustParse(t, "https://www.example.org/")
	edit(t, n, func(r *trust.Keyring) (*trust.Keyring, error) {
		return r.With(trust.Entry{Key: friend, Name: "alice", Added: time.Now()})
	})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 50 {
				n.Counts(friend.String(), u)
				n.askFor(u)
				n.Trusting()
			}
		})
	}
	for range 20 {
		if _, err := n.ReloadTrust(); err != nil {
			t.Error(err)
		}
	}
	group.Wait()
	if !n.Counts(friend.String(), u) {
		t.Error("the friend does not count in the end")
	}
}

func TestSitePolicies(t *testing.T) {
	friend := trust.NewIdentity().Key()
	n := trusting(t, Config{
		Trust: []string{"any"},
		Sites: []SitePolicy{
			{Site: "Example.org", Accept: "unproven", Plain: true},
			{Site: "bank.example", Accept: "origin"},
			{Site: "news.example", Trust: []string{friend.String()}},
			{Site: "nobody.example", Trust: []string{}},
		},
		Private: []string{"bank.example", "diary.example", "diary.example"},
	})
	for _, tt := range []struct {
		url    string
		policy proxy.SitePolicy
		asked  bool
		counts bool
	}{
		{"https://www.example.org/", proxy.SitePolicy{Site: "example.org", Accept: resource.Unproven, Plain: true}, true, false},
		{"https://bank.example/", proxy.SitePolicy{Site: "bank.example", Accept: resource.Origin, Private: true}, false, false},
		{"https://my.diary.example/", proxy.SitePolicy{Site: "diary.example", Accept: resource.Witnessed, Private: true}, false, false},
		{"https://news.example/", proxy.SitePolicy{Site: "news.example", Accept: resource.Witnessed}, true, true},
		{"https://nobody.example/", proxy.SitePolicy{Site: "nobody.example", Accept: resource.Witnessed}, true, false},
		{"https://else.example/", proxy.SitePolicy{Accept: resource.Witnessed}, true, false},
	} {
		u := mustParse(t, tt.url)
		if got := n.sites.For(u); got != tt.policy {
			t.Errorf("%s: %+v", tt.url, got)
		}
		if n.askFor(u) != tt.asked || n.Counts(friend.String(), u) != tt.counts {
			t.Errorf("%s: asked %v, counts %v", tt.url, n.askFor(u), n.Counts(friend.String(), u))
		}
	}
	for name, cfg := range map[string]Config{
		"no site":         {Sites: []SitePolicy{{Site: "http://a.example/"}}},
		"no tier":         {Sites: []SitePolicy{{Site: "a.example", Accept: "all"}}},
		"twice":           {Sites: []SitePolicy{{Site: "a.example"}, {Site: "A.example."}}},
		"unknown name":    {Sites: []SitePolicy{{Site: "a.example", Trust: []string{"who"}}}},
		"no private site": {Private: []string{"*.example"}},
	} {
		cfg.DataDir = t.TempDir()
		if err := (&Node{cfg: cfg}).readTrust(); !IsConfigError(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
