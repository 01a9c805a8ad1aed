package trust

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"

	"github.com/peerproxy/peerproxy/internal/wholefile"
)

// ErrKeyFile is wrapped by the errors of [LoadOrCreate] that are about the file's
// content or mode, and that only a human can mend.
var ErrKeyFile = errors.New("unusable key file")

const (
	pemType     = "PRIVATE KEY"
	keyFileMode = 0o600
	maxKeyFile  = 4 << 10 // a key file has 119 bytes
)

// LoadOrCreate reads the identity stored at path. If there is no file it makes a
// new identity and stores it there with mode 0600; the directory must exist.
//
// The file is PKCS #8 in PEM (RFC 8410): the 32-byte seed, in the form that
// "openssl genpkey -algorithm ed25519" writes too. A new file appears whole and
// synced or not at all (where the file system has no hard links, a crash can leave a
// part of it, which is refused later). A file that exists is never written: if it is no regular
// file, can be read by group or others, or does not hold exactly one such key, the
// error wraps [ErrKeyFile]. Of several processes that create the file at once, one
// wins and all return the same identity.
func LoadOrCreate(path string) (*Identity, error) {
	id, err := load(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	id = NewIdentity()
	err = create(path, id)
	if errors.Is(err, fs.ErrExist) {
		return load(path)
	}
	if err != nil {
		return nil, fmt.Errorf("trust: create key file: %w", err)
	}
	return id, nil
}

// Load is [LoadOrCreate] for a file that is there; if it is not, the error wraps
// [fs.ErrNotExist].
func Load(path string) (*Identity, error) { return load(path) }

// readPrivate reads a small file that is its owner's alone.
func readPrivate(path string, limit int64) ([]byte, error) {
	text, err := wholefile.ReadPrivate(path, limit)
	if errors.Is(err, wholefile.ErrUnusable) {
		err = fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	return text, err
}

func load(path string) (*Identity, error) {
	text, err := readPrivate(path, maxKeyFile)
	if err != nil {
		return nil, fmt.Errorf("trust: load key file: %w", err)
	}
	id, err := parseIdentity(text)
	if err != nil {
		return nil, fmt.Errorf("trust: load key file %s: %w", path, err)
	}
	return id, nil
}

func parseIdentity(text []byte) (*Identity, error) {
	if len(text) > maxKeyFile {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrKeyFile, maxKeyFile)
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != pemType || len(block.Headers) != 0 {
		return nil, fmt.Errorf("%w: not a PEM block of type %q", ErrKeyFile, pemType)
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("%w: more than one PEM block", ErrKeyFile)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: not PKCS #8", ErrKeyFile) // the cause might quote the secret
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%w: not an Ed25519 key", ErrKeyFile)
	}
	return &Identity{private: private}, nil
}

func (id *Identity) marshal() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(id.private)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), nil
}

// create stores id at path, or fails with [fs.ErrExist] if there is anything already.
func create(path string, id *Identity) error {
	text, err := id.marshal()
	if err != nil {
		return err
	}
	return wholefile.Create(path, wholefile.Private, text)
}
