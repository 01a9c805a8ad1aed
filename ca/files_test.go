package ca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestCreateAndLoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data", "peerproxy")
	if a, err := Load(dir); !errors.Is(err, ErrNone) || a != nil {
		t.Fatalf("without an authority: %v, %v", a, err)
	}
	created, err := Create(dir, Options{Only: []string{"example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !loaded.Certificate().Equal(created.Certificate()) || !loaded.key.Equal(created.key) {
		t.Error("another authority is loaded than was created")
	}
	if loaded.Permits("example.org") || !loaded.Permits("example.com") {
		t.Error("the limits are not loaded")
	}
	if _, err := loaded.Issue("example.com"); err != nil {
		t.Error(err)
	}
	if _, err := Create(dir, Options{}); !errors.Is(err, ErrExists) {
		t.Errorf("created again: %v", err)
	}
	if again, err := Load(dir); err != nil || !again.Certificate().Equal(created.Certificate()) {
		t.Errorf("the refused Create has changed something: %v", err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{CertificateFile, KeyFile}) {
		t.Errorf("files: %v", got)
	}
	if runtime.GOOS == "windows" {
		return
	}
	if info, err := os.Stat(filepath.Join(dir, KeyFile)); err != nil || info.Mode() != 0o600 {
		t.Errorf("key file: %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v, %v", info.Mode(), err)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestCreateRefuses(t *testing.T) {
	many := make([]string, 101)
	for i := range many {
		many[i] = strings.Repeat("a", i/26+1) + string(rune('a'+i%26)) + ".example"
	}
	for what, o := range map[string]Options{
		"a wildcard":         {Only: []string{"*.example.com"}},
		"a leading dot":      {Only: []string{".example.com"}},
		"an address":         {Only: []string{"192.0.2.1"}},
		"an empty limit":     {Only: []string{""}},
		"too many limits":    {Only: many},
		"a negative time":    {Lifetime: -1},
		"a too short time":   {Lifetime: 1},
		"a time without end": {Lifetime: 1<<63 - 1},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		_, err := Create(dir, o)
		if err == nil {
			t.Errorf("%s is accepted", what)
		}
		if len(o.Only) == 1 && !errors.Is(err, ErrName) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a directory is made: %v", what, err)
		}
	}
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	var roots []*x509.Certificate
	for range 3 {
		a, err := Create(dir, Options{Replace: true})
		if err != nil {
			t.Fatal(err)
		}
		roots = append(roots, a.Certificate())
	}
	loaded, err := Load(dir)
	if err != nil || !loaded.Certificate().Equal(roots[2]) {
		t.Fatalf("loaded %v, %v", loaded, err)
	}
	former, err := Former(dir)
	if err != nil || len(former) != 2 || !former[0].Equal(roots[0]) || !former[1].Equal(roots[1]) {
		t.Errorf("former: %v, %v", former, err)
	}
	if roots[1].PublicKey.(*ecdsa.PublicKey).Equal(roots[2].PublicKey) {
		t.Error("the key of the one before is used again")
	}
	// What can't be used can be replaced.
	for _, name := range []string{KeyFile, CertificateFile} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir); !errors.Is(err, ErrFile) {
			t.Errorf("%s is damaged: %v", name, err)
		}
		if _, err := Create(dir, Options{}); !errors.Is(err, ErrExists) {
			t.Errorf("damaged %s is overwritten unasked: %v", name, err)
		}
		if _, err := Create(dir, Options{Replace: true}); err != nil {
			t.Errorf("damaged %s can't be replaced: %v", name, err)
		}
	}
}

// TestBrokenOff has a Create end between its two files.
func TestBrokenOff(t *testing.T) {
	dir := t.TempDir()
	if _, err := loadOrMakeKey(filepath.Join(dir, KeyFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); !errors.Is(err, ErrNone) {
		t.Errorf("half an authority: %v", err)
	}
	if _, err := Create(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	if err := CheckKey(dir); err != nil {
		t.Error(err)
	}
}

func TestCreateAtOnce(t *testing.T) {
	dir := t.TempDir()
	const n = 16
	var created atomic.Pointer[Authority]
	var wins atomic.Int32
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			a, err := Create(dir, Options{})
			switch {
			case err == nil:
				wins.Add(1)
				created.Store(a)
			case !errors.Is(err, ErrExists):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if wins.Load() != 1 {
		t.Fatalf("%d have created", wins.Load())
	}
	loaded, err := Load(dir)
	if err != nil || !loaded.Certificate().Equal(created.Load().Certificate()) {
		t.Errorf("loaded %v, %v", loaded, err)
	}
	if got := names(t, dir); len(got) != 2 {
		t.Errorf("files left: %v", got)
	}
}

func TestReplaceAtOnce(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if _, err := Create(dir, Options{Replace: true}); err != nil && !errors.Is(err, ErrExists) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := CheckKey(dir); err != nil {
		t.Error(err)
	}
	if former, err := Former(dir); err != nil || len(former) != 15 && runtime.GOOS != "windows" {
		t.Errorf("%d former roots, %v", len(former), err)
	}
}

func TestOpenKeyFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o660, 0o601, 0o777} {
		dir := t.TempDir()
		if _, err := Create(dir, Options{}); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, KeyFile), mode); err != nil {
			t.Fatal(err)
		}
		if a, err := Load(dir); !errors.Is(err, ErrFile) || a != nil || !strings.Contains(err.Error(), "0600") {
			t.Errorf("mode %v: %v, %v", mode, a, err)
		}
		if _, err := Certificate(dir); err != nil {
			t.Errorf("the certificate can't be seen: %v", err)
		}
	}
	dir := t.TempDir()
	if _, err := Create(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, KeyFile)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); !errors.Is(err, ErrFile) {
		t.Errorf("without the key: %v", err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); !errors.Is(err, ErrFile) {
		t.Errorf("the key is a directory: %v", err)
	}
}

func TestBadFiles(t *testing.T) {
	dir := t.TempDir()
	if _, err := Create(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	key, cert := read(t, dir, KeyFile), read(t, dir, CertificateFile)
	other := t.TempDir()
	a, err := Create(other, Options{})
	if err != nil {
		t.Fatal(err)
	}
	issued, err := a.Issue("example.com")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		what, file string
		text       []byte
	}{
		{"no key", KeyFile, nil},
		{"no PEM", KeyFile, []byte("secret")},
		{"cut off", KeyFile, key[:len(key)-30]},
		{"two keys", KeyFile, slices.Concat(key, key)},
		{"too long", KeyFile, slices.Concat(key, bytes.Repeat([]byte("\n"), maxKeyFile))},
		{"the key of another", KeyFile, read(t, other, KeyFile)},
		{"another kind of key", KeyFile, pkcs8(t, ed25519.NewKeyFromSeed(make([]byte, 32)))},
		{"another curve", KeyFile, pkcs8(t, p384(t))},
		{"a certificate for a key", KeyFile, cert},
		{"empty", CertificateFile, nil},
		{"two certificates", CertificateFile, slices.Concat(cert, cert)},
		{"a key for a certificate", CertificateFile, key},
		{"a leaf", CertificateFile, EncodePEM(issued.Leaf)},
		{"cut off", CertificateFile, cert[:len(cert)-60]},
		{"the certificate of another", CertificateFile, read(t, other, CertificateFile)},
		{"something else after it", CertificateFile, slices.Concat(cert, []byte("x"))},
	}
	for _, test := range tests {
		write(t, dir, KeyFile, key)
		write(t, dir, CertificateFile, cert)
		if err := CheckKey(dir); err != nil {
			t.Fatal(err)
		}
		write(t, dir, test.file, test.text)
		a, err := Load(dir)
		if !errors.Is(err, ErrFile) || a != nil {
			t.Errorf("%s, %s: %v, %v", test.file, test.what, a, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error tells what the file has: %v", err)
		}
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t *testing.T, dir, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func pkcs8(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: keyType, Bytes: der})
}

func p384(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
