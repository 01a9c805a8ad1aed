package proxy

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/peerproxy/peerproxy/resource"
)

// localPrefix begins the paths that the proxy answers itself on every host, so that its pages
// and the site's are of one origin. They never go out.
const localPrefix = "/.well-known/peerproxy/"

const (
	consentPath   = localPrefix + "consent"
	maxFormLength = 64 << 10
)

// isLocal reports whether a request is for the proxy itself.
func isLocal(u *url.URL) bool { return strings.HasPrefix(u.Path, localPrefix) }

// local answers what is under localPrefix.
func (p *Proxy) local(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != consentPath {
		p.refuse(w, r, errNoLocalPage)
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		p.askForNewer(w, r)
	case http.MethodPost:
		p.takeConsent(w, r)
	default:
		p.refuse(w, r, errLocalMethod)
	}
}

// takeConsent is where the form of the page in between leads.
func (p *Proxy) takeConsent(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormLength)
	u, err := resource.FromURL(r.URL)
	if err != nil || r.ParseForm() != nil || !byUser(r) {
		p.refuse(w, r, errBadConsent)
		return
	}
	name, next := consentName(u), r.PostForm.Get("next")
	if !p.validToken(name, r.PostForm.Get("token")) || !isLocalReference(next) {
		p.refuse(w, r, errBadConsent)
		return
	}
	p.consents.give(name, consentTime)
	h := w.Header()
	h.Set("Location", next)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Length", "0")
	p.label(h, nil, "1.1", cacheStatus{fwd: fwdBypass}, proxyStatus{})
	w.WriteHeader(http.StatusSeeOther) // RFC 9110 section 15.4.4: to be fetched with GET
}

// askForNewer is the page that a banner's "a newer copy exists" leads to.
func (p *Proxy) askForNewer(w http.ResponseWriter, r *http.Request) {
	next := r.URL.Query().Get("next")
	u, err := resource.FromURL(r.URL)
	if dest := r.Header.Get("Sec-Fetch-Dest"); err != nil || !isLocalReference(next) || dest != "" && dest != "document" {
		p.refuse(w, r, errBadConsent)
		return
	}
	p.writeAsk(w, r, askPage{
		Title: "A newer copy, without proof",
		Text:  "A newer copy of this page was offered than the one that was shown, but nobody whom you trust vouches for it.",
		Site:  u.Site(), consent: consentName(u), Next: next,
	}, http.StatusOK, cacheStatus{fwd: fwdBypass}, proxyStatus{})
}

// byUser reports whether a form is sent by the user from a page of the proxy, as far as the browser says (Fetch
// Metadata): no script of the site can send it alone, though it may have got hold of a token.
func byUser(r *http.Request) bool {
	h := r.Header
	return h["Sec-Fetch-Site"] == nil || h.Get("Sec-Fetch-Site") == "same-origin" && h.Get("Sec-Fetch-Mode") == "navigate" &&
		h.Get("Sec-Fetch-Dest") == "document" && h.Get("Sec-Fetch-User") == "?1"
}

// isLocalReference reports whether a reference stays on the host that it is on (RFC 3986
// section 4.2: a path, and not one that names an authority).
func isLocalReference(ref string) bool {
	u, err := url.Parse(ref)
	return err == nil && strings.HasPrefix(ref, "/") && !strings.HasPrefix(ref, "//") && !strings.HasPrefix(ref, `/\`) &&
		u.Scheme == "" && u.Host == "" && u.User == nil && !strings.ContainsAny(ref, "\r\n\t")
}
