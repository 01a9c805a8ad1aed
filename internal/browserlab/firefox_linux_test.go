package browserlab_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"
)

// firefox is one tab of a running one, without windows.
type firefox struct {
	*remote
	t       *testing.T
	context string // the tab
}

// socket has the messages of WebDriver BiDi.
type socket struct {
	*websocket.Conn
	mu sync.Mutex
}

func (s *socket) send(text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.WriteMessage(websocket.TextMessage, text)
}

func (s *socket) receive() ([]byte, error) {
	_, text, err := s.ReadMessage()
	return text, err
}

// quietPrefs have Firefox go to nothing by itself, and to everything else by the proxy.
const quietPrefs = `
user_pref("network.proxy.type", 1);
user_pref("network.proxy.http", "%[1]s"); user_pref("network.proxy.http_port", %[2]s);
user_pref("network.proxy.ssl", "%[1]s"); user_pref("network.proxy.ssl_port", %[2]s);
user_pref("network.trr.mode", 5);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("browser.startup.page", 0);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("browser.newtabpage.enabled", false);
user_pref("browser.contentblocking.report.hide_vpn_banner", true);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("dom.push.connection.enabled", false);
user_pref("dom.security.https_first", false);
user_pref("extensions.getAddons.cache.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("extensions.systemAddon.update.enabled", false);
user_pref("media.gmp-manager.updateEnabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("app.update.enabled", false);
user_pref("app.normandy.enabled", false);
user_pref("services.settings.server", "data:,");
`

// newFirefox starts one with a profile of its own in which the given roots are trusted, and ends it with the test.
func newFirefox(t *testing.T, proxy string, trusts ...*x509.Certificate) *firefox {
	t.Helper()
	program := needs(t, "firefox-esr", "firefox")
	home := newHome(t)
	dir := filepath.Join(home, ".config", "mozilla", "firefox")
	profile := filepath.Join(dir, "test.default")
	if err := os.MkdirAll(profile, 0o700); err != nil {
		t.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(proxy)
	for name, text := range map[string]string{
		filepath.Join(dir, "profiles.ini"): "[Profile0]\nName=test\nIsRelative=1\nPath=test.default\n",
		filepath.Join(profile, "user.js"):  fmt.Sprintf(quietPrefs, host, port),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	install(t, home, trusts)
	cmd := exec.Command(program, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port=0")
	ready := &announcement{address: make(chan string, 1)}
	cmd.Stderr = ready
	run(t, cmd, home)
	f := &firefox{t: t}
	f.connect(ready.address)
	return f
}

// announcement waits in what Firefox writes for where its remote control is.
type announcement struct {
	address chan string
	said    []byte
}

// Write implements io.Writer.
func (a *announcement) Write(p []byte) (int, error) {
	a.said = append(a.said, p...)
	for line := range strings.Lines(string(a.said)) {
		if _, address, ok := strings.Cut(line, "WebDriver BiDi listening on "); ok && strings.HasSuffix(address, "\n") {
			select {
			case a.address <- strings.TrimSpace(address):
			default: // it is known
			}
		}
	}
	a.said = a.said[max(0, len(a.said)-1000):]
	return len(p), nil
}

// connect opens a tab.
func (f *firefox) connect(ready <-chan string) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	var address string
	select {
	case address = <-ready:
	case <-ctx.Done():
		f.t.Fatal("Firefox does not start")
	}
	conn, resp, err := websocket.DefaultDialer.DialContext(ctx, address+"/session", nil)
	if err != nil {
		f.t.Fatalf("%v %v", resp, err)
	}
	f.remote = newRemote(&socket{Conn: conn})
	f.t.Cleanup(func() {
		_ = conn.Close()
		f.done.Wait()
	})
	f.must("session.new", object{"capabilities": object{}}, nil)
	var tab struct{ Context string }
	f.must("browsingContext.create", object{"type": "tab"}, &tab)
	f.context = tab.Context
}

func (f *firefox) try(method string, params, result any) error {
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	return f.call(ctx, "", method, params, result)
}

func (f *firefox) must(method string, params, result any) {
	f.t.Helper()
	if err := f.try(method, params, result); err != nil {
		f.t.Fatal(err)
	}
}

// open goes to a page, and waits until its parts are there.
func (f *firefox) open(url string) {
	f.t.Helper()
	f.must("browsingContext.navigate", object{"context": f.context, "url": url, "wait": "complete"}, nil)
}

// text is what an expression gives in the page, as a text.
func (f *firefox) text(expression string) (string, error) {
	var r struct {
		Result           struct{ Value string }
		ExceptionDetails struct{ Text string }
	}
	err := f.try("script.evaluate", object{
		"expression": "(async () => String(await (" + expression + ")))()", "target": object{"context": f.context}, "awaitPromise": true,
	}, &r)
	if err == nil && r.ExceptionDetails.Text != "" {
		err = fmt.Errorf("%s", r.ExceptionDetails.Text)
	}
	return r.Result.Value, err
}

// want compares what expressions give.
func (f *firefox) want(what map[string]string) {
	f.t.Helper()
	for expression, want := range what {
		if got, err := f.text(expression); got != want || err != nil {
			f.t.Errorf("%s is %q, want %q: %v", expression, got, want, err)
		}
	}
}

// hasLoaded reports whether an event says that the page has loaded, and not just a frame in it.
func (f *firefox) hasLoaded(e event) bool {
	var loaded struct{ Context string }
	return e.Method == "browsingContext.load" && json.Unmarshal(e.Params, &loaded) == nil && loaded.Context == f.context
}

// clickOn clicks into the middle of the first element that a selector finds.
func (f *firefox) clickOn(selector string) {
	f.t.Helper()
	var list struct{ Nodes []struct{ SharedID string } }
	f.must("browsingContext.locateNodes", object{"context": f.context, "locator": object{"type": "css", "value": selector}}, &list)
	if len(list.Nodes) == 0 {
		f.t.Fatalf("no %s", selector)
	}
	at := object{"type": "element", "element": object{"sharedId": list.Nodes[0].SharedID}}
	f.must("input.performActions", object{"context": f.context, "actions": []object{{
		"type": "pointer", "id": "mouse", "actions": []object{
			{"type": "pointerMove", "x": 0, "y": 0, "origin": at}, {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0},
		},
	}}}, nil)
}

// The stories of Chromium in short: a site works as without the proxy; when it is down a liar's copy is shown after a
// question, and does nothing; when it is back all is as before.
func TestFirefox(t *testing.T) {
	const host = "www.example.org"
	w := newWorld(t)
	master := w.master()
	real, forged := w.site(host, realSite()), w.site(host, hostileSite(host))
	liar := w.user(sharing(forged))
	for path := range forged.handler.(replies) {
		liar.read(forged.url(path))
	}
	u := w.user(trusting([]string{"any"}, real, master))
	f := newFirefox(t, u.Addresses().Proxy, u.root)
	f.open(real.url("/login"))
	f.open(real.url("/"))
	before, err := f.text("ready")
	if err != nil || !strings.Contains(before, "seen=") || !strings.Contains(before, "/app/") {
		t.Fatalf("the site has not kept what it should: %q %v", before, err)
	}
	f.want(map[string]string{"performance.getEntriesByType('navigation')[0].nextHopProtocol": "h2", "origin": "https://" + host})
	real.down()

	f.open(real.url("/hostile/page"))
	if text, err := f.text("document.body.innerText"); err != nil || !strings.Contains(text, "A copy without proof") || strings.Contains(text, "Forged") {
		t.Errorf("no page in between: %q %v", text, err)
	}
	f.must("session.subscribe", object{"events": []string{"browsingContext.load"}}, nil)
	from := f.mark()
	f.clickOn("form button")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := f.wait(ctx, from, f.hasLoaded); err != nil {
		t.Fatal(err)
	}
	f.want(map[string]string{
		"document.querySelector('#forged').innerText": "Forged by a liar", "document.documentElement.dataset.ran": "", "origin": "null",
		"document.baseURI": real.url("/hostile/page"), "getComputedStyle(document.querySelector('#forged')).color": "rgb(9, 8, 7)",
	})
	for _, expression := range theft {
		if got, err := f.text(expression); err == nil || !strings.Contains(err.Error(), "insecure") && !strings.Contains(err.Error(), "SecurityError") {
			t.Errorf("%s: %q %v", expression, got, err)
		}
	}
	real.up()
	f.open(real.url("/"))
	f.want(map[string]string{"ready": before, "document.querySelector('#real').innerText": "the real page"})
	if told := successes(master); len(told) > 0 {
		t.Errorf("hostile pages have had success: %v", told)
	}
}
