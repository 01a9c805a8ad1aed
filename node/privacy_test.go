package node_test

import (
	"bytes"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/peerproxy/peerproxy/node"
)

// lockedBuffer may be written to by many goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// The log of a node at work, whose origin fails and whose peers are asked and give, names no site, page or
// address above debug level.
func TestLogNamesNothing(t *testing.T) {
	origin, resolve := serve(t, "www.example.org", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		_, _ = io.WriteString(w, "content")
	})
	var log, debug lockedBuffer
	both := slog.New(slog.NewMultiHandler(
		slog.NewTextHandler(&log, nil), slog.NewTextHandler(&debug, &slog.HandlerOptions{Level: slog.LevelDebug})))
	join := hub(t)
	a := start(t, func(c *node.Config) {
		c.Share, c.Resolve, c.Bootstrap, c.Logger = node.SharePublic, []string{resolve}, join, both
	})
	get(t, client(t, a), "http://www.example.org/page")
	eventually(t, "the announcement", func() bool { return a.Status().Announced == 1 })
	origin.Close()
	e := start(t, func(c *node.Config) {
		c.Resolve, c.Bootstrap, c.Trust, c.Logger = []string{resolve}, join, []string{a.Addresses().Key}, both
	})
	get(t, client(t, e), "http://www.example.org/page")
	get(t, client(t, e), "http://www.example.org/nobody-has-it")
	for _, secret := range []string{"example.org", "nobody-has-it", "127.0.0.1"} {
		if text := log.String(); strings.Contains(text, secret) {
			t.Errorf("%q is in the log:\n%s", secret, text)
		}
	}
	if debug.String() == "" {
		t.Error("nothing is logged at all: the test looks in the wrong place")
	}
}

// What a node keeps is for its user alone.
func TestFilesAreForTheirUserAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no such modes")
	}
	_, resolve := serve(t, "www.example.org", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=600")
		_, _ = io.WriteString(w, "content")
	})
	var dir string
	n := start(t, func(c *node.Config) {
		dir, c.Share, c.Resolve, c.Listen = c.DataDir, node.ShareGroup, []string{resolve}, "127.0.0.1:0"
	})
	get(t, client(t, n), "http://www.example.org/page")
	files := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			t.Errorf("%s has mode %v", filepath.Base(path), mode)
		}
		files++
		return nil
	})
	if err != nil || files < 4 {
		t.Errorf("%d files, %v", files, err)
	}
}
