package trust

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/rogpeppe/go-internal/lockedfile"

	"github.com/peerproxy/peerproxy/internal/wholefile"
)

// LoadKeyring reads the keyring at path; no file is an empty keyring. A file that others
// can read or write wraps [ErrKeyFile], one that can't be understood [ErrBadKeyring].
func LoadKeyring(path string) (*Keyring, error) {
	text, err := readPrivate(path, MaxKeyringText)
	if errors.Is(err, fs.ErrNotExist) {
		return &Keyring{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("trust: load keyring: %w", err)
	}
	r, err := ParseKeyring(text)
	if err != nil {
		return nil, fmt.Errorf("trust: load keyring %s: %w", path, err)
	}
	return r, nil
}

// UpdateKeyring reads the keyring at path, has edit change it, and writes what edit
// returns, if that is another one. Only one UpdateKeyring of a path runs at a time, in all processes: a lock on
// path + ".lock" is held meanwhile, so edit must not wait for anything. The file has mode
// 0600, and is replaced as a whole: after a crash there is the old one or the new one.
func UpdateKeyring(path string, edit func(*Keyring) (*Keyring, error)) error {
	unlock, err := lockedfile.MutexAt(path + ".lock").Lock()
	if err != nil {
		return fmt.Errorf("trust: lock keyring: %w", err)
	}
	defer unlock()
	old, err := LoadKeyring(path)
	if err != nil {
		return err
	}
	changed, err := edit(old)
	if err != nil || changed == old {
		return err
	}
	text, err := changed.MarshalText()
	if err != nil {
		return err
	}
	if len(text) > MaxKeyringText {
		return fmt.Errorf("trust: write keyring: %w: longer than %d bytes", ErrBadEntry, MaxKeyringText)
	}
	if err := wholefile.Replace(path, wholefile.Private, text); err != nil {
		return fmt.Errorf("trust: write keyring: %w", err)
	}
	return nil
}
