package cache

import "bytes"

// Bounds of nesting: buckets are in buckets of buckets, and a tree of a thousand
// million keys has fewer than ten levels.
const (
	maxBucketDepth = 4
	maxTreeDepth   = 32
)

// tree checks the tree of a bucket, and of the buckets in it.
func (c *pageChecker) tree(root uint64, depth int) error {
	if depth > maxBucketDepth {
		return c.bad(root, "buckets nested too deep")
	}
	_, err := c.subtree(root, keyRange{}, depth, 0)
	return err
}

// keyRange is what the keys of a page may be: at least min and less than limit, if
// these are not nil.
type keyRange struct{ min, limit []byte }

func (r keyRange) has(key []byte) bool {
	return (r.min == nil || bytes.Compare(key, r.min) >= 0) && (r.limit == nil || bytes.Compare(key, r.limit) < 0)
}

// subtree checks a page and all below it. It returns the last key.
func (c *pageChecker) subtree(id uint64, keys keyRange, depth, level int) (last []byte, err error) {
	if level > maxTreeDepth {
		return nil, c.bad(id, "tree too deep")
	}
	p, err := c.claim(id)
	if err != nil {
		return nil, err
	}
	elements, err := c.elements(p)
	if err != nil {
		return nil, err
	}
	for i, e := range elements {
		if len(e.key) == 0 || !keys.has(e.key) || i > 0 && bytes.Compare(e.key, elements[i-1].key) <= 0 {
			return nil, c.bad(id, "keys out of order")
		}
	}
	if p.flags == leafPage {
		return c.leaf(p, elements, depth)
	}
	if len(elements) == 0 {
		return nil, c.bad(id, "branch without children")
	}
	for i, e := range elements {
		below := keyRange{min: e.key, limit: keys.limit}
		if i+1 < len(elements) {
			below.limit = elements[i+1].key
		}
		if last, err = c.subtree(e.child, below, depth, level+1); err != nil {
			return nil, err
		}
	}
	return last, nil
}

// leaf goes into the buckets of a leaf page.
func (c *pageChecker) leaf(p *page, elements []element, depth int) ([]byte, error) {
	for _, e := range elements {
		if !e.isBucket {
			continue
		}
		if e.valueSize < bucketHeadSize {
			return nil, c.bad(p.id, "bucket too short")
		}
		head, err := c.read(p, e.value, bucketHeadSize)
		if err != nil {
			return nil, err
		}
		if root := native.Uint64(head); root != 0 {
			err = c.tree(root, depth+1)
		} else {
			err = c.inline(p, e)
		}
		if err != nil {
			return nil, err
		}
	}
	if len(elements) == 0 {
		return nil, nil
	}
	return elements[len(elements)-1].key, nil
}

// bucketHeadSize is the size of a bucket's value: root page and sequence. A small
// bucket has no root, but its only page behind that.
const bucketHeadSize = 16

func (c *pageChecker) inline(in *page, e element) error {
	b, err := c.read(in, e.value, e.valueSize)
	if err != nil {
		return err
	}
	if len(b) < bucketHeadSize+pageHeaderSize {
		return c.bad(in.id, "bucket too short")
	}
	b = b[bucketHeadSize:]
	p := &page{id: in.id, flags: native.Uint16(b[8:]), count: int(native.Uint16(b[10:])), size: int64(len(b)), head: b}
	if p.flags != leafPage {
		return c.bad(in.id, "bucket without leaf")
	}
	_, err = c.elements(p)
	return err
}

// element is an entry of a branch or leaf page.
type element struct {
	key       []byte
	child     uint64 // page, on a branch
	isBucket  bool   // on a leaf
	value     int64  // offset in the page, on a leaf
	valueSize int64
}

// elements reads the entries of a page. Values are not read.
func (c *pageChecker) elements(p *page) ([]element, error) {
	if p.flags != leafPage && p.flags != branchPage {
		return nil, c.bad(p.id, "wrong type")
	}
	table, err := c.read(p, pageHeaderSize, int64(p.count)*pageElementSize)
	if err != nil {
		return nil, err
	}
	list := make([]element, p.count)
	for i := range list {
		b := table[i*pageElementSize:][:pageElementSize]
		at := pageHeaderSize + int64(i)*pageElementSize // positions count from the element
		e := &list[i]
		var keySize int64
		if p.flags == branchPage {
			at, keySize, e.child = at+int64(native.Uint32(b)), int64(native.Uint32(b[4:])), native.Uint64(b[8:])
		} else {
			e.isBucket = native.Uint32(b)&bucketElement != 0
			at, keySize, e.valueSize = at+int64(native.Uint32(b[4:])), int64(native.Uint32(b[8:])), int64(native.Uint32(b[12:]))
		}
		e.value = at + keySize
		if e.valueSize > p.size-e.value {
			return nil, c.bad(p.id, "value reaches past its end")
		}
		if keySize > maxKeySize {
			return nil, c.bad(p.id, "key too long")
		}
		if e.key, err = c.read(p, at, keySize); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// maxKeySize is that of bbolt.
const maxKeySize = 32 << 10
