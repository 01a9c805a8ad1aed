package cache

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"testing"

	"github.com/peerproxy/peerproxy/resource"
)

// A file is inspected without one byte of it changing, whatever is in it: more than
// the default quota would be, bodies that nobody committed, no list of free pages.
func TestInspectChangesNothing(t *testing.T) {
	t.Parallel()
	for name, unclean := range map[string]bool{"after a clean end": false, "after a crash": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := tempFile(t)
			data := withUnfinished(t, unclean)
			if err := os.WriteFile(path, data, 0o400); err != nil {
				t.Fatal(err)
			}
			s := mustOpen(t, path, Config{Inspect: true})
			body := content(1, 300_000)
			st := wantBody(t, s, "page", body)
			wantBody(t, s, "small", content(2, 100))
			if got := s.Stats(); got.Quota != 64<<20 || got.Responses != 2 || got.UsedBytes < 300_000 || got.UsedBytes >= got.FileBytes {
				t.Errorf("got %+v", got)
			}
			verify(t, s)
			wantReadOnly(t, s, st)
			other := mustOpen(t, path, Config{Inspect: true}) // at the same time
			wantBody(t, other, "page", body)
			mustClose(t, other)
			mustClose(t, s)
			if !bytes.Equal(readFile(t, path), data) {
				t.Error("the file was changed")
			}
		})
	}
}

// withUnfinished returns a file with two responses, free pages and, if it is as a
// crash leaves it, a body that was being written.
func withUnfinished(t *testing.T, unclean bool) []byte {
	t.Helper()
	path := tempFile(t)
	s := mustOpen(t, path, Config{Quota: 64 << 20})
	mustPut(t, s, "gone", content(3, 1<<20))
	mustPut(t, s, "page", content(1, 300_000))
	mustPut(t, s, "small", content(2, 100))
	if err := s.Delete(t.Context(), idOf(t, "gone")); err != nil {
		t.Fatal(err)
	}
	w, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(content(4, 2<<20)); err != nil {
		t.Fatal(err)
	}
	waitIdle(t, s)
	if unclean {
		wantPending(t, s, 1)
		return readFile(t, path)
	}
	w.Abort()
	waitIdle(t, s)
	mustClose(t, s)
	return readFile(t, path)
}

func wantReadOnly(t *testing.T, s *Store, st *resource.Stored) {
	t.Helper()
	_, err := s.Create()
	wantError(t, err, ErrReadOnly)
	wantError(t, s.Delete(context.Background(), st.Exchange.ID()), ErrReadOnly)
	wantError(t, s.Freshen(context.Background(), st), ErrReadOnly)
}

func TestInspectMakesNoFile(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	_, err := Open(path, Config{Inspect: true})
	wantError(t, err, fs.ErrNotExist)
	if _, err := os.Stat(path); err == nil {
		t.Error("a file was made")
	}
}

func TestInspectWhileInUse(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	s := mustOpen(t, path, Config{})
	_, err := Open(path, Config{Inspect: true, LockTimeout: 1})
	wantError(t, err, ErrLocked)
	mustClose(t, s)
	mustOpen(t, path, Config{Inspect: true})
	_, err = Open(path, Config{LockTimeout: 1})
	wantError(t, err, ErrLocked)
}

// Who opens a file without saying a quota gets that of its last user, and evicts
// nothing that had room in it.
func TestQuotaIsRecorded(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	for _, c := range []struct {
		given, want int64
	}{
		{0, DefaultQuota}, // of a new file
		{32 << 20, 32 << 20},
		{0, 32 << 20},
		{16 << 20, 16 << 20},
		{0, 16 << 20},
		{12 << 30, 12 << 30}, // more than the default
		{0, 12 << 30},
	} {
		for _, inspect := range []bool{false, true} {
			s := mustOpen(t, path, Config{Quota: c.given, Inspect: inspect})
			if got := s.Stats().Quota; got != c.want {
				t.Errorf("given %d: got %d, want %d", c.given, got, c.want)
			}
			if got := s.MaxBody(); got != c.want/4 {
				t.Errorf("given %d: a body may have %d bytes, want %d", c.given, got, c.want/4)
			}
			verify(t, s)
			mustClose(t, s)
		}
	}
}

// A quota is recorded together with the first change that is made under it, so that a
// crash does not make the next user evict down to an older one.
func TestQuotaSurvivesACrash(t *testing.T) {
	t.Parallel()
	path, copied := tempFile(t), tempFile(t)
	mustClose(t, mustOpen(t, path, Config{Quota: MinQuota}))
	s := mustOpen(t, path, Config{Quota: 64 << 20})
	mustPut(t, s, "page", content(1, 100))
	if err := os.WriteFile(copied, readFile(t, path), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := mustOpen(t, copied, Config{}).Stats().Quota; got != 64<<20 {
		t.Errorf("got a quota of %d bytes", got)
	}
}

func TestMaxBody(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ maxBody, want int64 }{{0, 16 << 20}, {1 << 20, 1 << 20}, {1 << 40, 16 << 20}} {
		s := mustOpen(t, tempFile(t), Config{Quota: 64 << 20, MaxBody: c.maxBody})
		if got := s.MaxBody(); got != c.want {
			t.Errorf("of %d: got %d, want %d", c.maxBody, got, c.want)
		}
	}
}
