package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// bodySizes are those around which something changes: inline, memory tier, group,
// chunk, outboard beside the root or in chunks.
func bodySizes(s *Store) []int {
	chunk := s.sizes.chunk
	return []int{0, 1, inlineMax - 1, inlineMax, inlineMax + 1, 5000, memoryMax, memoryMax + 1,
		chunk - 1, chunk, chunk + 1, 2 * chunk, 3*chunk + 17, 600 << 10, 5 << 20}
}

func TestStoreAndLookup(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	s := mustOpen(t, path, Config{Quota: 256 << 20})
	sizes := bodySizes(s)
	for i, n := range sizes {
		mustPut(t, s, pathOf(i), content(uint64(i), n), func(st *resource.Stored) { st.WithCookie, st.EndUncertain = i%2 == 1, i%3 == 1 })
	}
	check := func() {
		t.Helper()
		for i, n := range sizes {
			want := response(t, pathOf(i), content(uint64(i), n))
			st := wantBody(t, s, pathOf(i), content(uint64(i), n))
			if !reflect.DeepEqual(st.Exchange, want.Exchange) || st.Tier != want.Tier || !st.Shareable || st.WithCookie != (i%2 == 1) || st.EndUncertain != (i%3 == 1) || st.Signer != "" {
				t.Errorf("%d bytes: got %+v, want %+v", n, st, want)
			}
			if age := time.Since(st.StoredAt); age < 0 || age > time.Minute {
				t.Errorf("stored %v ago", age)
			}
			wantBody(t, s, pathOf(i), content(uint64(i), n)) // the second time from memory
		}
		if r := verify(t, s); r.Responses != int64(len(sizes)) || r.Bodies != s.Stats().Bodies || r.Bytes != s.Stats().BodyBytes {
			t.Errorf("verified %+v", r)
		}
	}
	check()
	mustClose(t, s)
	s = mustOpen(t, path, Config{Quota: 256 << 20})
	check()
}

func TestLookupOfNothing(t *testing.T) {
	s := newStoreForTest(t)
	wantNone(t, s, "missing")
	wantError(t, s.Delete(context.Background(), idOf(t, "missing")), ErrNotFound)
	_, err := s.OpenBody(response(t, "missing", content(1, 10)))
	wantError(t, err, ErrNotFound)
	_, err = s.OpenBody(response(t, "missing", content(1, 100_000)))
	wantError(t, err, ErrNotFound)
}

// Variants of one resource (RFC 9111 section 4.1) are kept beside each other.
func TestVariants(t *testing.T) {
	s := newStoreForTest(t)
	for i := range 5 {
		mustPut(t, s, "page", content(uint64(i), 3000), variant(fmt.Sprint("l", i)), later(time.Duration(i)*time.Hour))
	}
	mustPut(t, s, "page", content(7, 3000), variant("l2"), later(9*time.Hour))
	list, err := s.Lookup(idOf(t, "page"))
	if err != nil || len(list) != 5 {
		t.Fatalf("got %d variants, %v", len(list), err)
	}
	for i, want := range []string{"l2", "l4", "l3", "l1", "l0"} {
		if got := list[i].Exchange.Selecting.Get("Accept-Language"); got != want {
			t.Errorf("variant %d is %s, want %s", i, got, want)
		}
	}
	verify(t, s)
}

func TestVariantsAreBounded(t *testing.T) {
	t.Parallel()
	s := newStoreForTest(t)
	for i := range MaxVariants {
		mustPut(t, s, "page", content(uint64(i), 3000), variant(fmt.Sprint("l", i)), withTier(resource.Signer))
	}
	weak := response(t, "page", content(99, 3000), variant("weak"), withTier(resource.Unproven))
	wantError(t, put(s, weak, content(99, 3000)), ErrWeaker)
	mustPut(t, s, "page", content(100, 3000), variant("one more"))
	list, err := s.Lookup(idOf(t, "page"))
	if err != nil || len(list) != MaxVariants {
		t.Fatalf("got %d variants, %v", len(list), err)
	}
	for _, st := range list {
		if st.Exchange.Selecting.Get("Accept-Language") == "l0" {
			t.Error("the least recently used variant is still there")
		}
	}
	verify(t, s)
}

func TestReplacement(t *testing.T) {
	t.Parallel()
	hour := time.Hour
	for _, c := range []struct {
		name     string
		old, new []func(*resource.Stored)
		want     error
	}{
		{"newer", nil, []func(*resource.Stored){later(hour)}, nil},
		{"same time", nil, nil, nil},
		{"older", []func(*resource.Stored){later(hour)}, nil, ErrWeaker},
		{"stronger and older", []func(*resource.Stored){withTier(resource.Unproven), later(hour)}, []func(*resource.Stored){withTier(resource.Witnessed)}, nil},
		{"weaker and newer", []func(*resource.Stored){withTier(resource.Content)}, []func(*resource.Stored){withTier(resource.Signer), later(hour)}, ErrWeaker},
		{"error for good", nil, []func(*resource.Stored){status(404), later(hour)}, ErrWeaker},
		{"stronger error for good", []func(*resource.Stored){withTier(resource.Unproven)}, []func(*resource.Stored){status(503), later(hour)}, ErrWeaker},
		{"error for redirect", []func(*resource.Stored){status(301)}, []func(*resource.Stored){status(410), later(hour)}, ErrWeaker},
		{"good for error", []func(*resource.Stored){status(404)}, []func(*resource.Stored){later(hour)}, nil},
		{"weaker and older good for failure", []func(*resource.Stored){status(503), later(hour)}, []func(*resource.Stored){withTier(resource.Unproven)}, nil},
		{"weaker good for refusal by law", []func(*resource.Stored){status(451)}, []func(*resource.Stored){withTier(resource.Unproven)}, nil},
		{"weaker good for missing", []func(*resource.Stored){status(404)}, []func(*resource.Stored){withTier(resource.Unproven), later(hour)}, ErrWeaker},
		{"part for whole", nil, []func(*resource.Stored){status(206), later(hour)}, ErrWeaker},
		{"whole for part", []func(*resource.Stored){status(206)}, []func(*resource.Stored){later(hour)}, nil},
		{"error for error", []func(*resource.Stored){status(404)}, []func(*resource.Stored){status(410), later(hour)}, nil},
	} {
		for _, size := range []int{100, 100_000, 700_000} {
			t.Run(fmt.Sprintf("%s/%d", c.name, size), func(t *testing.T) {
				t.Parallel()
				s := newStoreForTest(t)
				mustPut(t, s, "page", content(1, size), c.old...)
				err := put(s, response(t, "page", content(2, size), c.new...), content(2, size))
				if !errors.Is(err, c.want) {
					t.Fatalf("got %v, want %v", err, c.want)
				}
				want := content(2, size)
				if c.want != nil {
					want = content(1, size)
				}
				wantBody(t, s, "page", want)
				waitIdle(t, s)
				if r := verify(t, s); r.Responses != 1 || r.Bodies != s.Stats().Bodies || r.Bytes != int64(size) {
					t.Errorf("left over: %+v", r)
				}
				wantPending(t, s, 0)
			})
		}
	}
}

func TestCommitChecksTheBody(t *testing.T) {
	t.Parallel()
	s := newStoreForTest(t)
	for _, size := range []int{10, 100_000} {
		w, _ := s.Create()
		w.Write(content(1, size))
		wantError(t, w.Commit(context.Background(), response(t, "page", content(2, size))), ErrMismatch)
		wantNone(t, s, "page")
		// The right description is still welcome.
		if err := w.Commit(context.Background(), response(t, "page", content(1, size))); err != nil {
			t.Error(err)
		}
		if err := w.Commit(context.Background(), response(t, "page", content(1, size))); err == nil {
			t.Error("committed twice")
		}
		w.Abort()
		wantBody(t, s, "page", content(1, size))
		if err := s.Delete(context.Background(), idOf(t, "page")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCommitRefusesNonsense(t *testing.T) {
	s := newStoreForTest(t)
	body := content(1, 10)
	for name, st := range map[string]*resource.Stored{
		"nil":          nil,
		"no exchange":  {Tier: resource.Origin},
		"no tier":      response(t, "page", body, withTier(0)),
		"status":       response(t, "page", body, status(99999)),
		"long signer":  response(t, "page", body, func(st *resource.Stored) { st.Signer = string(make([]byte, maxSigner+1)) }),
		"large header": response(t, "page", body, func(st *resource.Stored) { st.Exchange.Header.Set("X", string(bytes.Repeat([]byte("x"), 200_000))) }),
	} {
		if err := put(s, st, body); err == nil {
			t.Errorf("%s: stored", name)
		}
	}
	wantNone(t, s, "page")
	verify(t, s)
}

func TestEqualBodiesAreStoredOnce(t *testing.T) {
	t.Parallel()
	s := newStoreForTest(t)
	body := content(1, 2<<20)
	for i := range 8 {
		mustPut(t, s, pathOf(i), body)
	}
	waitIdle(t, s)
	if st := s.Stats(); st.Bodies != 1 || st.Responses != 8 || st.BodyBytes != int64(len(body)) || st.UsedBytes > 4<<20 {
		t.Errorf("got %+v", st)
	}
	wantPending(t, s, 0)
	verify(t, s)
	for i := range 7 {
		if err := s.Delete(context.Background(), idOf(t, pathOf(i))); err != nil {
			t.Fatal(err)
		}
	}
	wantBody(t, s, pathOf(7), body)
	verify(t, s)
	if err := s.Delete(context.Background(), idOf(t, pathOf(7))); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Bodies != 0 || st.Responses != 0 || st.BodyBytes != 0 {
		t.Errorf("got %+v", st)
	}
	verify(t, s)
}

// After a 304 the exchange is new and the body is not (RFC 9111 section 4.3.4).
func TestFreshen(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, size := range []int{100, 100_000} {
		s := newStoreForTest(t)
		body := content(1, size)
		wantError(t, s.Freshen(ctx, response(t, "page", body)), ErrNotFound)
		mustPut(t, s, "page", body)
		wantBody(t, s, "page", body)
		fresh := response(t, "page", body, later(time.Hour), func(st *resource.Stored) { st.Exchange.Header.Set("X-New", "1") })
		if err := s.Freshen(ctx, fresh); err != nil {
			t.Fatal(err)
		}
		if st := wantBody(t, s, "page", body); st.Exchange.Header.Get("X-New") != "1" {
			t.Error("the exchange is the old one")
		}
		wantError(t, s.Freshen(ctx, response(t, "page", body)), ErrWeaker)
		wantError(t, s.Freshen(ctx, response(t, "page", content(2, size), later(2*time.Hour))), ErrMismatch)
		wantError(t, s.Freshen(ctx, response(t, "page", body, variant("xx"))), ErrNotFound)
		if st := wantBody(t, s, "page", body); st.Exchange.Header.Get("X-New") != "1" {
			t.Error("a refused exchange is stored")
		}
		verify(t, s)
	}
}

func TestAll(t *testing.T) {
	t.Parallel()
	s := newStoreForTest(t)
	want := make(map[string]bool)
	for i := range 300 {
		want[mustPut(t, s, pathOf(i), content(uint64(i), 100)).Exchange.URL.String()] = true
	}
	for st, err := range s.All() {
		if err != nil {
			t.Fatal(err)
		}
		if !want[st.Exchange.URL.String()] {
			t.Errorf("twice, or never stored: %s", st.Exchange.URL)
		}
		delete(want, st.Exchange.URL.String())
		// Changes while it runs must not disturb it, or wait for it.
		if err := s.Delete(context.Background(), st.Exchange.ID()); err != nil {
			t.Fatal(err)
		}
	}
	if len(want) > 0 {
		t.Errorf("%d not seen", len(want))
	}
	for range s.All() {
		t.Error("something left")
	}
}

func TestRemovedIsToldOfTheLastVariant(t *testing.T) {
	removed := make(chan resource.ID, 10)
	s := mustOpen(t, tempFile(t), Config{Quota: 64 << 20, Removed: func(id resource.ID) { removed <- id }})
	mustPut(t, s, "page", content(1, 10), variant("a"))
	mustPut(t, s, "page", content(2, 10), variant("b"))
	mustPut(t, s, "page", content(3, 10), variant("b"))
	mustPut(t, s, "other", content(2, 10))
	if len(removed) != 0 {
		t.Fatal("told of a replacement")
	}
	if err := s.Delete(context.Background(), idOf(t, "page")); err != nil {
		t.Fatal(err)
	}
	if id := <-removed; id != idOf(t, "page") || len(removed) != 0 {
		t.Errorf("told of %v and %d more", id, len(removed))
	}
}

// An open body outlives its response.
func TestBodyOutlivesItsResponse(t *testing.T) {
	t.Parallel()
	s := newStoreForTest(t)
	for _, size := range []int{100, 10_000, 100_000, 3 << 20} {
		body := content(uint64(size), size)
		st := mustPut(t, s, "page", body)
		open, err := s.OpenBody(st)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(context.Background(), idOf(t, "page")); err != nil {
			t.Fatal(err)
		}
		wantNone(t, s, "page")
		mustPut(t, s, "page", content(77, size), later(time.Hour)) // may take the space, if it is free
		got, err := io.ReadAll(io.NewSectionReader(open, 0, open.Size()))
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%d bytes: %v, equal: %v", size, err, bytes.Equal(got, body))
		}
		verify(t, s)
		open.Close()
		open.Close()
		if _, err := open.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrClosed) {
			t.Errorf("read after Close: %v", err)
		}
		waitIdle(t, s)
		wantPending(t, s, 0)
		if err := s.Delete(context.Background(), idOf(t, "page")); err != nil {
			t.Fatal(err)
		}
	}
	verify(t, s)
}

func TestBodyReadAt(t *testing.T) {
	t.Parallel()
	s := newStoreForTest(t)
	for _, size := range bodySizes(s) {
		body := content(uint64(size), size)
		st := mustPut(t, s, pathOf(size), body)
		b, err := s.OpenBody(st)
		if err != nil {
			t.Fatal(err)
		}
		if b.Size() != int64(size) {
			t.Errorf("size is %d, want %d", b.Size(), size)
		}
		checkReaderAt(t, b, body)
		h := resource.NewHasher()
		h.Write(body)
		var outboard bytes.Buffer
		if err := h.WriteOutboard(&outboard); err != nil {
			t.Fatal(err)
		}
		checkReaderAt(t, b.Outboard(), outboard.Bytes())
		if size > 0 {
			var slice bytes.Buffer
			if err := resource.WriteSlice(&slice, b, b.Outboard(), b.Size(), int64(size/2), int64(size-size/2)); err != nil {
				t.Errorf("%d bytes: slice: %v", size, err)
			}
		}
		b.Close()
	}
}

// checkReaderAt compares a reader with what it should read, at odd places.
func checkReaderAt(t *testing.T, r io.ReaderAt, want []byte) {
	t.Helper()
	n := len(want)
	for _, c := range []struct{ off, n int }{{0, n}, {0, 1}, {n / 2, n - n/2}, {n - 1, 1}, {n / 3, min(n/2, 70_000)}, {0, n + 1}, {n, 1}, {n + 5, 1}} {
		if c.off < 0 {
			continue
		}
		p := make([]byte, c.n)
		got, err := r.ReadAt(p, int64(c.off))
		expect := want[min(c.off, n):min(c.off+c.n, n)]
		if !bytes.Equal(p[:got], expect) {
			t.Errorf("ReadAt(%d, %d) of %d gave %d wrong bytes", c.n, c.off, n, got)
		}
		if len(expect) < c.n && err != io.EOF || len(expect) == c.n && err != nil && err != io.EOF {
			t.Errorf("ReadAt(%d, %d) of %d: %v", c.n, c.off, n, err)
		}
	}
	if _, err := r.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("negative offset was read")
	}
}

func TestClosedStore(t *testing.T) {
	s := newStoreForTest(t)
	st := mustPut(t, s, "page", content(1, 100_000))
	b, err := s.OpenBody(st)
	if err != nil {
		t.Fatal(err)
	}
	w, _ := s.Create()
	w.Write(content(2, 3<<20))
	mustClose(t, s)
	mustClose(t, s)
	ctx := context.Background()
	_, lookup := s.Lookup(idOf(t, "other"))
	_, create := s.Create()
	_, read := b.ReadAt(make([]byte, 10), 0)
	_, write := w.Write(content(2, 3<<20))
	_, verified := s.Verify(ctx, nil)
	for name, err := range map[string]error{
		"Lookup": lookup, "Create": create, "ReadAt": read, "Write": write, "Verify": verified,
		"Commit": w.Commit(ctx, response(t, "x", content(2, 3<<20))), "Delete": s.Delete(ctx, idOf(t, "page")),
	} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	b.Close()
	w.Abort()
	s.Stats()
}
