package trust

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
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

// readPrivate reads a file that is its owner's alone: one byte more than limit at most, so
// that a longer one shows.
func readPrivate(path string, limit int64) ([]byte, error) {
	// Before opening: to open a named pipe would block.
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if err := checkPrivate(path, info); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// And again: it may be another file by now.
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := checkPrivate(path, info); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, limit+1))
}

func checkPrivate(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s is not a regular file", ErrKeyFile, path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("%w: mode %04o of %s lets others at it; it must be %04o", ErrKeyFile, mode, path, keyFileMode)
	}
	return nil
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
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".node-key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := writeSynced(f, text); err != nil {
		return err
	}
	if err := publish(f.Name(), path, text); err != nil {
		return err
	}
	return syncDir(dir)
}

// publish gives a complete file its name. A link never replaces, as a rename
// would; where the file system has no links, the file is made in place.
func publish(temp, path string, text []byte) error {
	err := os.Link(temp, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, keyFileMode)
	if err != nil {
		return err
	}
	if err := writeSynced(f, text); err != nil {
		os.Remove(path)
		return err
	}
	return nil
}

func writeSynced(f *os.File, text []byte) error {
	_, err := f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncDir makes a new name in dir durable. Not every system can sync a directory,
// and the file itself is synced, so that failing is no error.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	_ = d.Sync()
	return d.Close()
}
