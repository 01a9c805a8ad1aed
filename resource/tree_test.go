package resource

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"lukechampine.com/blake3"
	"lukechampine.com/blake3/bao"
	"pgregory.net/rapid"
)

// baoGroup is what lukechampine's bao calls groups of 16 KiB: 2^4 chunks.
const baoGroup = 4

// testTree is a body with all that is derived from it.
type testTree struct {
	data, outboard []byte
	body           Body
}

// testBytes returns n bytes that look random and are the same each time.
func testBytes(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)}).Read(b)
	return b
}

func newTree(t testing.TB, size int) testTree {
	t.Helper()
	h := NewHasher()
	tree := testTree{data: testBytes(size)}
	h.Write(tree.data)
	tree.body = h.Body()
	tree.outboard = outboardOf(t, h)
	return tree
}

func outboardOf(t testing.TB, h *Hasher) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := h.WriteOutboard(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sizeName(n int) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%dMiB", n>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%dKiB", n>>10)
	}
	return fmt.Sprint(n)
}

// treeSizes lie around the boundaries of chunks and groups, and around numbers of
// groups where the tree changes its shape.
func treeSizes(groups ...int) []int {
	sizes := []int{0, 1, 63, 64, 65, 1023, 1024, 1025, 2047, 2048, 2049, 8192, 8193, 15360, 15361}
	for _, g := range groups {
		n := g * GroupSize
		sizes = append(sizes, n-1024, n-1, n, n+1, n+1024, n+1025)
	}
	return sizes
}

func TestHasherAgainstReference(t *testing.T) {
	sizes := append(treeSizes(1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65), segment*GroupSize, segment*GroupSize+1, (2*segment+3)*GroupSize-5)
	for _, size := range sizes {
		tree := newTree(t, size)
		if want := Root(blake3.Sum256(tree.data)); tree.body.Root != want {
			t.Errorf("%d bytes: root %v, BLAKE3 is %v", size, tree.body.Root, want)
		}
		if tree.body.SHA256 != sha256.Sum256(tree.data) || tree.body.Length != int64(size) {
			t.Errorf("%d bytes: wrong SHA-256 or length", size)
		}
		want, _ := bao.EncodeBuf(tree.data, baoGroup, true)
		if !bytes.Equal(tree.outboard, want[8:]) {
			t.Errorf("%d bytes: outboard differs from that of bao", size)
		}
		if got := OutboardSize(int64(size)); got != int64(len(tree.outboard)) {
			t.Errorf("%d bytes: OutboardSize says %d, written are %d", size, got, len(tree.outboard))
		}
	}
}

func TestOutboardSizeOfNonsense(t *testing.T) {
	for length, want := range map[int64]int64{-1: 0, 0: 0, 1: 0, GroupSize: 0, GroupSize + 1: 64, MaxLength: (MaxLength/GroupSize - 1) * 64} {
		if got := OutboardSize(length); got != want {
			t.Errorf("OutboardSize(%d) = %d, want %d", length, got, want)
		}
	}
}

// However the bytes arrive, and however often the state is looked at meanwhile, the
// result is that of the bytes.
func TestHasherInPieces(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		data := testBytes(rapid.IntRange(0, 6*GroupSize).Draw(rt, "size"))
		h := NewHasher()
		for p := data; len(p) > 0; {
			n := min(len(p), rapid.SampledFrom([]int{1, 100, 1024, GroupSize - 1, GroupSize, GroupSize + 1, 40000}).Draw(rt, "piece"))
			if wrote, err := h.Write(p[:n]); wrote != n || err != nil {
				rt.Fatalf("Write: %d, %v", wrote, err)
			}
			p = p[n:]
			if rapid.Bool().Draw(rt, "look") {
				so := data[:len(data)-len(p)]
				if h.Body().Root != Root(blake3.Sum256(so)) || h.Body().SHA256 != sha256.Sum256(so) {
					rt.Fatalf("wrong body after %d bytes", len(so))
				}
				outboardOf(t, h)
			}
		}
		want, root := bao.EncodeBuf(data, baoGroup, true)
		if h.Body().Root != Root(root) || !bytes.Equal(outboardOf(t, h), want[8:]) {
			rt.Fatalf("wrong tree over %d bytes", len(data))
		}
	})
}

// failingWriter fails after some bytes.
type failingWriter struct{ left int }

var errDisk = errors.New("disk full")

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errDisk
	}
	return len(p), nil
}

func TestWriteOutboardFails(t *testing.T) {
	h := NewHasher()
	h.Write(make([]byte, (segment+2)*GroupSize))
	for _, left := range []int{0, 64, 64 * segment} {
		if err := h.WriteOutboard(&failingWriter{left}); !errors.Is(err, errDisk) {
			t.Errorf("after %d bytes: %v", left, err)
		}
	}
	if err := h.WriteOutboard(io.Discard); err != nil {
		t.Error(err)
	}
}
