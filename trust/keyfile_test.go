package trust

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func TestLoadOrCreate(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "node.key")
	created, err := LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := LoadOrCreate(path)
	if err != nil || loaded.Key() != created.Key() {
		t.Fatalf("loaded %v, %v; created %v", loaded, err, created)
	}
	if !bytes.Equal(loaded.sign([]byte("x")), created.sign([]byte("x"))) {
		t.Error("the loaded identity signs differently")
	}
	if info, _ := os.Stat(path); runtime.GOOS != "windows" && info.Mode() != keyFileMode {
		t.Errorf("mode is %v", info.Mode())
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("files left beside the key: %v", entries)
	}
}

// TestKeyFileForm holds the form fixed: a file that "openssl genpkey" wrote for the
// key of RFC 8032 section 7.1, test 1.
func TestKeyFileForm(t *testing.T) {
	const text = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
`
	path := write(t, text, 0o600)
	id, err := LoadOrCreate(path)
	if err != nil {
		t.Fatal(err)
	}
	if id.Key().String() != "ed25519:11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" {
		t.Errorf("key is %v", id)
	}
	if again, err := id.marshal(); err != nil || string(again) != text {
		t.Errorf("written as %q, %v", again, err)
	}
}

func TestLoadOrCreateRefuses(t *testing.T) {
	good, err := seeded(1).marshal()
	if err != nil {
		t.Fatal(err)
	}
	der, _ := pem.Decode(good)
	tests := map[string]string{
		"empty":                  "",
		"no PEM":                 "ed25519 secret",
		"cut off":                string(good[:len(good)-10]),
		"another PEM type":       strings.ReplaceAll(string(good), "PRIVATE KEY", "EC PRIVATE KEY"),
		"PEM headers":            string(pem.EncodeToMemory(&pem.Block{Type: pemType, Headers: map[string]string{"a": "b"}, Bytes: der.Bytes})),
		"not PKCS #8":            string(pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der.Bytes[1:]})),
		"seed cut off":           string(pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der.Bytes[:40]})),
		"two keys":               string(good) + string(good),
		"text after the key":     string(good) + "x",
		"a key of another kind":  ecdsaKey(t),
		"larger than a key file": string(good) + strings.Repeat("\n", maxKeyFile),
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			path := write(t, text, 0o600)
			if id, err := LoadOrCreate(path); !errors.Is(err, ErrKeyFile) || id != nil {
				t.Errorf("got %v, %v", id, err)
			}
			if now, err := os.ReadFile(path); err != nil || string(now) != text {
				t.Errorf("the file was changed: %q, %v", now, err)
			}
		})
	}
}

func TestLoadOrCreateRefusesOpenFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	good, _ := seeded(1).marshal()
	for _, mode := range []os.FileMode{0o640, 0o604, 0o660, 0o644, 0o610, 0o777} {
		path := write(t, string(good), mode)
		_, err := LoadOrCreate(path)
		if !errors.Is(err, ErrKeyFile) || !strings.Contains(err.Error(), path) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if _, err := LoadOrCreate(write(t, string(good), 0o400)); err != nil {
		t.Errorf("mode 0400: %v", err)
	}
}

func TestLoadOrCreateRefusesUnreadableFiles(t *testing.T) {
	if os.Getuid() == 0 || runtime.GOOS == "windows" {
		t.Skip("everything is readable")
	}
	good, _ := seeded(1).marshal()
	if _, err := LoadOrCreate(write(t, string(good), 0)); !errors.Is(err, os.ErrPermission) {
		t.Errorf("got %v", err)
	}
}

func TestLoadOrCreateWhereNoFileCanBe(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadOrCreate(dir); !errors.Is(err, ErrKeyFile) {
		t.Errorf("a directory: %v", err)
	}
	if _, err := LoadOrCreate(filepath.Join(dir, "missing", "node.key")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("in a directory that is not there: %v", err)
	}
	dangling := filepath.Join(dir, "dangling")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), dangling); err != nil {
		t.Skip(err)
	}
	if _, err := LoadOrCreate(dangling); err == nil {
		t.Error("a dangling link was replaced")
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("files left: %v", entries)
	}
}

func TestLoadOrCreateAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.key")
	var keys [16]Key
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() {
			id, err := LoadOrCreate(path)
			if err != nil {
				t.Error(err)
				return
			}
			keys[i] = id.Key()
		})
	}
	wg.Wait()
	for _, key := range keys {
		if key != keys[0] {
			t.Fatal("two identities from one file")
		}
	}
}

func FuzzParseIdentity(f *testing.F) {
	good, _ := seeded(1).marshal()
	f.Add(good)
	f.Add(good[:60])
	f.Add(bytes.Replace(good, []byte("MC4"), []byte("MC8"), 1))
	f.Fuzz(func(t *testing.T, text []byte) {
		id, err := parseIdentity(text)
		if err != nil {
			if !errors.Is(err, ErrKeyFile) {
				t.Errorf("error of another kind: %v", err)
			}
			return
		}
		if key := id.Key(); !key.verify([]byte("x"), id.sign([]byte("x"))) {
			t.Error("an identity that can't sign")
		}
	})
}

func write(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "node.key")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func ecdsaKey(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}))
}
