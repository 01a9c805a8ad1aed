package trust

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/pelletier/go-toml/v2"
)

// ErrBadKeyring is wrapped by the errors of [ParseKeyring].
var ErrBadKeyring = errors.New("bad keyring")

// MaxKeyringText bounds the text of a keyring, in bytes.
const MaxKeyringText = 1 << 20

const (
	keyringVersion = 1
	keyringHead    = "# Keys that this user knows. \"peerproxy trust\" changes this file; after a change by hand: peerproxy trust reload.\n"
	exportHead     = "# Keys for \"peerproxy trust import\". Whoever takes them trusts their owners' copies: get this text from its author.\n"
)

// keyringText is a keyring in TOML.
type keyringText struct {
	Version int         `toml:"version"`
	Keys    []entryText `toml:"key,omitempty"`
}

type entryText struct {
	Name    string    `toml:"name"`
	Key     string    `toml:"key"`
	Sites   []string  `toml:"sites,omitempty"`
	Added   time.Time `toml:"added"`
	Revoked time.Time `toml:"revoked,omitempty"`
	Note    string    `toml:"note,omitempty"`
}

// ParseKeyring reads the text of a keyring: TOML with version = 1 and a table [[key]] for
// each key, with name, key, and if need be sites, added, revoked and note. It is strict:
// nothing unknown, no name and no key twice. Errors wrap [ErrBadKeyring] and say the
// line, or the key.
func ParseKeyring(text []byte) (*Keyring, error) {
	if len(text) > MaxKeyringText {
		return nil, fmt.Errorf("%w: longer than %d bytes", ErrBadKeyring, MaxKeyringText)
	}
	var read keyringText
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&read); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrBadKeyring, whereTOML(err))
	}
	if read.Version != keyringVersion {
		return nil, fmt.Errorf("%w: version %d is not known, only %d", ErrBadKeyring, read.Version, keyringVersion)
	}
	if len(read.Keys) > MaxEntries {
		return nil, fmt.Errorf("%w: more than %d keys", ErrBadKeyring, MaxEntries)
	}
	return read.keyring()
}

func (t keyringText) keyring() (*Keyring, error) {
	entries := make([]Entry, 0, len(t.Keys))
	names := map[string]bool{}
	keys := map[Key]bool{}
	for i, text := range t.Keys {
		e, err := text.entry()
		switch {
		case err != nil:
			return nil, fmt.Errorf("%w: key %d (%.80q): %w", ErrBadKeyring, i+1, text.Name, err)
		case names[e.Name]:
			return nil, fmt.Errorf("%w: key %d: the name %q is there twice", ErrBadKeyring, i+1, e.Name)
		case keys[e.Key]:
			return nil, fmt.Errorf("%w: key %d (%q): its key is there twice", ErrBadKeyring, i+1, e.Name)
		}
		names[e.Name], keys[e.Key] = true, true
		entries = append(entries, e)
	}
	return newKeyring(entries), nil
}

func (t entryText) entry() (Entry, error) {
	key, err := ParseKey(t.Key)
	if err != nil {
		return Entry{}, err
	}
	return Entry{Key: key, Name: t.Name, Sites: t.Sites, Added: t.Added, Revoked: t.Revoked, Note: t.Note}.canonical()
}

// whereTOML writes an error of the TOML library with the line that it is about.
func whereTOML(err error) string {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		row, _ := unknown.Errors[0].Position()
		return fmt.Sprintf("line %d: unknown key %q", row, unknown.Errors[0].Key())
	}
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		row, column := wrong.Position()
		return fmt.Sprintf("line %d column %d: %s", row, column, wrong.Error())
	}
	return err.Error()
}

// MarshalText writes the keyring as [ParseKeyring] reads it, everything in it.
func (r *Keyring) MarshalText() ([]byte, error) { return r.text(keyringHead, true) }

// Export writes the keyring for others, revocations too: as [Keyring.MarshalText] does,
// but without the user's notes.
func (r *Keyring) Export() ([]byte, error) { return r.text(exportHead, false) }

func (r *Keyring) text(head string, notes bool) ([]byte, error) {
	t := keyringText{Version: keyringVersion}
	for _, e := range r.Entries() {
		line := entryText{Name: e.Name, Key: e.Key.String(), Sites: e.Sites, Added: e.Added, Revoked: e.Revoked}
		if notes {
			line.Note = e.Note
		}
		t.Keys = append(t.Keys, line)
	}
	body, err := toml.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("trust: write a keyring: %w", err)
	}
	return append([]byte(head), body...), nil
}
