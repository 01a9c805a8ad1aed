package ca

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/peerproxy/peerproxy/internal/wholefile"
)

const (
	// DefaultLifetime of a root.
	DefaultLifetime = 2 * 365 * 24 * time.Hour
	// maxLifetime is what X.509 and the clocks of this world are good for.
	maxLifetime = 30 * 365 * 24 * time.Hour
	minLifetime = time.Hour

	// rootBackdate lets clocks be wrong, by a time zone for instance.
	rootBackdate = 24 * time.Hour

	// maxOnly bounds the size of a root.
	maxOnly = 100

	// CommonName is how the common name of every root begins, by which a user
	// can tell it from others in a list.
	CommonName = "peerproxy local CA"
)

// Options are the choices of [Create]. The zero value is an authority for all names, for
// two years.
type Options struct {
	// Only are the DNS names that the root is limited to; each includes
	// all names below it. Empty = no limit; 100 at most.
	Only []string
	// Lifetime of the root; 0 = [DefaultLifetime].
	Lifetime time.Duration
	// Host is the machine's name for the root's subject; empty = [os.Hostname].
	Host string
	// Replace an authority that is there: its certificate goes to the former
	// ones, its key is deleted.
	Replace bool
	// Now tells the time; nil = [time.Now].
	Now func() time.Time
}

// Create makes an authority and stores it in dir, which is made, too, if need be.
//
// If there is one already, the error wraps [ErrExists]; of several processes that create
// at once, one wins and the others get this error. A key without a
// certificate, left by a Create that broke off, is used. Errors wrap [ErrName] if
// Options.Only has what is no DNS name.
func Create(dir string, o Options) (*Authority, error) {
	a, err := create(dir, o)
	if err != nil {
		return nil, fmt.Errorf("ca: create: %w", err)
	}
	return a, nil
}

func create(dir string, o Options) (*Authority, error) {
	now := o.Now
	if now == nil {
		now = time.Now
	}
	template, err := o.root(now())
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	unlock, err := lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := makeRoom(dir, o.Replace); err != nil {
		return nil, err
	}
	key, err := loadOrMakeKey(filepath.Join(dir, KeyFile))
	if err != nil {
		return nil, err
	}
	root, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	// From here on, the authority exists.
	err = wholefile.Create(filepath.Join(dir, CertificateFile), certificateMode, encodeCertificates(root))
	if errors.Is(err, fs.ErrExist) {
		return nil, ErrExists
	}
	if err != nil {
		return nil, fmt.Errorf("write certificate: %w", err)
	}
	return &Authority{root: root, key: key, now: now}, nil
}

// makeRoom sees to it that there is no authority in dir, or fails with [ErrExists].
func makeRoom(dir string, replace bool) error {
	path := filepath.Join(dir, CertificateFile)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) && !replace {
		return nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	} else if !replace {
		return ErrExists
	}
	if err := retire(dir); err != nil {
		return err
	}
	// The key first: a key without a certificate would be used again.
	for _, name := range []string{KeyFile, CertificateFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the one before: %w", err)
		}
	}
	return nil
}

func loadOrMakeKey(path string) (*ecdsa.PrivateKey, error) {
	key, err := loadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	text, err := encodeKey(key)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	err = wholefile.Create(path, keyMode, text)
	if errors.Is(err, fs.ErrExist) { // another process was faster
		return loadKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("write key: %w", err)
	}
	return key, nil
}

// root is the certificate as it is to be signed.
func (o Options) root(now time.Time) (*x509.Certificate, error) {
	lifetime := cmp.Or(o.Lifetime, DefaultLifetime)
	if lifetime < minLifetime || lifetime > maxLifetime {
		return nil, fmt.Errorf("a lifetime of %v is not between %v and %v", lifetime, minLifetime, maxLifetime)
	}
	only, err := constraints(o.Only)
	if err != nil {
		return nil, err
	}
	root := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{Organization: []string{organization}, CommonName: commonName(o.Host, now)},
		NotBefore:             now.Add(-rootBackdate),
		NotAfter:              now.Add(lifetime),
		KeyUsage:              x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	if len(only) > 0 {
		root.PermittedDNSDomainsCritical = true
		root.PermittedDNSDomains = only
		// A limit of DNS names does not limit addresses.
		root.ExcludedIPRanges = []*net.IPNet{
			{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)},
			{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)},
		}
	}
	return root, nil
}

func constraints(names []string) ([]string, error) {
	var only []string
	for _, given := range names {
		name, err := Name(given)
		if err != nil {
			return nil, fmt.Errorf("limit %.80q: %w", given, err)
		}
		if _, err := netip.ParseAddr(name); err == nil {
			return nil, fmt.Errorf("limit %q: %w of the DNS, but an address", given, ErrName)
		}
		if !slices.Contains(only, name) {
			only = append(only, name)
		}
	}
	if len(only) > maxOnly {
		return nil, fmt.Errorf("%d names to limit the root to are more than %d", len(only), maxOnly)
	}
	return only, nil
}

// commonName tells what the certificate is, of which machine, and of which of several.
// It has less than the 64 characters that RFC 5280 appendix A.1 allows.
func commonName(host string, now time.Time) string {
	if host == "" {
		host, _ = os.Hostname() // without a name it is left out
	}
	host = strings.Map(func(r rune) rune {
		letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if letter || '0' <= r && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return -1
	}, host)
	host = host[:min(len(host), 20)]
	if host != "" {
		host += ", "
	}
	unique := make([]byte, 4)
	_, _ = rand.Read(unique) // never fails
	return fmt.Sprintf("%s (%s%s, %x)", CommonName, host, now.UTC().Format(time.DateOnly), unique)
}
