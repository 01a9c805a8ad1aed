package truststore

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// Errors of this package. They come wrapped.
var (
	// ErrNoCertutil: NSS databases can't be looked into.
	ErrNoCertutil = errors.New("certutil is missing: install libnss3-tools (Debian, Ubuntu), nss-tools (Fedora), mozilla-nss-tools (openSUSE) or nss (Arch)")
	// ErrPassword: the store is locked by a password.
	ErrPassword = errors.New("the store has a password (Firefox: primary password), so that the certificate has to be imported by hand, in the browser's settings")
	// ErrNeedsRoot: only root may change the store.
	ErrNeedsRoot = errors.New("only root may change it")
)

// Kind of a [Store].
type Kind string

// Kinds of stores.
const (
	NSS     Kind = "nss"     // Chromium and its like
	Firefox Kind = "firefox" // one profile of Firefox
	System  Kind = "system"  // programs that use the system's certificates
)

// Store is one place. Its methods run commands; they are not meant to be called at once
// for the same store.
type Store struct {
	Kind Kind
	// Name is for people.
	Name string
	// Path of the directory.
	Path string
	// Absent: the place is where a browser will look, but has never been used. Add makes it.
	Absent bool

	backend
}

// Entry is a certificate in a store.
type Entry struct {
	Certificate *x509.Certificate
	// Trusted: as an authority for servers.
	Trusted bool

	handle string // what the store calls it
}

// backend is a kind of store.
type backend interface {
	list(context.Context) ([]Entry, error)
	add(context.Context, *x509.Certificate) error
	// trust makes a certificate trusted that is in the store, but not trusted.
	trust(context.Context, Entry) error
	remove(context.Context, Entry) error
}

// List returns the certificates with the mark.
func (s Store) List(ctx context.Context) ([]Entry, error) {
	if s.Absent {
		return nil, nil
	}
	entries, err := s.list(ctx)
	if err != nil {
		return nil, fmt.Errorf("list certificates: %w", err)
	}
	return entries, nil
}

// Add makes the store trust a certificate. It says whether anything had to be done.
func (s Store) Add(ctx context.Context, cert *x509.Certificate) (changed bool, err error) {
	entries, err := s.List(ctx)
	if err != nil {
		return false, err
	}
	entry, found := find(entries, cert)
	switch {
	case found && entry.Trusted:
		return false, nil
	case found:
		err = s.trust(ctx, entry)
	default:
		err = s.add(ctx, cert)
	}
	if err != nil {
		return false, fmt.Errorf("add certificate: %w", err)
	}
	s.Absent = false
	entries, err = s.List(ctx)
	if err != nil {
		return false, err
	}
	if entry, found := find(entries, cert); !found || !entry.Trusted {
		return false, errors.New("add certificate: the store does not trust it all the same")
	}
	return true, nil
}

// Remove takes a certificate out that List returned.
func (s Store) Remove(ctx context.Context, entry Entry) error {
	if err := s.remove(ctx, entry); err != nil {
		return fmt.Errorf("remove certificate: %w", err)
	}
	entries, err := s.List(ctx)
	if err != nil {
		return err
	}
	if _, found := find(entries, entry.Certificate); found {
		return errors.New("remove certificate: it is in the store all the same")
	}
	return nil
}

func find(entries []Entry, cert *x509.Certificate) (Entry, bool) {
	for _, e := range entries {
		if e.Certificate.Equal(cert) {
			return e, true
		}
	}
	return Entry{}, false
}

func encodePEM(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

// decodePEM returns the certificates in a text. What can't be read is left out: it is nobody's
// that is looked for.
func decodePEM(text []byte) []*x509.Certificate {
	var certs []*x509.Certificate
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return certs
		}
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			certs = append(certs, cert)
		}
		text = rest
	}
}
