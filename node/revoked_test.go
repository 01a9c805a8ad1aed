package node_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/node"
	"github.com/peerproxy/peerproxy/trust"
)

// What a key has signed that is revoked since is neither shown nor passed on, while the node runs and after
// the next start.
func TestRevokedIsNotPassedOn(t *testing.T) {
	friend, dir := trust.NewIdentity(), t.TempDir()
	const url = "http://www.example.org/page"
	edit := func(change func(*trust.Keyring) (*trust.Keyring, error)) {
		t.Helper()
		if err := trust.UpdateKeyring(node.KeyringFile(dir), change); err != nil {
			t.Fatal(err)
		}
	}
	edit(func(r *trust.Keyring) (*trust.Keyring, error) {
		return r.With(trust.Entry{Key: friend.Key(), Name: "friend"})
	})
	share := func(c *node.Config) { c.DataDir, c.Share = dir, node.SharePublic }
	t.Run("running", func(t *testing.T) {
		r := newReader(t, "any", share)
		hostile(t, r.Addresses().Peer, friend, url, func() offer { return page(t, friend, url, nil) })
		if resp, text := r.fetch(t, url); text != poison {
			t.Fatalf("%s: %q", resp.Status, text)
		}
		eventually(t, "the offer", func() bool { return r.Status().Shared == 1 })
		p := newProbe(t, r.Addresses().Peer)
		if status, _ := p.ask(http.MethodGet, blinded(t, url), http.Header{}); status != http.StatusOK {
			t.Errorf("before, a peer gets %d", status)
		}
		edit(func(r *trust.Keyring) (*trust.Keyring, error) { return r.Revoke(friend.Key(), time.Now()), nil })
		if _, err := r.ReloadTrust(); err != nil {
			t.Fatal(err)
		}
		wantNotGiven(t, r.Node, url)
		why, err := r.control.WhyShared(t.Context(), url)
		if err != nil || why.Offered || len(why.Variants) != 1 || !strings.Contains(why.Variants[0].Why, "nobody who counts") {
			t.Errorf("why-shared: %+v, %v", why, err)
		}
		if resp, text := r.fetch(t, url); text == poison {
			t.Errorf("shown: %s", resp.Status)
		}
	})
	t.Run("started again", func(t *testing.T) {
		wantNotGiven(t, newReader(t, "any", share).Node, url)
	})
	t.Run("forgotten, not revoked", func(t *testing.T) {
		edit(func(r *trust.Keyring) (*trust.Keyring, error) { return r.Without(friend.Key()), nil })
		wantNotGiven(t, newReader(t, "any", share).Node, url)
	})
}

// wantNotGiven asks in every way that there is, for one after the other of the things that may be.
func wantNotGiven(t *testing.T, n *node.Node, url string) {
	t.Helper()
	if shared := n.Status().Shared; shared != 0 {
		t.Errorf("%d on offer", shared)
	}
	p := newProbe(t, n.Addresses().Peer)
	for _, fields := range []http.Header{{}, {"Range": {"bao=0-0"}}, {"Range": {"bytes=0-0"}}, {"If-Match": {"*"}}, {"If-None-Match": {"*"}}} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			if status, header := p.ask(method, blinded(t, url), fields); status != http.StatusNotFound || len(header) != 1 {
				t.Errorf("%s with %v: %d %v", method, fields, status, header)
			}
		}
	}
	if status, header := p.askAt(http.MethodGet, "/w/", blinded(t, url), http.Header{}); status != http.StatusNotFound || len(header) != 1 {
		t.Errorf("head: %d %v", status, header)
	}
	if p.listed(blinded(t, url)) {
		t.Error("the digest has it")
	}
}
