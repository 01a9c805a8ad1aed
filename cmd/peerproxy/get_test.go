//go:build unix

package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// firstWrite runs a function when the first bytes come.
type firstWrite struct {
	once sync.Once
	do   func()
}

func (w *firstWrite) Write(p []byte) (int, error) {
	w.once.Do(w.do)
	return len(p), nil
}

// An interrupted get has not done what it was told, and its exit code says so.
func TestInterruptedGetFails(t *testing.T) {
	done := make(chan struct{})
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		_, _ = io.WriteString(w, "the beginning")
		_ = http.NewResponseController(w).Flush()
		select { // and no end
		case <-r.Context().Done():
		case <-done:
		}
	}))
	defer origin.Close()
	defer close(done)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var stderr bytes.Buffer
	code := run(ctx, []string{
		"get", "--data", filepath.Join(t.TempDir(), "d"), "--no-bootstrap", "--map", "off", "--listen", "127.0.0.1:0", "--dht", "127.0.0.1:0",
		"--resolve", "www.example:80:" + strings.TrimPrefix(origin.URL, "http://"), "http://www.example/",
	}, &firstWrite{do: interrupt}, &stderr)
	if code != exitFailure || !strings.Contains(stderr.String(), "broke off") {
		t.Errorf("exit code %d, %s", code, stderr.String())
	}
}

func TestSaveFileFollowsLinksAndKeepsModes(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.WriteFile(real, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	if err := saveFile(link, strings.NewReader("new")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(real)
	info, statErr := os.Lstat(link)
	if err != nil || statErr != nil || string(text) != "new" || info.Mode().Type() != os.ModeSymlink {
		t.Errorf("%q %v %v %v", text, info.Mode(), err, statErr)
	}
	if info, err := os.Stat(real); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// What breaks off leaves the old file, and nothing beside it.
func TestSaveFileIsAllOrNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := io.MultiReader(strings.NewReader("half"), errorReader{})
	if err := saveFile(path, broken); err == nil {
		t.Fatal("no error")
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	if text, err := os.ReadFile(path); err != nil || string(text) != "old" || len(entries) != 1 {
		t.Errorf("%q %v, %d files", text, err, len(entries))
	}
}

type errorReader struct{}

func (errorReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestSaveFileWritesIntoPipes(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	got := make(chan string)
	go func() {
		text, _ := os.ReadFile(pipe)
		got <- string(text)
	}()
	if err := saveFile(pipe, strings.NewReader("through")); err != nil {
		t.Fatal(err)
	}
	if text := <-got; text != "through" {
		t.Errorf("%q came out", text)
	}
	if err := saveFile(t.TempDir(), strings.NewReader("x")); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("a directory: %v", err)
	}
}
