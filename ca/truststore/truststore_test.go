package truststore

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

const mark = "test local CA"

func newRoot(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// newMachine has an empty home and root directory, and no programs but those in the returned directory.
func newMachine(t *testing.T) (m Machine, bin string) {
	t.Helper()
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("there are no stores here")
	}
	m = Machine{Mark: mark, Home: t.TempDir(), Root: t.TempDir()}
	bin = t.TempDir()
	t.Setenv("PATH", bin)
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("XDG_CONFIG_HOME", "")
	return m, bin
}

// script makes a program.
func script(t *testing.T, bin, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
}

func realCertutil(t *testing.T, bin string) {
	t.Helper()
	for _, dir := range []string{"/usr/bin", "/usr/local/bin", "/bin"} {
		if program := filepath.Join(dir, "certutil"); isExecutable(program) {
			if err := os.Symlink(program, filepath.Join(bin, "certutil")); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Skip("certutil is missing (libnss3-tools)")
}

func isExecutable(path string) bool {
	_, err := exec.LookPath(path)
	return err == nil
}

func file(t *testing.T, text string, path ...string) string {
	t.Helper()
	name := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func paths(m Machine, stores []Store) string {
	var found []string
	for _, s := range stores {
		rel, err := filepath.Rel(m.Home, s.Path)
		if err != nil {
			rel = s.Path
		}
		found = append(found, fmt.Sprintf("%s %s%s", s.Kind, filepath.ToSlash(rel), map[bool]string{true: " (absent)"}[s.Absent]))
	}
	return strings.Join(found, "\n")
}

func TestFind(t *testing.T) {
	const legacy, modern = ".pki/nssdb/cert9.db", ".local/share/pki/nssdb/cert9.db"
	tests := []struct {
		what  string
		files []string
		want  string
	}{
		{"nothing", nil, ""},
		{"a browser that was never started", []string{".config/chromium/x"}, "nss .pki/nssdb (absent)"},
		{"an old database", []string{legacy}, "nss .pki/nssdb"},
		{"a new database", []string{modern, ".config/google-chrome/x"}, "nss .local/share/pki/nssdb"},
		{"both", []string{legacy, modern}, "nss .pki/nssdb\nnss .local/share/pki/nssdb"},
		{"an old directory that Chromium prefers", []string{".pki/nssdb/x", modern, ".config/chromium/x"}, "nss .pki/nssdb (absent)\nnss .local/share/pki/nssdb"},
		{"packages", []string{"snap/chromium/current/.pki/nssdb/cert9.db", ".var/app/org.chromium.Chromium/.pki/nssdb/cert9.db"},
			"nss snap/chromium/current/.pki/nssdb\nnss .var/app/org.chromium.Chromium/.pki/nssdb"},
	}
	for _, test := range tests {
		t.Run(test.what, func(t *testing.T) {
			m, _ := newMachine(t)
			for _, name := range test.files {
				file(t, "", m.Home, name)
			}
			stores, notes := m.Find()
			if got := paths(m, stores); got != test.want {
				t.Errorf("found\n%s\nwant\n%s", got, test.want)
			}
			if (len(stores) == 0) != strings.Contains(strings.Join(notes, "\n"), "no browser like Chromium") {
				t.Errorf("notes: %q", notes)
			}
		})
	}
}

func TestFindXDG(t *testing.T) {
	m, _ := newMachine(t)
	data, config := t.TempDir(), t.TempDir()
	t.Setenv("XDG_DATA_HOME", data)
	t.Setenv("XDG_CONFIG_HOME", config)
	file(t, "", data, "pki/nssdb/cert9.db")
	file(t, "[Profile0]\nName=x\nPath=p\n", config, "mozilla/firefox/profiles.ini")
	file(t, "", config, "mozilla/firefox/p/cert9.db")
	stores, _ := m.Find()
	if len(stores) != 2 || stores[0].Path != filepath.Join(data, "pki/nssdb") || stores[1].Path != filepath.Join(config, "mozilla/firefox/p") {
		t.Errorf("found\n%s", paths(m, stores))
	}
}

func TestFindElsewhere(t *testing.T) {
	for _, system := range []string{"windows", "darwin"} {
		m := Machine{OS: system, Home: t.TempDir(), Root: t.TempDir()}
		file(t, "", m.Home, ".pki/nssdb/cert9.db")
		if stores, _ := m.Find(); len(stores) != 0 {
			t.Errorf("%s: found %v", system, stores)
		}
		if lines := strings.Join(ByHand(system, "FILE.crt"), "\n"); !strings.Contains(lines, "FILE.crt") || !strings.Contains(lines, "Firefox") {
			t.Errorf("%s: %s", system, lines)
		}
	}
	if lines := ByHand("linux", "x"); lines != nil {
		t.Errorf("on Linux: %v", lines)
	}
}

// TestNSS runs through the life of certificates in a real database.
func TestNSS(t *testing.T) {
	m, bin := newMachine(t)
	realCertutil(t, bin)
	file(t, "", m.Home, ".config/chromium/x")
	look := func() Store {
		stores, _ := m.Find()
		if len(stores) != 1 {
			t.Fatalf("found\n%s", paths(m, stores))
		}
		return stores[0]
	}
	ctx := t.Context()
	first, second := newRoot(t, mark+" (host, 2030, 1)"), newRoot(t, mark+" (host, 2030, 2)")
	s := look()
	if entries, err := s.List(ctx); err != nil || len(entries) != 0 || !s.Absent {
		t.Fatalf("an absent store has %v, %v", entries, err)
	}
	for i, want := range []bool{true, false} {
		if changed, err := s.Add(ctx, first); err != nil || changed != want {
			t.Errorf("added for the %d. time: %v, %v", i+1, changed, err)
		}
		s = look()
	}
	if info, err := os.Stat(s.Path); err != nil || info.Mode().Perm() != 0o700 || s.Absent {
		t.Errorf("made %v, %v", info, err)
	}
	if _, err := s.Add(ctx, second); err != nil {
		t.Error(err)
	}
	entries, err := s.List(ctx)
	if err != nil || len(entries) != 2 || !entries[0].Trusted || !entries[1].Trusted {
		t.Fatalf("%v, %v", entries, err)
	}
	entry, ok := find(entries, first)
	if !ok {
		t.Fatal("the first is not listed")
	}
	if err := s.Remove(ctx, entry); err != nil {
		t.Error(err)
	}
	if entries, err := s.List(ctx); err != nil || len(entries) != 1 || !entries[0].Certificate.Equal(second) {
		t.Errorf("%v, %v", entries, err)
	}
	if err := s.Remove(ctx, entry); err == nil {
		t.Error("what is not there is removed")
	}
	// Certificates of others are not even listed.
	if err := s.add(ctx, newRoot(t, "somebody else")); err != nil {
		t.Fatal(err)
	}
	if entries, err := s.List(ctx); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

// TestSameName has a stranger's certificate in the store that bears our name: certutil can
// tell the two by their name only, so that nothing is done.
func TestSameName(t *testing.T) {
	m, bin := newMachine(t)
	ours, theirs := newRoot(t, mark+" (x)"), newRoot(t, mark+" (x)")
	file(t, "", m.Home, ".pki/nssdb/cert9.db")
	file(t, string(encodePEM(ours))+string(encodePEM(theirs)), bin, "certs")
	script(t, bin, "certutil", `case "$1 $2" in
"-L -a") while read -r line; do echo "$line"; done < "`+bin+`/certs";;
-L*) echo "`+mark+` (x)                 ,,";;
*) : > "`+bin+`/changed";;
esac`)
	stores, _ := m.Find()
	entries, err := stores[0].List(t.Context())
	if err != nil || len(entries) != 2 {
		t.Fatalf("%v, %v", entries, err)
	}
	if err := stores[0].Remove(t.Context(), entries[0]); err == nil || !strings.Contains(err.Error(), "by hand") {
		t.Errorf("removed: %v", err)
	}
	if _, err := stores[0].Add(t.Context(), ours); err == nil || !strings.Contains(err.Error(), "by hand") {
		t.Errorf("trusted: %v", err)
	}
	if _, err := os.Stat(filepath.Join(bin, "changed")); err == nil {
		t.Error("the store was changed")
	}
}

func TestCertutilFails(t *testing.T) {
	m, bin := newMachine(t)
	file(t, "", m.Home, ".pki/nssdb/cert9.db")
	stores, _ := m.Find()
	s, root := stores[0], newRoot(t, mark)
	if _, err := s.Add(t.Context(), root); !errors.Is(err, ErrNoCertutil) || !strings.Contains(err.Error(), "libnss3-tools") {
		t.Errorf("without certutil: %v", err)
	}
	tests := []struct{ what, script, want string }{
		{"fails", "echo 'certutil: SEC_ERROR_BAD_DATABASE: bad database.' >&2\nexit 255", "bad database"},
		{"does nothing", "", "does not trust it all the same"},
		{"wants a password", `[ "$1" = -L ] || { echo SEC_ERROR_BAD_PASSWORD >&2; exit 255; }`, ErrPassword.Error()},
		{"writes nonsense", "echo '" + mark + " C,,'", "does not trust it all the same"},
	}
	for _, test := range tests {
		script(t, bin, "certutil", test.script)
		if changed, err := s.Add(t.Context(), root); err == nil || changed || !strings.Contains(err.Error(), test.want) {
			t.Errorf("certutil %s: %v, %v; want %q", test.what, changed, err, test.want)
		}
	}
}

// TestSystem has the commands of Debian and of Fedora replaced by ones that do the same in
// another root directory.
func TestSystem(t *testing.T) {
	for _, system := range []struct{ dir, ext, bundle, command, remove string }{
		{"usr/local/share/ca-certificates", ".crt", "etc/ssl/certs/ca-certificates.crt", "update-ca-certificates", "--fresh"},
		{"etc/pki/ca-trust/source/anchors", ".pem", "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "update-ca-trust", "extract"},
	} {
		t.Run(system.command, func(t *testing.T) {
			m, bin := newMachine(t)
			dir, bundle := filepath.Join(m.Root, system.dir), filepath.Join(m.Root, system.bundle)
			file(t, string(encodePEM(newRoot(t, "somebody else"))), dir, "else"+system.ext)
			file(t, "", bundle)
			script(t, bin, system.command, `echo "$@" >> "`+bin+`/calls"
: > "`+bundle+`"
for f in "`+dir+`"/*`+system.ext+`; do
  while read -r line; do echo "$line"; done < "$f" >> "`+bundle+`"
done`)
			stores, _ := m.Find()
			if len(stores) != 1 || stores[0].Kind != System || stores[0].Path != dir {
				t.Fatalf("found\n%s", paths(m, stores))
			}
			s, root, ctx := stores[0], newRoot(t, mark+" (x)"), t.Context()
			for i, want := range []bool{true, false} {
				if changed, err := s.Add(ctx, root); err != nil || changed != want {
					t.Errorf("added for the %d. time: %v, %v", i+1, changed, err)
				}
			}
			entries, err := s.List(ctx)
			if err != nil || len(entries) != 1 || !entries[0].Trusted || !entries[0].Certificate.Equal(root) {
				t.Fatalf("%v, %v", entries, err)
			}
			if info, err := os.Stat(entries[0].handle); err != nil || info.Mode() != 0o644 {
				t.Errorf("file: %v, %v", info, err)
			}
			// A file without an update is not trusted yet, and Add does what is missing.
			file(t, "", bundle)
			if entries, err := s.List(ctx); err != nil || entries[0].Trusted {
				t.Errorf("%v, %v", entries, err)
			}
			if changed, err := s.Add(ctx, root); err != nil || !changed {
				t.Errorf("added again: %v, %v", changed, err)
			}
			if err := s.Remove(ctx, entries[0]); err != nil {
				t.Error(err)
			}
			if certs, err := readCertificates(bundle, maxBundle); err != nil || len(certs) != 1 {
				t.Errorf("the bundle has %d, %v", len(certs), err)
			}
			calls, err := os.ReadFile(filepath.Join(bin, "calls"))
			if err != nil || !strings.HasSuffix(string(calls), system.remove+"\n") {
				t.Errorf("called with %q, %v", calls, err)
			}
		})
	}
}

func TestSystemFails(t *testing.T) {
	m, bin := newMachine(t)
	dir := filepath.Join(m.Root, "usr/local/share/ca-certificates")
	file(t, "garbage", dir, "broken.crt")
	script(t, bin, "update-ca-certificates", "echo no space >&2\nexit 1")
	stores, _ := m.Find()
	if _, err := stores[0].Add(t.Context(), newRoot(t, mark)); err == nil || !strings.Contains(err.Error(), "no space") {
		t.Errorf("added: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left: %v, %v", entries, err)
	}
	if os.Getuid() == 0 {
		return // root may write everywhere
	}
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) }) // so that it can be removed
	if _, err := stores[0].Add(t.Context(), newRoot(t, mark)); !errors.Is(err, ErrNeedsRoot) {
		t.Errorf("added without permission: %v", err)
	}
}

func TestProfiles(t *testing.T) {
	m, _ := newMachine(t)
	dir := filepath.Join(m.Home, ".mozilla", "firefox")
	outside := t.TempDir()
	for _, name := range []string{"a.default", "b.two", "c.three"} {
		file(t, "", dir, name, "cert9.db")
	}
	file(t, "[Install1]\r\nDefault=gone\r\n\r\n[Profile0]\r\nName=a\r\nIsRelative=1\r\nPath=a.default\r\n"+
		"[Profile7]\nPath = b.two\n[Profile8]\nName=again\nPath=a.default\n[Profile9]\nPath=gone\n[ProfileX]\n[General]\nPath=c.three\n"+
		"[Profile2]\nName=out\nIsRelative=0\nPath="+outside, dir, "profiles.ini")
	file(t, "[Profile0]\nPath=x\n", m.Home, "snap/firefox/common/.mozilla/firefox/profiles.ini")
	file(t, "", m.Home, "snap/firefox/common/.mozilla/firefox/x/cert9.db")
	if err := os.MkdirAll(filepath.Join(m.Home, ".var/app/org.mozilla.firefox/.mozilla/firefox/profiles.ini"), 0o700); err != nil {
		t.Fatal(err)
	}
	stores, notes := m.Find()
	rel, err := filepath.Rel(m.Home, outside)
	if err != nil {
		t.Fatal(err)
	}
	want := "firefox .mozilla/firefox/a.default\nfirefox .mozilla/firefox/b.two\nfirefox " + rel + " (absent)\nfirefox snap/firefox/common/.mozilla/firefox/x"
	if got := paths(m, stores); got != want {
		t.Errorf("found\n%s\nwant\n%s", got, want)
	}
	if text := strings.Join(notes, "\n"); !strings.Contains(text, "not a regular file") {
		t.Errorf("notes: %s", text)
	}
}

func FuzzProfiles(f *testing.F) {
	f.Add("[Profile0]\nName=a\nIsRelative=1\nPath=a.default\n")
	f.Add("[Profile0]\r\nPath=/x\r\nIsRelative=0\r\n[General]\r\nPath=y")
	f.Add("[\n=\nPath=\n[Profile\nPath")
	f.Fuzz(func(t *testing.T, text string) {
		profiles, err := parseProfiles(text, "/home/x/.mozilla/firefox")
		if err != nil && profiles != nil || len(profiles) > maxProfiles {
			t.Fatalf("%d profiles, %v", len(profiles), err)
		}
		for _, p := range profiles {
			if p.dir == "" || strings.ContainsAny(p.dir+p.name, "\n") {
				t.Fatalf("%+v", p)
			}
		}
	})
}
