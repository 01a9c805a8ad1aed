package resource

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"math/bits"

	"lukechampine.com/blake3/guts"
)

// GroupSize is the number of bytes that are verified together: a group of 16
// BLAKE3 chunks. A liar costs at most one group.
const GroupSize = guts.MaxSIMD * guts.ChunkSize

// MaxLength bounds the length of a body, in bytes (1 PiB). It keeps all sums of
// offsets and sizes far from overflow.
const MaxLength = 1 << 50

const (
	chunksPerGroup = GroupSize / guts.ChunkSize
	parentSize     = 64 // two chaining values
)

// chainingValue is the hash of a subtree: the root of it, if it is the whole tree.
type chainingValue = [8]uint32

// Hasher computes a [Body] and its outboard tree from bytes that are written to it,
// without knowing their number beforehand. It keeps 32 bytes per group. It is not
// safe for concurrent use.
type Hasher struct {
	sha    hash.Hash
	groups []chainingValue // of all whole groups so far
	first  guts.Node       // the first of them, in case that it is the only one
	length int64
	tail   [GroupSize]byte // the last length%GroupSize bytes
}

// NewHasher returns a Hasher that has seen no byte.
func NewHasher() *Hasher { return &Hasher{sha: sha256.New()} }

// Write adds p to the body. It never fails.
func (h *Hasher) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		used := int(h.length % GroupSize)
		piece := p[:min(GroupSize-used, len(p))]
		p = p[len(piece):]
		h.length += int64(len(piece))
		h.sha.Write(piece)
		switch {
		case len(piece) == GroupSize: // no copy needed
			h.addGroup((*[GroupSize]byte)(piece))
		case used+copy(h.tail[used:], piece) == GroupSize:
			h.addGroup(&h.tail)
		}
	}
	return n, nil
}

func (h *Hasher) addGroup(g *[GroupSize]byte) {
	node := groupNode(g, GroupSize, int64(len(h.groups)))
	if len(h.groups) == 0 {
		h.first = node
	}
	h.groups = append(h.groups, guts.ChainingValue(node))
}

// Body describes what has been written so far. More may be written after it.
func (h *Hasher) Body() Body {
	b := Body{Length: h.length, Root: rootOf(h.rootCV(int(h.length % GroupSize)))}
	h.sha.Sum(b.SHA256[:0])
	return b
}

// rootCV is the chaining value of the whole tree, with used bytes in the tail.
func (h *Hasher) rootCV(used int) chainingValue {
	single := h.first
	switch {
	case len(h.groups) == 0:
		single = groupNode(&h.tail, used, 0)
	case len(h.groups) > 1 || used > 0:
		return subtree(h.leaves(), guts.FlagRoot, nil)
	}
	single.Flags |= guts.FlagRoot
	return guts.ChainingValue(single)
}

// leaves are the chaining values of all groups, the unfinished one included. They
// share memory with h.groups, whose own length is left alone.
func (h *Hasher) leaves() []chainingValue {
	used := int(h.length % GroupSize)
	if used == 0 {
		return h.groups
	}
	return append(h.groups, guts.ChainingValue(groupNode(&h.tail, used, int64(len(h.groups)))))
}

// segment is the number of groups whose part of the outboard is made in one piece,
// so that writing it needs 64 KiB and not 1/256 of the body. A power of two.
const segment = 1024

// WriteOutboard writes the tree of what has been written so far: the pre-order
// outboard encoding of bao over groups of 16 KiB, without its header of 8 bytes.
// It is [OutboardSize] long.
func (h *Hasher) WriteOutboard(w io.Writer) error {
	leaves := h.leaves()
	if len(leaves) < 2 {
		return nil
	}
	o := outboardWriter{w: w, leaves: leaves, buf: make([]byte, min(len(leaves), segment)*parentSize)}
	for i := 0; len(leaves) > segment && i < len(leaves); i += segment {
		o.tops = append(o.tops, subtree(leaves[i:min(i+segment, len(leaves))], 0, nil))
	}
	return o.write(0, len(leaves))
}

type outboardWriter struct {
	w      io.Writer
	leaves []chainingValue
	tops   []chainingValue // of each segment; the tree above has the shape of a tree over these
	buf    []byte
}

// write writes the parents of the groups from lo to hi, in pre-order.
func (o *outboardWriter) write(lo, hi int) error {
	if hi-lo <= segment {
		out := o.buf[:(hi-lo-1)*parentSize]
		subtree(o.leaves[lo:hi], 0, out)
		_, err := o.w.Write(out)
		return err
	}
	mid := lo + int(leftGroups(int64(hi-lo)))
	putCV(o.buf, o.top(lo, mid))
	putCV(o.buf[32:], o.top(mid, hi))
	if _, err := o.w.Write(o.buf[:parentSize]); err != nil {
		return err
	}
	if err := o.write(lo, mid); err != nil {
		return err
	}
	return o.write(mid, hi)
}

func (o *outboardWriter) top(lo, hi int) chainingValue {
	return subtree(o.tops[lo/segment:(hi+segment-1)/segment], 0, nil)
}

// OutboardSize is the size of the outboard tree of a body of this length, in bytes.
func OutboardSize(length int64) int64 {
	return max(groupCount(length)-1, 0) * parentSize
}

// subtree folds the chaining values of neighbouring subtrees. If out is not nil,
// the parents are put into it in pre-order.
func subtree(leaves []chainingValue, flags uint32, out []byte) chainingValue {
	if len(leaves) == 1 {
		return leaves[0]
	}
	mid := int(leftGroups(int64(len(leaves))))
	var outLeft, outRight []byte
	if out != nil {
		outLeft, outRight = out[parentSize:mid*parentSize], out[mid*parentSize:]
	}
	left := subtree(leaves[:mid], 0, outLeft)
	right := subtree(leaves[mid:], 0, outRight)
	if out != nil {
		putCV(out, left)
		putCV(out[32:], right)
	}
	return guts.ChainingValue(guts.ParentNode(left, right, &guts.IV, flags))
}

// groupNode is the topmost node of the group with the given index, of which n bytes
// are used. What follows these in g is read, but does not count.
func groupNode(g *[GroupSize]byte, n int, index int64) guts.Node {
	return guts.CompressBuffer(g, n, &guts.IV, uint64(index)*chunksPerGroup, 0)
}

// groupCount is the number of groups of a body. An empty body has none.
func groupCount(length int64) int64 {
	if length <= 0 {
		return 0
	}
	return (length-1)/GroupSize + 1
}

// leftGroups is how many of n groups (n > 1) the left child has: the largest power
// of two below n.
func leftGroups(n int64) int64 { return 1 << (bits.Len64(uint64(n-1)) - 1) }

func putCV(b []byte, cv chainingValue) {
	for i, word := range cv {
		binary.LittleEndian.PutUint32(b[4*i:], word)
	}
}

func getCV(b []byte) (cv chainingValue) {
	_ = b[31]
	for i := range cv {
		cv[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return cv
}

func rootOf(cv chainingValue) (r Root) {
	putCV(r[:], cv)
	return r
}
