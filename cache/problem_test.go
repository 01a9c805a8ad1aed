package cache

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// Whatever can be put right by deleting responses is told with their URLs, and is put
// right by that.
func TestProblemsNameWhatToRemove(t *testing.T) {
	t.Parallel()
	big, small := content(1, 1<<20), content(2, 500)
	flip := func(needle []byte) func(*testing.T, *Store, string) {
		return func(t *testing.T, _ *Store, path string) { flipByte(t, path, needle) }
	}
	edit := func(change func(*bolt.Tx) error) func(*testing.T, *Store, string) {
		return func(t *testing.T, s *Store, _ string) {
			hold(t, s, func() {
				if err := s.db.Update(change); err != nil {
					t.Error(err)
				}
			})
		}
	}
	for name, c := range map[string]struct {
		damage func(*testing.T, *Store, string)
		paths  []string
	}{
		"body":       {flip(big[500_000:500_100]), []string{"big", "same"}},
		"small body": {flip(small[100:200]), []string{"small"}},
		"first chunk missing": {edit(func(tx *bolt.Tx) error {
			k, _ := tx.Bucket(bodiesBucket).Cursor().First()
			return tx.Bucket(bodiesBucket).DeleteBucket(k)
		}), []string{"big", "same"}},
		"last chunk missing": {edit(func(tx *bolt.Tx) error {
			c := tx.Bucket(bodiesBucket).Cursor()
			c.Seek(chunkKey(2, kindData, 0)) // the first chunk of the next body
			k, _ := c.Prev()
			return tx.Bucket(bodiesBucket).DeleteBucket(k)
		}), []string{"big", "same"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := tempFile(t)
			s := mustOpen(t, path, Config{Quota: 64 << 20, MemoryTier: -1})
			mustPut(t, s, "big", big)
			mustPut(t, s, "big", big, variant("cy")) // named once
			mustPut(t, s, "same", big)
			mustPut(t, s, "small", small)
			mustPut(t, s, "other", content(3, 100_000))
			c.damage(t, s, path)
			wantProblems(t, s, c.paths)
			for _, p := range c.paths {
				if err := s.Delete(t.Context(), idOf(t, p)); err != nil {
					t.Fatal(err)
				}
			}
			verify(t, s)
			wantBody(t, s, "other", content(3, 100_000))
		})
	}
}

// flipByte changes what a file holds. Free pages may hold the same.
func flipByte(t *testing.T, path string, needle []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data := readFile(t, path)
	for at := 0; ; at++ {
		next := bytes.Index(data[at:], needle)
		if next < 0 {
			return
		}
		at += next
		if _, err := f.WriteAt([]byte{needle[0] ^ 1}, int64(at)); err != nil {
			t.Fatal(err)
		}
	}
}

// wantProblems fails unless Verify finds problems of exactly these paths, and says how
// to get rid of them.
func wantProblems(t *testing.T, s *Store, paths []string) {
	t.Helper()
	var urls []string
	for _, p := range paths {
		urls = append(urls, mustURL(t, "https://www.example.org/"+p).String())
	}
	var found []Problem
	if _, err := s.Verify(context.Background(), func(p Problem) { found = append(found, p) }); err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Error("no problem was found")
	}
	for _, p := range found {
		slices.Sort(p.URLs)
		if !slices.Equal(p.URLs, urls) || p.MoreURLs != 0 || !p.Removable {
			t.Errorf("got %+v, want it to name %v", p, urls)
		}
		if text := p.String(); !strings.Contains(text, urls[0]) || !strings.Contains(text, "peerproxy cache rm URL") {
			t.Errorf("message: %s", text)
		}
	}
}

func TestProblemURLsAreBounded(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	s := mustOpen(t, path, Config{Quota: 64 << 20, MemoryTier: -1})
	body := content(1, 20_000)
	for i := range MaxProblemURLs + 3 {
		mustPut(t, s, pathOf(i), body)
	}
	flipByte(t, path, body[1000:1100])
	var found []Problem
	if _, err := s.Verify(t.Context(), func(p Problem) { found = append(found, p) }); err != nil {
		t.Fatal(err)
	}
	if len(found) != 1 || len(found[0].URLs) != MaxProblemURLs || found[0].MoreURLs != 3 || !strings.Contains(found[0].String(), "and 3 more") {
		t.Errorf("got %v", found)
	}
}

// A file that is refused is no dead end: the message says what to do.
func TestRefusalSaysWhatToDo(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	if err := os.WriteFile(path, content(1, 10_000), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, inspect := range []bool{false, true} {
		_, err := Open(path, Config{Inspect: inspect})
		wantError(t, err, ErrCorrupt)
		if !strings.Contains(err.Error(), "moved away") {
			t.Errorf("message: %v", err)
		}
	}
}

// What is called bodies is the same in Stats and in Report.
func TestBodiesAreCountedAlike(t *testing.T) {
	t.Parallel()
	s := newStoreForTest(t)
	for i, size := range []int{0, 10, inlineMax, inlineMax + 1, 100_000} {
		for j := range 2 {
			mustPut(t, s, fmt.Sprint("page/", i, "/", j), content(uint64(i), size))
		}
	}
	got, report := s.Stats(), verify(t, s)
	if got.Bodies != 2 || report.Bodies != got.Bodies || report.Responses != got.Responses || report.Bytes != got.BodyBytes {
		t.Errorf("got %+v and %+v", got, report)
	}
}
