package node

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/peerproxy/peerproxy/internal/wholefile"
	"github.com/peerproxy/peerproxy/trust"
)

// GroupSecret is what the members of a group have in common. Whoever knows it finds and
// reads what they share.
type GroupSecret [trust.SwarmSecretSize]byte

// ErrOtherGroup means that a data directory belongs to another group already.
var ErrOtherGroup = errors.New("this node is in another group already")

func groupFile(dataDir string) string { return filepath.Join(dataDir, "group.secret") }

// OpenGroup returns the secret of the node's group, made the first time. Nodes with the
// same file are one group.
func OpenGroup(dataDir string) (GroupSecret, error) {
	secret, err := readGroup(dataDir)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	if err := openDataDir(dataDir); err != nil {
		return GroupSecret{}, err
	}
	secret = newGroupSecret()
	if err := wholefile.Create(groupFile(dataDir), wholefile.Private, secret.text()); errors.Is(err, fs.ErrExist) {
		return readGroup(dataDir) // somebody else was first
	} else if err != nil {
		return GroupSecret{}, fmt.Errorf("make a group secret: %w", err)
	}
	return secret, nil
}

// JoinGroup makes a data directory's node a member of a group. It reports whether that
// changed anything. If the node is in another group, the error is [ErrOtherGroup] unless
// replace says that it shall leave that one; its secret is kept beside as backup.
func JoinGroup(dataDir string, secret GroupSecret, replace bool) (changed bool, backup string, err error) {
	if err := openDataDir(dataDir); err != nil {
		return false, "", err
	}
	err = wholefile.Create(groupFile(dataDir), wholefile.Private, secret.text())
	if !errors.Is(err, fs.ErrExist) {
		return err == nil, "", err
	}
	known, err := readGroup(dataDir)
	switch {
	case err != nil:
		return false, "", err
	case known == secret:
		return false, "", nil
	case !replace:
		return false, "", ErrOtherGroup
	}
	backup, err = replaceGroup(dataDir, known, secret)
	return err == nil, backup, err
}

// RotateGroup gives the node's group a new secret, which nobody else knows yet, and
// returns it together with the file that has the old one ("" if there was none).
func RotateGroup(dataDir string) (secret GroupSecret, backup string, err error) {
	known, err := readGroup(dataDir)
	if errors.Is(err, fs.ErrNotExist) {
		secret, err = OpenGroup(dataDir)
		return secret, "", err
	}
	if err != nil {
		return GroupSecret{}, "", err
	}
	secret = newGroupSecret()
	backup, err = replaceGroup(dataDir, known, secret)
	return secret, backup, err
}

func replaceGroup(dataDir string, old, secret GroupSecret) (backup string, err error) {
	path := groupFile(dataDir)
	backup = path + "." + time.Now().UTC().Format("20060102-150405")
	for n := 2; ; n++ {
		err := wholefile.Create(backup, wholefile.Private, old.text())
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrExist) || n > 100 {
			return "", fmt.Errorf("keep the old group secret: %w", err)
		}
		backup = fmt.Sprintf("%s.%s-%d", path, time.Now().UTC().Format("20060102-150405"), n)
	}
	if err := wholefile.Replace(path, wholefile.Private, secret.text()); err != nil {
		return "", fmt.Errorf("write the group secret: %w", err)
	}
	return backup, nil
}

// HasGroup reports whether a data directory's node is in a group, or has ever made one.
func HasGroup(dataDir string) bool {
	_, err := os.Stat(groupFile(dataDir))
	return err == nil
}

const maxGroupFile = 1 << 10 // bytes

// ErrGroupFile is wrapped by errors about a file of a group's secret that is not usable.
var ErrGroupFile = errors.New("unusable file")

func readGroup(dataDir string) (GroupSecret, error) {
	path := groupFile(dataDir)
	text, err := wholefile.ReadPrivate(path, maxGroupFile)
	if errors.Is(err, wholefile.ErrUnusable) {
		return GroupSecret{}, fmt.Errorf("group secret: %w: %w", ErrGroupFile, err)
	}
	if err != nil {
		return GroupSecret{}, fmt.Errorf("group secret: %w", err)
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(raw) != len(GroupSecret{}) {
		return GroupSecret{}, fmt.Errorf("group secret: %w: %s holds no %d hexadecimal digits: correct or remove it", ErrGroupFile, path, 2*len(GroupSecret{}))
	}
	return GroupSecret(raw), nil
}

func newGroupSecret() (s GroupSecret) {
	_, _ = rand.Read(s[:]) // never fails
	return s
}

func (s GroupSecret) text() []byte { return append(hex.AppendEncode(nil, s[:]), '\n') }

// InOtherGroup reports whether a data directory's node is in another group than that of a secret.
func InOtherGroup(dataDir string, secret GroupSecret) (bool, error) {
	known, err := readGroup(dataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && known != secret, err
}
