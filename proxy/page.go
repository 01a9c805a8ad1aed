package proxy

import (
	"bytes"
	"html/template"
	"net/http"
)

// pageTemplate is every page that the proxy itself writes. html/template escapes
// what comes from outside; the policy below forbids scripts and requests anyway.
var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{.Title}}</title>
<style>` + pageStyle + `</style>
<h1>{{.Title}}</h1>
<p>{{.Text}}</p>
{{with .Tried}}<h2>What was tried</h2>
<ul>{{range .}}
<li>{{.}}</li>{{end}}
</ul>
{{end}}{{with .Target}}<p>Asked for: <code>{{.}}</code></p>
{{end}}<p><small>Written by the proxy {{.Proxy}}, not by the site. Status {{.Status}}{{with .Kind}}, {{.}}{{end}}.</small></p>
</html>
`))

// pageStyle is how the proxy's own pages look.
const pageStyle = `body{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:3em auto;padding:0 1em;color:#222;background:#fff}
code{overflow-wrap:anywhere}small{color:#666}@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}small{color:#999}a{color:#8bf}}`

// pagePolicy lets a page of the proxy do nothing but show itself.
const pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; " + publicPolicy

// maxShownTarget bounds how much of a URL a page repeats, in bytes.
const maxShownTarget = 300

type page struct {
	Title, Text, Target, Proxy, Kind string
	Status                           int
	Tried                            []string
}

// report is an answer of the proxy itself: what failed, and what was tried before.
type report struct {
	failure
	cache    cacheStatus
	received int      // status of the upstream answer that is not shown, 0 = none
	refused  string   // why copies were not taken, for programs
	tried    []string // sentences for people
}

// refuse answers with the page for err. The cache had no part in it.
func (p *Proxy) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p.answer(w, r, report{failure: explain(err), cache: cacheStatus{fwd: fwdBypass}})
}

// answer writes a report as a page. It is the only place where errors become
// answers.
func (p *Proxy) answer(w http.ResponseWriter, r *http.Request, rep report) {
	text := p.render(r, rep)
	h := w.Header()
	clear(h) // an answer that was begun and given up leaves no field behind
	closeForOld(h, r)
	ownPage(h, pagePolicy, len(text))
	h.Set("Cache-Status", p.names.cacheStatus(rep.cache))
	ps := rep.proxyStatus(rep.received)
	ps.details = joinWords(ps.details, rep.refused)
	h.Set("Proxy-Status", p.names.proxyStatus(ps))
	if rep.status == http.StatusProxyAuthRequired {
		h.Set("Proxy-Authenticate", `Basic realm="`+p.names.pseudonym+`", charset="UTF-8"`)
	}
	answerNow(w, r)
	w.WriteHeader(rep.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(text) // the client is gone if this fails
	}
}

func (p *Proxy) render(r *http.Request, rep report) []byte {
	target := r.URL.Redacted()
	if r.Method == http.MethodConnect || !r.URL.IsAbs() {
		target = ""
	}
	if len(target) > maxShownTarget {
		target = target[:maxShownTarget] + "…"
	}
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, page{
		Title: rep.title, Text: rep.text, Target: target, Proxy: p.names.pseudonym,
		Status: rep.status, Kind: rep.kind, Tried: rep.tried,
	})
	if err != nil {
		p.log.Error("error page not rendered", "err", err)
		return []byte(rep.title)
	}
	return b.Bytes()
}
