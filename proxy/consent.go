package proxy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

const (
	consentTime = time.Hour // how long a user's consent holds, and a page that asks for it
	maxConsents = 1024      // sites
)

// expiring is a bounded table of sites and times. When it is full, the oldest entry gives way.
// It is safe for concurrent use.
type expiring struct {
	now func() time.Time

	mu   sync.Mutex
	till map[string]time.Time
}

func newExpiring(now func() time.Time) *expiring {
	return &expiring{now: now, till: map[string]time.Time{}}
}

// given reports whether there is an entry that still holds.
func (e *expiring) given(name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now().Before(e.till[name])
}

func (e *expiring) give(name string, d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, known := e.till[name]; !known && len(e.till) >= maxConsents {
		e.dropOldestLocked()
	}
	e.till[name] = e.now().Add(d)
}

func (e *expiring) take(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.till, name)
}

func (e *expiring) dropOldestLocked() {
	oldest, when := "", time.Time{}
	for name, till := range e.till {
		if oldest == "" || till.Before(when) {
			oldest, when = name, till
		}
	}
	delete(e.till, oldest)
}

// stylesTime is how long after a page its styles may be asked for: without scripts, that is while it loads.
const stylesTime = time.Minute

// sandboxedPages remembers of which sites pages were shown as copies in a sandbox just now, so that these
// may have their styles. A site of which another page has come from itself since is none of them.
type sandboxedPages struct{ *expiring }

// note is told of every page that is delivered.
func (s sandboxedPages) note(site string, manner manner) {
	if manner == sandboxed {
		s.give(site, stylesTime)
	} else {
		s.take(site)
	}
}

// copies reports whether a request is one of such a page for something of its own site. Sandboxed
// pages are of an opaque origin: their requests are cross-site, even those to their own host (Fetch Metadata,
// section 2.3), and have no Referer (Referrer Policy, section 8.3, step 3), as nearly all others have.
func (s sandboxedPages) copies(r *request) bool {
	if from := r.in.Header.Get("Sec-Fetch-Site"); from != "" && from != "cross-site" {
		return false
	}
	return r.in.Header.Get("Referer") == "" && s.given(r.url.Site())
}

// consentName is what consent is given for: a site, or a site as it is without TLS. Who listens in there can make up
// pages, and with them consent, which must not hold for what is proven to be the site's by TLS.
func consentName(u resource.URL) string {
	if u.Scheme() == "http" {
		return "http://" + u.Site()
	}
	return u.Site()
}

// consented reports whether the user has agreed to see copies of a URL's site that are not proven. With a page over
// TLS he has for the site without, too.
func (p *Proxy) consented(u resource.URL) bool {
	return p.consents.given(u.Site()) || p.consents.given(consentName(u))
}

// consentToken is what a page that asks for consent has in its form, so that no other site can
// give it in the user's name. It is for one name, see consentName, this run of the proxy and at most two hours.
func (p *Proxy) consentToken(name string, when time.Time) string {
	mac := hmac.New(sha256.New, p.secret[:])
	mac.Write([]byte("consent\x00" + name + "\x00"))
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(when.Unix()/int64(consentTime/time.Second))))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:18])
}

func (p *Proxy) validToken(name, token string) bool {
	now := p.cfg.Now()
	for _, when := range []time.Time{now, now.Add(-consentTime)} {
		if hmac.Equal([]byte(token), []byte(p.consentToken(name, when))) {
			return true
		}
	}
	return false
}
