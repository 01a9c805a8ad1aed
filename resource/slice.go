package resource

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// ErrRange is returned for a range that does not lie within its body.
var ErrRange = errors.New("range outside of the body")

// WriteSlice writes the bao slice of the range [offset, offset+n) of a body of the
// given length: in pre-order the parents above, and then whole, each group that
// intersects the range; what [NewSliceReader] verifies. Data is the body, outboard
// what [Hasher.WriteOutboard] wrote. An empty range gives an empty slice.
//
// Nothing is verified here. Memory is bounded (some 270 KiB, pooled); both sources
// are read in pieces of up to 256 KiB, and w is written to in such pieces.
func WriteSlice(w io.Writer, data, outboard io.ReaderAt, length, offset, n int64) error {
	walk, err := newWalk(length, offset, n)
	if err != nil {
		return err
	}
	s := slicer{w: w, data: data, length: length, walk: walk}
	s.buf = slicerPool.Get().(*slicerBuffer)
	defer slicerPool.Put(s.buf)
	s.parents = parentReader{r: outboard, buf: s.buf.parents[:], total: groupCount(length) - 1}
	for first := walk.lo; first < walk.hi; first += slicerGroups {
		if err := s.writeGroups(first, min(first+slicerGroups, walk.hi)); err != nil {
			return err
		}
	}
	return nil
}

// SliceSize is how many bytes [WriteSlice] writes, 0 for a range outside of the body.
func SliceSize(length, offset, n int64) int64 {
	walk, err := newWalk(length, offset, n)
	if err != nil || walk.lo == walk.hi {
		return 0
	}
	end := min(walk.hi*GroupSize, length)
	return end - walk.lo*GroupSize + parentsAbove(0, groupCount(length), walk.lo, walk.hi)*parentSize
}

// parentsAbove counts the parents among the nodes of the subtree over count groups
// from first that have a group of [lo, hi) below them.
func parentsAbove(first, count, lo, hi int64) int64 {
	if count < 2 || first >= hi || first+count <= lo {
		return 0
	}
	if lo <= first && first+count <= hi {
		return count - 1
	}
	left := leftGroups(count)
	return 1 + parentsAbove(first, left, lo, hi) + parentsAbove(first+left, count-left, lo, hi)
}

const (
	slicerGroups  = 16 // data that is read and written at once
	slicerParents = 64 + slicerGroups
)

// slicerBuffer has room in front of the data for all parents that can stand among
// slicerGroups groups: less than one per group, and one path down from the root.
type slicerBuffer struct {
	out     [slicerParents*parentSize + slicerGroups*GroupSize]byte
	parents [256 * parentSize]byte
}

var slicerPool = sync.Pool{New: func() any { return new(slicerBuffer) }}

type slicer struct {
	w       io.Writer
	data    io.ReaderAt
	length  int64
	walk    walk
	parents parentReader
	buf     *slicerBuffer
}

// writeGroups writes the groups from first to end and the parents before each of
// them. The data is read in one piece to the end of the buffer; then each group is
// moved forward to where it belongs, so that parents fit in between.
func (s *slicer) writeGroups(first, end int64) error {
	out := s.buf.out[:0]
	data := s.buf.out[slicerParents*parentSize:]
	data = data[:min(end*GroupSize, s.length)-first*GroupSize]
	if err := readAtFull(s.data, data, first*GroupSize); err != nil {
		return fmt.Errorf("resource: slice: read body: %w", err)
	}
	for len(data) > 0 {
		n, _ := s.walk.pop()
		if n.count > 1 {
			parent, err := s.parents.at(n.parent, s.walk.ahead(n))
			if err != nil {
				return fmt.Errorf("resource: slice: read tree: %w", err)
			}
			out = append(out, parent...)
			s.walk.push(n, chainingValue{}, chainingValue{})
			continue
		}
		size := min(GroupSize, len(data))
		out = append(out, data[:size]...)
		data = data[size:]
	}
	if _, err := s.w.Write(out); err != nil {
		return fmt.Errorf("resource: slice: %w", err)
	}
	return nil
}

// parentReader reads parents by their index, several at once where the following
// ones will be asked for too.
type parentReader struct {
	r     io.ReaderAt
	buf   []byte
	total int64
	from  int64 // index of the first parent in buf
	count int64
}

// at returns the parent with the given index, where ahead of them will be asked for.
func (p *parentReader) at(index, ahead int64) ([]byte, error) {
	if index < p.from || index >= p.from+p.count {
		p.from = index
		p.count = min(ahead, p.total-index, int64(len(p.buf)/parentSize))
		if err := readAtFull(p.r, p.buf[:p.count*parentSize], index*parentSize); err != nil {
			p.count = 0
			return nil, err
		}
	}
	i := (index - p.from) * parentSize
	return p.buf[i : i+parentSize], nil
}

// readAtFull fills p, or fails. An io.ReaderAt may return io.EOF with the last byte.
func readAtFull(r io.ReaderAt, p []byte, offset int64) error {
	n, err := r.ReadAt(p, offset)
	switch {
	case n == len(p):
		return nil
	case err == nil || err == io.EOF:
		return io.ErrUnexpectedEOF
	}
	return err
}
