package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/peerproxy/peerproxy/ca"
	"github.com/peerproxy/peerproxy/ca/truststore"
)

// machine is where stores are looked for.
func machine() truststore.Machine { return truststore.Machine{Mark: ca.CommonName} }

// storeLine is what became of one store, or what is in it.
type storeLine struct {
	Kind    truststore.Kind `json:"kind"`
	Name    string          `json:"name"`
	Path    string          `json:"path"`
	Done    []string        `json:"done,omitempty"`
	Problem string          `json:"problem,omitempty"`
}

// report prints lines as they come and counts what went wrong.
type report struct {
	a        *app
	json     jsonFlag
	stores   int
	problems int
}

func (r *report) add(s truststore.Store, done []string, err error) {
	line := storeLine{Kind: s.Kind, Name: s.Name, Path: s.Path, Done: done}
	r.stores++
	if err != nil {
		r.problems++
		line.Problem = err.Error()
	}
	if r.json.JSON {
		_ = r.json.print(r.a, line) // a reader that has gone is no failure
		return
	}
	said := strings.Join(done, ", ")
	if err != nil {
		said = strings.TrimPrefix(said+"; failed: "+line.Problem, "; ")
	}
	r.a.printf("%s (%s): %s\n", s.Name, tilde(s.Path), said)
}

func (r *report) note(notes []string) {
	if r.json.JSON {
		return
	}
	for _, note := range notes {
		r.a.printf("%s\n", note)
	}
}

// tilde shortens a path below the user's directory.
func tilde(path string) string {
	if home, err := os.UserHomeDir(); err == nil {
		if rest, ok := strings.CutPrefix(path, home+string(filepath.Separator)); ok {
			return filepath.Join("~", rest)
		}
	}
	return path
}

type systemFlag struct {
	System bool `env:"-" help:"The system's store and no other; as root, with the --data of the user."`
}

type caInstallCmd struct {
	jsonFlag
	systemFlag
}

// Run is called by kong.
func (c *caInstallCmd) Run(a *app) error { return c.into(a, machine()) }

func (c *caInstallCmd) into(a *app, m truststore.Machine) error {
	// With the key: a root whose key others have must not be trusted.
	loaded, err := ca.Load(a.common.Data)
	if err != nil {
		return howToMake(err)
	}
	if err := loaded.Valid(); err != nil {
		return howToMake(err)
	}
	former, err := ca.Former(a.common.Data)
	if err != nil {
		return err
	}
	stores, notes := m.Find()
	stores = slices.DeleteFunc(stores, func(s truststore.Store) bool { return (s.Kind == truststore.System) != c.System })
	r := &report{a: a, json: c.jsonFlag}
	for _, s := range stores {
		done, err := installInto(a, s, loaded.Certificate(), former)
		if errors.Is(err, truststore.ErrNeedsRoot) {
			err = asRoot(a, err, "install")
		}
		r.add(s, done, err)
	}
	return c.conclude(a, r, notes)
}

func (c *caInstallCmd) conclude(a *app, r *report, notes []string) error {
	switch {
	case r.problems > 0:
		return fmt.Errorf("%d of %s failed", r.problems, count(r.stores, "store"))
	case r.stores > 0 && c.System:
		return nil
	case r.stores > 0:
		r.note(notes)
		r.note([]string{
			"Restart browsers that are running. Hosts whose certificates they refused until now are looked into again after an hour, or: peerproxy bypass rm --all",
			"Programs that use the system's certificates: ca install --system"})
		return nil
	}
	r.note(notes)
	byHand := truststore.ByHand(runtime.GOOS, filepath.Join(a.common.Data, ca.CertificateFile))
	r.note(byHand)
	if len(byHand) > 0 {
		return errors.New("on this system, the certificate has to be installed by hand")
	}
	return errors.New("no store found to install it into; the certificate for one that peerproxy does not know: ca export")
}

// asRoot says how a command can do what only root may.
func asRoot(a *app, err error, command string) error {
	dir := a.common.Data
	if absolute, absErr := filepath.Abs(dir); absErr == nil {
		dir = absolute
	}
	return fmt.Errorf("%w: sudo peerproxy --data %s ca %s --system", err, dir, command)
}

// installInto puts the root into a store, and those that it has replaced out of it.
func installInto(a *app, s truststore.Store, root *x509.Certificate, former []*x509.Certificate) ([]string, error) {
	changed, err := s.Add(a.ctx, root)
	if err != nil {
		return nil, err
	}
	done := []string{choose(changed, "trusts it now", "trusts it already")}
	s.Absent = false
	removed, _, err := takeOut(a, s, among(former))
	for _, name := range removed {
		done = append(done, "removed the one before, "+name)
	}
	return done, err
}

func among(certs []*x509.Certificate) func(*x509.Certificate) bool {
	return func(cert *x509.Certificate) bool { return slices.ContainsFunc(certs, cert.Equal) }
}

// takeOut removes the roots that are ours and returns their names, and those of the
// others that peerproxy seems to have made.
func takeOut(a *app, s truststore.Store, ours func(*x509.Certificate) bool) (removed, others []string, err error) {
	entries, err := s.List(a.ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		name := plain(entry.Certificate.Subject.CommonName)
		if !ours(entry.Certificate) {
			others = append(others, name)
			continue
		}
		if err := s.Remove(a.ctx, entry); err != nil {
			return removed, others, err
		}
		removed = append(removed, name)
	}
	return removed, others, nil
}

type caUninstallCmd struct {
	jsonFlag
	systemFlag
	All bool `env:"-" help:"Take out every authority that is named as peerproxy names them, not only those of this data directory."`
}

// Run is called by kong.
func (c *caUninstallCmd) Run(a *app) error { return c.from(a, machine()) }

func (c *caUninstallCmd) from(a *app, m truststore.Machine) error {
	ours, err := c.ours(a)
	if err != nil {
		return err
	}
	stores, _ := m.Find()
	if c.System {
		stores = slices.DeleteFunc(stores, func(s truststore.Store) bool { return s.Kind != truststore.System })
	}
	r := &report{a: a, json: c.jsonFlag}
	for _, s := range stores {
		removed, others, err := takeOut(a, s, ours)
		if errors.Is(err, truststore.ErrNeedsRoot) {
			err = asRoot(a, err, "uninstall")
		}
		var done []string
		for _, name := range removed {
			done = append(done, "removed "+name)
		}
		if len(removed) == 0 && err == nil {
			done = append(done, "had none")
		}
		for _, name := range others {
			done = append(done, "left another one, "+name+" (see --all)")
		}
		r.add(s, done, err)
	}
	if r.problems > 0 {
		return fmt.Errorf("%d of %s failed", r.problems, count(r.stores, "store"))
	}
	r.note(truststore.ByHand(runtime.GOOS, filepath.Join(a.common.Data, ca.CertificateFile)))
	return nil
}

// ours says which roots are to be taken out.
func (c *caUninstallCmd) ours(a *app) (func(*x509.Certificate) bool, error) {
	if c.All {
		return func(*x509.Certificate) bool { return true }, nil // stores list marked ones alone
	}
	known, err := ca.Former(a.common.Data)
	if err != nil {
		return nil, err
	}
	root, err := ca.Certificate(a.common.Data)
	if errors.Is(err, ca.ErrNone) && len(known) == 0 {
		return nil, fmt.Errorf("%w; those of deleted data directories: ca uninstall --all", err)
	}
	if err != nil && !errors.Is(err, ca.ErrNone) {
		return nil, err
	}
	if root != nil {
		known = append(known, root)
	}
	return among(known), nil
}
