package browserlab_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/peerproxy/peerproxy/node"
)

// An ordinary site works through the proxy as without it.
func TestBrowsing(t *testing.T) {
	w := newWorld(t)
	parts := w.site("static.example.net", replies{
		"/style.css": {kind: "text/css", body: "h1 { color: rgb(1, 2, 3) }"},
		"/a.js":      {kind: "text/javascript", body: "document.body.dataset.part = 'ran'"},
	})
	origin := w.site("www.example.org", replies{"/": html("Home", `<link rel=stylesheet href=https://static.example.net/style.css>
		<body><h1>Hello</h1><script src=https://static.example.net/a.js></script>
		<script>document.cookie = "seen=1; max-age=9999"; localStorage.note = "kept"; document.body.dataset.ran = "ran"</script>`).
		with("Set-Cookie", "sid=secret; HttpOnly; Secure; Max-Age=9999")})
	u := w.user(func(c *node.Config) { c.Resolve = resolve([]*site{origin, parts}) })
	p := u.chromium(t).tab()
	s := p.open(origin.url("/"))
	if s.status != 200 || s.protocol != "h2" || !strings.HasPrefix(s.issuer, "peerproxy local CA") || !strings.Contains(s.issuer, "user") {
		t.Errorf("%+v", s)
	}
	if !strings.Contains(s.get("Content-Security-Policy"), "treat-as-public-address") {
		t.Errorf("the page is not fenced in: %q", s.get("Content-Security-Policy"))
	}
	p.want(map[string]string{
		"document.title": "Home", "document.body.dataset.ran": "ran", "document.body.dataset.part": "ran",
		"getComputedStyle(document.querySelector('h1')).color": "rgb(1, 2, 3)",
		"document.cookie": "seen=1", "localStorage.note": "kept", "window.isSecureContext": "true", "origin": "https://www.example.org",
	})
	if got := p.cookies(); got["sid"] != "secret" || got["seen"] != "1" {
		t.Errorf("cookies %v", got)
	}
	if text := p.banner(); text != "" {
		t.Errorf("the site's own page has the banner %q", text)
	}
}

// A page that comes by way of the proxy has no more reach into this machine than without it, though
// to the browser it comes from 127.0.0.1. The same page in a blind tunnel shows what would be else.
func TestPagesDoNotReachThisMachine(t *testing.T) {
	var reached atomic.Int64
	local := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached.Add(1)
		w.Header().Set("Access-Control-Allow-Origin", "*")
	}))
	t.Cleanup(local.Close)
	_, port, _ := net.SplitHostPort(local.Listener.Addr().String())
	w := newWorld(t)
	page := html("Page", `<body><iframe src=/frame></iframe>`)
	pages := replies{"/": page, "/frame": html("Frame", "<body>frame"), "/part": {kind: "text/plain", body: "a part"},
		"/worker.js": {kind: "text/javascript", body: `fetch("http://127.0.0.1:` + port + `/worker", {mode: "no-cors"}).then(() => postMessage("reached"), () => postMessage("blocked"))`}}
	fenced, blind := w.site("www.example.org", pages), w.site("blind.example.net", pages)
	u := w.user(func(c *node.Config) {
		c.Resolve, c.Bypass = resolve([]*site{fenced, blind}), []string{"blind.example.net"}
	})
	p := newChromium(t, u.Addresses().Proxy, u.root, w.root.Certificate()).tab()
	reach := map[string]string{
		"fetch":  `fetch("http://127.0.0.1:` + port + `/fetch", {mode: "no-cors"}).then(() => "reached", () => "blocked")`,
		"cors":   `fetch("http://127.0.0.1:` + port + `/cors").then(() => "reached", () => "blocked")`,
		"image":  `new Promise(done => { const i = new Image(); i.onload = i.onerror = () => done("ended"); i.src = "http://127.0.0.1:` + port + `/image" })`,
		"socket": `new Promise(done => { const s = new WebSocket("ws://127.0.0.1:` + port + `/socket"); s.onopen = s.onerror = () => done("ended") })`,
		"frame":  `frames[0].fetch("http://127.0.0.1:` + port + `/frame", {mode: "no-cors"}).then(() => "reached", () => "blocked")`,
		"worker": `new Promise(done => { new Worker("/worker.js").onmessage = e => done(e.data) })`,
	}
	p.open(blind.url("/"))
	for name, expression := range reach {
		before := reached.Load()
		result := p.text(expression)
		if reached.Load() == before || result == "blocked" {
			t.Errorf("control: %s does not reach the local server without the fence either (%s)", name, result)
		}
	}
	before := reached.Load()
	p.open(fenced.url("/"))
	for name, expression := range reach {
		if result := p.text(expression); result == "reached" || reached.Load() != before {
			t.Errorf("%s reaches the local server from a proxied page (%s)", name, result)
		}
	}
	p.want(map[string]string{`fetch("/part").then(r => r.text())`: "a part"})
}
