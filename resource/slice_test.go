package resource

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"lukechampine.com/blake3/bao"
	"pgregory.net/rapid"
)

// referenceSlice extracts a slice with lukechampine's bao, without the header. That
// one wants only the groups of the slice, and does not take an empty range.
func (tree testTree) referenceSlice(t testing.TB, offset, n int64) []byte {
	t.Helper()
	if n == 0 {
		return nil
	}
	encoded := binary.LittleEndian.AppendUint64(nil, uint64(len(tree.data)))
	encoded = append(encoded, tree.outboard...) // bao's own: see TestHasherAgainstReference
	from := offset / GroupSize * GroupSize
	to := min((offset+n+GroupSize-1)/GroupSize*GroupSize, int64(len(tree.data)))
	var b bytes.Buffer
	b.Grow(int(to - from + 8 + int64(len(tree.outboard))))
	err := bao.ExtractSlice(&b, bytes.NewReader(tree.data[from:to]), bytes.NewReader(encoded), baoGroup, uint64(offset), uint64(n))
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()[8:]
}

// checkRange compares one slice with the reference, its size with what was said, and
// what a reader makes of it with the body.
func (tree testTree) checkRange(t testing.TB, offset, n int64) {
	t.Helper()
	size := int64(len(tree.data))
	slice := tree.slice(t, offset, n)
	if !bytes.Equal(slice, tree.referenceSlice(t, offset, n)) {
		t.Fatalf("%d bytes, range %d+%d: slice differs from that of bao", size, offset, n)
	}
	if got := SliceSize(size, offset, n); got != int64(len(slice)) {
		t.Fatalf("%d bytes, range %d+%d: SliceSize says %d, written are %d", size, offset, n, got, len(slice))
	}
	var got bytes.Buffer
	got.Grow(int(n))
	_, err := NewSliceReader(bytes.NewReader(slice), tree.body, offset, n).WriteTo(&got)
	if err != nil || !bytes.Equal(got.Bytes(), tree.data[offset:offset+n]) {
		t.Fatalf("%d bytes, range %d+%d: read %d bytes, %v", size, offset, n, got.Len(), err)
	}
}

func TestSliceAgainstReference(t *testing.T) {
	for _, size := range treeSizes(1, 2, 3, 4, 5, 8, 17) {
		tree, n := newTree(t, size), int64(size)
		tree.checkRange(t, 0, n)
		tree.checkRange(t, n/2, 0)
		for _, at := range []int64{0, GroupSize - 1, GroupSize, n/2 - 1, n - GroupSize, n - 1} {
			if at >= 0 && at < n {
				tree.checkRange(t, at, 1)
				tree.checkRange(t, at, n-at)
				tree.checkRange(t, at, min(n-at, 2*GroupSize))
				tree.checkRange(t, 0, at)
			}
		}
	}
}

func TestSliceProperty(t *testing.T) {
	trees := map[int]testTree{}
	rapid.Check(t, func(rt *rapid.T) {
		size := rapid.SampledFrom([]int{1, 5000, 3*GroupSize + 1, 20 * GroupSize, 70*GroupSize + 77}).Draw(rt, "size")
		if _, ok := trees[size]; !ok {
			trees[size] = newTree(t, size)
		}
		offset := rapid.Int64Range(0, int64(size)).Draw(rt, "offset")
		trees[size].checkRange(t, offset, rapid.Int64Range(0, int64(size)-offset).Draw(rt, "n"))
	})
}

func TestSliceOutsideOfBody(t *testing.T) {
	const big = 1<<63 - 1
	for _, tt := range []struct{ length, offset, n int64 }{
		{100, 0, 101}, {100, 101, 0}, {100, 100, 1}, {100, -1, 1}, {100, 0, -1},
		{100, 1, big}, {100, big, 1}, {100, big, big}, {-1, 0, 0}, {0, 0, 1}, {0, 1, 0},
		{big, 0, big}, {MaxLength + 1, 0, 1},
	} {
		if err := WriteSlice(io.Discard, bytes.NewReader(nil), bytes.NewReader(nil), tt.length, tt.offset, tt.n); !errors.Is(err, ErrRange) {
			t.Errorf("WriteSlice(%+v): %v", tt, err)
		}
		if got := SliceSize(tt.length, tt.offset, tt.n); got != 0 {
			t.Errorf("SliceSize(%+v) = %d", tt, got)
		}
		r := NewSliceReader(bytes.NewReader(nil), Body{Length: tt.length}, tt.offset, tt.n)
		if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, ErrRange) {
			t.Errorf("SliceReader(%+v): %d, %v", tt, n, err)
		}
	}
	if got := SliceSize(MaxLength, 0, MaxLength); got != MaxLength+OutboardSize(MaxLength) {
		t.Errorf("SliceSize of the largest body: %d", got)
	}
}

// A body or tree that has lost bytes in the store, and a writer that is gone, are errors
// of WriteSlice; nothing is made up for what is missing.
func TestWriteSliceFails(t *testing.T) {
	const size = 40 * GroupSize
	tree := newTree(t, size)
	data, outboard := bytes.NewReader(tree.data), bytes.NewReader(tree.outboard)
	for name, tt := range map[string]struct {
		w              io.Writer
		data, outboard io.ReaderAt
		want           error
	}{
		"short body":     {io.Discard, bytes.NewReader(tree.data[:size-1]), outboard, io.ErrUnexpectedEOF},
		"no body":        {io.Discard, bytes.NewReader(nil), outboard, io.ErrUnexpectedEOF},
		"short outboard": {io.Discard, data, bytes.NewReader(tree.outboard[:len(tree.outboard)-1]), io.ErrUnexpectedEOF},
		"no outboard":    {io.Discard, data, bytes.NewReader(nil), io.ErrUnexpectedEOF},
		"failing body":   {io.Discard, failingReaderAt{}, outboard, errDisk},
		"failing tree":   {io.Discard, data, failingReaderAt{}, errDisk},
		"failing writer": {&failingWriter{size / 2}, data, outboard, errDisk},
	} {
		if err := WriteSlice(tt.w, tt.data, tt.outboard, size, 0, size); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

type failingReaderAt struct{}

func (failingReaderAt) ReadAt([]byte, int64) (int, error) { return 0, errDisk }

// countingReaderAt notes what is read.
type countingReaderAt struct {
	io.ReaderAt
	calls, bytes int
}

func (c *countingReaderAt) ReadAt(p []byte, offset int64) (int, error) {
	c.calls++
	c.bytes += len(p)
	return c.ReaderAt.ReadAt(p, offset)
}

// A read from the store costs a transaction, so a stream is read in large pieces, and
// a small range does not read much more than its path.
func TestWriteSliceReadsInLargePieces(t *testing.T) {
	const size = 600 * GroupSize
	tree := newTree(t, size)
	for _, tt := range []struct{ offset, n, dataReads, treeReads, treeBytes int }{
		{0, size, 600/16 + 1, 600/256 + 1, 600 * 64},
		{size - 1, 1, 1, 10, 10 * 64},
		{300 * GroupSize, GroupSize, 1, 10, 10 * 64},
	} {
		data := &countingReaderAt{ReaderAt: bytes.NewReader(tree.data)}
		outboard := &countingReaderAt{ReaderAt: bytes.NewReader(tree.outboard)}
		if err := WriteSlice(io.Discard, data, outboard, size, int64(tt.offset), int64(tt.n)); err != nil {
			t.Fatal(err)
		}
		if data.calls > tt.dataReads || outboard.calls > tt.treeReads || outboard.bytes > tt.treeBytes {
			t.Errorf("%d+%d: %d reads of the body, %d of the tree with %d bytes", tt.offset, tt.n, data.calls, outboard.calls, outboard.bytes)
		}
	}
}
