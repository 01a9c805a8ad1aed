//go:build unix && !solaris && !illumos && !aix

package ca

import (
	"fmt"
	"os"
	"syscall"
)

// lock keeps other processes out of [Create] for dir. It is needed for replacing
// alone: to create is exclusive by itself. So where a file system knows no locks of
// directories (NFS), there is none, and of two processes that replace at the same
// moment one may find files that do not belong together, which [Load] notices.
func lock(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	for {
		if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX); err != syscall.EINTR {
			break
		}
	}
	return func() { _ = d.Close() }, nil
}
