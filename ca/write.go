package ca

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// createFile makes a new file, whole and synced, or fails with [fs.ErrExist] if there is
// anything already. (Where the file system has no hard links, a crash can leave a part
// of it, which is refused later.)
func createFile(path string, mode fs.FileMode, text []byte) error {
	temp, err := writeTemp(path, mode, text)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	// A link never replaces, as a rename would.
	err = os.Link(temp, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = createInPlace(path, mode, text)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func createInPlace(path string, mode fs.FileMode, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if err := writeSynced(f, text); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// replaceFile writes all of a file, or leaves it as it was.
func replaceFile(path string, mode fs.FileMode, text []byte) error {
	temp, err := writeTemp(path, mode, text)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	return syncDir(filepath.Dir(path))
}

// writeTemp writes a file beside path that has its content and mode already.
func writeTemp(path string, mode fs.FileMode, text []byte) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return "", err
	}
	err = writeSynced(f, text)
	if err == nil && mode != keyMode {
		err = os.Chmod(f.Name(), mode)
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

func writeSynced(f *os.File, text []byte) error {
	_, err := f.Write(text)
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
