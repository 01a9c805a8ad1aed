package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/peerproxy/peerproxy/internal/wholefile"
)

// Addresses says where a node really is. It is what the ready file holds.
type Addresses struct {
	Proxy   string `json:"proxy"`
	Peer    string `json:"peer"`
	DHT     string `json:"dht"`
	Control string `json:"control"`
	Key     string `json:"key"`
}

// writeReady tells a waiting program that all is up.
func writeReady(path string, a Addresses) error {
	text, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("ready file: %w", err)
	}
	if err := wholefile.Replace(path, wholefile.Private, append(text, '\n')); err != nil {
		return fmt.Errorf("ready file: %w", err)
	}
	return nil
}

// removeReady takes an earlier ready file away, which would say what is not true.
func removeReady(path string) error {
	if path == "" {
		return nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("ready file: %w", err)
	}
	return nil
}
