package proxy

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/integrity"
	"github.com/peerproxy/peerproxy/resource"
)

const rightScript = "console.log('right')"

func sriOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

// library is a proxy whose origin has one page, which demands hashes of its parts, and is gone
// for the parts. Those are what strangers give.
type library struct {
	proxy *Proxy
	parts map[string]*resource.Copy // by path
}

func newLibrary(t *testing.T, page, coding string) *library {
	l := &library{parts: map[string]*resource.Copy{}}
	origin := transportFunc(func(r *http.Request) (*http.Response, error) {
		if r.URL.Path != "/page" {
			return nil, syscall.ECONNREFUSED
		}
		h := http.Header{"Content-Type": {"text/html"}, "Cache-Control": {"max-age=60"}}
		if coding != "" {
			h.Set("Content-Encoding", coding)
		}
		return &http.Response{
			StatusCode: 200, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h,
			ContentLength: int64(len(page)), Body: io.NopCloser(strings.NewReader(page)), Request: r,
		}, nil
	})
	l.proxy = newProxy(t, Config{Store: newMemStore(), Transport: origin, Peers: fakePeers(l.fetch), Dialer: &Dialer{}})
	return l
}

func (l *library) fetch(_ context.Context, q resource.Query) (*resource.Copy, error) {
	if c, ok := l.parts[q.URL.RequestURI()]; ok {
		return c, nil
	}
	return nil, errNoPeer
}

func (l *library) have(path, media, text string, tier resource.Tier) *resource.Copy {
	c := copyOf("https://example.com"+path, text, http.Header{"Content-Type": {media}, "Cache-Control": {"max-age=9999999"}}, l.proxy.cfg.Now())
	c.Tier = tier
	l.parts[path] = c
	return c
}

func (l *library) get(path string, fields ...string) answered {
	return l.getFrom("https://example.com"+path, fields...)
}

func (l *library) getFrom(u string, fields ...string) answered {
	r := httptest.NewRequest("GET", u, nil)
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	l.proxy.ServeHTTP(w, r)
	settle(l.proxy)
	return answered{w.Result(), w.Body.String()}
}

// A hash in a page that is proven vouches for a script of a stranger, and for no other.
func TestContentTier(t *testing.T) {
	page := `<!doctype html><script src="/a.js" integrity="` + sriOf(rightScript) + `"></script><link rel=stylesheet href=b.css integrity=` + sriOf("p{}") + `>`
	for coding, page := range map[string]string{"": page, "gzip": gzipped(page)} {
		l := newLibrary(t, page, coding)
		asScript := "Sec-Fetch-Dest: script"
		l.have("/a.js", "text/javascript", rightScript, resource.Unproven)
		l.get("/a.js", asScript).want(t, 502, "*") // nobody has vouched for it yet
		for range 2 {
			l.get("/page", "Sec-Fetch-Dest: document").want(t, 200, page)
		}
		_ = l.proxy.cfg.Store.Delete(t.Context(), resource.NewID("GET", l.parts["/a.js"].Exchange.URL))
		l.have("/a.js", "text/javascript", rightScript, resource.Unproven)
		for range 2 {
			a := l.get("/a.js", asScript)
			a.want(t, 200, rightScript, "proxy:details")
			if details, _ := a.proxyStatus().Params.Get("details"); !strings.Contains(details.(string), "content") {
				t.Errorf("details %q", details)
			}
		}
		l.have("/b.css", "text/css", "p{}", resource.Unproven)
		l.get("/b.css", "Sec-Fetch-Dest: style").want(t, 200, "p{}")
	}
}

// Any page can name a hash for any URL: for another site's pages that is no proof.
func TestContentTierOfOtherSites(t *testing.T) {
	evil := "alert('evil')"
	l := newLibrary(t, `<script src="https://example.com/a.js" crossorigin integrity="`+sriOf(evil)+`"></script>`, "")
	l.getFrom("https://evil.example/page", "Sec-Fetch-Dest: document").want(t, 200, "*")
	asScript := "Sec-Fetch-Dest: script"
	for range 2 { // from the peer and from the store
		l.have("/a.js", "text/javascript", evil, resource.Unproven)
		l.get("/a.js", asScript, "Referer: https://example.com/").want(t, 502, "*")
		l.get("/a.js", asScript).want(t, 502, "*")
		l.get("/a.js", asScript, "Origin: https://evil.example.org").want(t, 502, "*")
		l.get("/a.js", asScript, "Referer: https://evil.example/page").want(t, 200, evil) // its own page may have it
		l.get("/a.js", asScript, "Origin: https://evil.example").want(t, 200, evil)
	}
	for _, st := range l.proxy.cfg.Store.(*memStore).all() {
		if st.Exchange.URL.Host() == "example.com" && st.Tier != resource.Unproven {
			t.Errorf("stored as %v", st.Tier)
		}
	}
	// After its own site has spoken, another site's word neither helps nor harms.
	l = newLibrary(t, `<script src="https://example.com/a.js" integrity="`+sriOf(rightScript)+`"></script>`, "")
	l.get("/page", "Sec-Fetch-Dest: document").want(t, 200, "*")
	l.have("/a.js", "text/javascript", rightScript, resource.Unproven)
	l.get("/a.js", asScript, "Referer: https://other.example/").want(t, 200, rightScript)
}

// What does not fit is refused, with the reason; what a friend has signed is not for that.
func TestContentTierRefuses(t *testing.T) {
	page := `<script src="/a.js" integrity="` + sriOf(rightScript) + `"></script>`
	for name, c := range map[string]struct {
		media, text, coding string
		tier                resource.Tier
		status              int
	}{
		"other bytes":                     {"text/javascript", "alert(1)", "", resource.Unproven, 502},
		"other bytes, witnessed":          {"text/javascript", "alert(1)", "", resource.Witnessed, 502},
		"other bytes, by a friend":        {"text/javascript", "alert(1)", "", resource.Signer, 200},
		"right bytes as a page":           {"text/html", rightScript, "", resource.Unproven, 502},
		"right bytes, compressed":         {"text/javascript", gzipped(rightScript), "gzip", resource.Unproven, 200},
		"right bytes, coding made up":     {"text/javascript", rightScript, "gzip", resource.Unproven, 502},
		"a coding that nobody knows":      {"text/javascript", rightScript, "x-new", resource.Unproven, 502},
		"more than is unpacked in memory": {"text/javascript", gzipped(strings.Repeat("a", maxUnpacked+2)), "gzip", resource.Unproven, 502},
	} {
		l := newLibrary(t, page, "")
		l.get("/page", "Sec-Fetch-Dest: document")
		part := l.have("/a.js", c.media, c.text, c.tier)
		if c.coding != "" {
			part.Exchange.Header.Set("Content-Encoding", c.coding)
		}
		a := l.get("/a.js", "Sec-Fetch-Dest: script")
		if a.StatusCode != c.status {
			t.Errorf("%s: %d %.100q", name, a.StatusCode, a.text)
		}
		if details, _ := a.proxyStatus().Params.Get("details"); name == "other bytes" && !strings.Contains(details.(string), "not the bytes that the page or the site demands") {
			t.Errorf("%s: details %q", name, details)
		}
	}
}

// Only documents that are proven themselves vouch for anything.
func TestNotesOfUnprovenPages(t *testing.T) {
	l := newLibrary(t, "", "")
	page := `<script src="/a.js" integrity="` + sriOf(rightScript) + `"></script>`
	for tier, noted := range map[resource.Tier]bool{resource.Unproven: false, resource.Witnessed: false, resource.Signer: true} {
		path := "/" + tier.String()
		l.have(path, "text/html", strings.ReplaceAll(page, "a.js", tier.String()+".js"), tier)
		l.proxy.consents.give("example.com", consentTime)
		l.get(path, "Sec-Fetch-Dest: document").want(t, 200, "*")
		u, _ := resource.ParseURL("https://example.com/" + tier.String() + ".js")
		if got := l.proxy.demands.notes.Get(noteKey("https://example.com", resource.NewID("GET", u))) != nil; got != noted {
			t.Errorf("%v: noted: %t", tier, got)
		}
	}
}

// The bytes of a body are held to what the fetcher verified: one that breaks off proves nothing.
func TestHoldBody(t *testing.T) {
	for text, whole := range map[string]bool{"abc": true, "ab": false, "abcd": false} {
		b, err := holdBody(io.NopCloser(strings.NewReader(text)), 3)
		if (err == nil) != whole {
			t.Errorf("%q: %v", text, err)
		}
		if whole && string(b.bytes) != text {
			t.Errorf("%q", b.bytes)
		}
	}
	if meets(&resource.Exchange{}, strings.NewReader("x"), []integrity.Metadata{integrity.Parse("")}) {
		t.Error("a demand without hash is met")
	}
}

// endlessBody is of a peer that never sends the rest.
type endlessBody struct {
	closed chan struct{}
	once   sync.Once
}

func (b *endlessBody) Read([]byte) (int, error) {
	<-b.closed
	return 0, net.ErrClosed
}

func (b *endlessBody) Close() error {
	b.once.Do(func() { close(b.closed) })
	return nil
}

// Peers that do not send what is to be checked stop nobody for longer than a fetch may last, and nothing of
// what is held for checks is left behind.
func TestSlowCopiesToBeChecked(t *testing.T) {
	bubble(func(t *testing.T) {
		var page strings.Builder
		for i := range 12 {
			fmt.Fprintf(&page, `<script src="/%d.js" integrity="%s"></script>`, i, sriOf(rightScript))
		}
		l := newLibrary(t, page.String(), "")
		l.get("/page", "Sec-Fetch-Dest: document")
		for i := range 11 {
			c := l.have(fmt.Sprintf("/%d.js", i), "text/javascript", rightScript, resource.Unproven)
			c.Exchange.Body.Length = maxChecked
			c.Body = &endlessBody{closed: make(chan struct{})}
		}
		l.have("/11.js", "text/javascript", rightScript, resource.Unproven)
		var all sync.WaitGroup
		for i := range 11 {
			path := fmt.Sprintf("/%d.js", i)
			all.Go(func() {
				r := httptest.NewRequest("GET", "https://example.com"+path, nil)
				r.Header.Set("Sec-Fetch-Dest", "script")
				w := httptest.NewRecorder()
				began := time.Now()
				l.proxy.ServeHTTP(w, r)
				if took := time.Since(began); w.Code < 500 || took > l.proxy.cfg.Budget+time.Second {
					t.Errorf("%s: %d after %v", path, w.Code, took)
				}
			})
		}
		all.Wait()
		settle(l.proxy)
		l.get("/11.js", "Sec-Fetch-Dest: script").want(t, 200, rightScript)
		if !l.proxy.demands.memory.TryAcquire(maxHeldAll) {
			t.Error("memory is still held")
		}
	})(t)
}
