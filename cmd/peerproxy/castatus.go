package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/peerproxy/peerproxy/ca"
	"github.com/peerproxy/peerproxy/ca/truststore"
)

type caStatusCmd struct{ jsonFlag }

// caStatus is what ca status prints as JSON.
type caStatus struct {
	Authority *certificate  `json:"authority"` // null = none
	Key       string        `json:"key"`       // file
	KeySafe   bool          `json:"keySafe"`
	Problem   string        `json:"problem,omitempty"`
	Stores    []storeStatus `json:"stores"`
	Notes     []string      `json:"notes,omitempty"`
}

type storeStatus struct {
	storeLine
	Trusted bool        `json:"trusted"` // the authority, by this store
	Found   []foundRoot `json:"found,omitempty"`
}

type foundRoot struct {
	certificate
	Trusted bool   `json:"trusted"`
	Which   string `json:"which"` // current, former, other (not of this data directory)
}

// Run is called by kong.
func (c *caStatusCmd) Run(a *app) error { return c.of(a, machine()) }

func (c *caStatusCmd) of(a *app, m truststore.Machine) error {
	status, err := lookAtAuthority(a, m)
	if c.JSON {
		return errors.Join(c.print(a, status), err)
	}
	printStatus(a, status)
	return err
}

// lookAtAuthority returns as much as there is to see, and what is wrong with the authority.
func lookAtAuthority(a *app, m truststore.Machine) (caStatus, error) {
	status := caStatus{Key: filepath.Join(a.common.Data, ca.KeyFile), Stores: []storeStatus{}}
	root, _ := ca.Certificate(a.common.Data) // the error is that of CheckKey, too
	former, _ := ca.Former(a.common.Data)    // unreadable: then they are others
	problem := howToMake(ca.CheckKey(a.common.Data))
	if root != nil {
		d := describe(root)
		status.Authority = &d
	}
	status.KeySafe = problem == nil
	if problem != nil {
		status.Problem = problem.Error()
	}
	stores, notes := m.Find()
	status.Notes = append(notes, truststore.ByHand(runtime.GOOS, filepath.Join(a.common.Data, ca.CertificateFile))...)
	for _, s := range stores {
		status.Stores = append(status.Stores, lookIntoStore(a, s, root, former))
	}
	return status, problem
}

func lookIntoStore(a *app, s truststore.Store, root *x509.Certificate, former []*x509.Certificate) storeStatus {
	status := storeStatus{storeLine: storeLine{Kind: s.Kind, Name: s.Name, Path: s.Path}}
	entries, err := s.List(a.ctx)
	if err != nil {
		status.Problem = err.Error()
	}
	for _, e := range entries {
		found := foundRoot{certificate: describe(e.Certificate), Trusted: e.Trusted, Which: "other"}
		found.Name = plain(found.Name)
		if among(former)(e.Certificate) {
			found.Which = "former"
		}
		if root != nil && root.Equal(e.Certificate) {
			found.Which, status.Trusted = "current", e.Trusted
		}
		status.Found = append(status.Found, found)
	}
	return status
}

func isCurrent(f foundRoot) bool { return f.Which == "current" }

func printStatus(a *app, s caStatus) {
	if root := s.Authority; root != nil {
		a.printf("%s, %s\n", root.Name, leftInWords(root.DaysLeft))
	}
	if s.Authority != nil && s.KeySafe {
		a.printf("key: safe, %s\n", s.Key)
	}
	table := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "TRUSTED\tSTORE\tCERTIFICATE")
	for _, store := range s.Stores {
		where := fmt.Sprintf("%s (%s)", store.Name, tilde(store.Path))
		switch {
		case store.Problem != "":
			_, _ = fmt.Fprintf(table, "?\t%s\t%s\n", where, store.Problem)
		case len(store.Found) == 0, s.Authority != nil && !slices.ContainsFunc(store.Found, isCurrent): // others do not do
			_, _ = fmt.Fprintf(table, "no\t%s\tnot in it\n", where)
		}
		for _, f := range store.Found {
			which := map[string]string{"former": "replaced: ", "other": "of another data directory: "}[f.Which]
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s%s, until %s, %s\n", choose(f.Trusted, "yes", "no"), where,
				which, f.Name, f.NotAfter.Format(time.DateOnly), choose(f.DaysLeft < 0, "expired", leftInWords(f.DaysLeft)))
		}
	}
	_ = table.Flush()
	for _, note := range s.Notes {
		a.printf("%s\n", note)
	}
}
