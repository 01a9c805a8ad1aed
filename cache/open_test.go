package cache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

func TestSecondOpenIsLocked(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	s := mustOpen(t, path, Config{Quota: 64 << 20})
	mustPut(t, s, "page", content(1, 100_000))
	_, err := Open(path, Config{Quota: 64 << 20, LockTimeout: 100 * time.Millisecond})
	wantError(t, err, ErrLocked)
	if !strings.Contains(err.Error(), "another peerproxy is running on this data") {
		t.Errorf("message: %v", err)
	}
	wantBody(t, s, "page", content(1, 100_000))
	verify(t, s)
	mustClose(t, s)
	mustOpen(t, path, Config{Quota: 64 << 20})
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "no", "such", "dir", "f"), Config{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
	if _, err := Open(dir, Config{}); err == nil {
		t.Error("a directory was opened")
	}
	if _, err := Open(filepath.Join(dir, "f"), Config{Quota: 1000}); err == nil {
		t.Error("a quota of 1000 bytes was taken")
	}
	names, _ := os.ReadDir(dir)
	if len(names) > 0 {
		t.Errorf("left over: %v", names)
	}
}

// wantUntouched opens a file that must be refused, and must stay as it is.
func wantUntouched(t *testing.T, path string, want error) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, Config{Quota: 64 << 20, LockTimeout: time.Second})
	if err == nil {
		s.Close()
	}
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file was changed (%v)", err)
	}
}

func TestNewerSchema(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	mustClose(t, mustOpen(t, path, Config{Quota: 64 << 20}))
	setSchema := func(v []byte) {
		db, err := bolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.Update(func(tx *bolt.Tx) error { return tx.Bucket(systemBucket).Put(schemaKey, v) }); err != nil {
			t.Fatal(err)
		}
	}
	setSchema(binary.BigEndian.AppendUint64(nil, schemaVersion+1))
	wantUntouched(t, path, ErrNewerSchema)
	setSchema(binary.BigEndian.AppendUint64(nil, 0))
	wantUntouched(t, path, ErrCorrupt)
	setSchema([]byte("1"))
	wantUntouched(t, path, ErrCorrupt)
}

func TestForeignFiles(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	for name, data := range map[string][]byte{
		"empty":        nil,
		"text":         []byte("hello"),
		"zeros":        make([]byte, 100_000),
		"random":       content(1, 100_000),
		"one page":     content(2, 4096),
		"a few bytes":  content(3, 17),
		"SQLite":       append([]byte("SQLite format 3\x00"), make([]byte, 8192)...),
		"almost bbolt": append(binary.NativeEndian.AppendUint32(make([]byte, 16), boltMagic), make([]byte, 32768)...),
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			wantUntouched(t, path, ErrCorrupt)
		})
	}
	t.Run("other bbolt file", func(t *testing.T) {
		os.Remove(path)
		db, err := bolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("mine")); return err })
		db.Close()
		wantUntouched(t, path, ErrCorrupt)
	})
}

// filled returns the bytes of a file with some responses. Unclean is as a crash leaves
// it: without a list of free pages.
func filled(t *testing.T, unclean bool) []byte {
	t.Helper()
	path := tempFile(t)
	s := mustOpen(t, path, Config{Quota: 64 << 20})
	// Mostly small ones: many pages of structure, few of plain bytes.
	var storing sync.WaitGroup
	for i := range 60 {
		body := content(uint64(i), 500+i%3*1500+i%20/19*300_000)
		st := response(t, pathOf(i), body)
		storing.Go(func() {
			if err := put(s, st, body); err != nil {
				t.Error(err)
			}
		})
	}
	storing.Wait()
	for i := range 10 {
		if err := s.Delete(t.Context(), idOf(t, pathOf(i))); err != nil {
			t.Fatal(err)
		}
	}
	if !unclean {
		mustClose(t, s)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if unclean {
		mustClose(t, s)
	}
	return data
}

func TestTruncatedFile(t *testing.T) {
	t.Parallel()
	for _, unclean := range []bool{false, true} {
		data := filled(t, unclean)
		path := tempFile(t)
		for _, n := range []int{1, 4095, 4096, 8192, 16384, len(data) / 4, len(data) / 2} {
			if err := os.WriteFile(path, data[:n], 0o600); err != nil {
				t.Fatal(err)
			}
			wantUntouched(t, path, ErrCorrupt)
		}
	}
}

// Whatever is changed in a file, it is refused, or opened and used without a crash.
// What is read then is right, or an error, or has changed bytes that Verify reports.
func TestDamagedPages(t *testing.T) {
	t.Parallel()
	rounds := 60
	if testing.Short() || raceEnabled {
		rounds = 8
	}
	for _, unclean := range []bool{false, true} {
		data := filled(t, unclean)
		path := tempFile(t)
		r := rand.New(rand.NewPCG(1, 2))
		refused := 0
		for range rounds {
			damaged := bytes.Clone(data)
			for range 1 + r.IntN(4) {
				at := r.IntN(len(damaged)/4096) * 4096
				switch r.IntN(4) {
				case 0: // a flipped bit where it hurts
					damaged[at+r.IntN(64)] ^= 1 << r.IntN(8)
				case 1: // another page's content
					copy(damaged[at:at+4096], data[r.IntN(len(data)/4096)*4096:])
				case 2: // nothing
					clear(damaged[at : at+4096])
				case 3: // noise
					copy(damaged[at:at+512], content(r.Uint64(), 512))
				}
			}
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			if !useDamaged(t, path) {
				refused++
			}
		}
		t.Logf("unclean %v: %d of %d refused", unclean, refused, rounds)
	}
}

// useDamaged does everything that can be done with a file. It returns false if the
// file was refused.
func useDamaged(t *testing.T, path string) bool {
	t.Helper()
	before, _ := os.ReadFile(path)
	s, err := Open(path, Config{Quota: 64 << 20})
	if err != nil {
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewerSchema) {
			t.Errorf("got %v, want ErrCorrupt", err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Error("the refused file was changed")
		}
		return false
	}
	defer s.Close()
	s.Verify(t.Context(), nil)
	for i := range 60 {
		get(t, s, pathOf(i))
	}
	for range s.All() {
	}
	for i := range 4 {
		put(s, response(t, pathOf(i), content(uint64(i)+100, 20_000), later(time.Hour)), content(uint64(i)+100, 20_000))
		s.Delete(t.Context(), idOf(t, pathOf(i+20)))
	}
	return true
}

// The file loses its end while it is in use.
func TestFileTruncatedWhileOpen(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	s := mustOpen(t, path, Config{Quota: 64 << 20, MemoryTier: -1})
	for i := range 50 {
		mustPut(t, s, pathOf(i), content(uint64(i), 200_000))
	}
	if err := os.Truncate(path, 64<<10); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for i := range 50 {
		if _, _, err := get(t, s, pathOf(i)); err != nil {
			failed++
		}
	}
	if failed == 0 {
		t.Fatal("everything could be read")
	}
	if err := put(s, response(t, "new", content(1, 10_000)), content(1, 10_000)); err == nil {
		t.Error("a response was acknowledged")
	}
	if s.Stats().Damage == nil {
		t.Error("the damage is not in the figures")
	}
}

// A quota that was lowered empties the file down to it.
func TestLoweredQuota(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	s := mustOpen(t, path, Config{Quota: 32 << 20})
	for i := range 100 {
		mustPut(t, s, pathOf(i), content(uint64(i), 200_000))
	}
	mustClose(t, s)
	before, _ := os.Stat(path)
	s = mustOpen(t, path, Config{Quota: MinQuota})
	for range 100 {
		waitIdle(t, s)
	}
	if used := s.Stats().UsedBytes; used > MinQuota {
		t.Errorf("%d bytes are in use", used)
	}
	verify(t, s)
	for i := range 40 {
		mustPut(t, s, pathOf(1000+i), content(uint64(i), 200_000))
	}
	wantBody(t, s, pathOf(1039), content(39, 200_000))
	if after, _ := os.Stat(path); after.Size() > before.Size() {
		t.Errorf("the file grew from %d to %d bytes", before.Size(), after.Size())
	}
	verify(t, s)
}
