package ca

import (
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Errors of this package, beside [ErrName]. They come wrapped.
var (
	// ErrNone: there is no authority in the directory.
	ErrNone = errors.New("no certificate authority has been made")
	// ErrExists: there is one already.
	ErrExists = errors.New("there is a certificate authority already")
	// ErrFile: a file is not what it must be, or others can read the key. Only a
	// human can mend that.
	ErrFile = errors.New("unusable file of the certificate authority")
	// ErrConstrained: the root may not issue for this name.
	ErrConstrained = errors.New("name outside of what the certificate authority is limited to")
	// ErrExpired: the root is not valid now.
	ErrExpired = errors.New("the certificate of the authority is not valid at this time")
)

// Authority issues certificates in the name of the root.
type Authority struct {
	root *x509.Certificate
	key  *ecdsa.PrivateKey
	now  func() time.Time
}

// Certificate returns the root. It must not be changed.
func (a *Authority) Certificate() *x509.Certificate { return a.root }

// WithClock returns an authority with the same key that takes the time from now.
func (a *Authority) WithClock(now func() time.Time) *Authority {
	other := *a
	other.now = now
	return &other
}

// Permits says whether certificates may be issued for name: it is the name of a host,
// and the root is not limited, or limited to this name or one above it. A limited
// root permits no IP addresses.
func (a *Authority) Permits(name string) bool {
	name, err := Name(name)
	return err == nil && a.permits(name)
}

func (a *Authority) permits(name string) bool {
	only := a.root.PermittedDNSDomains
	if len(only) == 0 {
		return true
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return false
	}
	return slices.ContainsFunc(only, func(base string) bool { return within(name, base) })
}

// Valid returns an error that wraps [ErrExpired] unless the root is valid now.
func (a *Authority) Valid() error {
	now := a.now()
	switch {
	case now.After(a.root.NotAfter):
		return fmt.Errorf("ca: %w: it ended on %s", ErrExpired, a.root.NotAfter.Format(time.RFC3339))
	case now.Before(a.root.NotBefore):
		return fmt.Errorf("ca: %w: it begins on %s; is the clock right?", ErrExpired, a.root.NotBefore.Format(time.RFC3339))
	}
	return nil
}
