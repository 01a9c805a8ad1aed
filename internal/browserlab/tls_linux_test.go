package browserlab_test

import (
	"crypto/tls"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/peerproxy/peerproxy/ca"
	"github.com/peerproxy/peerproxy/control"
	"github.com/peerproxy/peerproxy/node"
)

// A site with a bad certificate is not shown, and the page in its place says what is wrong with it.
func TestBadCertificates(t *testing.T) {
	w := newWorld(t)
	stranger, err := ca.Create(t.TempDir(), ca.Options{Host: "stranger"})
	if err != nil {
		t.Fatal(err)
	}
	issue := func(a *ca.Authority, name string) *tls.Certificate {
		leaf, err := a.Issue(name)
		if err != nil {
			t.Fatal(err)
		}
		return leaf
	}
	page := replies{"/": html("Bad", `<body><p id=content>content<script>document.cookie = "bad=1"</script>`).with("Set-Cookie", "worse=1")}
	sites := []*site{
		w.siteWith(issue(w.root.WithClock(longAgo), "expired.example.org"), "expired.example.org", page),
		w.siteWith(issue(w.root, "other.example.com"), "wronghost.example.net", page),
		w.siteWith(issue(stranger, "selfsigned.example.com"), "selfsigned.example.com", page),
	}
	why := []string{"expired", "for another", "Nobody whom this machine trusts"}
	p := w.user(func(c *node.Config) { c.Resolve = resolve(sites) }).chromium(t).tab()
	for i, s := range sites {
		if got := p.open(s.url("/")); got.status != http.StatusBadGateway || !strings.HasPrefix(got.issuer, "peerproxy local CA (user") {
			t.Errorf("%s: %+v", s.host, got)
		}
		text := p.text("document.body.innerText")
		if !strings.Contains(text, "certificate") || !strings.Contains(text, why[i]) || strings.Contains(text, "content") {
			t.Errorf("%s: the page does not say %q:\n%s", s.host, why[i], text)
		}
		if len(s.requests()) > 0 {
			t.Errorf("%s was asked for %v", s.host, s.requests())
		}
	}
	if got := p.cookies(); len(got) > 0 {
		t.Errorf("cookies %v", got)
	}
}

// A page's WebSocket works through an opened tunnel.
func TestWebSocket(t *testing.T) {
	w := newWorld(t)
	var upgrader websocket.Upgrader // checks that Origin is of the same host
	origin := w.site("www.example.org", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ws" {
			html("Page", "<body>").serve(w)
			return
		}
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return // it has answered
		}
		defer func() { _ = conn.Close() }()
		for {
			kind, text, err := conn.ReadMessage()
			if err != nil || conn.WriteMessage(kind, append([]byte("echo "), text...)) != nil {
				return
			}
		}
	}))
	p := w.user(func(c *node.Config) { c.Resolve = resolve([]*site{origin}) }).chromium(t).tab()
	p.open(origin.url("/"))
	p.want(map[string]string{`new Promise((ok, bad) => {
		const s = new WebSocket("wss://www.example.org/ws"), got = [];
		s.onopen = () => { s.send("one"); s.send(new Blob(["two"])) };
		s.onmessage = async e => { got.push(typeof e.data == "string" ? e.data : await e.data.text()); if (got.length == 2) s.close(4001, "enough") };
		s.onclose = e => ok(got.join() + " " + e.code);
		s.onerror = () => bad("error");
	})`: "echo one,echo two 4001"})
}

// A browser that does not know our root puts the host on the list of those that are not looked into: the next time
// it meets the site itself.
func TestBrowserWithoutTheRoot(t *testing.T) {
	w := newWorld(t)
	origin := w.site("www.example.org", replies{"/": html("Page", "<body>page")})
	u := w.user(func(c *node.Config) { c.Resolve = resolve([]*site{origin}) })
	p := newChromium(t, u.Addresses().Proxy).tab()
	if s, err := p.visit(origin.url("/")); err == nil || !strings.Contains(err.Error(), "ERR_CERT_AUTHORITY_INVALID") {
		t.Fatalf("%+v %v", s, err)
	}
	client, err := control.Dial(t.Context(), u.data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	eventually(t, "the host is bypassed", func() bool {
		list, err := client.Bypassed(t.Context())
		return err == nil && slices.ContainsFunc(list, func(b control.Bypassed) bool {
			return b.Host == "www.example.org" && time.Until(b.Expires) > 50*time.Minute
		})
	})
	before := origin.shakes.Load()
	if s, err := p.visit(origin.url("/")); err == nil || !strings.Contains(err.Error(), "ERR_CERT_AUTHORITY_INVALID") {
		t.Fatalf("%+v %v", s, err)
	}
	if origin.shakes.Load() == before {
		t.Error("the browser has not met the site")
	}
}

// A browser that knows our root does not put any host on that list, however many connections it opens and
// leaves.
func TestManyConnections(t *testing.T) {
	w := newWorld(t)
	var parts strings.Builder
	sites := []*site{}
	for _, host := range []string{"static.example.net", "img.example.com", "cdn.example.edu"} {
		s := w.site(host, replies{"/": html("Frame", "<body>frame"), "/p.gif": {kind: "image/gif", body: gif}, "/f.js": reply{kind: "text/javascript", body: "1"}.with("Access-Control-Allow-Origin", "*")})
		sites = append(sites, s)
		for range 4 {
			parts.WriteString(`<link rel=modulepreload href=https://` + host + `/m.js><link rel=preload as=script href=https://` + host + `/q.js><link rel=prefetch href=https://` + host + `/r.js><script async src=https://` + host + `/f.js></script>` +
				`<script async crossorigin src=https://` + host + `/f.js></script><iframe src=https://` + host + `/></iframe><img src=https://` + host + `/p.gif>`)
		}
	}
	origin := w.site("www.example.org", replies{"/": html("Page", "<body>"+parts.String())})
	u := w.user(func(c *node.Config) { c.Resolve = resolve(append(sites, origin)) })
	p := u.chromium(t).tab()
	p.open(origin.url("/"))
	p.reach("networkIdle")
	if h := u.HTTPS(); h.Bypassed != 0 {
		t.Errorf("%d hosts are bypassed", h.Bypassed)
	}
	p.want(map[string]string{"[...document.images].every(i => i.naturalWidth == 1)": "true"})
}
