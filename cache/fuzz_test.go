package cache

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"reflect"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/peerproxy/peerproxy/resource"
)

// Whatever is in a record, decoding it gives an error or what encodes to the same bytes.
func FuzzRecord(f *testing.F) {
	for _, size := range []int{0, 100, inlineMax, inlineMax + 1} {
		body := content(1, size)
		rec, err := newRecord(response(f, "page", body, variant("de"), func(st *resource.Stored) { st.Signer = "a key" }))
		if err != nil {
			f.Fatal(err)
		}
		rec.storedAt, rec.accessed = 1, 2
		if rec.isInline() {
			rec.inline = body
		} else {
			rec.body = 77
		}
		f.Add(rec.append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, err := parseRecord(b)
		if err != nil {
			return
		}
		if got := rec.append(nil); !bytes.Equal(got, b) || len(got) != rec.size() {
			t.Fatalf("%x became %x", b, got)
		}
		ex := new(resource.Exchange)
		if ex.UnmarshalBinary(rec.exchange) != nil {
			return
		}
		st, err := rec.stored(metaKeyOf(ex))
		if err != nil {
			return
		}
		again, err := newRecord(st)
		if err != nil {
			t.Fatal(err)
		}
		again.storedAt, again.accessed, again.body, again.inline = rec.storedAt, rec.accessed, rec.body, rec.inline
		if !bytes.Equal(again.append(nil), b) {
			t.Fatalf("%+v became %+v", rec, again)
		}
	})
}

func FuzzRootRecord(f *testing.F) {
	f.Add((&rootRecord{body: 1, refs: 2, length: 5000}).append(nil))
	f.Add((&rootRecord{body: 1, refs: 1, length: 100_000, outboard: make([]byte, resource.OutboardSize(100_000))}).append(nil))
	f.Add((&rootRecord{body: 1, refs: 1, length: 1 << 40}).append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseRootRecord(b); err == nil && !bytes.Equal(r.append(nil), b) {
			t.Fatalf("%x became %+v", b, r)
		}
	})
}

func TestKeysKeepTheirOrder(t *testing.T) {
	k := metaKeyOf(response(t, "page", nil).Exchange)
	var last []byte
	for _, at := range []int64{-1 << 63, -5, -1, 0, 1, 255, 256, 1 << 62} {
		b := orderKey(at, &k)
		if bytes.Compare(last, b) >= 0 {
			t.Errorf("%d does not sort after what is before it", at)
		}
		if got, key, err := parseOrderKey(b); err != nil || got != at || key != k {
			t.Errorf("%d became %d, %v", at, got, err)
		}
		last = b
	}
	if _, _, err := parseOrderKey(last[1:]); err == nil {
		t.Error("a short order key was taken")
	}
}

func TestVariantsHaveDifferentKeys(t *testing.T) {
	seen := make(map[metaKey]map[string][]string)
	for _, fields := range []map[string][]string{
		nil, {"A": {""}}, {"A": {"b"}}, {"A": {"b", ""}}, {"A": {"", "b"}}, {"Ab": {""}}, {"A": {"b"}, "C": {"d"}},
		{"A": {"b"}, "B": {"b"}}, {"A": {"bC", "d"}}, {"A": {"b", "C", "d"}},
	} {
		st := response(t, "page", nil)
		st.Exchange.Selecting = fields
		k := metaKeyOf(st.Exchange)
		if other, ok := seen[k]; ok {
			t.Errorf("%v and %v have the same key", fields, other)
		}
		seen[k] = fields
		// What has no line is not part of the encoded exchange.
		if fields != nil {
			st.Exchange.Selecting = map[string][]string{"Z": {}}
			for name, values := range fields {
				st.Exchange.Selecting[name] = values
			}
			if metaKeyOf(st.Exchange) != k {
				t.Error("a field without values counts")
			}
		}
	}
}

// pageFiles are the bytes of a small file, as a crash and as Close leaves it.
func pageFiles(t testing.TB) (unclean, clean []byte) {
	path := tempFile(t)
	s := mustOpen(t, path, Config{Quota: 64 << 20})
	for i := range 30 {
		mustPut(t, s, pathOf(i), content(uint64(i), i*150+i/29*100_000))
	}
	for i := range 10 {
		if err := s.Delete(context.Background(), idOf(t, pathOf(i))); err != nil {
			t.Fatal(err)
		}
	}
	unclean = readFile(t, path)[:s.space().high*s.page]
	mustClose(t, s)
	return unclean, readFile(t, path)
}

// What checkPages accepts, bbolt can read as a whole. That is no small matter: it
// does so in a goroutine of its own, in which a panic is the end of the process.
func FuzzPages(f *testing.F) {
	unclean, clean := pageFiles(f)
	path := tempFile(f)
	f.Add([]byte{1, 0, 0, 0, 128})          // another number of page
	f.Add([]byte{1, 3, 0, 8, 4})            // another type of page
	f.Add([]byte{0, 5, 0, 12, 1})           // a longer page
	f.Add([]byte{1, 2, 0, 16, 200, 4, 1})   // the freelist, or what is there
	f.Add([]byte{0, 7, 0, 32, 9, 8, 0, 10}) // a child, a count
	f.Fuzz(func(t *testing.T, edits []byte) {
		if len(edits) == 0 {
			return
		}
		data := bytes.Clone(unclean)
		if edits[0]%2 == 1 {
			data = bytes.Clone(clean)
		}
		for e := edits[1:]; len(e) >= 4; e = e[4:] {
			page, at := int(e[0])%(len(data)/4096), (int(e[1])<<8|int(e[2]))%4096
			data[page*4096+at] = e[3]
		}
		checkLikeBolt(t, path, data)
	})
}

func TestPagesLikeBolt(t *testing.T) {
	t.Parallel()
	unclean, clean := pageFiles(t)
	path := tempFile(t)
	rounds, accepted := uint64(300), 0
	if testing.Short() || raceEnabled {
		rounds = 100
	}
	for i := range rounds {
		data := bytes.Clone(unclean)
		if i%2 == 1 {
			data = bytes.Clone(clean)
		}
		r := rand.New(rand.NewPCG(i, 1))
		for range 1 + r.IntN(3) {
			at := r.IntN(len(data)/4096)*4096 + r.IntN([]int{16, 80, 4096}[r.IntN(3)])
			data[at] = [...]byte{byte(r.IntN(256)), byte(r.IntN(5)), data[at] ^ 1<<r.IntN(8)}[r.IntN(3)]
		}
		if checkLikeBolt(t, path, data) {
			accepted++
		}
	}
	t.Logf("accepted %d of %d", accepted, rounds)
}

// checkLikeBolt fails if the file is accepted although bbolt finds something in it.
func checkLikeBolt(t *testing.T, path string, data []byte) (accepted bool) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := inspectFile(path, allPages); err != nil {
		return false
	}
	db, _, err := openBolt(path, bolt.Options{FreelistType: bolt.FreelistMapType, NoFreelistSync: true})
	if err != nil {
		t.Fatalf("accepted, but bbolt can't open it: %v", err)
	}
	defer db.Close()
	err = view(db, func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("accepted, but bbolt finds: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return true
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestStateRoundTrip(t *testing.T) {
	want := state{1, 2, 3, 1 << 60}
	if got, err := parseState(want.append(nil)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := parseState(make([]byte, 31)); err == nil {
		t.Error("a short state was taken")
	}
}
