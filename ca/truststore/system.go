package truststore

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/peerproxy/peerproxy/internal/wholefile"
)

const (
	maxBundle = 32 << 20 // all authorities of a system are some 200 KiB
	maxAnchor = 1 << 20
)

// anchors is a directory of certificates that a command joins to one bundle.
type anchors struct {
	name     string
	dir, ext string
	bundle   string
	update   []string // command after a file was added
	rebuild  []string // command after one was removed
	mark     string
	root     string
}

// known are the systems with such a directory. Others have to be served by hand.
var known = []anchors{{
	name: "system (as Debian)", dir: "/usr/local/share/ca-certificates", ext: ".crt",
	bundle: "/etc/ssl/certs/ca-certificates.crt",
	update: []string{"update-ca-certificates"}, rebuild: []string{"update-ca-certificates", "--fresh"},
}, {
	name: "system (as Fedora)", dir: "/etc/pki/ca-trust/source/anchors", ext: ".pem",
	bundle: "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	update: []string{"update-ca-trust", "extract"}, rebuild: []string{"update-ca-trust", "extract"},
}}

func (m Machine) system() []Store {
	for _, a := range known {
		a.root, a.mark = m.Root, m.Mark
		a.dir, a.bundle = filepath.Join(m.Root, a.dir), filepath.Join(m.Root, a.bundle)
		if isDir(a.dir) {
			return []Store{{Kind: System, Name: a.name, Path: a.dir, backend: a}}
		}
	}
	return nil
}

func (a anchors) list(context.Context) ([]Entry, error) {
	files, err := os.ReadDir(a.dir)
	if err != nil {
		return nil, err
	}
	bundle, err := readCertificates(a.bundle, maxBundle)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var entries []Entry
	for _, file := range files {
		if filepath.Ext(file.Name()) != a.ext {
			continue
		}
		path := filepath.Join(a.dir, file.Name())
		certs, err := readCertificates(path, maxAnchor)
		if err != nil || len(certs) != 1 || !strings.Contains(certs[0].Subject.CommonName, a.mark) {
			continue // somebody else's
		}
		trusted := slices.ContainsFunc(bundle, certs[0].Equal)
		entries = append(entries, Entry{Certificate: certs[0], Trusted: trusted, handle: path})
	}
	return entries, nil
}

// readCertificates returns the certificates of a file.
func readCertificates(path string, limit int64) ([]*x509.Certificate, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return decodePEM(text), nil
}

func (a anchors) add(ctx context.Context, cert *x509.Certificate) error {
	path := filepath.Join(a.dir, fmt.Sprintf("peerproxy-ca-%x%s", sha256.Sum256(cert.Raw), a.ext))
	if err := wholefile.Replace(path, 0o644, encodePEM(cert)); err != nil {
		return needsRoot(err)
	}
	if err := a.run(ctx, a.update); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// trust runs the command that may have been forgotten.
func (a anchors) trust(ctx context.Context, _ Entry) error { return a.run(ctx, a.update) }

func (a anchors) remove(ctx context.Context, entry Entry) error {
	if err := os.Remove(entry.handle); err != nil {
		return needsRoot(err)
	}
	return a.run(ctx, a.rebuild)
}

func (a anchors) run(ctx context.Context, args []string) error {
	program, err := exec.LookPath(args[0])
	if err != nil {
		program = filepath.Join(a.root, "/usr/sbin", args[0]) // which users often don't have in PATH
	}
	if _, message, err := command(ctx, nil, program, args[1:]...); err != nil {
		return fmt.Errorf("%s: %w: %s", args[0], err, message)
	}
	return nil
}

func needsRoot(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return ErrNeedsRoot // without the path error: the file is not at fault
	}
	return err
}
