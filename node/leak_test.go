package node_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/peerproxy/peerproxy/control"
	"github.com/peerproxy/peerproxy/node"
	"github.com/peerproxy/peerproxy/resource"
)

const bank, mail, diary = "http://www.bank.example", "http://www.mail.example", "http://www.diary.example"

var (
	// sharedURLs are for everybody, and what they are.
	sharedURLs = map[string]string{
		bank + "/style.css": publicStyle, bank + "/logo.png": publicLogo, bank + "/home": publicHome, // before the login
		bank + "/lib.js": publicScript, mail + "/news": publicNews, // with a cookie, and found out to be for everybody
	}
	// privateURLs are all others that the user has been at.
	privateURLs = []string{
		bank + "/login", bank + "/account", bank + "/inbox", bank + "/feed.json", bank + "/vary", bank + "/transfer",
		bank + "/reset?token=" + secretReset, bank + "/s/" + secretLink, bank + "/api/me", bank + "/api/key", bank + "/visit", bank + "/visit-fresh",
		mail + "/login", mail + "/account", mail + "/dashboard", mail + "/avatar.png",
		mail + "/find?email=" + secretUser + "@mail.example&q=" + secretQuery,
		mail + "/known-by-address", mail + "/agent",
		diary + "/login", diary + "/account", diary + "/visit-fresh",
	}
	// recheckedURLs are those that were fetched a second time.
	recheckedURLs = []string{bank + "/inbox", bank + "/feed.json", bank + "/lib.js", mail + "/dashboard", mail + "/avatar.png", mail + "/news"}
)

// A login-protected site that is browsed through a node which shares with everybody leaks nothing: not
// to a peer that asks for every URL, by whatever variant, nor by digests, nor to the DHT. And what is
// for everybody is shared, or this would prove nothing.
func TestLoginProtectedSiteLeaksNothing(t *testing.T) {
	site := &loginSite{anonymous: map[string]int{}}
	origin := httptest.NewServer(site)
	t.Cleanup(origin.Close)
	var resolve []string
	for _, host := range []string{bank, mail, diary} {
		resolve = append(resolve, strings.TrimPrefix(host, "http://")+":80:"+strings.TrimPrefix(origin.URL, "http://"))
	}
	join := hub(t)
	datagrams := newDatagramTap(t, join[0])
	dir := t.TempDir()
	a := start(t, func(c *node.Config) {
		c.DataDir, c.Share, c.Resolve, c.Bootstrap = dir, node.SharePublic, resolve, []string{datagrams.address()}
		c.Metered = node.MeteredNo
	})
	p := newProbe(t, a.Addresses().Peer) // from the start: changes of the digest are seen, too

	b := newVisitor(t, a)
	b.browse()
	eventually(t, "the second fetches", func() bool {
		return !slices.ContainsFunc(recheckedURLs, func(u string) bool { return site.askedAnonymously(strings.TrimPrefix(u, "http://")) == 0 })
	})
	eventually(t, "the announcements", func() bool { return a.Status().Announced == 2 })
	b.visit(http.MethodGet, bank+"/last", "", "Cookie: ")
	eventually(t, "the digest", func() bool {
		return p.listed(blinded(t, bank+"/last")) && p.listed(blinded(t, bank+"/lib.js")) && p.listed(blinded(t, mail+"/news"))
	})

	askForAll(t, p)
	notOffered(t, dir)
	if n := len(datagrams.hashes()); n == 0 || n > 2 {
		t.Errorf("the DHT was told of %d sites, want two at most: the bank and the mail", n)
	}
	wantNoSecret(t, "the peer port", p.seen())
	wantNoSecret(t, "the DHT socket", datagrams.seen())
	for _, host := range []string{"bank.example", "mail.example", "diary.example"} {
		if bytes.Contains(datagrams.seen(), []byte(host)) {
			t.Errorf("the DHT was told the name %s", host)
		}
	}
	if bytes.Contains(p.seen(), []byte("diary.example")) {
		t.Error("the peer was told the name of a site that is all private")
	}
	for u, text := range sharedURLs {
		if !bytes.Contains(p.seen(), []byte(text)) {
			t.Errorf("%s was not given, so that the test sees nothing", u)
		}
	}
	origin.Close()
	wantPublicOnly(t, resolve, join, a.Addresses().Key)
}

// visitor is a browser with cookies, behind a node.
type visitor struct {
	t      *testing.T
	client *http.Client
}

func newVisitor(t *testing.T, n *node.Node) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, n)
	c.Jar = jar
	return &visitor{t, c}
}

// browse is an ordinary day.
func (v *visitor) browse() {
	for _, path := range []string{"/style.css", "/logo.png", "/home"} {
		v.visit(http.MethodGet, bank+path, "", "Referer: "+bank+"/reset?token="+secretReset)
	}
	login := url.Values{"user": {secretUser}, "password": {secretPassword}}.Encode()
	for _, host := range []string{bank, mail, diary} {
		v.visit(http.MethodPost, host+"/login", login, "Content-Type: application/x-www-form-urlencoded")
	}
	v.visit(http.MethodPost, bank+"/transfer", secretPost)
	const noCookie = "Cookie: "
	v.visit(http.MethodGet, bank+"/api/me", "", noCookie, "Authorization: Bearer "+secretKey)
	v.visit(http.MethodGet, bank+"/api/key", "", noCookie, "X-Api-Key: "+secretKey)
	v.visit(http.MethodGet, mail+"/known-by-address", "", noCookie)
	v.visit(http.MethodGet, mail+"/agent", "", noCookie)
	for _, u := range slices.Concat(privateURLs, recheckedURLs) {
		if !strings.HasPrefix(u, bank+"/api/") && !strings.HasSuffix(u, "/login") {
			v.visit(http.MethodGet, u, "")
			v.visit(http.MethodGet, u, "", "Accept-Language: de", "Referer: "+bank+"/s/"+secretLink)
		}
	}
}

// visit makes one request, with what a browser would tell of its user in all of them.
func (v *visitor) visit(method, u, body string, fields ...string) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, u, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("User-Agent", secretAgent)
	c := *v.client
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		if name == "Cookie" { // without
			c.Jar = nil
			continue
		}
		r.Header.Set(name, value)
	}
	resp, err := c.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		v.t.Errorf("%s %s: %s, %v", method, u, resp.Status, err)
	}
}

func parse(t *testing.T, raw string) resource.URL {
	t.Helper()
	u, err := resource.ParseURL(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func blinded(t *testing.T, raw string) resource.BlindedID {
	t.Helper()
	return idOf(t, raw).Blind([]byte(node.PublicSecret))
}

func idOf(t *testing.T, raw string) resource.ID {
	t.Helper()
	return resource.NewID(http.MethodGet, parse(t, raw))
}

// askForAll asks the node for everything in every way. It has to answer for what it keeps to
// itself just as for what it has never seen.
func askForAll(t *testing.T, p *probe) {
	t.Helper()
	never := blinded(t, "http://www.never.example/")
	variants := []http.Header{{}, {"Accept": {"*/*"}}, {"Accept-Language": {"de"}}, {"Accept-Encoding": {"gzip"}}, {"Range": {"bao=0-"}}, {"Cookie": {"session=x"}}}
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for _, fields := range variants {
			wantStatus, wantFields := p.ask(method, never, fields)
			for _, u := range privateURLs {
				status, got := p.ask(method, blinded(t, u), fields)
				if status != wantStatus || fmt.Sprint(got) != fmt.Sprint(wantFields) {
					t.Errorf("%s %s %v: %d %v; of what is not held: %d %v", method, u, fields, status, got, wantStatus, wantFields)
				}
			}
		}
	}
	for _, u := range privateURLs {
		if p.listed(blinded(t, u)) {
			t.Errorf("%s was in a digest", u)
		}
	}
	for u := range sharedURLs {
		if status, _ := p.ask(http.MethodGet, blinded(t, u), http.Header{}); status != http.StatusOK || !p.listed(blinded(t, u)) {
			t.Errorf("%s: status %d, in the digest %v", u, status, p.listed(blinded(t, u)))
		}
	}
}

// notOffered asks the node itself, and so makes sure that something private is stored at all.
func notOffered(t *testing.T, dir string) {
	t.Helper()
	c, err := control.Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stored := 0
	for _, u := range privateURLs {
		s, err := c.WhyShared(t.Context(), u)
		if err != nil {
			t.Fatal(err)
		}
		stored += len(s.Variants)
		if s.Offered {
			t.Errorf("%s is on offer: %+v", u, s.Variants)
		}
	}
	if stored < 8 {
		t.Errorf("only %d private responses are stored: the test sees little", stored)
	}
}

// wantNoSecret looks for each secret in all the forms that it may have been put into.
func wantNoSecret(t *testing.T, where string, traffic []byte) {
	t.Helper()
	if len(traffic) < 1000 {
		t.Errorf("%s: only %d bytes were seen", where, len(traffic))
	}
	lower := bytes.ToLower(traffic)
	for _, secret := range secrets {
		for form, text := range formsOf(secret) {
			if bytes.Contains(lower, bytes.ToLower([]byte(text))) {
				t.Errorf("%s: the secret %q has left the node, %s", where, secret, form)
			}
		}
	}
}

func formsOf(secret string) map[string]string {
	forms := map[string]string{"as it is": secret, "in hexadecimal": hex.EncodeToString([]byte(secret)), "escaped": url.QueryEscape(secret), "escaped in a path": url.PathEscape(secret)}
	var all strings.Builder
	for _, c := range []byte(secret) {
		fmt.Fprintf(&all, "%%%02x", c)
	}
	forms["escaped wholly"] = all.String()
	for offset := range 3 { // wherever it stands in what was encoded
		bits := 8 * offset
		for name, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "base64url": base64.RawURLEncoding} {
			text := encoding.EncodeToString(append(make([]byte, offset), secret...))
			forms[fmt.Sprint("in ", name, ", ", offset)] = text[(bits+5)/6 : (bits+8*len(secret))/6]
		}
	}
	return forms
}

// wantPublicOnly has another node, which trusts the first, fetch everything now that the origin is gone.
func wantPublicOnly(t *testing.T, resolve, join []string, key string) {
	t.Helper()
	b := start(t, func(c *node.Config) { c.Resolve, c.Bootstrap, c.Trust = resolve, join, []string{key} })
	browser := client(t, b)
	for u, text := range sharedURLs {
		if resp, got := get(t, browser, u); resp.StatusCode != http.StatusOK || got != text {
			t.Errorf("another node got %s for %s: %q", resp.Status, u, got)
		}
	}
	for _, u := range privateURLs {
		if resp, got := get(t, browser, u); resp.StatusCode < 500 {
			t.Errorf("another node got %s for %s: %q", resp.Status, u, got)
		} else if strings.Contains(got, secretMessage) {
			t.Errorf("the page in place of %s has a secret in it", u)
		}
	}
}

// datagramTap stands between a node and the only other node of the DHT that it knows, and keeps all that
// the node sends.
type datagramTap struct {
	front, back net.PacketConn
	hub         net.Addr
	wg          sync.WaitGroup

	mu   sync.Mutex
	node net.Addr // that sent last
	sent bytes.Buffer
}

func newDatagramTap(t *testing.T, hub string) *datagramTap {
	tap := &datagramTap{}
	for _, conn := range []*net.PacketConn{&tap.front, &tap.back} {
		var err error
		if *conn, err = net.ListenPacket("udp4", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if tap.hub, err = net.ResolveUDPAddr("udp4", hub); err != nil {
		t.Fatal(err)
	}
	tap.wg.Go(func() {
		tap.copy(tap.front, func(b []byte, from net.Addr) {
			tap.mu.Lock()
			defer tap.mu.Unlock()
			tap.node = from
			tap.sent.Write(append(b, '\n'))
			_, _ = tap.back.WriteTo(b, tap.hub)
		})
	})
	tap.wg.Go(func() {
		tap.copy(tap.back, func(b []byte, _ net.Addr) {
			tap.mu.Lock()
			defer tap.mu.Unlock()
			_, _ = tap.front.WriteTo(b, tap.node)
		})
	})
	t.Cleanup(func() {
		_, _ = tap.front.Close(), tap.back.Close()
		tap.wg.Wait()
	})
	return tap
}

func (tap *datagramTap) copy(from net.PacketConn, take func([]byte, net.Addr)) {
	buffer := make([]byte, 64<<10)
	for {
		n, address, err := from.ReadFrom(buffer)
		if err != nil {
			return
		}
		take(slices.Clone(buffer[:n]), address)
	}
}

func (tap *datagramTap) address() string { return tap.front.LocalAddr().String() }

func (tap *datagramTap) seen() []byte {
	tap.mu.Lock()
	defer tap.mu.Unlock()
	return bytes.Clone(tap.sent.Bytes())
}

// hashes are the infohashes that were asked for or announced (BEP 5).
func (tap *datagramTap) hashes() map[string]bool {
	found := map[string]bool{}
	for _, part := range bytes.Split(tap.seen(), []byte("9:info_hash20:"))[1:] {
		if len(part) >= 20 {
			found[string(part[:20])] = true
		}
	}
	return found
}
