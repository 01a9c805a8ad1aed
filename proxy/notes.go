package proxy

import (
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/peerproxy/peerproxy/document"
	"github.com/peerproxy/peerproxy/integrity"
	"github.com/peerproxy/peerproxy/resource"
)

// noteTaker reads along while a proven document is delivered, and notes what it demands of the bytes
// of its parts. What is encoded it decodes in a goroutine of its own, which Close waits for.
type noteTaker struct {
	io.Writer
	pipe  *io.PipeWriter // nil: the document is written to the scanner itself
	done  sync.WaitGroup
	whole bool
	read  func() // remembers that the document has been read
}

// notesTime is how long a document need not be read again.
const notesTime = time.Hour

// takeNotes begins to read along, or returns nil if there is nothing to note: nobody would be asked for
// the parts, or the document is nobody's word or no document. Codings are those that it is read in.
func (p *Proxy) takeNotes(src provenance, codings []string) *noteTaker {
	ex := src.exchange
	if p.cfg.Peers == nil || src.tier < resource.Signer || ex.Status != http.StatusOK || !document.CanInsert(contentTypeOf(ex.Header)) {
		return nil
	}
	base, err := url.Parse(ex.URL.String())
	if err != nil {
		return nil
	}
	name := ex.URL.String() + " " + ex.Body.Root.String()
	if ex.Body.Length > 0 && p.readAlong.given(name) {
		return nil
	}
	read := func() { p.readAlong.give(name, notesTime) }
	origin := originName(ex.URL)
	scanner := document.NewScanner(base, func(d document.Demand) { p.note(origin, d) })
	if codings == nil {
		return &noteTaker{Writer: scanner, read: read}
	}
	out, in := io.Pipe()
	n := &noteTaker{Writer: in, pipe: in, read: read}
	n.done.Go(func() {
		plain, err := document.Decode(codings, out)
		if err == nil {
			_, _ = io.Copy(scanner, io.LimitReader(plain, maxUnpacked)) // what can't be decoded says nothing
			_ = plain.Close()
		}
		_, _ = io.Copy(io.Discard, out) // nobody waits for notes
	})
	return n
}

// note is called for each demand of a document of an origin.
func (p *Proxy) note(origin string, d document.Demand) {
	u, err := resource.ParseURL(d.URL)
	if err != nil {
		return
	}
	p.demands.notes.Add(noteKey(origin, resource.NewID(http.MethodGet, u)), integrity.Parse(d.Integrity))
}

// take reads what was delivered. A nil noteTaker takes nothing.
func (n *noteTaker) take(b []byte) {
	if n != nil {
		_, _ = n.Write(b) // never fails: see takeNotes
	}
}

// complete says that all of the document has been taken.
func (n *noteTaker) complete() {
	if n != nil {
		n.whole = true
	}
}

// close ends the reading along.
func (n *noteTaker) close() {
	if n == nil {
		return
	}
	if n.pipe != nil {
		_ = n.pipe.Close() // never fails
		n.done.Wait()
	}
	if n.whole {
		n.read()
	}
}

// along returns a writer that writes to both.
func (n *noteTaker) along(w io.Writer) io.Writer {
	if n == nil {
		return w
	}
	return io.MultiWriter(w, n)
}
