package cache

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"unsafe"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// guard is deferred around every use of bbolt, which panics on pages that it can't
// make sense of, and faults on pages that the file does not have:
//
//	defer guard(&err)()
//
// Either becomes an error that wraps ErrCorrupt.
func guard(err *error) func() {
	old := debug.SetPanicOnFault(true)
	return func() {
		debug.SetPanicOnFault(old)
		if p := recover(); p != nil {
			*err = &damage{what: fmt.Sprint(p), stack: debug.Stack()}
		}
	}
}

// damage is what guard makes of a panic.
type damage struct {
	what  string
	stack []byte
}

func (d *damage) Error() string { return ErrCorrupt.Error() + ": " + d.what }
func (d *damage) Unwrap() error { return ErrCorrupt }

// translate gives errors of bbolt the names of this package.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, berrors.ErrTimeout):
		return ErrLocked
	case errors.Is(err, berrors.ErrDatabaseNotOpen), errors.Is(err, berrors.ErrTxClosed):
		return ErrClosed
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum),
		errors.Is(err, berrors.ErrVersionMismatch), errors.Is(err, berrors.ErrInvalidMapping),
		errors.Is(err, berrors.ErrIncompatibleValue):
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

// view runs f in a read transaction. What f gets from it must be copied: nothing of
// it is valid afterwards.
func view(db *bolt.DB, f func(*bolt.Tx) error) (err error) {
	defer guard(&err)()
	return translate(db.View(f))
}

func (s *Store) view(f func(*bolt.Tx) error) error {
	err := view(s.db, f)
	s.noteDamage(err)
	return err
}

// preadMin is from how many bytes on a value is read from the file instead of copied
// from the map. For a file in the page cache that costs a few microseconds; for one
// on the disk it saves a page fault for each 4 KiB, and keeps the memory of the
// process from growing with the file.
const preadMin = 16 << 10

// copyValue copies from v, a value of tx, as much as fits into p.
func copyValue(tx *bolt.Tx, file *os.File, p, v []byte) int {
	n := min(len(p), len(v))
	if n >= preadMin {
		if at, ok := fileOffset(tx, v[:n]); ok {
			if _, err := file.ReadAt(p[:n], at); err == nil {
				return n
			}
		}
	}
	return copy(p, v)
}

// fileOffset is where in the file the bytes of v, a value of tx, are. It is not ok if
// they are elsewhere in memory, where bbolt had to align or has changed them.
func fileOffset(tx *bolt.Tx, v []byte) (at int64, ok bool) {
	base := tx.DB().Info().Data
	start := uintptr(unsafe.Pointer(unsafe.SliceData(v)))
	if start < base {
		return 0, false
	}
	at = int64(start - base)
	return at, at+int64(len(v)) <= tx.Size()
}
