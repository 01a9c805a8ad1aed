package cache

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// Verify finds what is wrong, says what it concerns, and changes nothing.
func TestVerifyFinds(t *testing.T) {
	t.Parallel()
	big, small := content(1, 1<<20), content(2, 500)
	for _, c := range []struct {
		name, want string
		change     func(tx *bolt.Tx) error
	}{
		{"nothing", "", func(*bolt.Tx) error { return nil }},
		{"orphan chunk", "nothing refers to", func(tx *bolt.Tx) error {
			b, err := tx.Bucket(bodiesBucket).CreateBucket(chunkKey(99, kindData, 3))
			if err != nil {
				return err
			}
			return b.Put(dataKey, []byte("abc"))
		}},
		{"missing chunk", "bytes, should have", func(tx *bolt.Tx) error {
			c := tx.Bucket(bodiesBucket).Cursor()
			k, _ := c.Last()
			return tx.Bucket(bodiesBucket).DeleteBucket(k)
		}},
		{"gap", "gap", func(tx *bolt.Tx) error {
			k, _ := tx.Bucket(bodiesBucket).Cursor().First()
			return tx.Bucket(bodiesBucket).DeleteBucket(k)
		}},
		{"reference count", "references", func(tx *bolt.Tx) error {
			return editRoot(tx, func(r *rootRecord) { r.refs++ })
		}},
		{"number given again", "given again", func(tx *bolt.Tx) error {
			return tx.Bucket(systemBucket).Put(stateKey, state{nextBody: 1, responses: 3, bodies: 1, bodyBytes: 1<<20 + 500}.append(nil))
		}},
		{"counters", "counters", func(tx *bolt.Tx) error {
			return tx.Bucket(systemBucket).Put(stateKey, state{nextBody: 100, responses: 5}.append(nil))
		}},
		{"SHA-256", "another one", func(tx *bolt.Tx) error {
			return editRoot(tx, func(r *rootRecord) { r.sha256[0]++ })
		}},
		{"order", "not in the order", func(tx *bolt.Tx) error {
			k, _ := tx.Bucket(orderBucket).Cursor().First()
			if err := tx.Bucket(orderBucket).Delete(bytes.Clone(k)); err != nil {
				return err
			}
			return tx.Bucket(orderBucket).Put(append([]byte("12345678"), k[8:]...), nil)
		}},
		{"pending with root", "pending, but has a root", func(tx *bolt.Tx) error {
			return tx.Bucket(pendingBucket).Put(binary.BigEndian.AppendUint64(nil, 1), nil)
		}},
		{"record", "head of a record", func(tx *bolt.Tx) error {
			return editResponse(tx, func(v []byte) { v[0]++ })
		}},
		{"exchange", "bad exchange", func(tx *bolt.Tx) error {
			return editResponse(tx, func(v []byte) { v[recordHeadSize] = 99 })
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := tempFile(t)
			s := mustOpen(t, path, Config{Quota: 64 << 20})
			mustPut(t, s, "big", big)
			mustPut(t, s, "same", big)
			mustPut(t, s, "small", small)
			hold(t, s, func() {
				if err := s.db.Update(c.change); err != nil {
					t.Error(err)
				}
			})
			before := readFile(t, path)
			var found []string
			report, err := s.Verify(context.Background(), func(p Problem) { found = append(found, p.String()) })
			if err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(found, "\n"); !strings.Contains(all, c.want) || (c.want == "") != (all == "") {
				t.Errorf("found %q, want %q", all, c.want)
			}
			if report.Problems != len(found) {
				t.Errorf("%d problems, %d found", report.Problems, len(found))
			}
			if !bytes.Equal(before, readFile(t, path)) {
				t.Error("the file was changed")
			}
		})
	}
}

func editRoot(tx *bolt.Tx, edit func(*rootRecord)) error {
	k, v := tx.Bucket(rootsBucket).Cursor().First()
	r, err := parseRootRecord(bytes.Clone(v))
	if err != nil {
		return err
	}
	edit(r)
	return tx.Bucket(rootsBucket).Put(bytes.Clone(k), r.append(nil))
}

func editResponse(tx *bolt.Tx, edit func([]byte)) error {
	k, v := tx.Bucket(metaBucket).Cursor().First()
	v = bytes.Clone(v)
	edit(v)
	return tx.Bucket(metaBucket).Put(bytes.Clone(k), v)
}

// Bytes that change in the file, where bbolt can't notice, are found.
func TestVerifyFindsChangedBytes(t *testing.T) {
	body := content(1, 1<<20)
	for name, needle := range map[string][]byte{"body": body[500_000:500_100], "small body": content(2, 500)[100:200]} {
		path := tempFile(t)
		s := mustOpen(t, path, Config{Quota: 64 << 20})
		mustPut(t, s, "page", body)
		mustPut(t, s, "small", content(2, 500))
		verify(t, s)
		at := bytes.Index(readFile(t, path), needle)
		if at < 0 {
			t.Fatal("not in the file")
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteAt([]byte{needle[0] ^ 1}, int64(at))
		f.Close()
		var found []Problem
		if _, err := s.Verify(context.Background(), func(p Problem) { found = append(found, p) }); err != nil {
			t.Fatal(err)
		}
		if len(found) != 1 || !errors.Is(found[0].Err, ErrCorrupt) || !strings.Contains(found[0].String(), "other bytes") {
			t.Errorf("%s: found %v", name, found)
		}
	}
}

func TestVerifyEndsWithItsContext(t *testing.T) {
	s := newStoreForTest(t)
	mustPut(t, s, "page", content(1, 1<<20))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := s.Verify(ctx, nil)
	wantError(t, err, context.Canceled)
}
