package proxy

import (
	"net/http"
	"slices"
	"strings"
)

// sandboxPolicy keeps a document from running anything, from being of its site's origin, and from
// sending what is typed into it (CSP3 section 6.3.2; HTML standard, "sandboxing"). All but the
// first directive says it once more, for what does not know sandbox.
const sandboxPolicy = "sandbox; script-src 'none'; object-src 'none'; worker-src 'none'; connect-src 'none'; form-action 'none'; base-uri 'none'"

// publicPolicy makes a document count as one from the Internet. To a browser everything that comes
// by way of this proxy is from 127.0.0.1, so that pages would have the reach of local ones: into the
// user's machine and network (Private Network Access, section 3.3).
const publicPolicy = "treat-as-public-address"

// provenFields are the response fields that are taken from copies whose fields nobody has proven: those
// that say what the bytes are, and those that only restrict. All others would have a lasting effect on
// the site's origin (Set-Cookie, Strict-Transport-Security, Clear-Site-Data, Alt-Svc, NEL) or make the
// browser fetch or run something (Link, Refresh, SourceMap).
var provenFields = map[string]bool{
	"Content-Type": true, "Content-Encoding": true, "Content-Language": true, "Content-Disposition": true, "Content-Range": true,
	"Content-Length": true, "Accept-Ranges": true, "Date": true, "Age": true, "Last-Modified": true, "Etag": true, "Expires": true,
	"Cache-Control": true, "Vary": true, "Location": true, "Retry-After": true,
	"Access-Control-Allow-Origin": true, "Timing-Allow-Origin": true,
	"Content-Security-Policy": true, "X-Frame-Options": true, "X-Content-Type-Options": true, "Permissions-Policy": true,
	"Cross-Origin-Resource-Policy": true, "Cross-Origin-Opener-Policy": true, "Cross-Origin-Embedder-Policy": true,
	"X-Robots-Tag": true, "Via": true, "Cache-Status": true, "Proxy-Status": true, "Connection": true,
}

// dress makes the fields of an answer fit for how it is delivered.
func (p *Proxy) dress(h http.Header, r *request, src provenance, d delivery) {
	if bareFields(src.tier) {
		for name := range h {
			if !provenFields[name] {
				delete(h, name)
			}
		}
		h["X-Content-Type-Options"] = []string{"nosniff"}
		h["Content-Type"] = []string{src.contentType()}
	}
	if d.manner == sandboxed {
		addPolicy(h, sandboxPolicy)
		h["Referrer-Policy"] = []string{"no-referrer"} // as is the rule for opaque origins, see sandboxedPages
	}
	if bareFields(src.tier) || d.banner {
		// The browser must not keep under the site's name what the site did not send, and for as long as
		// whoever made the copy wants. What one page vouches for would be there for the pages of others, too.
		h["Cache-Control"] = []string{"no-store"}
		deleteAll(h, []string{"Expires", "Etag", "Last-Modified"})
	}
	p.fence(h, r.in, d.to)
	if d.to == toDocument {
		p.shown.note(r.url.Site(), d.manner)
	}
}

// fence keeps pages from the Internet out of the local network, see publicPolicy.
func (p *Proxy) fence(h http.Header, r *http.Request, to destination) {
	switch to {
	case toMedia, toStyle, toData, toProgram:
		return
	case toDocument, toFrame, toScript:
	}
	if dest := r.Header.Get("Sec-Fetch-Dest"); to == toScript && dest != "" && !strings.Contains(dest, "worker") {
		return // part of a page, which has its fence; a worker is by itself
	}
	if p.dialer.Public(r.URL.Hostname()) {
		addPolicy(h, publicPolicy)
	}
}

// addPolicy adds a policy beside those that are there: all of them hold (CSP3 section 2.4).
func addPolicy(h http.Header, policy string) {
	lines := h["Content-Security-Policy"]
	if !slices.Contains(lines, policy) {
		h["Content-Security-Policy"] = plus(lines, policy)
	}
}
