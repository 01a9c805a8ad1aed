package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// maxSocketPath is what fits into sockaddr_un on every Unix (macOS: 104 with its zero byte).
const maxSocketPath = 103

// ErrNotRunning means that no node answers for a data directory.
var ErrNotRunning = errors.New("no peerproxy is running on this data directory")

// SocketPath is where the node of a data directory listens. Where the directory's own
// path is too long for a socket address, it is a name in the user's temporary
// directory that follows from it.
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
	return filepath.Join(os.TempDir(), name, "control.sock"), nil
}

// Listen opens the socket of a data directory. The caller owns the directory's lock:
// a socket that is there already was left by a crash, and is replaced.
func Listen(dataDir string) (net.Listener, error) {
	path, err := SocketPath(dataDir)
	if err != nil {
		return nil, err
	}
	if err := privateDir(filepath.Dir(path)); err != nil {
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
	dial := func(ctx context.Context) (net.Conn, error) {
		d := net.Dialer{Timeout: 2 * time.Second}
		return d.DialContext(ctx, "unix", path)
	}
	conn, err := dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w (%s)", ErrNotRunning, dataDir)
	}
	return newClient(dial), conn.Close()
}

// privateDir makes sure that nobody else can put a socket where ours belongs.
func privateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("control: socket directory: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("control: socket directory: %w", err)
	}
	if !info.IsDir() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("control: others can write to %s: make it private (chmod 700)", dir)
	}
	return nil
}
