package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/peerproxy/peerproxy/control"
	"github.com/peerproxy/peerproxy/node"
	"github.com/peerproxy/peerproxy/trust"
)

type trustCmd struct {
	Add    trustAddCmd    `cmd:"" help:"Trust a node's key, for all sites or for some."`
	Rm     trustRmCmd     `cmd:"" help:"Forget a key."`
	Revoke trustRevokeCmd `cmd:"" help:"Refuse a key's copies from now on, whoever gives them, also with --trust any."`
	Ls     trustLsCmd     `cmd:"" help:"List the keys of the keyring, and this node's own."`
	Export trustExportCmd `cmd:"" help:"Write the keyring for others: keys, names, scopes and revocations, no notes."`
	Import trustImportCmd `cmd:"" help:"Take over keys and revocations that somebody has exported. Takes no revocation back, changes no scope and no name."`
	Reload trustReloadCmd `cmd:"" help:"Have the running node read the keyring again, after a change by hand."`
}

// changeKeyring edits the keyring and tells the running node of it. report is called between the
// two, when the change is made.
func changeKeyring(a *app, edit func(*trust.Keyring) (*trust.Keyring, error), report func()) error {
	if err := os.MkdirAll(a.common.Data, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := trust.UpdateKeyring(node.KeyringFile(a.common.Data), edit); err != nil {
		return err
	}
	report()
	return tellNode(a)
}

// tellNode has a running node follow a change of the keyring. None is no fault.
func tellNode(a *app) error {
	client, err := control.Dial(a.ctx, a.common.Data)
	if errors.Is(err, control.ErrNotRunning) {
		return nil
	}
	if err != nil {
		return err
	}
	defer client.Close()
	if _, err := client.ReloadTrust(a.ctx); err != nil {
		return fmt.Errorf("the keyring is changed, but the running node does not follow: %w", err)
	}
	a.printf("The running node follows.\n")
	return nil
}

type trustAddCmd struct {
	Key  string   `arg:"" help:"The key, as the other node's serve and status print it."`
	Name string   `required:"" env:"-" placeholder:"NAME" help:"What you call its owner."`
	Site []string `env:"-" placeholder:"SITE" help:"Trust it for this site only: a domain with all its hosts, or one host. May be repeated."`
	Note string   `env:"-" placeholder:"TEXT" help:"A note for yourself. It is not exported."`
}

// Run is called by kong.
func (c *trustAddCmd) Run(a *app) error {
	key, err := trust.ParseKey(c.Key)
	if err != nil {
		return err
	}
	if err := refuseOwn(a, key); err != nil {
		return err
	}
	var added trust.Entry
	return changeKeyring(a, func(r *trust.Keyring) (*trust.Keyring, error) {
		if known, ok := r.Lookup(key); ok && known.IsRevoked() {
			return nil, usageError{fmt.Errorf("%q is revoked; to trust it again, forget that first: trust rm --revoked %s", known.Name, known.Name)}
		}
		r, err := r.With(trust.Entry{Key: key, Name: c.Name, Sites: c.Site, Added: time.Now(), Note: c.Note})
		if err == nil {
			added, _ = r.Lookup(key)
		}
		return r, err
	}, func() { a.printf("trusted: %s, for %s\n", added.Name, trust.ScopeText(added.Sites)) })
}

// refuseOwn is for what makes no sense with the node's own key.
func refuseOwn(a *app, key trust.Key) error {
	own, made, err := node.OwnKey(a.common.Data)
	if err == nil && made && own == key {
		return usageError{errors.New("this is the node's own key, which it always trusts")}
	}
	return err
}

type trustRmCmd struct {
	Who     string `arg:"" name:"name" help:"Name or key."`
	Revoked bool   `env:"-" help:"Forget also that a key is revoked."`
}

// Run is called by kong.
func (c *trustRmCmd) Run(a *app) error {
	var found trust.Entry
	return changeKeyring(a, func(r *trust.Keyring) (_ *trust.Keyring, err error) {
		if found, err = r.Find(c.Who); err != nil {
			return nil, err
		}
		if found.IsRevoked() && !c.Revoked {
			return nil, usageError{fmt.Errorf("%q is revoked: without the entry its copies may be taken again; --revoked does it all the same", found.Name)}
		}
		return r.Without(found.Key), nil
	}, func() { a.printf("forgotten: %s (%s)\n", found.Name, found.Key) })
}

type trustRevokeCmd struct {
	Who  string `arg:"" name:"name" help:"Name or key. A key may be one that is not in the keyring."`
	Name string `env:"-" placeholder:"NAME" help:"What to call a key that is not in the keyring yet."`
}

// Run is called by kong.
func (c *trustRevokeCmd) Run(a *app) error {
	var found trust.Entry
	return changeKeyring(a, func(r *trust.Keyring) (_ *trust.Keyring, err error) {
		if found, err = r.Find(c.Who); err != nil {
			key, bad := trust.ParseKey(c.Who)
			if bad != nil {
				return nil, err
			}
			return c.revokeUnknown(a, r, key, &found)
		}
		return r.Revoke(found.Key, time.Now()), nil
	}, func() { a.printf("revoked: %s (%s)\n", found.Name, found.Key) })
}

func (c *trustRevokeCmd) revokeUnknown(a *app, r *trust.Keyring, key trust.Key, found *trust.Entry) (*trust.Keyring, error) {
	name := c.Name
	if name == "" {
		name = r.FreeName("unknown")
	}
	if err := refuseOwn(a, key); err != nil {
		return nil, err
	}
	now := time.Now()
	*found = trust.Entry{Key: key, Name: name, Added: now, Revoked: now}
	return r.With(*found)
}

type trustLsCmd struct{ jsonFlag }

// trustLine is an entry as JSON.
type trustLine struct {
	Name    string     `json:"name"`
	Key     string     `json:"key"`
	Sites   []string   `json:"sites"` // empty: all
	Added   *time.Time `json:"added,omitempty"`
	Revoked *time.Time `json:"revoked,omitempty"`
	Note    string     `json:"note,omitempty"`
	Own     bool       `json:"own,omitempty"` // this node's key
}

// Run is called by kong.
func (c *trustLsCmd) Run(a *app) error {
	ring, err := trust.LoadKeyring(node.KeyringFile(a.common.Data))
	if err != nil {
		return err
	}
	own, made, err := node.OwnKey(a.common.Data)
	if err != nil {
		return err
	}
	if c.JSON {
		return c.printLines(a, ring, own, made)
	}
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "NAME\tKEY\tSITES\tSINCE\tSTATE\tNOTE")
	if made {
		_, _ = fmt.Fprintf(table, "-\t%s\tall sites\t-\tthis node\t\n", shortKey(own))
	}
	for _, e := range ring.Entries() {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", e.Name, shortKey(e.Key), trust.ScopeText(e.Sites), day(e.Added),
			choose(e.IsRevoked(), "revoked "+day(e.Revoked), "trusted"), e.Note)
	}
	return table.Flush()
}

func (c *trustLsCmd) printLines(a *app, ring *trust.Keyring, own trust.Key, made bool) error {
	if made {
		if err := c.print(a, trustLine{Key: own.String(), Sites: []string{}, Own: true}); err != nil {
			return err
		}
	}
	for _, e := range ring.Entries() {
		line := trustLine{Name: e.Name, Key: e.Key.String(), Sites: append([]string{}, e.Sites...), Note: e.Note}
		if !e.Added.IsZero() {
			line.Added = &e.Added
		}
		if e.IsRevoked() {
			line.Revoked = &e.Revoked
		}
		if err := c.print(a, line); err != nil {
			return err
		}
	}
	return nil
}

// shortKey is enough of a key to tell it from others by eye, not to be typed.
func shortKey(key trust.Key) string { return strings.TrimPrefix(key.String(), "ed25519:")[:16] + "..." }

func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.DateOnly)
}

type trustExportCmd struct {
	File string `arg:"" optional:"" placeholder:"FILE" help:"Where to write. Default: standard output."`
}

// Run is called by kong.
func (c *trustExportCmd) Run(a *app) error {
	ring, err := trust.LoadKeyring(node.KeyringFile(a.common.Data))
	if err != nil {
		return err
	}
	text, err := ring.Export()
	if err != nil {
		return err
	}
	if c.File == "" || c.File == "-" {
		_, err = a.out.Write(text)
		return err
	}
	return saveFile(c.File, strings.NewReader(string(text)))
}

type trustImportCmd struct {
	File   string `arg:"" placeholder:"FILE" help:"What was exported; - is standard input."`
	DryRun bool   `env:"-" help:"Say what would change, and change nothing."`
}

// Run is called by kong.
func (c *trustImportCmd) Run(a *app) error {
	text, err := readInput(c.File, trust.MaxKeyringText)
	if err != nil {
		return err
	}
	theirs, err := trust.ParseKeyring(text)
	if err != nil {
		return usageError{err}
	}
	own, _, err := node.OwnKey(a.common.Data)
	if err != nil {
		return err
	}
	if c.DryRun {
		ring, err := trust.LoadKeyring(node.KeyringFile(a.common.Data))
		if err != nil {
			return err
		}
		_, changes, err := ring.Merge(theirs, own, time.Now())
		printChanges(a, changes, "would be ")
		return err
	}
	var changes []trust.Change
	return changeKeyring(a, func(r *trust.Keyring) (merged *trust.Keyring, err error) {
		merged, changes, err = r.Merge(theirs, own, time.Now())
		return merged, err
	}, func() { printChanges(a, changes, "") })
}

func printChanges(a *app, changes []trust.Change, would string) {
	if len(changes) == 0 {
		a.printf("nothing new\n")
	}
	for _, change := range changes {
		e, word := change.Entry, would+string(change.What)
		switch {
		case change.What == trust.ChangeKept:
			a.printf("kept as it is: %s %s\n", e.Name, change.Why)
			continue
		case change.What == trust.ChangeAdded:
			a.printf("%s: %s, for %s", word, e.Name, trust.ScopeText(e.Sites))
		default:
			a.printf("%s: %s", word, e.Name)
		}
		a.printf(" (%s)%s\n", e.Key, choose(change.Why == "", "", ": "+change.Why))
	}
}

type trustReloadCmd struct{}

// Run is called by kong.
func (c *trustReloadCmd) Run(a *app) error {
	client, err := control.Dial(a.ctx, a.common.Data)
	if err != nil {
		return err
	}
	defer client.Close()
	reloaded, err := client.ReloadTrust(a.ctx)
	if err != nil {
		return err
	}
	a.printf("in force: %s trusted, %d revoked\n", count(reloaded.Trusted, "key"), reloaded.Revoked)
	return nil
}

// readInput reads a file, or standard input for "-", up to a limit and a byte more.
func readInput(file string, limit int64) ([]byte, error) {
	r := io.Reader(os.Stdin)
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, usageError{err}
		}
		defer func() { _ = f.Close() }() // it was only read
		r = f
	}
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return text, nil
}
