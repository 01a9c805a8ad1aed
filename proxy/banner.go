package proxy

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/peerproxy/peerproxy/document"
)

// keepBack answers in place of what is not to be delivered. It returns false, with nothing
// written, if it is.
func (p *Proxy) keepBack(w http.ResponseWriter, r *request, src provenance, d delivery, cs cacheStatus, ps proxyStatus) bool {
	switch d.manner {
	case askedFirst:
		p.ask(w, r, src, cs, ps)
		return true
	case withheld:
		p.log.Debug("copy withheld", "why", d.why, "tier", src.tier, "url", r.url.String())
		p.answer(w, r.in, report{failure: withheldBecause(d.why), cache: cs, refused: d.why, tried: r.tried})
		return true
	case asItIs, sandboxed:
	}
	return false
}

// mayInsert reports whether an exchange is a document that a banner can stand in.
func (p *Proxy) mayInsert(r *request, src provenance) bool {
	status := src.exchange.Status
	return hasContent(status) && status != http.StatusPartialContent && document.CanInsert(src.contentType()) && r.in.Method != http.MethodConnect
}

// writeBannered answers with a document and a banner in it. It is not ok, with nothing written, if
// there is no place for one. If it is, served says whether the body could be read at all.
func (p *Proxy) writeBannered(w http.ResponseWriter, r *request, src provenance, d delivery, body io.Reader, describe func()) (served, ok bool) {
	ex := src.exchange
	if !p.mayInsert(r, src) {
		return false, false
	}
	plain, err := document.Decode(ex.Header["Content-Encoding"], body)
	if err != nil {
		return false, false
	}
	defer plain.Close()
	in := bufio.NewReaderSize(plain, bufferSize)
	if _, err := in.Peek(1); err != nil && !errors.Is(err, io.EOF) { // while there is another way
		return p.brokenOff(err, false), true
	}
	describe()
	h := w.Header()
	fragment, style := p.banner(r, src)
	h["Content-Security-Policy"] = document.AllowStyle(h["Content-Security-Policy"], style)
	if len(h["Content-Security-Policy"]) == 0 {
		delete(h, "Content-Security-Policy")
	}
	deleteAll(h, []string{"Content-Encoding", "Content-Length", "Accept-Ranges", "Repr-Digest", "Content-Digest", "Unencoded-Digest", "Digest", "Content-Md5", "Signature", "Signature-Input"})
	w.WriteHeader(ex.Status)
	page := document.NewInserter(&paced{w, p.deadline(w)}, fragment, inDocument(d.manner), src.contentType())
	notes := p.takeNotes(src, nil)
	defer notes.close()
	_, err = io.Copy(notes.along(page), in)
	if err == nil {
		notes.complete()
	}
	if err = errors.Join(err, page.Close()); err != nil && r.in.Context().Err() == nil {
		p.log.Debug("document broken off", "err", err)
		panic(http.ErrAbortHandler) // the client must notice that this is not all
	}
	return true, true
}

func inDocument(m manner) document.Delivery {
	if m == sandboxed {
		return document.Sandboxed
	}
	return document.Live
}

// banner is what a document says of itself, and its style.
func (p *Proxy) banner(r *request, src provenance) (fragment []byte, style string) {
	b := document.BannerText{
		Host: r.url.Host(), Age: p.cfg.Now().Sub(src.since()), Source: sourceWords(src),
		Tier: src.tier.String(), TierMeaning: proofWords(src) + ".",
	}
	if !src.newer.IsZero() {
		b.Newer = "A newer copy exists, from " + ageWords(p.cfg.Now().Sub(src.newer)) + " ago."
		b.NewerURL = consentPath + "?" + url.Values{"next": {r.url.RequestURI()}}.Encode()
	}
	return document.Banner(b)
}

// paced gives the client some time for each write.
type paced struct {
	io.Writer
	deadline func()
}

// Write implements io.Writer.
func (w *paced) Write(b []byte) (int, error) {
	w.deadline()
	return w.Writer.Write(b)
}

// withheldBecause is the failure that a client is told in place of a copy.
func withheldBecause(why string) failure {
	return failure{502, "destination_unavailable", "A copy is here, but it is not proven well enough", strings.ToUpper(why[:1]) + why[1:] + "."}
}
