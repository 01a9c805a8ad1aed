package resource

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"testing"
	"testing/iotest"
)

// readSlice reads a slice to its end or error and fails the test if so much as one byte
// comes out that is not the body's.
func (tree testTree) readSlice(t testing.TB, slice []byte, body Body, offset, n int64) (int, error) {
	t.Helper()
	got, err := io.ReadAll(NewSliceReader(bytes.NewReader(slice), body, offset, n))
	if offset+int64(len(got)) > int64(len(tree.data)) || !bytes.Equal(got, tree.data[offset:offset+int64(len(got))]) {
		t.Fatalf("range %d+%d: unverified bytes came out (%d, %v)", offset, n, len(got), err)
	}
	return len(got), err
}

// positions are the byte positions of a slice of the whole body: where which part stands.
func (tree testTree) positions(t testing.TB) (parents, groups []int) {
	t.Helper()
	w, err := newWalk(tree.body.Length, 0, tree.body.Length)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; ; {
		n, ok := w.pop()
		switch {
		case !ok:
			return parents, groups
		case n.count > 1:
			parents = append(parents, at)
			at += parentSize
			w.push(n, chainingValue{}, chainingValue{})
		default:
			groups = append(groups, at)
			at += int(min(GroupSize, tree.body.Length-n.first*GroupSize))
		}
	}
}

// One flipped bit, wherever it is, is noticed, and no byte of its group or of a later one
// comes out.
func TestSliceReaderFlippedBit(t *testing.T) {
	const size = 6*GroupSize + 1500
	tree := newTree(t, size)
	whole := tree.slice(t, 0, size)
	parents, groups := tree.positions(t)
	flip := func(at int, bit byte, most int) {
		t.Helper()
		bad := bytes.Clone(whole)
		bad[at] ^= bit
		n, err := tree.readSlice(t, bad, tree.body, 0, size)
		if !errors.Is(err, ErrMismatch) || n > most {
			t.Errorf("bit %#x of byte %d flipped: %d bytes, %v", bit, at, n, err)
		}
	}
	for _, at := range parents {
		// Groups that come before this parent in the slice are fine.
		before := 0
		for _, g := range groups {
			if g < at {
				before += GroupSize
			}
		}
		for _, i := range []int{0, 31, 32, 63} {
			flip(at+i, 1, before)
			flip(at+i, 0x80, before)
		}
	}
	for g, at := range groups {
		for _, i := range []int{0, 1, 63, 64, 1023, 1024, 1499} {
			flip(at+i, 1, g*GroupSize)
			flip(at+i, 0x80, g*GroupSize)
		}
	}
	flip(len(whole)-1, 4, 6*GroupSize)
}

// A slice that ends early is never taken for a whole one: at, before and after every
// boundary between its parts.
func TestSliceReaderTruncated(t *testing.T) {
	const size = 5*GroupSize + 10
	tree := newTree(t, size)
	whole := tree.slice(t, 0, size)
	parents, groups := tree.positions(t)
	for _, boundary := range append(append(parents, groups...), len(whole)-1) {
		for _, cut := range []int{boundary - 1, boundary, boundary + 1} {
			if cut < 0 || cut >= len(whole) {
				continue
			}
			if n, err := tree.readSlice(t, whole[:cut], tree.body, 0, size); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("cut at %d of %d: %d bytes, %v", cut, len(whole), n, err)
			}
		}
	}
}

// Right groups in the wrong place are wrong, equal groups excepted.
func TestSliceReaderSwapped(t *testing.T) {
	const size = 8 * GroupSize
	tree := newTree(t, size)
	whole := tree.slice(t, 0, size)
	_, groups := tree.positions(t)
	for i := range groups {
		for j := range i {
			bad := bytes.Clone(whole)
			copy(bad[groups[i]:], whole[groups[j]:groups[j]+GroupSize])
			copy(bad[groups[j]:], whole[groups[i]:groups[i]+GroupSize])
			if n, err := tree.readSlice(t, bad, tree.body, 0, size); !errors.Is(err, ErrMismatch) || n > j*GroupSize {
				t.Errorf("groups %d and %d swapped: %d bytes, %v", i, j, n, err)
			}
		}
	}
	// A slice of another range does not do either.
	other := tree.slice(t, GroupSize, 2*GroupSize)
	if n, err := tree.readSlice(t, other, tree.body, 0, 2*GroupSize); !errors.Is(err, ErrMismatch) || n > 0 {
		t.Errorf("slice of another range: %d bytes, %v", n, err)
	}
}

// Whoever gives a wrong length with the right root is found out when the last byte of
// what he claims is read, whatever slice he sends.
func TestSliceReaderWrongLength(t *testing.T) {
	real := []int{1, 1000, 1024, 1025, GroupSize - 1, GroupSize, GroupSize + 1, 2 * GroupSize, 3 * GroupSize, 3*GroupSize + 1, 4 * GroupSize, 5*GroupSize + 7}
	for _, size := range real {
		tree := newTree(t, size)
		padded := append(bytes.Clone(tree.data), make([]byte, 20*GroupSize)...)
		var lies []int
		for _, lie := range append(real, 0, 63, size-1, size+1, size+1024, size+GroupSize, size/2, 2*size, 8*GroupSize, 16*GroupSize) {
			if lie != size {
				lies = append(lies, lie)
			}
		}
		for _, lie := range lies {
			body := tree.body
			body.Length = int64(lie)
			for name, slice := range lyingSlices(t, tree, padded[:lie]) {
				n, err := tree.readSlice(t, slice, body, 0, int64(lie))
				if err == nil {
					t.Errorf("%d bytes, said to be %d, %s: not noticed (%d bytes read)", size, lie, name, n)
				}
				if lie == 0 {
					continue
				}
				// The end alone shows it too.
				if n, err := io.ReadAll(NewSliceReader(bytes.NewReader(slice), body, int64(lie)-1, 1)); err == nil {
					t.Errorf("%d bytes, said to be %d, %s: not noticed at the end (%d bytes read)", size, lie, name, len(n))
				}
			}
		}
	}
}

// lyingSlices are what someone might send who claims that tree's body was claimed.
func lyingSlices(t testing.TB, tree testTree, claimed []byte) map[string][]byte {
	h := NewHasher()
	h.Write(claimed)
	own := testTree{data: claimed, outboard: outboardOf(t, h)}
	slices := map[string][]byte{
		"true slice":          tree.slice(t, 0, int64(len(tree.data))),
		"slice of the claim":  own.slice(t, 0, int64(len(claimed))),
		"true slice and more": append(tree.slice(t, 0, int64(len(tree.data))), claimed...),
	}
	// His tree, but with the true root parent above.
	if len(tree.outboard) > 0 && len(own.outboard) > 0 {
		mixed := bytes.Clone(slices["slice of the claim"])
		copy(mixed, tree.outboard[:parentSize])
		slices["true root parent"] = mixed
	}
	return slices
}

func TestSliceReaderWrongRoot(t *testing.T) {
	for _, size := range []int{0, 1, GroupSize, GroupSize + 1} {
		tree := newTree(t, size)
		body := tree.body
		body.Root[31] ^= 1
		if n, err := tree.readSlice(t, tree.slice(t, 0, int64(size)), body, 0, int64(size)); n != 0 || !errors.Is(err, ErrMismatch) {
			t.Errorf("%d bytes: %d, %v", size, n, err)
		}
	}
}

// What follows the slice is left to whoever reads next from the connection.
func TestSliceReaderLeavesTheRest(t *testing.T) {
	tree := newTree(t, 9*GroupSize+3)
	for _, n := range []int64{0, 1, GroupSize, 5 * GroupSize} {
		r := bytes.NewBuffer(append(tree.slice(t, 100, n), "rest"...))
		if got, err := io.ReadAll(NewSliceReader(r, tree.body, 100, n)); err != nil || int64(len(got)) != n {
			t.Fatalf("%d of %d bytes, %v", len(got), n, err)
		}
		if r.String() != "rest" {
			t.Errorf("%d bytes left, want 4", r.Len())
		}
	}
}

// However the bytes arrive, the result is the same; a verified group does not wait for
// what comes after it.
func TestSliceReaderSlowSources(t *testing.T) {
	const size = 3*GroupSize + 100
	tree := newTree(t, size)
	slice := tree.slice(t, 0, size)
	for name, wrap := range map[string]func(io.Reader) io.Reader{
		"half":           iotest.HalfReader,
		"one byte":       iotest.OneByteReader,
		"error with end": iotest.DataErrReader,
	} {
		if err := iotest.TestReader(NewSliceReader(wrap(bytes.NewReader(slice)), tree.body, 0, size), tree.data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	parents, groups := tree.positions(t)
	firstGroup := len(parents[:2])*parentSize + GroupSize
	r := NewSliceReader(io.MultiReader(bytes.NewReader(slice[:firstGroup]), neverRead{t}), tree.body, 0, size)
	if n, err := r.Read(make([]byte, size)); n != GroupSize || err != nil || groups[0] != 2*parentSize {
		t.Errorf("first group alone: %d, %v", n, err)
	}
}

type neverRead struct{ t testing.TB }

func (r neverRead) Read([]byte) (int, error) {
	r.t.Error("read beyond the group that was asked for")
	return 0, io.EOF
}

func TestSliceReaderFailingSource(t *testing.T) {
	const size = 3 * GroupSize
	tree := newTree(t, size)
	slice := tree.slice(t, 0, size)
	broken := io.MultiReader(bytes.NewReader(slice[:2*GroupSize]), iotest.ErrReader(errDisk))
	r := NewSliceReader(broken, tree.body, 0, size)
	got, err := io.ReadAll(r)
	if !errors.Is(err, errDisk) || len(got) != GroupSize {
		t.Errorf("broken source: %d bytes, %v", len(got), err)
	}
	if _, again := r.Read(make([]byte, 1)); !errors.Is(again, err) {
		t.Errorf("the error is not final: %v", again)
	}
	if _, err := io.ReadAll(NewSliceReader(idleReader{}, tree.body, 0, size)); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("source that gives nothing: %v", err)
	}
}

type idleReader struct{}

func (idleReader) Read([]byte) (int, error) { return 0, nil }

func TestSliceReaderWriteTo(t *testing.T) {
	const size = 5*GroupSize + 9
	tree := newTree(t, size)
	slice := tree.slice(t, 100, size-200)
	r := NewSliceReader(bytes.NewReader(slice), tree.body, 100, size-200)
	var b bytes.Buffer
	io.CopyN(&b, r, 1000)
	if n, err := r.WriteTo(&b); n != size-1200 || err != nil || !bytes.Equal(b.Bytes(), tree.data[100:size-100]) {
		t.Errorf("WriteTo after Read: %d, %v", n, err)
	}
	r = NewSliceReader(bytes.NewReader(slice), tree.body, 100, size-200)
	if n, err := r.WriteTo(&failingWriter{2 * GroupSize}); !errors.Is(err, errDisk) || n > 2*GroupSize {
		t.Errorf("WriteTo a full disk: %d, %v", n, err)
	}
	bad := bytes.Clone(slice)
	bad[len(bad)-1] ^= 1
	b.Reset()
	n, err := NewSliceReader(bytes.NewReader(bad), tree.body, 100, size-200).WriteTo(&b)
	if !errors.Is(err, ErrMismatch) || n != int64(b.Len()) || n != 4*GroupSize-100 {
		t.Errorf("WriteTo of a bad slice: %d, %v", n, err)
	}
}

// Reading takes memory for what has arrived, not for what is claimed.
func TestSliceReaderMemory(t *testing.T) {
	body := Body{Length: MaxLength}
	slice := make([]byte, 1000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := io.Copy(io.Discard, NewSliceReader(bytes.NewReader(slice), body, 0, MaxLength)); err == nil {
		t.Error("no error")
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 256<<10 {
		t.Errorf("%d bytes allocated for a claim of 1 PiB", got)
	}
}
