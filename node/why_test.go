package node_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/peerproxy/peerproxy/cache"
	"github.com/peerproxy/peerproxy/control"
	"github.com/peerproxy/peerproxy/node"
)

// stateOf finds a clause.
func stateOf(t *testing.T, clauses []control.Clause, name string) string {
	t.Helper()
	for _, c := range clauses {
		if c.Name == name && c.Why != "" {
			return c.State
		}
	}
	t.Errorf("no clause %s in %v", name, clauses)
	return ""
}

// What is said of a URL is right for a node that runs and, as far as that can be known, for one
// that has stopped.
func TestWhyShared(t *testing.T) {
	_, resolve := serve(t, "www.example.org", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		switch r.URL.Path {
		case "/sets":
			w.Header().Set("Set-Cookie", "session=1")
		case "/authorized":
			w.Header().Set("Cache-Control", "public, max-age=600")
		}
		_, _ = io.WriteString(w, "for "+r.Header.Get("Cookie"))
	})
	dir := t.TempDir()
	for url, c := range map[string]struct {
		header          string
		offered, stored bool
		clause, state   string
	}{
		"http://www.example.org/public":      {"", true, true, "cookie", "holds"},
		"http://www.example.org/mine":        {"Cookie: user=ann", false, true, "cookie", "fails"},
		"http://www.example.org/sets":        {"", false, true, "set-cookie", "fails"},
		"http://www.example.org/authorized":  {"Authorization: Bearer x", false, true, "authorization", "unknown"},
		"http://www.example.org/key":         {"X-Api-Key: 1", false, true, "other-fields", "unknown"},
		"http://www.example.org/?token=1":    {"", false, true, "query", "fails"},
		"http://www.example.org/not-fetched": {"-", false, false, "query", "holds"},
		"http://wiki.intranet/not-fetched":   {"-", false, false, "public-host", "fails"},
	} {
		t.Run(url, func(t *testing.T) {
			check := func(client *control.Client, running bool) {
				t.Helper()
				s, err := client.WhyShared(t.Context(), url)
				if err != nil {
					t.Fatal(err)
				}
				if s.Running != running || s.Offered != (c.offered && running) || len(s.Variants) != map[bool]int{true: 1}[c.stored] {
					t.Fatalf("got %+v", s)
				}
				if running && c.offered && (s.Site != "example.org" || s.Level != "bucket10") {
					t.Errorf("announced %q at level %q", s.Site, s.Level)
				}
				clauses := s.FromURL
				if c.stored {
					clauses = s.Variants[0].Clauses
					if v := s.Variants[0]; v.Shareable != c.offered || v.Why == "" {
						t.Errorf("variant %+v", v)
					}
				}
				if got := stateOf(t, clauses, c.clause); got != c.state {
					t.Errorf("clause %s %s, want %s", c.clause, got, c.state)
				}
			}
			dir := dir + "/" + strings.NewReplacer("/", "_", ":", "_", "?", "_").Replace(url)
			t.Run("running", func(t *testing.T) {
				n := start(t, func(cfg *node.Config) {
					cfg.DataDir, cfg.Share, cfg.Resolve, cfg.Recheck = dir, node.SharePublic, []string{resolve}, node.RecheckOff
				})
				client, err := control.Dial(t.Context(), dir)
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				if c.header != "-" {
					fetch(t, n, url, c.header)
					eventually(t, "the storing", func() bool { found, err := client.Show(t.Context(), url); return err == nil && len(found) == 1 })
				}
				if c.offered {
					eventually(t, "the offer", func() bool { return n.Status().Shared == 1 })
				}
				check(client, true)
			})
			store, err := cache.Open(node.CacheFile(dir), cache.Config{Inspect: true})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = store.Close() }()
			client, stop := control.Local(control.Config{Store: store, WhyShared: node.WhyShared(store)})
			defer stop()
			check(client, false)
		})
	}
}

// fetch asks a node for a URL with one more field ("Name: value", or "").
func fetch(t *testing.T, n *node.Node, url, field string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if name, value, ok := strings.Cut(field, ": "); ok {
		r.Header.Set(name, value)
	}
	resp, err := client(t, n).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Error(err)
	}
	_ = resp.Body.Close()
}

// What the user's browser got with a cookie is on offer when the same has come without one.
func TestRecheckedIsOffered(t *testing.T) {
	_, resolve := serve(t, "www.example.org", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		if r.URL.Path == "/logo" {
			_, _ = io.WriteString(w, "a logo")
			return
		}
		_, _ = io.WriteString(w, "hello "+r.Header.Get("Cookie"))
	})
	for name, c := range map[string]struct {
		change func(*node.Config)
		shared int
	}{
		"auto":             {func(*node.Config) {}, 1},
		"metered":          {func(c *node.Config) { c.Metered = node.MeteredYes }, 0},
		"on, even metered": {func(c *node.Config) { c.Recheck, c.Metered = node.RecheckOn, node.MeteredYes }, 1},
		"off":              {func(c *node.Config) { c.Recheck = node.RecheckOff }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t, func(cfg *node.Config) {
				cfg.Share, cfg.Resolve, cfg.Metered = node.SharePublic, []string{resolve}, node.MeteredNo
				c.change(cfg)
			})
			fetch(t, n, "http://www.example.org/me", "Cookie: user=ann")
			fetch(t, n, "http://www.example.org/logo", "Cookie: user=ann")
			if c.shared > 0 {
				eventually(t, "the offer", func() bool { return n.Status().Shared == c.shared })
			}
			fetch(t, n, "http://www.example.org/last", "") // by now the others would have been
			eventually(t, "the last offer", func() bool { return n.Status().Shared >= c.shared+1 })
			if got := n.Status().Shared; got != c.shared+1 {
				t.Errorf("%d on offer", got)
			}
		})
	}
}

func TestBadRecheck(t *testing.T) {
	for _, change := range []func(*node.Config){
		func(c *node.Config) { c.Recheck = "sometimes" },
		func(c *node.Config) { c.Metered = "perhaps" },
	} {
		cfg := node.Config{DataDir: t.TempDir(), NoPublicBootstrap: true, NoMapping: true}
		change(&cfg)
		if _, err := node.New(cfg); !node.IsConfigError(err) {
			t.Errorf("error %v", err)
		}
	}
}

// What is stored of a site that the user has made private since is not on offer any more.
func TestSiteBecomesPrivate(t *testing.T) {
	_, resolve := serve(t, "www.example.org", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		w.Header().Set("Vary", "Accept-Language")
		_, _ = io.WriteString(w, "content")
	})
	dir := t.TempDir()
	const url = "http://www.example.org/page"
	for _, private := range [][]string{nil, {"example.org"}} {
		t.Run(strings.Join(private, " "), func(t *testing.T) {
			n := start(t, func(c *node.Config) {
				c.DataDir, c.Share, c.Resolve, c.Private = dir, node.SharePublic, []string{resolve}, private
			})
			if private == nil {
				fetch(t, n, url, "")
				eventually(t, "the offer", func() bool { return n.Status().Shared == 1 })
				return
			}
			fetch(t, n, url, "Accept-Language: de") // another variant: the node looks at the resource again
			client, err := control.Dial(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			var s control.Sharing
			eventually(t, "the second variant", func() bool {
				s, err = client.WhyShared(t.Context(), url)
				return err == nil && len(s.Variants) == 2
			})
			if s.Offered || n.Status().Shared != 0 {
				t.Errorf("%d on offer; %+v", n.Status().Shared, s)
			}
			for _, v := range s.Variants {
				if v.Shareable || stateOf(t, v.Clauses, "private-site") != control.ClauseFails {
					t.Errorf("variant %+v", v)
				}
			}
			status, _ := newProbe(t, n.Addresses().Peer).ask(http.MethodGet, blinded(t, url), http.Header{})
			if status != http.StatusNotFound {
				t.Errorf("a peer got %d", status)
			}
		})
	}
}
