package wholefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// ErrUnusable is wrapped by errors about a file that is not what it should be: no regular file, too
// long, or open to others. Only a human can mend that.
var ErrUnusable = errors.New("file can't be used")

// Private is the mode of files that are their owner's alone.
const Private fs.FileMode = 0o600

// Read reads a regular file of at most limit bytes. Other errors than [ErrUnusable] are those of the
// file system, [fs.ErrNotExist] among them.
func Read(path string, limit int64) ([]byte, error) { return read(path, limit, regular) }

// ReadPrivate is like [Read], for a file that nobody but its owner can read or write. (Windows has no such
// modes: there it is like Read.)
func ReadPrivate(path string, limit int64) ([]byte, error) { return read(path, limit, private) }

func read(path string, limit int64, check func(string, fs.FileInfo) error) ([]byte, error) {
	// Before opening: to open a named pipe would block.
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if err := check(path, info); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// And again: it may be another file by now.
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := check(path, info); err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(content)) > limit {
		return nil, fmt.Errorf("%w: %s is longer than %d bytes", ErrUnusable, path, limit)
	}
	return content, err
}

func regular(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s is not a regular file", ErrUnusable, path)
	}
	return nil
}

func private(path string, info fs.FileInfo) error {
	if err := regular(path, info); err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("%w: mode %04o of %s lets others at it; it must be %04o", ErrUnusable, mode, path, Private)
	}
	return nil
}

// Create makes a file, or fails with [fs.ErrExist] if there is anything of that name. (Where the file
// system has no hard links, a crash can leave a part of it.)
func Create(path string, mode fs.FileMode, content []byte) error {
	temporary, err := beside(path, mode, content)
	if err != nil {
		return err
	}
	defer os.Remove(temporary)
	// A link never replaces, as a rename would.
	err = os.Link(temporary, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = inPlace(path, mode, content)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func inPlace(path string, mode fs.FileMode, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if err := fill(f, mode, content); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// Replace makes a file, or puts it in the place of one that is there.
func Replace(path string, mode fs.FileMode, content []byte) error {
	temporary, err := beside(path, mode, content)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return syncDir(filepath.Dir(path))
}

// beside writes a file of another name in the same directory. Its name has no extension, so that no
// program takes it for one of its files.
func beside(path string, mode fs.FileMode, content []byte) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return "", err
	}
	if err := fill(f, mode, content); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// fill writes, syncs and closes a new file.
func fill(f *os.File, mode fs.FileMode, content []byte) error {
	_, err := f.Write(content)
	if mode != Private {
		err = errors.Join(err, f.Chmod(mode))
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// syncDir makes a new name in dir durable. Not every system can sync a directory,
// and the file itself is synced, so that failing is no error.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	_ = d.Sync()
	return d.Close()
}
