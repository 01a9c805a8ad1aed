package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"time"
)

const (
	// LeafLifetime is how long an issued certificate is valid, from its issue on.
	LeafLifetime = 7 * 24 * time.Hour
	// leafBackdate lets clocks of clients be slow.
	leafBackdate = time.Hour
	organization = "peerproxy"
)

// Issue makes a certificate for one host, a DNS name or an IP address as [Name] takes
// them, with a new P-256 key of its own.
//
// It is valid from an hour ago for [LeafLifetime], but never outside of the root's time,
// and for TLS servers alone. The name stands in the subject alternative name only
// (RFC 9525 section 6). The chain is the leaf alone: the root is in the client's
// store or of no use.
//
// Errors wrap [ErrName], [ErrConstrained] or [ErrExpired].
func (a *Authority) Issue(name string) (*tls.Certificate, error) {
	name, err := Name(name)
	if err != nil {
		return nil, fmt.Errorf("ca: issue: %w", err)
	}
	if !a.permits(name) {
		return nil, fmt.Errorf("ca: issue: %w", ErrConstrained)
	}
	if err := a.Valid(); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("ca: issue: make key: %w", err)
	}
	leaf, err := sign(a.leaf(name), a.root, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("ca: issue: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// leaf is a valid name's certificate as it is to be signed.
func (a *Authority) leaf(name string) *x509.Certificate {
	now := a.now()
	leaf := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{Organization: []string{organization}},
		NotBefore:             later(now.Add(-leafBackdate), a.root.NotBefore),
		NotAfter:              earlier(now.Add(LeafLifetime), a.root.NotAfter),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		leaf.IPAddresses = []net.IP{addr.AsSlice()}
	} else {
		leaf.DNSNames = []string{name}
	}
	return leaf
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read signed certificate: %w", err)
	}
	return cert, nil
}

// serial is 128 random bits, and positive as RFC 5280 section 4.1.2.2 wants it.
func serial() *big.Int {
	bits := make([]byte, 16)
	for {
		_, _ = rand.Read(bits) // never fails
		if n := new(big.Int).SetBytes(bits); n.Sign() > 0 {
			return n
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
