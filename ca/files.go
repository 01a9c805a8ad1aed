package ca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/peerproxy/peerproxy/internal/wholefile"
)

// Names of the files in the data directory.
const (
	KeyFile         = "ca.key"
	CertificateFile = "ca.crt"
	formerFile      = "ca.former.crt"
)

const (
	keyMode         = 0o600
	certificateMode = 0o644
	keyType         = "PRIVATE KEY"
	certificateType = "CERTIFICATE"
	maxKeyFile      = 4 << 10 // a key file has 241 bytes
	maxCertFile     = 4 << 20 // a certificate has less than 1 KiB, or 40 KiB with many limits
	maxFormer       = 64      // certificates
)

// Load reads the authority that is stored in dir. The error wraps [ErrNone] if there is
// none, and [ErrFile] if a file is not what it must be: the key readable by
// others or missing, the certificate not one of an authority, or the two not of each other.
// An expired authority is loaded all the same; see [Authority.Valid].
func Load(dir string) (*Authority, error) {
	root, err := Certificate(dir)
	if err != nil {
		return nil, err
	}
	key, err := loadKey(filepath.Join(dir, KeyFile))
	if err != nil {
		return nil, fmt.Errorf("ca: load key: %w", missingKey(err))
	}
	if !key.PublicKey.Equal(root.PublicKey) {
		return nil, fmt.Errorf("ca: load: %w: %s is not the key of %s", ErrFile, KeyFile, CertificateFile)
	}
	return &Authority{root: root, key: key, now: time.Now}, nil
}

// Certificate reads the root's certificate from dir, without the key. Errors are those
// of [Load].
func Certificate(dir string) (*x509.Certificate, error) {
	certs, err := loadCertificates(filepath.Join(dir, CertificateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("ca: %w", ErrNone)
	}
	if err != nil {
		return nil, fmt.Errorf("ca: load certificate: %w", err)
	}
	if len(certs) != 1 {
		return nil, fmt.Errorf("ca: load certificate: %w: %s has %d certificates", ErrFile, CertificateFile, len(certs))
	}
	return certs[0], nil
}

// Former reads the certificates of the roots that were replaced, the latest last.
func Former(dir string) ([]*x509.Certificate, error) {
	certs, err := loadCertificates(filepath.Join(dir, formerFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("ca: load former certificates: %w", err)
	}
	return certs, nil
}

// CheckKey says whether the key file of the authority in dir is there, whole, its owner's
// alone and of the certificate. Errors are those of [Load].
func CheckKey(dir string) error {
	_, err := Load(dir)
	return err
}

func missingKey(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is missing", ErrFile, KeyFile)
	}
	return err
}

// retire writes the certificate of dir to the former ones. One that can't be read is
// not kept: nothing could find it in a store.
func retire(dir string) error {
	root, err := Certificate(dir)
	if errors.Is(err, ErrNone) || errors.Is(err, ErrFile) {
		return nil
	}
	if err != nil {
		return err
	}
	former, err := Former(dir)
	if err != nil && !errors.Is(err, ErrFile) {
		return err
	}
	former = append(former, root)
	former = former[max(0, len(former)-maxFormer):]
	if err := wholefile.Replace(filepath.Join(dir, formerFile), certificateMode, encodeCertificates(former...)); err != nil {
		return fmt.Errorf("keep the certificate before: %w", err)
	}
	return nil
}

func loadCertificates(path string) ([]*x509.Certificate, error) {
	text, err := wholefile.Read(path, maxCertFile)
	if err != nil {
		return nil, unusable(err)
	}
	var certs []*x509.Certificate
	for len(bytes.TrimSpace(text)) > 0 {
		block, rest := pem.Decode(text)
		if block == nil || block.Type != certificateType {
			return nil, fmt.Errorf("%w: %s has something that is no certificate in PEM", ErrFile, path)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrFile, path, err)
		}
		if err := checkRoot(cert); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrFile, path, err)
		}
		certs, text = append(certs, cert), rest
	}
	return certs, nil
}

func checkRoot(cert *x509.Certificate) error {
	if public, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok || public.Curve != elliptic.P256() {
		return errors.New("not a certificate for a P-256 key")
	}
	if err := cert.CheckSignatureFrom(cert); err != nil { // this looks for CA:TRUE and keyCertSign, too
		return fmt.Errorf("not a self-signed authority: %w", err)
	}
	return nil
}

func encodeCertificates(certs ...*x509.Certificate) []byte {
	var text []byte
	for _, cert := range certs {
		text = append(text, EncodePEM(cert)...)
	}
	return text
}

// EncodePEM writes a certificate as files of certificates have it (RFC 7468 section 5).
func EncodePEM(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: certificateType, Bytes: cert.Raw})
}

func loadKey(path string) (*ecdsa.PrivateKey, error) {
	text, err := wholefile.ReadPrivate(path, maxKeyFile)
	if err != nil {
		return nil, unusable(err)
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != keyType || len(block.Headers) != 0 || len(rest) != 0 {
		return nil, fmt.Errorf("%w: %s is not one PEM block of type %q", ErrFile, path, keyType)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: %s is not PKCS #8", ErrFile, path) // the cause might quote the secret
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: %s is not a P-256 key", ErrFile, path)
	}
	return key, nil
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: keyType, Bytes: der}), nil
}

// unusable says in this package's terms that a file is not what it must be.
func unusable(err error) error {
	if errors.Is(err, wholefile.ErrUnusable) {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	return err
}
