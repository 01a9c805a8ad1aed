package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/ca"
)

// TestBrowsersTrust shows that a real browser opens a page with a certificate of the
// authority once "ca install" has been run, and not before, nor after "ca uninstall"; and
// that it refuses a name that the root is not limited to, even if the key signs for it.
func TestBrowsersTrust(t *testing.T) {
	if _, err := exec.LookPath("certutil"); err != nil {
		t.Skip("certutil is missing (libnss3-tools)")
	}
	if testing.Short() {
		t.Skip("starts browsers")
	}
	browsers := map[string]func(*testing.T, string) *browser{"chromium": newChromium, "firefox": newFirefox}
	for name, start := range browsers {
		t.Run(name, func(t *testing.T) {
			home := newHome(t)
			b := start(t, home)
			data := filepath.Join(home, "data")
			peerproxy(t, "--data", data, "ca", "create", "--only", "site.test")
			authority, err := ca.Load(data)
			if err != nil {
				t.Fatal(err)
			}
			site := newTLSSite(t, authority, stolenKey(t, data))

			// A name for each visit, so that nothing of the one before can be taken for it.
			b.visit(t, site, "before.site.test", refused)
			peerproxy(t, "--data", data, "ca", "install")
			b.visit(t, site, "www.site.test", opened)
			b.visit(t, site, "other.test", refused)
			b.visit(t, site, "127.0.0.1", refused)
			peerproxy(t, "--data", data, "ca", "uninstall")
			b.visit(t, site, "after.site.test", refused)
		})
		t.Run(name+" never started", func(t *testing.T) {
			home := newHome(t)
			b := start(t, home)
			data := filepath.Join(home, "data")
			peerproxy(t, "--data", data, "ca", "create")
			authority, err := ca.Load(data)
			if err != nil {
				t.Fatal(err)
			}
			peerproxy(t, "--data", data, "ca", "install")
			b.visit(t, newTLSSite(t, authority, nil), "site.test", opened)
		})
	}
}

// newHome makes an empty home and sets the environment of this process to it.
func newHome(t *testing.T) string {
	home, err := os.MkdirTemp("", "peerproxy-browser-")
	if err != nil {
		t.Fatal(err)
	}
	// A killed browser's last process may still write: what is left is not the test's failure.
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	return home
}

func peerproxy(t *testing.T, args ...string) {
	t.Helper()
	var out bytes.Buffer
	if code := run(t.Context(), args, &out, &out); code != exitOK {
		t.Fatalf("%v ended with %d\n%s", args, code, &out)
	}
}

// verdict of a browser about a certificate.
type verdict string

const (
	opened  verdict = "opened"  // it asked for the page
	refused verdict = "refused" // it ended the handshake with an alert
)

// tlsSite is a site that notes what the browser makes of its certificate: it sees a request, or
// why there was no connection.
type tlsSite struct {
	authority *ca.Authority
	stolen    *ecdsa.PrivateKey // of the authority
	port      string
	verdicts  chan visitResult
}

type visitResult struct {
	host string
	verdict
	why error
}

func newTLSSite(t *testing.T, authority *ca.Authority, stolen *ecdsa.PrivateKey) *tlsSite {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	site := &tlsSite{authority: authority, stolen: stolen, port: port, verdicts: make(chan visitResult, 1000)}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { site.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return site
}

func (s *tlsSite) serve(raw net.Conn) {
	defer raw.Close()
	_ = raw.SetDeadline(time.Now().Add(20 * time.Second))
	host := ""
	conn := tls.Server(raw, &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		host = cmp.Or(hello.ServerName, "127.0.0.1")
		return s.certificate(host)
	}})
	// With TLS 1.3 the server is done before the client has seen the certificate: its alert is
	// what comes in place of a request.
	request := make([]byte, 4)
	_, err := io.ReadFull(conn, request)
	switch {
	case err == nil && string(request) == "GET ":
		s.verdicts <- visitResult{host: host, verdict: opened}
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: 19\r\n\r\n<p>the page</p>    ")
	case isAlert(err):
		s.verdicts <- visitResult{host: host, verdict: refused, why: err}
	} // else a connection that the browser made in reserve and did not use
	_ = conn.Close()
}

// certificate is what the authority issues, or what a thief of its key would.
func (s *tlsSite) certificate(host string) (*tls.Certificate, error) {
	if s.authority.Permits(host) {
		return s.authority.Issue(host)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, s.authority.Certificate(), key.Public(), s.stolen)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

func stolenKey(t *testing.T, data string) *ecdsa.PrivateKey {
	text, err := os.ReadFile(filepath.Join(data, ca.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*ecdsa.PrivateKey)
}

// isAlert says whether the other side has ended a handshake over the certificate.
func isAlert(err error) bool {
	return err != nil && strings.Contains(err.Error(), "remote error: tls: ") && strings.Contains(err.Error(), "certificate")
}

// browser starts a real browser.
type browser struct {
	command func(ctx context.Context, url string) *exec.Cmd
}

func newChromium(t *testing.T, home string) *browser {
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium on this machine")
	}
	return &browser{command: func(ctx context.Context, url string) *exec.Cmd {
		return exec.CommandContext(ctx, program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
			"--disable-breakpad", "--disable-background-networking", "--disable-component-update", "--no-first-run",
			"--user-data-dir="+filepath.Join(home, "chromium"), "--host-resolver-rules=MAP * 127.0.0.1", "--dump-dom", url)
	}}
}

// newFirefox makes a profile where Firefox would, without its having been started.
func newFirefox(t *testing.T, home string) *browser {
	program, err := exec.LookPath("firefox-esr")
	if err != nil {
		program, err = exec.LookPath("firefox")
	}
	if err != nil {
		t.Skip("no firefox on this machine")
	}
	dir := filepath.Join(home, ".config", "mozilla", "firefox")
	profile := filepath.Join(dir, "test.default")
	if err := os.MkdirAll(profile, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		filepath.Join(dir, "profiles.ini"): "[Profile0]\nName=test\nIsRelative=1\nPath=test.default\n",
		filepath.Join(profile, "user.js"):  firefoxPrefs,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return &browser{command: func(ctx context.Context, url string) *exec.Cmd {
		return exec.CommandContext(ctx, program, "--headless", "--no-remote", "--profile", profile, url)
	}}
}

// firefoxPrefs has every name lead to this machine, and Firefox go to nothing else by itself.
const firefoxPrefs = `
user_pref("network.dns.native-is-localhost", true);
user_pref("network.dns.disableIPv6", true);
user_pref("network.trr.mode", 5);
user_pref("network.proxy.type", 0);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("browser.aboutwelcome.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("app.update.enabled", false);
user_pref("app.normandy.enabled", false);
user_pref("services.settings.server", "data:,");
`

// inGroup has a command killed with all processes that it has started.
func inGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
}

// visit has the browser open a page and waits for what it says about the certificate.
func (b *browser) visit(t *testing.T, site *tlsSite, host string, want verdict) {
	t.Helper()
	for len(site.verdicts) > 0 {
		<-site.verdicts
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cmd := b.command(ctx, fmt.Sprintf("https://%s:%s/", host, site.port))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	inGroup(cmd)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var got visitResult
	for got.host != host && ctx.Err() == nil {
		select {
		case got = <-site.verdicts:
		case <-ctx.Done():
		}
	}
	cancel()
	_ = cmd.Wait() // it was killed
	if got.verdict != want {
		t.Fatalf("the page was %s (%v), want %s\n%s", got.verdict, got.why, want, &out)
	}
	t.Logf("%s: %s %v", host, got.verdict, got.why)
}
