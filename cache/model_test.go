package cache

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/peerproxy/peerproxy/resource"
)

// model is what a store should hold: every operation is done to both. Eviction is the
// store's own decision, within the rules that check knows.
type model struct {
	t     *rapid.T
	store *Store
	path  string
	cfg   Config

	stored  map[string]modelEntry // by path and variant
	lost    uint64                // by eviction, since it was opened
	open    map[*Body][]byte
	writers map[*Writer][]byte
	clock   time.Time
}

type modelEntry struct {
	st   *resource.Stored
	body []byte
}

const modelQuota = MinQuota

func modelName(st *resource.Stored) string {
	return st.Exchange.URL.RequestURI() + " " + st.Exchange.Selecting.Get("Accept-Language")
}

func (m *model) reopen() {
	if m.store != nil {
		for b := range m.open {
			b.Close()
		}
		for w := range m.writers {
			w.Abort()
		}
		clear(m.open)
		clear(m.writers)
		if err := m.store.Close(); err != nil {
			m.t.Fatal(err)
		}
	}
	m.lost = 0
	s, err := Open(m.path, m.cfg)
	if err != nil {
		m.t.Fatal(err)
	}
	m.store = s
}

// draw makes up a response: of few resources and few bodies, so that much is replaced
// and much is equal.
func (m *model) draw(t *rapid.T) modelEntry {
	m.clock = m.clock.Add(time.Second)
	size := rapid.SampledFrom([]int{0, 100, inlineMax, inlineMax + 1, 12_000, 33_000, 100_000, 400_000, 1 << 20}).Draw(t, "size")
	body := content(uint64(rapid.IntRange(0, 15).Draw(t, "seed")), size)
	st := response(t, fmt.Sprint("r", rapid.IntRange(0, 31).Draw(t, "resource")), body)
	st.Tier = resource.Tier(rapid.IntRange(1, 5).Draw(t, "tier"))
	st.Exchange.Status = rapid.SampledFrom([]int{200, 200, 206, 404, 503}).Draw(t, "status")
	st.Exchange.Received = m.clock.Add(-time.Duration(rapid.IntRange(0, 20).Draw(t, "age")) * time.Second)
	if v := rapid.IntRange(0, 2).Draw(t, "variant"); v > 0 {
		st.Exchange.Selecting = map[string][]string{"Accept-Language": {fmt.Sprint(v)}}
	}
	return modelEntry{st, body}
}

// mayReplace is the rule of replacement, said in another way than in the package.
func mayReplace(old, st *resource.Stored) bool {
	if old.Exchange.Status < 400 && st.Exchange.Status >= 400 {
		return false
	}
	if old.Exchange.Status == 200 && st.Exchange.Status == 206 {
		return false
	}
	if old.Exchange.Status >= 500 && st.Exchange.Status < 400 {
		return true
	}
	if old.Tier == st.Tier {
		return !st.Exchange.Received.Before(old.Exchange.Received)
	}
	return st.Tier > old.Tier
}

func (m *model) put(t *rapid.T) {
	e := m.draw(t)
	err := put(m.store, e.st, e.body)
	m.settle()
	old, known := m.stored[modelName(e.st)]
	switch {
	case err == nil:
		if known && !mayReplace(old.st, e.st) {
			m.t.Fatal("a weaker response replaced a stronger one")
		}
		m.stored[modelName(e.st)] = e
	case errors.Is(err, ErrWeaker):
		if !known || mayReplace(old.st, e.st) {
			m.t.Fatal("refused without reason")
		}
	case !errors.Is(err, ErrFull):
		m.t.Fatal(err)
	}
}

// settle waits for what the store does by itself, and takes out of the model what is
// not there any more: no more than the store says to have evicted.
func (m *model) settle() {
	if err := m.store.submit(nil, &job{alone: func() error { return nil }}); err != nil {
		m.t.Fatal(err)
	}
	have := make(map[string]bool)
	for st, err := range m.store.All() {
		if err != nil {
			m.t.Fatal(err)
		}
		have[modelName(st)] = true
	}
	for name := range m.stored {
		if !have[name] {
			delete(m.stored, name)
			m.lost++
		}
	}
	if evicted := m.store.Stats().Evicted; m.lost > evicted {
		m.t.Fatalf("%d responses are lost, %d were evicted", m.lost, evicted)
	}
}

func (m *model) freshen(t *rapid.T) {
	e := m.draw(t)
	old, known := m.stored[modelName(e.st)]
	if known && rapid.Bool().Draw(t, "same body") {
		e.st.Exchange.Body, e.body = old.st.Exchange.Body, old.body
	}
	err := m.store.Freshen(context.Background(), e.st)
	m.settle()
	var want error
	switch {
	case !known:
		want = ErrNotFound
	case old.st.Exchange.Body != e.st.Exchange.Body:
		want = ErrMismatch
	case !mayReplace(old.st, e.st):
		want = ErrWeaker
	}
	if errors.Is(err, ErrFull) || errors.Is(err, ErrNotFound) && m.stored[modelName(e.st)].st == nil {
		return
	}
	if !errors.Is(err, want) {
		m.t.Fatalf("freshen: got %v, want %v", err, want)
	}
	if err == nil {
		m.stored[modelName(e.st)] = e
	}
}

func (m *model) delete(t *rapid.T) {
	e := m.draw(t)
	err := m.store.Delete(context.Background(), e.st.Exchange.ID())
	known := false
	for _, other := range m.stored {
		known = known || other.st.Exchange.ID() == e.st.Exchange.ID()
	}
	if err != nil && !errors.Is(err, ErrNotFound) || err != nil && known && m.store.Stats().Evicted == 0 {
		m.t.Fatalf("delete: %v, known: %v", err, known)
	}
	maps.DeleteFunc(m.stored, func(_ string, o modelEntry) bool { return o.st.Exchange.ID() == e.st.Exchange.ID() })
	m.settle()
}

func (m *model) openBody(t *rapid.T) {
	if len(m.stored) == 0 || len(m.open) > 4 {
		return
	}
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(m.stored))).Draw(t, "open")
	e := m.stored[name]
	b, err := m.store.OpenBody(e.st)
	if err != nil {
		m.t.Fatalf("open %s: %v", name, err)
	}
	m.open[b] = e.body
}

func (m *model) closeBody(*rapid.T) {
	for b, want := range m.open {
		got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Size()))
		if err != nil || !bytes.Equal(got, want) {
			m.t.Fatalf("open body of %d bytes: %v", len(want), err)
		}
		b.Close()
		delete(m.open, b)
		return
	}
}

func (m *model) write(t *rapid.T) {
	w, err := m.store.Create()
	if err != nil {
		m.t.Fatal(err)
	}
	body := content(9, rapid.IntRange(0, 500_000).Draw(t, "written"))
	if _, err := w.Write(body); err != nil && !errors.Is(err, ErrFull) {
		m.t.Fatal(err)
	}
	m.writers[w] = body[:w.Size()]
	if len(m.writers) > 3 {
		m.abort(t)
	}
}

func (m *model) abort(*rapid.T) {
	for w, want := range m.writers {
		got := make([]byte, len(want))
		if n, err := w.ReadAt(got, 0); n < len(want) || !bytes.Equal(got, want) {
			m.t.Fatalf("writer: read %d of %d: %v", n, len(want), err)
		}
		w.Abort()
		delete(m.writers, w)
		return
	}
}

// check compares everything.
func (m *model) check(*rapid.T) {
	m.settle()
	n := 0
	for st, err := range m.store.All() {
		if err != nil {
			m.t.Fatal(err)
		}
		n++
		e, ok := m.stored[modelName(st)]
		if !ok {
			m.t.Fatalf("%s should not be there", modelName(st))
		}
		if st.Tier != e.st.Tier || !st.Exchange.Received.Equal(e.st.Exchange.Received) || st.Exchange.Body != e.st.Exchange.Body {
			m.t.Fatalf("%s: got %+v, want %+v", modelName(st), st, e.st)
		}
		list, err := m.store.Lookup(st.Exchange.ID())
		if err != nil || !slices.ContainsFunc(list, func(o *resource.Stored) bool { return modelName(o) == modelName(st) }) {
			m.t.Fatalf("%s is not found: %v", modelName(st), err)
		}
		if got, err := readBody(m.store, st); err != nil || !bytes.Equal(got, e.body) {
			m.t.Fatalf("%s: %v", modelName(st), err)
		}
	}
	if n != len(m.stored) {
		m.t.Fatalf("%d responses, want %d", n, len(m.stored))
	}
	if _, err := m.store.Verify(context.Background(), func(p Problem) { m.t.Errorf("verify: %v", p) }); err != nil {
		m.t.Fatal(err)
	}
	if info, err := os.Stat(m.path); err != nil || info.Size() > modelQuota {
		m.t.Fatalf("%d bytes, %v", info.Size(), err)
	}
}

func TestModel(t *testing.T) {
	t.Parallel()
	if testing.Short() || raceEnabled {
		if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
			defer f.Value.Set(f.DefValue)
			f.Value.Set("12")
		}
	}
	dir := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		m := &model{
			t: t, path: filepath.Join(dir, fmt.Sprint(n)), clock: received,
			stored: make(map[string]modelEntry),
			open:   make(map[*Body][]byte), writers: make(map[*Writer][]byte),
		}
		m.cfg = Config{
			Quota: modelQuota, MemoryTier: rapid.SampledFrom([]int64{-1, 50_000, 0}).Draw(t, "memory"),
		}
		m.reopen()
		defer func() {
			for b := range m.open {
				b.Close()
			}
			m.store.Close()
			os.Remove(m.path)
		}()
		t.Repeat(map[string]func(*rapid.T){
			"put": m.put, "put again": m.put, "freshen": m.freshen, "delete": m.delete, "open": m.openBody, "close": m.closeBody,
			"write": m.write, "abort": m.abort, "reopen": func(*rapid.T) { m.reopen() }, "check": m.check,
		})
		m.check(t)
	})
}
