package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// maxSocketPath is what fits into sockaddr_un on every Unix (macOS: 104 with its zero byte).
const maxSocketPath = 103

// ErrNotRunning means that no node answers for a data directory.
var ErrNotRunning = errors.New("no peerproxy is running on this data directory")

// SocketPath is where the node of a data directory listens. Where the directory's own
// path is too long for a socket address, it is a name in a private
// directory below /tmp that follows from it.
func SocketPath(dataDir string) (string, error) {
	dir, err := filepath.Abs(dataDir)
	if err != nil {
		return "", fmt.Errorf("control: data directory: %w", err)
	}
	if path := filepath.Join(dir, "control.sock"); len(path) <= maxSocketPath {
		return path, nil
	}
	sum := sha256.Sum256([]byte(dir))
	name := fmt.Sprintf("peerproxy-%d-%s", os.Getuid(), hex.EncodeToString(sum[:8]))
	return filepath.Join(sharedTemp(), name, "control.sock"), nil
}

// sharedTemp is where everybody may make directories. It does not follow TMPDIR, so
// that the node and the commands that look for it agree.
func sharedTemp() string {
	if runtime.GOOS == "windows" {
		return os.TempDir()
	}
	return "/tmp"
}

// inDataDir reports whether a socket is where the data directory's owner has put it.
func inDataDir(path, dataDir string) bool {
	dir, err := filepath.Abs(dataDir)
	return err == nil && filepath.Dir(path) == dir
}

// Listen opens the socket of a data directory. The caller owns the directory's lock:
// a socket that is there already was left by a crash, and is replaced.
func Listen(dataDir string) (net.Listener, error) {
	path, err := SocketPath(dataDir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("control: socket directory: %w", err)
	}
	if err := checkDir(path, dataDir); err != nil {
		return nil, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("control: remove old socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control: listen: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("control: protect socket: %w", err), l.Close())
	}
	return l, nil
}

// Dial connects to the node of a data directory, or returns [ErrNotRunning].
func Dial(ctx context.Context, dataDir string) (*Client, error) {
	path, err := SocketPath(dataDir)
	if err != nil {
		return nil, err
	}
	if err := checkDir(path, dataDir); err != nil {
		return nil, err
	}
	dial := func(ctx context.Context) (net.Conn, error) {
		d := net.Dialer{Timeout: 2 * time.Second}
		return d.DialContext(ctx, "unix", path)
	}
	conn, err := dial(ctx)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("control: the node of %s belongs to another user: %w", dataDir, fs.ErrPermission)
	}
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", ErrNotRunning, dataDir)
	}
	return newClient(dial), conn.Close()
}

// checkDir makes sure that nobody else could put a socket where ours belongs, and so
// answer in our place. In the shared directory for temporary files anyone may have been first.
func checkDir(path, dataDir string) error {
	dir := filepath.Dir(path)
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w (%s)", ErrNotRunning, dataDir)
	}
	if err != nil {
		return fmt.Errorf("control: socket directory: %w", err)
	}
	if !info.IsDir() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("control: others can write to %s: make it private (chmod 700)", dir)
	}
	if !inDataDir(path, dataDir) && !ownedByUs(info) {
		return fmt.Errorf("control: %s belongs to somebody else: use a data directory with a shorter path", dir)
	}
	return nil
}
