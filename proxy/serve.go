package proxy

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/resource"
)

// notModifiedFields are what a 304 repeats of the stored response (RFC 9110 section 15.4.5). The policies are
// among them since a browser puts those of a 304 in the place of all that it has (RFC 9111 section 3.2):
// the one that is added to pages, see fence, must not be the only one then.
var notModifiedFields = []string{"Cache-Control", "Content-Location", "Content-Security-Policy", "Date", "Etag", "Expires", "Last-Modified", "Vary"}

// serveStored answers from the store. It returns false, with nothing written, if the
// stored body can't be read, or has not all that is asked for.
func (p *Proxy) serveStored(w http.ResponseWriter, r *request, st *resource.Stored, cs cacheStatus, ps proxyStatus) bool {
	ex := st.Exchange
	src := provenance{exchange: ex, tier: p.storedTier(r, st), kept: true, stale: cs.isStale(), newer: r.newer}
	src.witnessed, _ = p.witnessedAt(st)
	if src.tier != resource.Origin {
		ps.details = joinWords(ps.details, tierWords(src.tier))
	}
	d := p.delivery(r, src)
	if p.keepBack(w, r, src, d, cs, ps) {
		return true
	}
	if !d.banner && p.precondition(w, r, src, d, "1.1", cs, ps) {
		return true
	}
	l, ok := layOut(rangesFor(r.in, src.tier), ex)
	if !ok {
		return false
	}
	if bareFields(src.tier) && l.contentType != "" {
		l = wholeLayout(ex) // who reads parts obeys the fields in them
	}
	describe := func() {
		p.describe(w.Header(), src.seen(), nil, "1.1", cs, ps)
		p.withoutOldCookies(w.Header(), r, st)
		p.dress(w.Header(), r, src, d)
	}
	if r.in.Method != http.MethodHead && l.length == 0 {
		describe()
		l.writeHeader(w)
		return true
	}
	if r.in.Method == http.MethodHead {
		describe()
		if d.banner = d.banner && p.mayInsert(r, src); d.banner {
			l.length = -1
		}
		l.writeHeader(w)
		return true
	}
	body, err := p.cfg.Store.OpenBody(st)
	if err != nil {
		p.log.Warn("stored response not readable", "err", err)
		return false
	}
	defer body.Close()
	if d.banner {
		if served, ok := p.writeBannered(w, r, src, d, io.NewSectionReader(body, 0, body.Size()), describe); ok {
			return served
		}
	}
	var notes *noteTaker
	if l.status == http.StatusOK {
		notes = p.takeNotes(src, ex.Header["Content-Encoding"])
	}
	defer notes.close()
	return p.write(w, l, body, notes, describe)
}

// withoutOldCookies keeps a stored response from setting a cookie to what it was when the response
// was stored, for a client that has cookies of the site: it might have logged in since. Nor does one
// that was never to be used again as it is: its cookie is somebody else's. What the origin has
// set just now is for this client.
func (p *Proxy) withoutOldCookies(h http.Header, r *request, st *resource.Stored) {
	switch {
	case r.setCookie != nil:
		h["Set-Cookie"] = r.setCookie
	case h["Set-Cookie"] != nil && (r.in.Header["Cookie"] != nil || p.evaluate(r, st).Lifetime == 0):
		delete(h, "Set-Cookie")
	}
}

// precondition answers a request whose preconditions say that it does not need the response,
// or does not want it (RFC 9110 section 13.2.2).
func (p *Proxy) precondition(w http.ResponseWriter, r *request, src provenance, d delivery, proto string, cs cacheStatus, ps proxyStatus) bool {
	ex := src.exchange
	if bareFields(src.tier) { // what the client has is not this copy, whose validators may be made up
		return false
	}
	switch outcome, _ := httpcache.Preconditions(r.in.Header, ex); outcome {
	case httpcache.AnswerNotModified:
		p.describe(w.Header(), ex, notModifiedFields, proto, cs, ps)
		if r.setCookie != nil {
			w.Header()["Set-Cookie"] = r.setCookie
		}
		p.dress(w.Header(), r, src, d)
		w.WriteHeader(http.StatusNotModified)
		return true
	case httpcache.AnswerFailed:
		p.describe(w.Header(), ex, notModifiedFields, proto, cs, ps)
		w.Header()["Content-Length"] = []string{"0"}
		p.dress(w.Header(), r, src, d)
		w.WriteHeader(http.StatusPreconditionFailed)
		return true
	}
	return false
}

// hasContent reports whether responses with the status have content, be it empty
// (RFC 9110 section 6.4.1).
func hasContent(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// describe writes the header of an answer that is made from an exchange: the fields
// given by name (nil = all of it), Age, Via, Cache-Status and Proxy-Status. Lines
// are shared with the exchange, never changed.
func (p *Proxy) describe(h http.Header, ex *resource.Exchange, only []string, proto string, cs cacheStatus, ps proxyStatus) {
	if only == nil {
		for name, lines := range ex.Header {
			h[name] = lines[:len(lines):len(lines)]
		}
		delete(h, "Content-Length")
		if h["Content-Type"] == nil {
			h["Content-Type"] = nil // keeps net/http from guessing one
		}
	}
	for _, name := range only {
		if lines := ex.Header[name]; lines != nil {
			h[name] = lines
		}
	}
	now := p.cfg.Now()
	if h["Date"] == nil { // RFC 9110 section 6.6.1: the recipient adds the time of receipt
		h["Date"] = []string{ex.Received.UTC().Format(http.TimeFormat)}
	}
	if age := httpcache.Age(ex, now); cs.fwd == "" || cs.detail != "" || age >= time.Second {
		h["Age"] = []string{strconv.FormatInt(int64(age/time.Second), 10)}
	}
	p.label(h, ex.Header, proto, cs, ps)
}

// label adds what an intermediary has to say about itself. Earlier ones keep theirs.
func (p *Proxy) label(h, from http.Header, proto string, cs cacheStatus, ps proxyStatus) {
	if proto == "1.1" && ps == (proxyStatus{}) && from["Via"] == nil && from["Proxy-Status"] == nil {
		h["Via"], h["Proxy-Status"] = p.names.viaLines, p.names.plainLines // the hot path
	} else {
		h["Via"] = plus(from["Via"], proto+" "+p.names.pseudonym)
		h["Proxy-Status"] = plus(from["Proxy-Status"], p.names.proxyStatus(ps))
	}
	h["Cache-Status"] = plus(from["Cache-Status"], p.names.cacheStatus(cs))
}

func plus(lines []string, line string) []string {
	return append(lines[:len(lines):len(lines)], line)
}
