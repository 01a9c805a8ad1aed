package node

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/peerproxy/peerproxy/ca"
	"github.com/peerproxy/peerproxy/control"
	"github.com/peerproxy/peerproxy/intercept"
)

// Intercept says whether HTTPS is looked into.
type Intercept string

// The zero value counts as InterceptAuto.
const (
	InterceptAuto Intercept = "auto" // if there is a certificate authority in the data directory
	InterceptOff  Intercept = "off"
)

// lookForCA is how often the data directory is looked into for a certificate authority that was
// made, replaced or removed.
const lookForCA = time.Second

// errInterceptOff is why HTTPS is not looked into if the user does not want it.
var errInterceptOff = errors.New("--intercept off")

// checkIntercept finds what is misspelt.
func (c Config) checkIntercept() error {
	if c.Intercept != "" && c.Intercept != InterceptAuto && c.Intercept != InterceptOff {
		return badConfig("intercept %q is none of auto, off", string(c.Intercept))
	}
	_, err := c.bypass()
	return err
}

// bypass reads the user's list of hosts.
func (c Config) bypass() (list []intercept.Pattern, err error) {
	for _, text := range c.Bypass {
		p, err := intercept.ParsePattern(text)
		if err != nil {
			return nil, badConfig("bypass: %w", err)
		}
		list = append(list, p)
	}
	return list, nil
}

// openInterceptor makes what looks into tunnels. It does nothing while there is no certificate authority.
func (n *Node) openInterceptor() error {
	bypass, err := n.cfg.bypass()
	if err != nil || n.cfg.Intercept == InterceptOff {
		return err
	}
	n.authority = &authority{dir: n.cfg.DataDir, now: time.Now}
	n.interceptor = intercept.New(intercept.Config{
		Issue: n.authority.issue, Permits: n.authority.permits, Bypass: bypass, Logger: n.cfg.Logger,
	})
	n.authority.changed = n.interceptor.Renew
	return nil
}

// HTTPS says whether HTTPS is looked into.
func (n *Node) HTTPS() control.HTTPS {
	if n.interceptor == nil {
		return control.HTTPS{Why: errInterceptOff.Error()}
	}
	h := control.HTTPS{Bypassed: len(n.interceptor.Bypassed())}
	root, err := n.authority.get()
	if err == nil {
		err = root.Valid()
	}
	switch {
	case errors.Is(err, ca.ErrNone):
		h.NoCA, h.Why = true, "there is no certificate authority"
	case errors.Is(err, ca.ErrExpired):
		h.Expired, h.Why = true, ca.ErrExpired.Error()
	case err != nil:
		h.Why = err.Error()
	default:
		h.On, h.Until, h.Only = true, root.Certificate().NotAfter, root.Certificate().PermittedDNSDomains
	}
	return h
}

// bypassed lists the hosts that are not looked into.
func (n *Node) bypassed() (list []control.Bypassed) {
	if n.interceptor == nil {
		return nil
	}
	for _, e := range n.interceptor.Bypassed() {
		list = append(list, control.Bypassed{Host: e.Host, Reason: e.Reason, Since: e.Since, Expires: e.Expires})
	}
	return list
}

// unbypass takes a host from those that were found to refuse certificates.
func (n *Node) unbypass(host string) bool {
	return n.interceptor != nil && n.interceptor.Forget(host)
}

// authority is the certificate authority in the data directory, as it is now. Its methods may be called
// by several goroutines.
type authority struct {
	dir     string
	now     func() time.Time
	changed func() // is called when there is another one

	mu     sync.Mutex
	looked time.Time
	file   fs.FileInfo // of the certificate, nil = there is none
	root   *ca.Authority
	err    error // why there is no root
}

func (a *authority) get() (*ca.Authority, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if since := now.Sub(a.looked); !a.looked.IsZero() && since >= 0 && since < lookForCA {
		return a.root, a.err
	}
	first := a.looked.IsZero()
	a.looked = now
	file, _ := os.Stat(filepath.Join(a.dir, ca.CertificateFile)) // Load tells what is wrong
	if !first && a.err == nil && same(file, a.file) {
		return a.root, nil
	}
	before := a.root
	a.file = file
	a.root, a.err = ca.Load(a.dir)
	if before != nil && a.root == nil || before != nil && !before.Certificate().Equal(a.root.Certificate()) {
		a.changed()
	}
	return a.root, a.err
}

func same(a, b fs.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

func (a *authority) issue(name string) (*tls.Certificate, error) {
	root, err := a.get()
	if err != nil {
		return nil, err
	}
	return root.Issue(name)
}

func (a *authority) permits(name string) bool {
	root, err := a.get()
	return err == nil && root.Valid() == nil && root.Permits(name)
}
