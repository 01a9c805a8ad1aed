package browserlab_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/peerproxy/peerproxy/node"
)

// master is the server that hostile pages tell of their success.
func (w *world) master() *site {
	return w.site(evil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		switch r.URL.Path {
		case "/a.js":
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = fmt.Fprint(w, ran("foreign"))
		case "/frame":
			w.Header().Set("Content-Type", "text/html")
			_, _ = fmt.Fprint(w, `<html data-ran=""><script>`+ran("foreignframe")+`</script>`)
		}
	}))
}

// successes are what the master was told.
func successes(master *site) (list []string) {
	for uri := range master.requests() {
		// To prefetch is like to fetch a picture, which copies may: nothing runs by it.
		if name, ok := strings.CutPrefix(uri, "/ran?"); ok && name != "prefetch" {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// Control: the hostile page is hostile indeed. As a page of its own site nearly all of it works.
func TestHostilePageWorksElsewhere(t *testing.T) {
	w := newWorld(t)
	master := w.master()
	// Those left out take the page away or stop it.
	host := w.site("www.example.org", hostileSite("www.example.org", "formsubmit", "blocking"))
	for _, a := range host.handler.(replies) {
		delete(a.header, "Refresh")
		delete(a.header, "Clear-Site-Data")
	}
	u := w.user(func(c *node.Config) { c.Resolve = resolve([]*site{host, master}) })
	p := u.chromium(t).tab()
	p.open(host.url("/hostile/page"))
	for _, name := range []string{"inline", "external", "foreign", "module", "data", "onerror", "svg", "svgscript", "animation", "toggle", "video", "style", "link", "onload", "parent"} {
		eventually(t, name+" runs somewhere", func() bool {
			return slices.Contains(strings.Fields(p.text("document.documentElement.dataset.ran")), name)
		})
	}
	for _, name := range []string{"frame", "foreignframe", "worker", "blob", "serviceworker", "preload", "modulepreload", "header"} {
		eventually(t, name+" works somewhere", func() bool { return slices.Contains(successes(master), name) })
	}
	if p.cookies()["planted"] != "script" {
		t.Errorf("cookies %v", p.cookies())
	}
	p.open("http://plain.www.example.org/")
	p.want(map[string]string{"location.protocol": "https:"}) // HSTS
}

// realSite is one that has something to lose.
func realSite() replies {
	return replies{
		"/": html("Real", `<body><p id=real>the real page</p><script>
			if (!document.cookie.includes("seen")) document.cookie = "seen=" + Math.random() + "; max-age=9999";
			localStorage.note ??= "note " + Math.random();
			document.body.dataset.ready = "";
			ready = (async () => {
				const db = await new Promise((ok, bad) => { const r = indexedDB.open("notes", 1); r.onupgradeneeded = () => r.result.createObjectStore("s"); r.onsuccess = () => ok(r.result); r.onerror = bad });
				const store = () => db.transaction("s", "readwrite").objectStore("s");
				const is = r => new Promise((ok, bad) => { r.onsuccess = () => ok(r.result); r.onerror = bad });
				let note = await is(store().get("note"));
				if (!note) { note = "db " + Math.random(); await is(store().put(note, "note")) }
				let c = await caches.open("parts"); if (!await c.match("/x")) await c.put("/x", new Response("cached " + Math.random()));
				await navigator.serviceWorker.register("/sw.js", {scope: "/app/"});
				const workers = (await navigator.serviceWorker.getRegistrations()).map(r => r.scope).join();
				return [document.cookie, localStorage.note, note, await (await c.match("/x")).text(), (await caches.keys()).join(), workers].join(" | ");
			})()</script>`).with("Cache-Control", "no-store"),
		"/sw.js": reply{kind: "text/javascript", body: "onmessage = e => e.source.postMessage('the real worker')"}.with("Cache-Control", "no-store"),
		"/login": html("In", "logged in").with("Cache-Control", "no-store", "Set-Cookie", "sid=secret; HttpOnly; Secure; Max-Age=9999; Path=/"),
	}
}

// theft is what a script in the site's name would do. All of it must fail.
var theft = []string{
	"document.cookie", "document.cookie = 'planted=1'", "localStorage.note", "sessionStorage.note", "indexedDB.open('notes')", "navigator.serviceWorker.getRegistrations()",
}

// While the site is down a liar has a copy of one of its pages. It is shown after the user was asked, and can do nothing:
// neither while it is shown, nor afterwards when the site is back.
func TestHostileCopy(t *testing.T) {
	const host = "www.example.org"
	w := newWorld(t)
	master := w.master()
	real, forged := w.site(host, realSite()), w.site(host, hostileSite(host))
	plain := w.plain("plain."+host, replies{"/": html("Plain", "plain")})
	liar := w.user(sharing(forged))
	var lies []string
	for path := range forged.handler.(replies) {
		lies = append(lies, forged.url(path))
	}
	liar.read(lies...)
	u := w.user(trusting([]string{"any"}, real, master, plain))
	p := u.chromium(t).tab()

	p.open(real.url("/login"))
	p.open(real.url("/"))
	before, jar := p.text("ready"), p.cookies()
	if jar["sid"] != "secret" || !strings.Contains(before, "seen=") || !strings.Contains(before, "/app/") {
		t.Fatalf("the site has not kept what it should: %q %v", before, jar)
	}
	real.down()

	t.Run("the page in between", func(t *testing.T) { asksFirst(t, p, real, forged, master) })
	t.Run("the copy", func(t *testing.T) { copyIsTame(t, p, master) })
	t.Run("its banner", func(t *testing.T) { bannerStays(t, p) })
	t.Run("clicks", func(t *testing.T) { clicksDoNothing(t, p, real, master) })
	t.Run("other formats", func(t *testing.T) { otherFormats(t, p, real, master) })
	t.Run("its parts as something else", func(t *testing.T) { partsStayParts(t, p, real, master) })
	t.Run("no HSTS", func(t *testing.T) {
		p.open("http://plain." + host + "/")
		p.want(map[string]string{"location.protocol": "http:", "document.title": "Plain"})
	})

	real.up()
	p.open(real.url("/"))
	if after := p.text("ready"); after != before {
		t.Errorf("the site kept %q, and now has %q", before, after)
	}
	if got := p.cookies(); !maps.Equal(got, jar) {
		t.Errorf("cookies were %v, are %v", jar, got)
	}
	p.want(map[string]string{"document.title": "Real", "document.querySelector('#real').innerText": "the real page"})
	if text := p.banner(); text != "" {
		t.Errorf("the real page has the banner %q", text)
	}
	if told := successes(master); len(told) > 0 {
		t.Errorf("hostile pages have had success: %v", told)
	}
}

func asksFirst(t *testing.T, p *tab, real, forged, master *site) {
	q := *p
	q.t = t
	from := p.b.mark()
	s := q.open(real.url("/hostile/page"))
	if s.status != http.StatusBadGateway {
		t.Errorf("status %d", s.status)
	}
	q.reach("networkIdle")
	text := q.text("document.body.innerText")
	for _, part := range []string{"A copy without proof", "nobody whom you trust vouches for it", "example.org", "type nothing into it"} {
		if !strings.Contains(text, part) {
			t.Errorf("the page in between does not say %q:\n%s", part, text)
		}
	}
	q.want(map[string]string{"document.querySelector('#forged')": "null", "document.scripts.length": "0", "document.images.length": "0"})
	for _, e := range q.b.since(from) {
		var r struct{ Request struct{ URL string } }
		if e.Method == "Network.requestWillBeSent" && json.Unmarshal(e.Params, &r) == nil && r.Request.URL != real.url("/hostile/page") && !strings.HasSuffix(r.Request.URL, "/favicon.ico") {
			t.Errorf("the page in between fetches %s", r.Request.URL)
		}
	}
	if got := master.requests(); len(got) > 0 {
		t.Errorf("the liar's master was told %v", got)
	}
	q.shots("in-between")

	from = q.b.mark()
	q.clickOn("form button")
	if s := q.loaded(from, ""); s.status != http.StatusSeeOther && s.status != http.StatusOK {
		t.Errorf("after the click: status %d", s.status)
	}
	q.reach("networkIdle")
	q.want(map[string]string{"document.querySelector('#forged').innerText": "Forged by a liar", "location.href": real.url("/hostile/page")})
}

func copyIsTame(t *testing.T, p *tab, master *site) {
	q := *p
	q.t = t
	q.want(map[string]string{
		"origin": "null", "document.documentElement.dataset.ran": "",
		"document.baseURI": "https://www.example.org/hostile/page",
		"document.querySelector('#small').naturalWidth": "1", "document.querySelector('#picture').naturalWidth": "0",
		// It is shown with its own style and picture, else nobody would want to see it.
		"getComputedStyle(document.querySelector('#forged')).color": "rgb(9, 8, 7)",
	})
	q.throws("SecurityError", theft...)
	if told := successes(master); len(told) > 0 {
		t.Errorf("these had success: %v", told)
	}
	// Nor do frames within, which the copy has brought or which are of others.
	for _, frame := range q.frames() {
		if marks := q.inFrame(frame, "document.documentElement.dataset.ran || ''"); strings.TrimSpace(marks) != "" {
			t.Errorf("in a frame ran %s", marks)
		}
	}
}

func bannerStays(t *testing.T, p *tab) {
	q := *p
	q.t = t
	q.shots("sandboxed")
	text := q.banner()
	for _, part := range []string{"Not from www.example.org now", "a peer", "old", "unproven"} {
		if !strings.Contains(text, part) {
			t.Errorf("the banner does not say %q: %q", part, text)
		}
	}
	n := q.bannerNode()
	if n == nil {
		t.Fatal("no banner")
	}
	details := n.element("details")
	if !q.inWindow(details) || q.covered(details) {
		t.Errorf("the banner can't be seen: %+v, covered: %t", q.box(details), q.covered(details))
	}
	open := q.box(details)
	b := q.box(n.element("summary"))
	q.clickAt(b.X+b.Width/2, b.Y+b.Height/2)
	closed := q.box(q.bannerNode().element("details"))
	if closed.Width*closed.Height > open.Width*open.Height/4 || strings.Contains(q.banner(), "Not from") {
		t.Errorf("after a click on its cross the banner says %q, in %+v", q.banner(), closed)
	}
	b = q.box(q.bannerNode().element("summary"))
	q.clickAt(b.X+b.Width/2, b.Y+b.Height/2)
	if again := q.box(q.bannerNode().element("details")); again != open {
		t.Errorf("after a second click it is not as before: %+v, %+v", again, open)
	}
}

func clicksDoNothing(t *testing.T, p *tab, real, master *site) {
	q := *p
	q.t = t
	for _, id := range []string{"#link", "#window", "#ping", "#press", "#send"} {
		q.clickOn(id)
	}
	q.settle()
	q.want(map[string]string{"document.documentElement.dataset.ran": "", "location.href": real.url("/hostile/page") + "#x"})
	if told := successes(master); len(told) > 0 {
		t.Errorf("clicks did something: %v", told)
	}
}

func otherFormats(t *testing.T, p *tab, real, master *site) {
	q := *p
	q.t = t
	for _, name := range []string{"drawing.svg", "page.xhtml", "sheet.xml"} { // there would be no place for the banner
		if s := q.open(real.url("/hostile/" + name)); s.status != http.StatusBadGateway {
			t.Errorf("%s: status %d", name, s.status)
		}
		q.want(map[string]string{"document.documentElement.getAttribute('data-ran') || ''": "", "document.querySelectorAll('svg').length": "0"})
	}
	for _, name := range []string{"text.txt", "frame", "picture.gif", "a.js"} {
		q.open(real.url("/hostile/" + name))
		q.want(map[string]string{"origin": "null", "document.documentElement.getAttribute('data-ran') || ''": ""})
	}
	// What has no type is no page.
	if s, err := q.visit(real.url("/hostile/nothing")); err == nil && s.status == http.StatusOK {
		t.Errorf("shown: %+v", s)
	}
	if told := successes(master); len(told) > 0 {
		t.Errorf("these had success: %v", told)
	}
}

// partsStayParts loads what the liar has from a page that is none of the site's.
func partsStayParts(t *testing.T, p *tab, real, master *site) {
	q := *p
	q.t = t
	q.open(master.url("/"))
	for _, expression := range []string{
		"new Promise((ok, bad) => { const s = document.createElement('script'); s.onload = () => ok('ran'); s.onerror = () => ok('refused'); s.src = '" + real.url("/hostile/a.js") + "'; document.head.append(s) })",
		"new Promise((ok, bad) => { const s = document.createElement('link'); s.rel = 'stylesheet'; s.onload = () => ok('applied'); s.onerror = () => ok('refused'); s.href = '" + real.url("/hostile/style.css") + "'; document.head.append(s) })",
		"fetch('" + real.url("/hostile/text.txt") + "').then(() => 'read', () => 'refused')",
	} {
		if got := q.text(expression); got != "refused" {
			t.Errorf("%s: %s", expression, got)
		}
	}
}
