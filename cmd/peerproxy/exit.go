package main

import (
	"context"
	"errors"
	"io/fs"
	"net"

	"github.com/peerproxy/peerproxy/ca"
	"github.com/peerproxy/peerproxy/cache"
	"github.com/peerproxy/peerproxy/control"
	"github.com/peerproxy/peerproxy/internal/demo"
	"github.com/peerproxy/peerproxy/node"
	"github.com/peerproxy/peerproxy/trust"
)

// Exit codes. They are part of the interface, see exitHelp.
const (
	exitOK       = 0
	exitFailure  = 1
	exitUsage    = 2
	exitNotFound = 3
	exitData     = 4
	exitAddress  = 5
	exitDamage   = 6
)

const exitHelp = "Exit codes: 0 done; 1 failed or interrupted; 2 wrong usage or configuration; 3 not found (not stored, nobody has it, not in the keyring or another list); " +
	"4 data directory not usable (unreadable, locked, damaged or of a newer version); 5 address or port not usable; " +
	"6 content is not what it must be (cache verify, demo)."

var errDamage = errors.New("stored content is damaged")

// usageError is a fault in what the user wrote.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// exitCode is the one place where an error becomes an exit code.
func exitCode(err error) int {
	var usage usageError
	var file *fs.PathError
	var network *net.OpError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, context.Canceled): // interrupted: not done, whatever else it led to
		return exitFailure
	case errors.Is(err, trust.ErrKeyFile), errors.Is(err, trust.ErrBadKeyring):
		return exitData
	case errors.Is(err, trust.ErrBadEntry), errors.Is(err, trust.ErrTaken), errors.Is(err, trust.ErrBadKey),
		errors.Is(err, trust.ErrBadInvitation), errors.Is(err, trust.ErrNewerInvitation):
		return exitUsage
	case errors.Is(err, control.ErrNotFound), errors.Is(err, errNobodyHasIt), errors.Is(err, trust.ErrNoEntry), errors.Is(err, ca.ErrNone), errors.Is(err, errNotBypassed):
		return exitNotFound
	case errors.Is(err, errDamage), errors.Is(err, demo.ErrDiffers):
		return exitDamage
	case errors.Is(err, cache.ErrLocked), errors.Is(err, cache.ErrCorrupt), errors.Is(err, cache.ErrNewerSchema), errors.Is(err, ca.ErrFile), errors.Is(err, node.ErrGroupFile):
		return exitData
	case errors.As(err, &network) && network.Op == "listen":
		return exitAddress
	case errors.As(err, &file), errors.Is(err, fs.ErrPermission):
		return exitData
	default:
		return exitFailure
	}
}
