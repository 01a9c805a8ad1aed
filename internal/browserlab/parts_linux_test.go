package browserlab_test

import (
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"testing"
)

func sri(text string) string {
	sum := sha512.Sum384([]byte(text))
	return "sha384-" + base64.StdEncoding.EncodeToString(sum[:])
}

// A genuine page has parts of another site, which is down. A liar's parts do not get into it, unless the page itself
// says by a hash that they are the right ones.
func TestPartsOfGenuinePages(t *testing.T) {
	const right, wrong, genuine = "document.body.dataset.right = 'ran'", "document.body.dataset.wrong = 'ran'", "/* what it should be */"
	const style = "h2 { color: rgb(4, 5, 6) }"
	tag := func(name, integrity string) string {
		return fmt.Sprintf(`<script src="https://static.example.net/%s.js" onload="seen.push('%[1]s loaded')" onerror="seen.push('%[1]s refused')" %s></script>`, name, integrity)
	}
	demand := func(text string) string { return `crossorigin integrity="` + sri(text) + `"` }
	page := html("Genuine", `<body><script>seen = []</script>`+
		`<link rel=stylesheet href=https://static.example.net/plain.css><link rel=stylesheet href=https://static.example.net/right.css `+demand(style)+`>`+
		`<h1>one</h1><h2>two</h2><img id=picture src=https://static.example.net/picture.gif>`+
		tag("plain", "")+tag("right", demand(right))+tag("wrong", demand(genuine)))
	open := []string{"Access-Control-Allow-Origin", "*"}
	forgery := replies{
		"/plain.js":    reply{kind: "text/javascript", body: "document.body.dataset.plain = 'ran'"}.with(open...),
		"/right.js":    reply{kind: "text/javascript", body: right}.with(open...),
		"/wrong.js":    reply{kind: "text/javascript", body: wrong}.with(open...),
		"/plain.css":   {kind: "text/css", body: "h1 { color: rgb(1, 2, 3) }"},
		"/right.css":   reply{kind: "text/css", body: style}.with(open...),
		"/picture.gif": {kind: "image/gif", body: gif},
	}
	w := newWorld(t)
	origin, static, forged := w.site("www.example.org", replies{"/": page}), w.site("static.example.net", replies{}), w.site("static.example.net", forgery)
	liar := w.user(sharing(forged))
	for path := range forgery {
		liar.read(forged.url(path))
	}
	static.down()
	p := w.user(trusting([]string{"any"}, origin, static)).chromium(t).tab()
	p.open(origin.url("/"))
	p.want(map[string]string{
		"seen.sort().join()":          "plain refused,right loaded,wrong refused",
		"document.body.dataset.plain": "undefined", "document.body.dataset.wrong": "undefined", "document.body.dataset.right": "ran",
		"getComputedStyle(document.querySelector('h1')).color":   "rgb(0, 0, 0)",
		"getComputedStyle(document.querySelector('h2')).color":   "rgb(4, 5, 6)",
		"document.querySelector('#picture').naturalWidth":        "0", // nobody was asked about that site
		"getComputedStyle(document.querySelector('h1')).display": "block",
	})
	if text := p.banner(); text != "" {
		t.Errorf("a page from its site has the banner %q", text)
	}
}
