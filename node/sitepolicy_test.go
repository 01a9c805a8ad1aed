package node_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/peerproxy/peerproxy/node"
	"github.com/peerproxy/peerproxy/trust"
)

// witnessedPage is a stranger's copy that three nodes in three networks have signed as witnesses, all
// of which have connected to the reader.
func witnessedPage(t *testing.T, r *reader, url string) offer {
	o := page(t, trust.NewIdentity(), url, nil)
	for _, from := range []string{"127.0.1.1", "127.0.2.1", "127.0.3.1"} {
		witness := trust.NewIdentity()
		meet(t, r.Addresses().Peer, from, witness)
		o.exchange.Signatures = append(o.exchange.Signatures, page(t, witness, url, nil).exchange.Signatures[1])
	}
	return o
}

// visit is a browser's navigation.
func (r *reader) visit(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "text/html,*/*;q=0.8")
	resp, err := r.browser.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// manner is how a page is delivered, told by what a browser gets.
func manner(resp *http.Response, text string) string {
	policy := strings.Join(resp.Header["Content-Security-Policy"], ", ")
	switch {
	case !strings.Contains(text, poison) && strings.Contains(text, "A copy without proof"):
		return "asked"
	case !strings.Contains(text, poison):
		return "refused"
	case strings.Contains(policy, "sandbox"):
		return "sandboxed"
	}
	return "plain"
}

// What is set for a site has its effect on what a browser gets when the site does not answer and a peer has a
// copy: by default and with each of the settings.
func TestSitePolicyInForce(t *testing.T) {
	friend := trust.NewIdentity()
	const site, url = "example.org", "http://www.example.org/page"
	signed := func(t *testing.T, _ *reader) offer { return page(t, friend, url, nil) }
	stranger := func(t *testing.T, _ *reader) offer { return page(t, trust.NewIdentity(), url, nil) }
	witnessed := func(t *testing.T, r *reader) offer { return witnessedPage(t, r, url) }
	for name, tt := range map[string]struct {
		trusted string
		policy  node.SitePolicy
		copy    func(*testing.T, *reader) offer
		want    string
	}{
		"nothing set, signed":           {friend.Key().String(), node.SitePolicy{}, signed, "plain"},
		"nothing set, witnessed":        {"any", node.SitePolicy{}, witnessed, "sandboxed"},
		"nothing set, unproven":         {"any", node.SitePolicy{}, stranger, "asked"},
		"accept unproven":               {"any", node.SitePolicy{Accept: "unproven"}, stranger, "sandboxed"},
		"accept signer, witnessed":      {"any", node.SitePolicy{Accept: "signer"}, witnessed, "asked"},
		"accept signer, signed":         {friend.Key().String(), node.SitePolicy{Accept: "signer"}, signed, "plain"},
		"no sandbox, witnessed":         {"any", node.SitePolicy{Plain: true}, witnessed, "plain"},
		"no sandbox, unproven":          {"any", node.SitePolicy{Plain: true}, stranger, "asked"},
		"no sandbox, unproven accepted": {"any", node.SitePolicy{Plain: true, Accept: "unproven"}, stranger, "sandboxed"},
		"private":                       {friend.Key().String(), node.SitePolicy{Private: true}, signed, "refused"},
		"trusted for it":                {"any", node.SitePolicy{Trust: []string{friend.Key().String()}}, signed, "plain"},
		"others trusted for it":         {friend.Key().String(), node.SitePolicy{Trust: []string{trust.NewIdentity().Key().String()}}, signed, "refused"},
		"others count, witnessed":       {"any", node.SitePolicy{Trust: []string{friend.Key().String()}}, witnessed, "asked"},
	} {
		t.Run(name, func(t *testing.T) {
			tt.policy.Site = site
			r := newReader(t, tt.trusted, func(c *node.Config) { c.Sites, c.Share = []node.SitePolicy{tt.policy}, node.SharePublic })
			o := tt.copy(t, r)
			asked := make(chan struct{}, 100)
			hostile(t, r.Addresses().Peer, trust.NewIdentity(), url, func() offer {
				asked <- struct{}{}
				return o
			})
			resp, text := r.visit(t, url)
			if got := manner(resp, text); got != tt.want {
				t.Errorf("%s, want %s: %s %v\n%s", got, tt.want, resp.Status, resp.Header, text)
			}
			if tt.policy.Private != (len(asked) == 0) {
				t.Errorf("the peer was asked %d times", len(asked))
			}
		})
	}
}

// What is stored is given to the members of the swarm that the node is in at the time, and to nobody
// else: neither those of another, nor anybody at all when it shares nothing any more.
func TestStoreInOtherSwarms(t *testing.T) {
	_, resolve := serve(t, "www.example.org", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		_, _ = io.WriteString(w, "content")
	})
	const url = "http://www.example.org/page"
	id, dir := idOf(t, url), t.TempDir()
	secrets := map[string][]byte{"public": []byte(node.PublicSecret)}
	run := func(name string, share node.Share) {
		t.Run(name, func(t *testing.T) {
			n := start(t, func(c *node.Config) { c.DataDir, c.Share, c.Resolve = dir, share, []string{resolve} })
			get(t, client(t, n), url)
			if share == node.ShareGroup {
				secret, err := node.OpenGroup(dir)
				if err != nil {
					t.Fatal(err)
				}
				secrets[name] = secret[:]
			}
			if share != node.ShareOff {
				eventually(t, "the offer", func() bool { return n.Status().Shared == 1 })
			}
			p := newProbe(t, n.Addresses().Peer)
			for swarm, secret := range secrets {
				want := http.StatusNotFound
				if swarm == name && share != node.ShareOff {
					want = http.StatusOK
				}
				for _, path := range []string{"/r/", "/w/"} {
					if status, _ := p.askAt(http.MethodGet, path, id.Blind(secret), http.Header{}); status != want {
						t.Errorf("%s asked as of %s: %d, want %d", path, swarm, status, want)
					}
				}
				if listed := p.listed(id.Blind(secret)); listed && want == http.StatusNotFound {
					t.Errorf("the digest has it as of %s", swarm)
				}
			}
		})
	}
	run("public", node.SharePublic)
	run("group", node.ShareGroup)
	if _, _, err := node.RotateGroup(dir); err != nil {
		t.Fatal(err)
	}
	run("new group", node.ShareGroup)
	run("off", node.ShareOff)
	run("public", node.SharePublic)
}
