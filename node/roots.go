package node

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
)

// maxRootsFile bounds a file of certificates, in bytes: those of all public authorities take 250 kB.
const maxRootsFile = 16 << 20

// roots are the authorities that may vouch for origins, for an upstream proxy and for a DNS-over-HTTPS
// server: those of the system, and the user's own beside them. nil = only the system's.
func (c Config) roots() (*x509.CertPool, error) {
	if len(c.UpstreamCA) == 0 {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read the system's certificate authorities: %w", err)
	}
	for _, file := range c.UpstreamCA {
		if err := addRoots(pool, file); err != nil {
			return nil, badConfig("upstream-ca: %w", err)
		}
	}
	return pool, nil
}

// addRoots adds the certificates of a PEM file. What stands between them is for people.
func addRoots(pool *x509.CertPool, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(f, maxRootsFile+1))
	if err != nil {
		return err
	}
	if len(text) > maxRootsFile {
		return fmt.Errorf("%s is larger than %d bytes", file, maxRootsFile)
	}
	found := 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("%s: certificate %d: %w", file, found+1, err)
		}
		pool.AddCert(cert)
		found++
	}
	if found == 0 {
		return fmt.Errorf("%s has no certificate in PEM", file)
	}
	return nil
}
