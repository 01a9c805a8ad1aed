package wholefile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
)

func TestWriteAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if _, err := Read(path, 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if err := Create(path, Private, []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := Create(path, Private, []byte("second")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("created over another: %v", err)
	}
	if got, err := ReadPrivate(path, 5); string(got) != "first" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := ReadPrivate(path, 4); !errors.Is(err, ErrUnusable) {
		t.Errorf("longer than the limit: %v", err)
	}
	if err := Replace(path, 0o644, []byte("third")); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(path, 5); string(got) != "third" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("%d files are there", len(left))
	}
}

func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	for mode, isPrivate := range map[fs.FileMode]bool{0o600: true, 0o644: false, 0o640: false, 0o602: false} {
		for name, write := range map[string]func(string, fs.FileMode, []byte) error{"create": Create, "replace": Replace} {
			path := filepath.Join(t.TempDir(), "file")
			if err := write(path, mode, []byte("x")); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
				t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, mode)
			}
			if _, err := ReadPrivate(path, 1); errors.Is(err, ErrUnusable) == isPrivate {
				t.Errorf("%s, %v: %v", name, mode, err)
			}
			if _, err := Read(path, 1); err != nil {
				t.Errorf("%s, %v: %v", name, mode, err)
			}
		}
	}
}

func TestNoRegularFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := Read(dir, 10); !errors.Is(err, ErrUnusable) {
		t.Errorf("a directory: %v", err)
	}
	path := filepath.Join(dir, "missing", "file")
	if Create(path, Private, nil) == nil || Replace(path, Private, nil) == nil {
		t.Error("written into a directory that is not there")
	}
}

// Of several who create one file, one wins, and everybody reads that one's.
func TestCreateAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	var won atomic.Int32
	var wg sync.WaitGroup
	for i := range 8 {
		content := bytes.Repeat([]byte{byte('a' + i)}, 100)
		wg.Go(func() {
			if err := Create(path, Private, content); err == nil {
				won.Add(1)
			} else if !errors.Is(err, fs.ErrExist) {
				t.Error(err)
			}
			got, err := Read(path, 100)
			if err != nil || len(got) != 100 || bytes.Count(got, got[:1]) != 100 {
				t.Errorf("read %q, %v", got, err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Errorf("%d have created it", won.Load())
	}
}

// On a file system without links the file is made in place, and still never replaced.
func TestInPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := inPlace(path, Private, []byte("first")); err != nil {
		t.Fatal(err)
	}
	if err := inPlace(path, Private, []byte("second")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if got, err := ReadPrivate(path, 5); string(got) != "first" || err != nil {
		t.Errorf("file has %q, %v", got, err)
	}
}
