package proxy

import (
	"bytes"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// askTemplate is the page in between: it stands where a copy would that nobody vouches for.
var askTemplate = template.Must(template.New("ask").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{.Title}}</title>
<style>` + pageStyle + `
button{font:inherit;padding:.5em 1em;border:1px solid #888;border-radius:.4em;background:#eee;color:#222;cursor:pointer}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2em 1em;margin:1em 0}dt{color:#666}dd{margin:0;overflow-wrap:anywhere}
@media(prefers-color-scheme:dark){button{background:#333;color:#eee}dt{color:#999}}</style>
<h1>{{.Title}}</h1>
<p>{{.Text}}</p>
<dl>
<dt>Site</dt><dd>{{.Site}}</dd>
{{with .Age}}<dt>Age</dt><dd>{{.}}</dd>
{{end}}{{with .Source}}<dt>Source</dt><dd>{{.}}</dd>
{{end}}{{with .Proof}}<dt>Proof</dt><dd>{{.}}</dd>
{{end}}</dl>
{{with .Tried}}<h2>What was tried</h2>
<ul>{{range .}}
<li>{{.}}</li>{{end}}
</ul>
{{end}}<h2>What you can do</h2>
<p>You can look at the copy all the same. Whoever made it may have changed it, so take nothing in it for granted, and type nothing into it.
It is shown like a picture of a page: its scripts do not run, and it can read neither cookies nor anything else that {{.Site}} has kept in your browser.</p>
<form method="post" action="` + consentPath + `">
<input type="hidden" name="token" value="{{.Token}}">
<input type="hidden" name="next" value="{{.Next}}">
<button>Show copies of {{.Site}} for an hour</button>
</form>
<p><a href="{{.Next}}">Try the site again</a></p>
<p><small>Written by the proxy {{.Proxy}}, not by the site. Status {{.Status}}.</small></p>
</html>
`))

// askPolicy is pagePolicy with a form that leads back to the proxy.
const askPolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; " + publicPolicy

type askPage struct {
	consent string // its name, see consentName

	Title, Text, Site, Age, Source, Proof, Token, Next, Proxy string
	Status                                                    int
	Tried                                                     []string
}

// ask answers with the page in between.
func (p *Proxy) ask(w http.ResponseWriter, r *request, src provenance, cs cacheStatus, ps proxyStatus) {
	ps.details = joinWords(ps.details, "the user is asked first")
	text := "The site could not be reached as it should. A peer has a copy of this page, but nobody whom you trust vouches for it."
	if destinationOf(r.in, contentTypeOf(src.exchange.Header)) == toDocument && byMediaType(contentTypeOf(src.exchange.Header)) == toProgram {
		text = "The site could not be reached as it should. A peer has a copy of this file, but nobody whom you trust vouches for it. Do not open or run it unless you can check it in another way."
	}
	p.writeAsk(w, r.in, askPage{
		consent: consentName(r.url), Title: "A copy without proof", Text: text, Site: r.url.Site(), Next: r.url.RequestURI(),
		Age: ageWords(p.cfg.Now().Sub(src.since())) + ", by its own word", Source: sourceWords(src), Proof: proofWords(src), Tried: r.tried,
	}, http.StatusBadGateway, cs, ps)
}

func (p *Proxy) writeAsk(w http.ResponseWriter, r *http.Request, page askPage, status int, cs cacheStatus, ps proxyStatus) {
	page.Token, page.Proxy, page.Status = p.consentToken(page.consent, p.cfg.Now()), p.names.pseudonym, status
	var b bytes.Buffer
	if err := askTemplate.Execute(&b, page); err != nil {
		p.log.Error("page not rendered", "err", err)
		p.refuse(w, r, errBadConsent)
		return
	}
	h := w.Header()
	clear(h)
	closeForOld(h, r)
	ownPage(h, askPolicy, b.Len())
	h.Set("Cache-Status", p.names.cacheStatus(cs))
	h.Set("Proxy-Status", p.names.proxyStatus(ps))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b.Bytes()) // the client is gone if this fails
	}
}

// ownPage sets the fields of a page that the proxy itself writes.
func ownPage(h http.Header, policy string, length int) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(length))
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
}

// sourceWords says for people where an answer comes from.
func sourceWords(src provenance) string {
	switch {
	case src.tier == resource.Origin:
		return "a copy kept by this proxy"
	case src.kept:
		return "a peer's copy that this proxy has kept"
	}
	return "a peer's copy"
}

// proofWords says for people how far an answer is proven.
func proofWords(src provenance) string {
	switch src.tier {
	case resource.Origin:
		return "fetched from the site by this proxy"
	case resource.Content:
		return "the site itself vouches for it, by a hash or a signature"
	case resource.Signer:
		return "signed by somebody whom you trust"
	case resource.Witnessed:
		if src.witnesses > 0 {
			return strconv.Itoa(src.witnesses) + " independent peers got the same from the site"
		}
		return "several independent peers got the same from the site"
	}
	return "nobody vouches for it: whoever sent it may have made it up"
}

// ageWords is a duration in the unit that people would use.
func ageWords(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{365 * 24 * time.Hour, "year"}, {30 * 24 * time.Hour, "month"}, {24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if n := int64(d / unit.length); n == 1 {
			return "1 " + unit.name
		} else if n > 1 {
			return strconv.FormatInt(n, 10) + " " + unit.name + "s"
		}
	}
	return "less than a minute"
}

func joinWords(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}
