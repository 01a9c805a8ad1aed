package truststore

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"
)

// nssFlags: an authority for TLS servers, and for nothing else (mail, code).
const nssFlags = "C,,"

// database is an NSS database in a directory.
type database struct {
	dir  string
	mark string
}

// listLine is a nickname and its trust flags, as "certutil -L" writes them.
var listLine = regexp.MustCompile(`^(.*\S)\s+([a-zA-Z]*),[a-zA-Z]*,[a-zA-Z]*\s*$`)

func (d database) list(ctx context.Context) ([]Entry, error) {
	out, err := d.certutil(ctx, nil, "-L")
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for line := range strings.Lines(string(out)) {
		m := listLine.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if m == nil || !strings.Contains(m[1], d.mark) {
			continue
		}
		certs, err := d.named(ctx, m[1])
		if err != nil {
			return nil, err
		}
		for _, cert := range certs {
			entries = append(entries, Entry{Certificate: cert, Trusted: strings.Contains(m[2], "C"), handle: m[1]})
		}
	}
	return entries, nil
}

func (d database) named(ctx context.Context, nickname string) ([]*x509.Certificate, error) {
	out, err := d.certutil(ctx, nil, "-L", "-a", "-n", nickname)
	if err != nil {
		return nil, err
	}
	return decodePEM(out), nil
}

func (d database) add(ctx context.Context, cert *x509.Certificate) error {
	if err := d.create(ctx); err != nil {
		return err
	}
	nickname := cert.Subject.CommonName
	_, err := d.certutil(ctx, encodePEM(cert), "-A", "-a", "-n", nickname, "-t", nssFlags)
	if err == nil {
		return nil
	}
	// certutil stores the certificate first and trusts it then, for which a password
	// may be missing. As it is new to the store, what is left of it goes.
	if certs, nameErr := d.named(ctx, nickname); nameErr == nil && slices.ContainsFunc(certs, cert.Equal) {
		err = errors.Join(err, d.remove(ctx, Entry{Certificate: cert, handle: nickname}))
	}
	return err
}

// create makes the database if there is none.
func (d database) create(ctx context.Context) error {
	if isDatabase(d.dir) {
		return nil
	}
	if _, err := lookCertutil(); err != nil {
		return err // before a directory is made
	}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return err
	}
	_, err := d.run(ctx, nil, "-N", "--empty-password")
	return err
}

func (d database) trust(ctx context.Context, entry Entry) error {
	if err := d.only(ctx, entry); err != nil {
		return err
	}
	_, err := d.certutil(ctx, nil, "-M", "-n", entry.handle, "-t", nssFlags)
	return err
}

func (d database) remove(ctx context.Context, entry Entry) error {
	if err := d.only(ctx, entry); err != nil {
		return err
	}
	_, err := d.certutil(ctx, nil, "-D", "-n", entry.handle)
	return err
}

// only makes sure that a nickname means this certificate and no other: certutil knows
// nothing but nicknames.
func (d database) only(ctx context.Context, entry Entry) error {
	certs, err := d.named(ctx, entry.handle)
	if err != nil {
		return err
	}
	for _, cert := range certs {
		if !cert.Equal(entry.Certificate) {
			return fmt.Errorf("another certificate has the name %q, too: take it out by hand", entry.handle)
		}
	}
	return nil
}

// certutil runs a command of certutil that does not make the database. An empty password is
// given, so that none is asked for.
func (d database) certutil(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	return d.run(ctx, stdin, append(args, "-f", os.DevNull)...)
}

func (d database) run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	program, err := lookCertutil()
	if err != nil {
		return nil, err
	}
	out, message, err := command(ctx, stdin, program, append(args, "-d", "sql:"+d.dir)...)
	switch {
	case err == nil:
		return out, nil
	case strings.Contains(message, "SEC_ERROR_BAD_PASSWORD"), strings.Contains(message, "SEC_ERROR_TOKEN_NOT_LOGGED_IN"):
		return nil, ErrPassword
	default:
		return nil, fmt.Errorf("certutil %s: %w: %s", args[0], err, message)
	}
}

func lookCertutil() (string, error) {
	program, err := exec.LookPath("certutil")
	if err != nil {
		return "", ErrNoCertutil
	}
	return program, nil
}

// commandTimeout is long: an update of a system's store takes some seconds, and databases
// may be on slow disks and locked by a browser for a while.
const commandTimeout = time.Minute

// command returns what a program writes, and in one line what it says about its errors.
func command(ctx context.Context, stdin []byte, program string, args ...string) (out []byte, message string, err error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.WaitDelay = time.Second
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &stdout, &stderr
	err = cmd.Run()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	message = strings.Join(strings.Fields(stderr.String()), " ")
	return stdout.Bytes(), message[:min(len(message), 300)], err
}
