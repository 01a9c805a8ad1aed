package browserlab_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/ca"
	"github.com/peerproxy/peerproxy/ca/truststore"
)

// patience is how long anything in a browser may take: machines are slow at times.
const patience = 45 * time.Second

// chromium is a running one, without windows.
type chromium struct {
	*remote
	t *testing.T
}

// pipe has the messages of --remote-debugging-pipe: JSON texts that end with NUL.
type pipe struct {
	in  *bufio.Reader
	out io.Writer
}

func (p *pipe) send(text []byte) error {
	_, err := p.out.Write(append(text, 0))
	return err
}

func (p *pipe) receive() ([]byte, error) {
	text, err := p.in.ReadBytes(0)
	return bytes.TrimSuffix(text, []byte{0}), err
}

// quiet are the flags by which Chromium goes to nothing by itself. Names that do not go to the proxy
// are not found.
var quiet = []string{
	"--headless", "--disable-gpu", "--disable-dev-shm-usage", "--disable-breakpad", "--disable-background-networking",
	"--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions", "--metrics-recording-only",
	"--no-first-run", "--no-default-browser-check", "--no-pings", "--disable-domain-reliability", "--disable-client-side-phishing-detection",
	"--disable-features=OptimizationHints,MediaRouter,Translate,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable",
	"--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--hide-scrollbars", "--remote-debugging-pipe",
}

// newChromium starts one with a home of its own, in which the given roots are trusted, and ends it with the test.
func newChromium(t *testing.T, proxy string, trusts ...*x509.Certificate) *chromium {
	t.Helper()
	program := needs(t, "chromium")
	home := newHome(t)
	install(t, home, trusts)
	args := append([]string{"--user-data-dir=" + filepath.Join(home, "chromium"), "--proxy-server=http://" + proxy}, quiet...)
	if os.Geteuid() == 0 {
		args = append(args, "--no-sandbox") // it refuses root otherwise
	}
	cmd := exec.Command(program, append(args, "about:blank")...)
	toBrowser, out := pipeTo(t)
	in, fromBrowser := pipeTo(t)
	cmd.ExtraFiles = []*os.File{toBrowser, fromBrowser} // 3 and 4 to it
	run(t, cmd, home)
	_, _ = toBrowser.Close(), fromBrowser.Close()
	b := &chromium{newRemote(&pipe{bufio.NewReader(in), out}), t}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = b.call(ctx, "", "Browser.close", nil, nil) // it is killed anyhow
		_ = out.Close()
		b.done.Wait()
	})
	return b
}

// needs skips the test where a program is missing.
func needs(t *testing.T, programs ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	if _, err := exec.LookPath("certutil"); err != nil {
		t.Skip("certutil is missing (libnss3-tools)")
	}
	for _, program := range programs {
		if path, err := exec.LookPath(program); err == nil {
			return path
		}
	}
	t.Skipf("no %s on this machine", programs[0])
	return ""
}

func newHome(t *testing.T) string {
	home, err := os.MkdirTemp("", "browserlab-")
	if err != nil {
		t.Fatal(err)
	}
	// A killed browser's last process may still write: what is left is not the test's failure.
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	return home
}

// install puts roots into the stores in a home, as "peerproxy ca install" does.
func install(t *testing.T, home string, roots []*x509.Certificate) {
	t.Helper()
	for _, variable := range []string{"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"} {
		t.Setenv(variable, "") // the user's own are left alone
	}
	stores, _ := truststore.Machine{Mark: ca.CommonName, Home: home}.Find()
	for _, store := range stores {
		if !strings.HasPrefix(store.Path, home) {
			continue // the system's
		}
		for _, root := range roots {
			if _, err := store.Add(t.Context(), root); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func pipeTo(t *testing.T) (r, w *os.File) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return r, w
}

// run starts a browser in a group of its own, and kills the group when the test ends.
func run(t *testing.T, cmd *exec.Cmd, home string) {
	t.Helper()
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "XDG_") && !strings.HasPrefix(setting, "DBUS_") {
			cmd.Env = append(cmd.Env, setting)
		}
	}
	cmd.Env = append(cmd.Env, "HOME="+home, "TZ=UTC")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Error(err)
		}
		_ = cmd.Wait() // it was killed
	})
}
