package cache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"github.com/peerproxy/peerproxy/resource"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// received is when test responses were received, unless they say otherwise.
var received = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func tempFile(t testing.TB) string { return filepath.Join(t.TempDir(), "cache.db") }

func mustOpen(t testing.TB, path string, cfg Config) *Store {
	t.Helper()
	s, err := Open(path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func mustClose(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func newStoreForTest(t testing.TB) *Store { return mustOpen(t, tempFile(t), Config{Quota: 64 << 20}) }

// content is n bytes that are the same for the same seed and different for others.
func content(seed uint64, n int) []byte {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	b := make([]byte, n)
	rand.NewChaCha8(key).Read(b)
	return b
}

// fataler is testing.TB, or what rapid has for it.
type fataler interface {
	Helper()
	Fatal(...any)
}

func mustURL(t fataler, text string) resource.URL {
	t.Helper()
	u, err := resource.ParseURL(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// response is a stored response of a path with the given body.
func response(t fataler, path string, body []byte, change ...func(*resource.Stored)) *resource.Stored {
	t.Helper()
	h := resource.NewHasher()
	h.Write(body)
	return responseOf(t, path, h.Body(), change...)
}

func responseOf(t fataler, path string, body resource.Body, change ...func(*resource.Stored)) *resource.Stored {
	t.Helper()
	st := &resource.Stored{
		Exchange: &resource.Exchange{
			Method: "GET",
			URL:    mustURL(t, "https://www.example.org/"+path),
			Status: 200,
			Header: http.Header{
				"Cache-Control": {"public, max-age=31536000"},
				"Content-Type":  {"text/html; charset=utf-8"},
				"Etag":          {`"5f3c-18c2a7b0e40"`},
			},
			Body:      body,
			Requested: received.Add(-time.Second),
			Received:  received,
		},
		Tier:      resource.Origin,
		Shareable: true,
	}
	for _, c := range change {
		c(st)
	}
	return st
}

func withTier(tier resource.Tier) func(*resource.Stored) {
	return func(st *resource.Stored) { st.Tier = tier }
}

func status(code int) func(*resource.Stored) {
	return func(st *resource.Stored) { st.Exchange.Status = code }
}

func later(d time.Duration) func(*resource.Stored) {
	return func(st *resource.Stored) { st.Exchange.Received = st.Exchange.Received.Add(d) }
}

func variant(language string) func(*resource.Stored) {
	return func(st *resource.Stored) { st.Exchange.Selecting = http.Header{"Accept-Language": {language}} }
}

// put stores a response with its body.
func put(s *Store, st *resource.Stored, body []byte) error {
	w, err := s.Create()
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(body); err != nil {
		return err
	}
	return w.Commit(context.Background(), st)
}

func mustPut(t testing.TB, s *Store, path string, body []byte, change ...func(*resource.Stored)) *resource.Stored {
	t.Helper()
	st := response(t, path, body, change...)
	if err := put(s, st, body); err != nil {
		t.Fatalf("store %s of %d bytes: %v", path, len(body), err)
	}
	return st
}

// get reads the newest stored response of a path.
func get(t testing.TB, s *Store, path string) (st *resource.Stored, body []byte, err error) {
	t.Helper()
	list, err := s.Lookup(idOf(t, path))
	if err != nil {
		return nil, nil, err
	}
	if len(list) == 0 {
		return nil, nil, ErrNotFound
	}
	body, err = readBody(s, list[0])
	return list[0], body, err
}

func readBody(s *Store, st *resource.Stored) ([]byte, error) {
	b, err := s.OpenBody(st)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	return io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
}

func idOf(t testing.TB, path string) resource.ID {
	return resource.NewID("GET", mustURL(t, "https://www.example.org/"+path))
}

// wantBody fails unless the newest response of a path has this body.
func wantBody(t testing.TB, s *Store, path string, want []byte) *resource.Stored {
	t.Helper()
	st, got, err := get(t, s, path)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s: got %d bytes (%x), want %d (%x)", path, len(got), sha256.Sum256(got), len(want), sha256.Sum256(want))
	}
	return st
}

func wantNone(t testing.TB, s *Store, path string) {
	t.Helper()
	if list, err := s.Lookup(idOf(t, path)); err != nil || list != nil {
		t.Fatalf("%s: got %d responses, %v; want none", path, len(list), err)
	}
}

func wantError(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

// verify fails on every problem that Verify finds.
func verify(t testing.TB, s *Store) Report {
	t.Helper()
	r, err := s.Verify(context.Background(), func(p Problem) { t.Errorf("verify: %v", p) })
	if err != nil {
		t.Fatal(err)
	}
	if t.Failed() {
		t.FailNow()
	}
	return r
}

func pathOf(i int) string { return fmt.Sprintf("page/%d", i) }

// waitIdle waits until the writer goroutine has done all that is to be done.
func waitIdle(t testing.TB, s *Store) {
	t.Helper()
	for range 1000 {
		err := s.submit(nil, &job{alone: func() error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		if len(s.pins.drainable(1)) == 0 && s.queue.size() == 0 {
			return
		}
	}
	t.Fatal("the store does not come to rest")
}

// wantPending fails unless n bodies in the file have no root.
func wantPending(t testing.TB, s *Store, n int) {
	t.Helper()
	var got int
	if err := s.view(func(tx *bolt.Tx) error { got = tx.Bucket(pendingBucket).Stats().KeyN; return nil }); err != nil {
		t.Fatal(err)
	}
	if got != n {
		t.Fatalf("%d bodies are pending, want %d", got, n)
	}
}
