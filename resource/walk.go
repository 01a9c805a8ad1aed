package resource

// node is a subtree over one or more groups.
type node struct {
	first, count int64         // its groups
	parent       int64         // index of its parent record in the outboard, if count > 1
	cv           chainingValue // what it must hash to; only the reader has use for it
}

// walk visits the nodes above and at the groups [lo, hi) in pre-order: the order of
// a slice. It keeps only what is still to be visited along one path.
type walk struct {
	lo, hi int64
	stack  []node
}

// newWalk begins at the root of a body of the given length. It is empty if n is 0.
func newWalk(length, offset, n int64) (walk, error) {
	if length < 0 || length > MaxLength || offset < 0 || n < 0 || offset > length || n > length-offset {
		return walk{}, ErrRange
	}
	if n == 0 {
		return walk{}, nil
	}
	w := walk{lo: offset / GroupSize, hi: groupCount(offset + n)}
	w.stack = append(w.stack, node{count: groupCount(length)})
	return w, nil
}

// pop returns the next node. If it has several groups, its children are to be pushed.
func (w *walk) pop() (n node, ok bool) {
	if len(w.stack) == 0 {
		return node{}, false
	}
	last := len(w.stack) - 1
	n = w.stack[last]
	w.stack = w.stack[:last]
	return n, true
}

// push adds those children of n that are wanted.
func (w *walk) push(n node, left, right chainingValue) {
	half := leftGroups(n.count)
	// In pre-order the left child follows at once; its half-1 parents stand before
	// the right child.
	r := node{first: n.first + half, count: n.count - half, parent: n.parent + half, cv: right}
	l := node{first: n.first, count: half, parent: n.parent + 1, cv: left}
	if w.wanted(r) > 0 {
		w.stack = append(w.stack, r)
	}
	if w.wanted(l) > 0 {
		w.stack = append(w.stack, l)
	}
}

// ahead is how many parents, from that of n on, stand side by side in the outboard and
// are about to be visited. On the way down to the first group that is only one.
func (w *walk) ahead(n node) int64 {
	if n.first < w.lo {
		return 1
	}
	return w.hi - n.first
}

// wanted is the number of groups of n that lie in [lo, hi).
func (w *walk) wanted(n node) int64 {
	return max(min(n.first+n.count, w.hi)-max(n.first, w.lo), 0)
}
