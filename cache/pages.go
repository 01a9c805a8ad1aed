package cache

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// This file reads the pages of a bbolt file without bbolt, which trusts them: it
// panics, also in goroutines of its own where nobody can recover, or reads memory
// that is not there. Here every number is checked before it is used, and everything
// is read with pread. The format is that of bbolt's data file version 2, in the byte
// order of the machine.

const (
	pageHeaderSize  = 16
	pageElementSize = 16

	branchPage   = 0x01
	leafPage     = 0x02
	metaPage     = 0x04
	freelistPage = 0x10

	bucketElement = 0x01 // flag of a leaf element whose value is a bucket

	boltMagic   = 0xED0CDAED
	boltVersion = 2
	metaSize    = 64
	noFreelist  = 1<<64 - 1
)

var native = binary.NativeEndian

// checkDepth is how much of the file checkPages looks at.
type checkDepth int

const (
	quickCheck    checkDepth = iota // that it is a bbolt file and as long as it should be
	pagesIfNeeded                   // all pages, if bbolt is going to scan them or if they are few
	allPages
)

// fewPages is up to what size, in bytes, all pages of a file are checked whenever it is opened.
const fewPages = 64 << 20

// checkPages checks the structure of a bbolt file that nobody writes to, and returns
// how far its pages reach, in bytes.
func checkPages(f *os.File, depth checkDepth) (high int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	m, err := readMeta(f, info.Size())
	if err != nil {
		return 0, err
	}
	high = int64(m.high) * m.pageSize
	scan := m.freelist == noFreelist || high <= fewPages
	if depth == quickCheck || depth == pagesIfNeeded && !scan {
		return high, nil
	}
	c := &pageChecker{r: f, meta: m, seen: make([]uint64, m.high/64+1)}
	if depth == allPages {
		if err := c.headers(); err != nil {
			return 0, err
		}
	}
	if m.freelist != noFreelist {
		if err := c.freelist(m.freelist); err != nil {
			return 0, err
		}
	}
	if err := c.tree(m.root, 0); err != nil {
		return 0, err
	}
	if depth == allPages && m.freelist != noFreelist {
		return high, c.leaks()
	}
	return high, nil
}

// boltMeta is a meta page: the root of everything as of one transaction.
type boltMeta struct {
	pageSize int64
	root     uint64 // page of the root bucket
	freelist uint64 // page, or noFreelist
	high     uint64 // the first page that is not part of the file
	txid     uint64
}

// readMeta returns the newest valid meta page, as bbolt would choose it.
func readMeta(r io.ReaderAt, size int64) (m boltMeta, err error) {
	found := false
	first, ok := metaAt(r, 0)
	if ok {
		m, found = first, true
	}
	// Where the second one is depends on the page size, which only a valid one tells.
	for shift := 10; shift <= 24; shift++ {
		page := int64(1) << shift
		if ok && page != first.pageSize {
			continue
		}
		second, valid := metaAt(r, page)
		if valid && second.pageSize == page && (!found || second.txid > m.txid) {
			m, found = second, true
		}
	}
	if !found {
		return m, fmt.Errorf("%w: no valid header", ErrCorrupt)
	}
	if m.high < 4 || m.high > uint64(size/m.pageSize) {
		return m, fmt.Errorf("%w: %d bytes long, should have %d pages of %d", ErrCorrupt, size, m.high, m.pageSize)
	}
	return m, nil
}

func metaAt(r io.ReaderAt, off int64) (m boltMeta, ok bool) {
	var b [metaSize]byte
	if _, err := r.ReadAt(b[:], off+pageHeaderSize); err != nil {
		return m, false
	}
	sum := fnv.New64a()
	sum.Write(b[:56])
	if native.Uint32(b[0:]) != boltMagic || native.Uint32(b[4:]) != boltVersion || native.Uint64(b[56:]) != sum.Sum64() {
		return m, false
	}
	m = boltMeta{
		pageSize: int64(native.Uint32(b[8:])),
		root:     native.Uint64(b[16:]),
		freelist: native.Uint64(b[32:]),
		high:     native.Uint64(b[40:]),
		txid:     native.Uint64(b[48:]),
	}
	ok = m.pageSize >= 1<<10 && m.pageSize <= 1<<24 && m.pageSize&(m.pageSize-1) == 0
	return m, ok
}

// pageChecker walks over all pages that can be reached.
type pageChecker struct {
	r    io.ReaderAt
	meta boltMeta
	seen []uint64 // a bit for each page
}

// headers checks that both meta pages call themselves so. One of them may be damaged
// after a loss of power, which does no harm.
func (c *pageChecker) headers() error {
	for id := range uint64(2) {
		var b [pageHeaderSize]byte
		if _, err := c.r.ReadAt(b[:], int64(id)*c.meta.pageSize); err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
		if native.Uint64(b[:]) != id || native.Uint16(b[8:]) != metaPage {
			return c.bad(id, "not a header")
		}
	}
	return nil
}

// leaks checks that no page is neither used nor free. Such a page is lost, nothing else.
func (c *pageChecker) leaks() error {
	for id := uint64(2); id < c.meta.high; id++ {
		if c.seen[id/64]&(1<<(id%64)) == 0 {
			return c.bad(id, "neither used nor free")
		}
	}
	return nil
}

// page is one page with those that continue it.
type page struct {
	id    uint64
	flags uint16
	count int
	size  int64 // in bytes
	head  []byte
}

func (c *pageChecker) bad(id uint64, what string) error {
	return fmt.Errorf("%w: page %d: %s", ErrCorrupt, id, what)
}

// claim reads the head of a page and notes that it is in use.
func (c *pageChecker) claim(id uint64) (*page, error) {
	if id < 2 || id >= c.meta.high {
		return nil, c.bad(id, "outside of the file")
	}
	p := &page{id: id, head: make([]byte, min(c.meta.pageSize, 4<<10))}
	if _, err := c.r.ReadAt(p.head, int64(id)*c.meta.pageSize); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	overflow := uint64(native.Uint32(p.head[12:]))
	if native.Uint64(p.head) != id || overflow >= c.meta.high-id {
		return nil, c.bad(id, "wrong number or length")
	}
	p.flags, p.count = native.Uint16(p.head[8:]), int(native.Uint16(p.head[10:]))
	p.size = int64(overflow+1) * c.meta.pageSize
	for i := id; i <= id+overflow; i++ {
		if c.seen[i/64]&(1<<(i%64)) != 0 {
			return nil, c.bad(i, "used twice")
		}
		c.seen[i/64] |= 1 << (i % 64)
	}
	return p, nil
}

// read returns n bytes of p at off.
func (c *pageChecker) read(p *page, off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || off > p.size-n {
		return nil, c.bad(p.id, "something reaches past its end")
	}
	if off+n <= int64(len(p.head)) {
		return p.head[off : off+n], nil
	}
	b := make([]byte, n)
	if _, err := c.r.ReadAt(b, int64(p.id)*c.meta.pageSize+off); err != nil {
		return nil, fmt.Errorf("page %d: %w", p.id, err)
	}
	return b, nil
}

// freelist checks the list of free pages, which bbolt takes as it is: a page of it
// that is in use as well is found when the tree is walked.
func (c *pageChecker) freelist(id uint64) error {
	p, err := c.claim(id)
	if err != nil {
		return err
	}
	if p.flags != freelistPage {
		return c.bad(id, "not a freelist")
	}
	off, n := int64(pageHeaderSize), uint64(p.count)
	if p.count == 0xFFFF { // then the first entry is the number of them
		b, err := c.read(p, off, 8)
		if err != nil {
			return err
		}
		off, n = off+8, native.Uint64(b)
	}
	if n > uint64(p.size/8) {
		return c.bad(id, "freelist too long")
	}
	b, err := c.read(p, off, int64(n)*8)
	for last := uint64(1); err == nil && len(b) > 0; b = b[8:] {
		free := native.Uint64(b)
		if free <= last || free >= c.meta.high || c.seen[free/64]&(1<<(free%64)) != 0 {
			return c.bad(id, "wrong entry in the freelist")
		}
		c.seen[free/64] |= 1 << (free % 64)
		last = free
	}
	return err
}
