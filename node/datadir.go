package node

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/peerproxy/peerproxy/internal/wholefile"
)

// The random port is taken from below the range that systems use for outgoing
// connections (from 32768 on with Linux), so that it is seldom taken.
const (
	firstPort = 20000
	lastPort  = 32767
)

// CacheFile is where a data directory's store is.
func CacheFile(dataDir string) string { return filepath.Join(dataDir, "cache.db") }

// openDataDir makes the directory if need be, and makes sure that files can be made in it.
func openDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// keptPort returns the port of a data directory, chosen at random the first time. It
// stays the same so that gateway mappings and other nodes' memories stay valid.
func keptPort(dir string) (int, error) {
	path := filepath.Join(dir, "port")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return choosePort(path)
	}
	if err != nil {
		return 0, fmt.Errorf("kept port: %w", err)
	}
	port, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || port < 1 || port > 65535 {
		return 0, fmt.Errorf("kept port: %s holds no port number: correct or remove it", path)
	}
	return port, nil
}

func choosePort(path string) (int, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(lastPort-firstPort+1))
	if err != nil {
		return 0, fmt.Errorf("choose a port: %w", err)
	}
	port := firstPort + int(n.Int64())
	if err := wholefile.Replace(path, wholefile.Private, []byte(strconv.Itoa(port)+"\n")); err != nil {
		return 0, fmt.Errorf("keep the port: %w", err)
	}
	return port, nil
}
