package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/peerproxy/peerproxy/ca"
)

type caCmd struct {
	Create    caCreateCmd    `cmd:"" help:"Make the certificate authority of this machine."`
	Show      caShowCmd      `cmd:"" help:"Show its certificate."`
	Export    caExportCmd    `cmd:"" help:"Write its certificate, for other programs. The key stays here."`
	Install   caInstallCmd   `cmd:"" help:"Make this user's browsers, or the system, trust it."`
	Uninstall caUninstallCmd `cmd:"" help:"Take it out of every store that it is in. To be done before the data directory is deleted."`
	Status    caStatusCmd    `cmd:"" help:"Say which stores trust it, until when, and whether its key is safe."`
}

const maxCADays = 10950

type caCreateCmd struct {
	jsonFlag
	Only    []string `placeholder:"NAME" help:"Limit it to this DNS name and all below it: browsers refuse its certificates for others. May be repeated."`
	Days    int      `default:"730" placeholder:"N" help:"How long it is valid (730, two years)."`
	Replace bool     `env:"-" help:"Replace the one that is there. Its key is deleted."`
}

// Run is called by kong.
func (c *caCreateCmd) Run(a *app) error {
	if c.Days < 1 || c.Days > maxCADays {
		return usageError{fmt.Errorf("--days must be from 1 to %d", maxCADays)}
	}
	if c.Only != nil && len(c.Only) == 0 {
		return usageError{errors.New("--only: a name is wanted: without one, the authority would be good for any host")}
	}
	before, _ := ca.Certificate(a.common.Data) // there may be none, or one that can't be read
	made, err := ca.Create(a.common.Data, ca.Options{
		Only: c.Only, Lifetime: time.Duration(c.Days) * 24 * time.Hour, Replace: c.Replace,
	})
	switch {
	case errors.Is(err, ca.ErrName):
		return usageError{fmt.Errorf("--only: %w", err)}
	case errors.Is(err, ca.ErrExists):
		return fmt.Errorf("%w; see it by ca show, or replace it by ca create --replace", err)
	case err != nil:
		return err
	}
	if c.JSON {
		return c.print(a, describe(made.Certificate()))
	}
	a.printf("Made a certificate authority in %s.\n\n", a.common.Data)
	printAuthority(a, made.Certificate())
	a.printf("\nIts key never leaves this machine: %s\n", filepath.Join(a.common.Data, ca.KeyFile))
	if before != nil {
		a.printf("The one before, %s, is no longer used; ca install takes it out of the stores that trust it.\n", before.Subject.CommonName)
	}
	a.printf("Next: \"peerproxy ca install\" makes your browsers trust it.\n")
	return nil
}

type caShowCmd struct{ jsonFlag }

// Run is called by kong.
func (c *caShowCmd) Run(a *app) error {
	root, err := authority(a)
	if err != nil {
		return err
	}
	if c.JSON {
		return c.print(a, describe(root))
	}
	printAuthority(a, root)
	return nil
}

type caExportCmd struct {
	Output string `short:"o" placeholder:"FILE" help:"Write to FILE, not to standard output."`
	DER    bool   `name:"der" help:"Write DER, not PEM."`
}

// Run is called by kong.
func (c *caExportCmd) Run(a *app) error {
	root, err := authority(a)
	if err != nil {
		return err
	}
	text := ca.EncodePEM(root)
	if c.DER {
		text = root.Raw
	}
	if c.Output != "" && c.Output != "-" {
		return saveFile(c.Output, bytes.NewReader(text))
	}
	if _, err := a.out.Write(text); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}

// authority is the certificate, or an error that says how to make one.
func authority(a *app) (*x509.Certificate, error) {
	root, err := ca.Certificate(a.common.Data)
	return root, howToMake(err)
}

// howToMake adds what the user can do.
func howToMake(err error) error {
	if errors.Is(err, ca.ErrExpired) {
		return fmt.Errorf("%w; make a new one by ca create --replace", err)
	}
	if errors.Is(err, ca.ErrNone) {
		return fmt.Errorf("%w; make one by ca create", err)
	}
	return err
}

// certificate is what is told about a root.
type certificate struct {
	Name      string    `json:"name"`
	SHA256    string    `json:"sha256"` // of the certificate, as browsers show it
	Serial    string    `json:"serial"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	DaysLeft  int       `json:"daysLeft"`       // negative = has expired
	Only      []string  `json:"only,omitempty"` // empty = any host
}

func describe(root *x509.Certificate) certificate {
	return certificate{
		Name: root.Subject.CommonName, SHA256: colons(sha256.Sum256(root.Raw)), Serial: fmt.Sprintf("%x", root.SerialNumber),
		NotBefore: root.NotBefore, NotAfter: root.NotAfter, DaysLeft: daysLeft(root.NotAfter, time.Now()), Only: root.PermittedDNSDomains,
	}
}

func colons(sum [sha256.Size]byte) string {
	return strings.ReplaceAll(fmt.Sprintf("% X", sum[:]), " ", ":")
}

// daysLeft counts whole days; less than one after the end is -1.
func daysLeft(end, now time.Time) int {
	left := end.Sub(now)
	if left < 0 {
		left -= 24*time.Hour - 1
	}
	return int(left / (24 * time.Hour))
}

func printAuthority(a *app, root *x509.Certificate) {
	d := describe(root)
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		_, _ = fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("name", "%s", d.Name)
	row("valid", "%s to %s, %s", d.NotBefore.Format(time.DateOnly), d.NotAfter.Format(time.DateOnly), leftInWords(d.DaysLeft))
	row("limited to", "%s", cmp.Or(strings.Join(d.Only, ", "), "nothing: good for any host (see ca create --only)"))
	row("sha-256", "%s", d.SHA256)
	row("serial", "%s", d.Serial)
	row("key", "ECDSA P-256")
	_ = table.Flush()
}

func leftInWords(days int) string {
	if days < 0 {
		return "has expired: see ca create --replace"
	}
	if days == 0 {
		return "less than a day left"
	}
	return count(days, "day") + " left"
}
