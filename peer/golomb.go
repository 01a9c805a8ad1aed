package peer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// A set of 32-bit numbers is sent as a Golomb-coded set: the gaps between the sorted
// numbers as Rice codes. N numbers cost about N*(33.5-log2 N) bits: 2 bytes each at
// 200,000, 3 at 1,000.
//
//	set = count(4, big-endian) k(1) codes, padded with zero bits to whole bytes
//
// A code is the gap, less one but for the first number, divided by 2^k in unary (ones,
// then a zero) and the remainder in k bits, most significant first.

const (
	setHeader = 5
	maxRice   = 31
)

var errSet = errors.New("bad Golomb-coded set")

// appendSet appends the encoding of sorted, which ascends strictly.
func appendSet(b []byte, sorted []uint32) []byte {
	k := riceParameter(len(sorted))
	b = binary.BigEndian.AppendUint32(b, uint32(len(sorted)))
	b = append(b, byte(k))
	w := bitWriter{b: b}
	next := uint32(0)
	for _, v := range sorted {
		gap := v - next
		for range gap >> k {
			w.put(1, 1)
		}
		w.put(0, 1)
		w.put(gap&(1<<k-1), k)
		next = v + 1
	}
	return w.finish()
}

// riceParameter is the best one for n numbers that are spread evenly: log2 of the
// mean gap, less about a half.
func riceParameter(n int) uint {
	if n == 0 {
		return 0
	}
	return uint(max(bits.Len64((1<<32)*69/100/uint64(n))-1, 0))
}

// parseSet reads a set of at most limit numbers from the front of b, and returns
// what follows it. Memory grows with what is there, not with the count that is said.
func parseSet(b []byte, limit int) (set []uint32, rest []byte, err error) {
	if len(b) < setHeader {
		return nil, nil, fmt.Errorf("%w: cut off", errSet)
	}
	count, k := binary.BigEndian.Uint32(b), uint(b[4])
	if uint64(count) > uint64(limit) || k > maxRice {
		return nil, nil, fmt.Errorf("%w: too large", errSet)
	}
	r := bitReader{b: b[setHeader:]}
	if uint64(count)*uint64(k+1) > uint64(len(r.b))*8 {
		return nil, nil, fmt.Errorf("%w: cut off", errSet)
	}
	set = make([]uint32, 0, count)
	next := uint64(0)
	for range count {
		gap, ok := r.code(k, 1<<32-next)
		if !ok {
			return nil, nil, fmt.Errorf("%w: cut off or out of range", errSet)
		}
		set = append(set, uint32(next+gap))
		next += gap + 1
	}
	rest, ok := r.finish()
	if !ok {
		return nil, nil, fmt.Errorf("%w: padding", errSet)
	}
	return set, rest, nil
}

type bitWriter struct {
	b    []byte
	acc  uint64
	bits uint // in acc
}

func (w *bitWriter) put(v uint32, n uint) {
	w.acc = w.acc<<n | uint64(v)
	for w.bits += n; w.bits >= 8; w.bits -= 8 {
		w.b = append(w.b, byte(w.acc>>(w.bits-8)))
	}
}

func (w *bitWriter) finish() []byte {
	if w.bits > 0 {
		w.put(0, 8-w.bits)
	}
	return w.b
}

type bitReader struct {
	b   []byte
	pos uint64 // in bits
}

func (r *bitReader) bit() (v uint64, ok bool) {
	if r.pos >= uint64(len(r.b))*8 {
		return 0, false
	}
	v = uint64(r.b[r.pos/8]>>(7-r.pos%8)) & 1
	r.pos++
	return v, true
}

// code reads one Rice code, which must be below limit.
func (r *bitReader) code(k uint, limit uint64) (v uint64, ok bool) {
	for {
		one, ok := r.bit()
		if !ok {
			return 0, false
		}
		if one == 0 {
			break
		}
		if v += 1 << k; v >= limit {
			return 0, false
		}
	}
	low := uint64(0)
	for range k {
		bit, ok := r.bit()
		if !ok {
			return 0, false
		}
		low = low<<1 | bit
	}
	v += low
	return v, v < limit
}

// finish skips the padding, which must be zero, and returns the bytes after it.
func (r *bitReader) finish() (rest []byte, ok bool) {
	for r.pos%8 != 0 {
		if bit, _ := r.bit(); bit != 0 {
			return nil, false
		}
	}
	return r.b[r.pos/8:], true
}

// contains looks v up in a sorted set.
func contains(sorted []uint32, v uint32) bool {
	_, found := slices.BinarySearch(sorted, v)
	return found
}

// apply returns base without removed and with added, all of them sorted.
func apply(base, removed, added []uint32) []uint32 {
	out := make([]uint32, 0, len(base)+len(added))
	for len(base) > 0 || len(added) > 0 {
		var v uint32
		if len(added) == 0 || len(base) > 0 && base[0] < added[0] {
			v, base = base[0], base[1:]
			if contains(removed, v) {
				continue
			}
		} else {
			v, added = added[0], added[1:]
			if len(base) > 0 && base[0] == v {
				base = base[1:]
			}
		}
		out = append(out, v)
	}
	return out
}
