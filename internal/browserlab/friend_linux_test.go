package browserlab_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/peerproxy/peerproxy/node"
)

// bannerSays wants a banner in the window, with all of the parts in it.
func (p *tab) bannerSays(parts ...string) {
	p.t.Helper()
	text := p.banner()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			p.t.Errorf("the banner does not say %q: %q", part, text)
		}
	}
	if strings.Contains(text, "..") {
		p.t.Errorf("the banner's sentences end twice: %q", text)
	}
	if n := p.bannerNode(); n != nil {
		if d := n.element("details"); !p.inWindow(d) || p.covered(d) {
			p.t.Errorf("the banner can't be seen: %+v", p.box(d))
		}
	}
}

// A copy that a friend has signed is the page itself, scripts and all, but says what it is. The policies of the page hold, and
// do not take the banner's style away.
func TestFriendsCopy(t *testing.T) {
	const strict = "default-src 'none'; style-src 'self'; img-src 'self'"
	pages := replies{
		"/": html("Friend", `<link rel=stylesheet href=/style.css><body><h1>one</h1><script src=/a.js></script><script>document.body.dataset.ran = origin</script>`),
		"/strict": html("Strict", `<link rel=stylesheet href=/style.css><style>h1 { background: rgb(9, 9, 9) }</style><body><h1>one</h1><p style="color: rgb(7, 7, 7)">two</p>
			<script src=/a.js></script><script>document.body.dataset.ran = origin</script>`).with("Content-Security-Policy", strict),
		"/style.css": {kind: "text/css", body: "h1 { color: rgb(1, 2, 3) }"},
		"/a.js":      {kind: "text/javascript", body: "document.body.dataset.part = 'ran'"},
	}
	w := newWorld(t)
	origin := w.site("www.example.org", pages)
	friend := w.user(sharing(origin))
	for path := range pages {
		friend.read(origin.url(path))
	}
	origin.down()
	p := w.user(trusting([]string{friend.Addresses().Key}, origin)).chromium(t).tab()
	says := []string{"Not from www.example.org now", "a peer", "signer", "signed by somebody whom you trust"}

	if s := p.open(origin.url("/")); s.status != http.StatusOK {
		t.Errorf("%+v", s)
	}
	p.want(map[string]string{
		"document.body.dataset.ran": "https://www.example.org", "document.body.dataset.part": "ran",
		"getComputedStyle(document.querySelector('h1')).color": "rgb(1, 2, 3)",
	})
	p.bannerSays(says...)
	p.shots("friend")
	from := p.bannerStyle()

	p.open(origin.url("/strict"))
	p.want(map[string]string{
		"document.body.dataset.ran": "undefined", "document.body.dataset.part": "undefined",
		"getComputedStyle(document.querySelector('h1')).color":           "rgb(1, 2, 3)",
		"getComputedStyle(document.querySelector('h1')).backgroundColor": "rgba(0, 0, 0, 0)",
		"getComputedStyle(document.querySelector('p')).color":            "rgb(0, 0, 0)",
	})
	p.bannerSays(says...)
	if got := p.bannerStyle(); got != from || !strings.Contains(got, "rgb(255, 248, 225)") {
		t.Errorf("under a strict policy the banner is styled as %q, else as %q", got, from)
	}
}

// bannerStyle is what a banner looks like.
func (p *tab) bannerStyle() (style string) {
	p.t.Helper()
	n := p.bannerNode()
	if n == nil {
		p.t.Fatal("no banner")
	}
	p.on(n.element("details"), "function() { const s = getComputedStyle(this); return [s.backgroundColor, s.color, s.font, s.borderTop].join('; ') }", &style)
	return style
}

// What this node has kept is shown when the site is down, and says so; when the site is back, its page is.
func TestOwnOldCopy(t *testing.T) {
	var version atomic.Value
	version.Store("first")
	w := newWorld(t)
	origin := w.site("www.example.org", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		html("Old", "<body><script>document.body.dataset.ran = origin</script><p id=version>"+version.Load().(string)).with("Cache-Control", "max-age=0").serve(w)
	}))
	p := w.user(func(c *node.Config) { c.Resolve = resolve([]*site{origin}) }).chromium(t).tab()
	p.open(origin.url("/page"))
	if text := p.banner(); text != "" {
		t.Errorf("fresh from the site it has the banner %q", text)
	}
	origin.down()
	version.Store("second")
	p.open(origin.url("/page"))
	p.want(map[string]string{"document.querySelector('#version').innerText": "first", "document.body.dataset.ran": "https://www.example.org"})
	p.bannerSays("Not from www.example.org now", "a copy kept by this proxy", "origin", "fetched from the site by this proxy")
	p.shots("kept")
	origin.up()
	p.open(origin.url("/page"))
	p.want(map[string]string{"document.querySelector('#version').innerText": "second"})
	if text := p.banner(); text != "" {
		t.Errorf("the site is back, and its page has the banner %q", text)
	}
}
