package resource

import (
	"bytes"
	"encoding/binary"
	"io"
	"testing"

	"lukechampine.com/blake3/bao"
)

// mangle changes a slice as edits say, five bytes each: what to do, where (the next three,
// little endian) and with which value.
func mangle(slice, edits []byte) []byte {
	for ; len(edits) >= 5; edits = edits[5:] {
		at := int(edits[1]) | int(edits[2])<<8 | int(edits[3])<<16
		if at >= len(slice) {
			continue
		}
		switch value := edits[4]; edits[0] % 5 {
		case 0:
			slice[at] ^= value
		case 1:
			slice = slice[:at]
		case 2:
			slice = append(slice[:at], slice[min(at+int(value), len(slice)):]...)
		case 3: // twice
			slice = append(slice[:at:at], slice[max(at-parentSize*int(value), 0):]...)
		case 4: // swap with what is farther behind
			if other := at + GroupSize*(1+int(value)%4); other < len(slice) {
				slice[at], slice[other] = slice[other], slice[at]
			}
		}
	}
	return slice
}

// FuzzSliceReader mangles true slices and lies about the length: nothing but the body's
// bytes may come out, and a complete reading needs a slice which bao accepts as well.
func FuzzSliceReader(f *testing.F) {
	const size = 3*GroupSize + 100
	tree := newTree(f, size)
	for _, seed := range []struct{ length, offset, n int64 }{{size, 0, size}, {size, 0, 1}, {size, GroupSize, GroupSize}, {size + 1, size - 1, 1}, {size - 1, 5, 0}} {
		f.Add([]byte{}, seed.length, seed.offset, seed.n)
		f.Add([]byte{0, 1, 2, 0, 3}, seed.length, seed.offset, seed.n)
		f.Add([]byte{1, 0, 0x80, 0, 0, 4, 0, 1, 0, 1}, seed.length, seed.offset, seed.n)
	}
	f.Fuzz(func(t *testing.T, edits []byte, length, offset, n int64) {
		body := tree.body
		body.Length = length
		var slice bytes.Buffer
		if WriteSlice(&slice, bytes.NewReader(tree.data), bytes.NewReader(tree.outboard), size, offset, n) != nil {
			slice.Write(tree.slice(t, 0, size)) // a range that there is only in the claim
		}
		mangled := mangle(slice.Bytes(), edits)
		got, err := io.ReadAll(NewSliceReader(bytes.NewReader(mangled), body, offset, n))
		if len(got) > 0 && !bytes.Equal(got, tree.data[offset:offset+int64(len(got))]) {
			t.Fatal("unverified bytes came out")
		}
		if err != nil || n == 0 {
			return
		}
		if int64(len(got)) != n || length != size && offset+n == length {
			t.Fatalf("%d bytes without an error, want %d of %d", len(got), n, length)
		}
		encoded := binary.LittleEndian.AppendUint64(nil, uint64(length))
		encoded = append(encoded, mangled[:SliceSize(length, offset, n)]...)
		if _, ok := bao.VerifySlice(encoded, baoGroup, uint64(offset), uint64(n), body.Root); !ok {
			t.Fatal("bao does not accept this slice")
		}
	})
}
