package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// saveFile puts all of r into a file, or leaves the file as it was. What is there and
// is no regular file (a pipe, a device) is written to as it is.
func saveFile(path string, r io.Reader) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // replace the file, not the link to it
	}
	mode := fs.FileMode(0o666)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("output: %w", err)
	case info.IsDir():
		return fmt.Errorf("output: %s is a directory", path)
	case !info.Mode().IsRegular():
		return writeInto(path, r)
	default:
		mode = info.Mode().Perm()
	}
	if err := replaceFile(path, mode, r); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}

func writeInto(path string, r io.Reader) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("output: %w", err)
	}
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("output: %w", err)
	}
	return nil
}

// replaceFile writes beside path and renames. The mode is subject to the umask, as that
// of every new file.
func replaceFile(path string, mode fs.FileMode, r io.Reader) error {
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text())
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return nil
}
