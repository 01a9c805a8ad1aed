package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/peerproxy/peerproxy/resource"
)

// schemaVersion is the version of all that is described in this file and in record.go.
const schemaVersion = 1

// The buckets of the file.
var (
	systemBucket  = []byte("system")  // schemaKey, stateKey, quotaKey
	metaBucket    = []byte("meta")    // metaKey → record
	orderBucket   = []byte("order")   // orderKey → nothing: least recently used first
	bodiesBucket  = []byte("bodies")  // chunkKey → bucket with dataKey → bytes
	rootsBucket   = []byte("roots")   // resource.Root → rootRecord
	pendingBucket = []byte("pending") // body number → nothing: bodies without a root

	allBuckets = [][]byte{systemBucket, metaBucket, orderBucket, bodiesBucket, rootsBucket, pendingBucket}

	schemaKey = []byte("schema")
	stateKey  = []byte("state")
	quotaKey  = []byte("quota") // may be missing
	dataKey   = []byte("d")
)

// metaKey names a stored response: a resource and one variant of it.
type metaKey [32 + 16]byte

func metaKeyOf(ex *resource.Exchange) (k metaKey) {
	id := ex.ID()
	copy(k[:], id[:])
	v := variantOf(ex)
	copy(k[32:], v[:])
	return k
}

func (k *metaKey) id() resource.ID { return resource.ID(k[:32]) }

// variantOf is a hash of the selecting request fields, in which every part is
// preceded by its length: no two sets of fields give the same input.
func variantOf(ex *resource.Exchange) (v [16]byte) {
	h := sha256.New()
	part := func(s string) {
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(s))))
		h.Write([]byte(s))
	}
	part("peerproxy variant")
	for _, name := range slices.Sorted(maps.Keys(ex.Selecting)) {
		values := ex.Selecting[name]
		if len(values) == 0 {
			continue // no field line: the encoded exchange leaves it out as well
		}
		part(name)
		h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(values))))
		for _, value := range values {
			part(value)
		}
	}
	copy(v[:], h.Sum(nil))
	return v
}

// orderKey sorts responses by their last access, in microseconds since 1970.
func orderKey(accessed int64, k *metaKey) []byte {
	b := make([]byte, 0, 8+len(k))
	b = binary.BigEndian.AppendUint64(b, uint64(accessed)^1<<63)
	return append(b, k[:]...)
}

func parseOrderKey(b []byte) (accessed int64, k metaKey, err error) {
	if len(b) != 8+len(k) {
		return 0, k, fmt.Errorf("%w: order key of %d bytes", ErrCorrupt, len(b))
	}
	return int64(binary.BigEndian.Uint64(b) ^ 1<<63), metaKey(b[8:]), nil
}

// What is stored under a body's number: its bytes, and its outboard tree if that is
// too large for the rootRecord.
const (
	kindData byte = iota
	kindOutboard
)

// chunkKey is body number, kind and the offset at which the chunk ends: the first
// key after an offset is that of the chunk which holds it.
func chunkKey(body uint64, kind byte, end int64) []byte {
	b := make([]byte, 0, 17)
	b = binary.BigEndian.AppendUint64(b, body)
	b = append(b, kind)
	return binary.BigEndian.AppendUint64(b, uint64(end))
}

func parseChunkKey(b []byte) (body uint64, kind byte, end int64, err error) {
	if len(b) != 17 || b[8] > kindOutboard {
		return 0, 0, 0, fmt.Errorf("%w: chunk key of %d bytes", ErrCorrupt, len(b))
	}
	return binary.BigEndian.Uint64(b), b[8], int64(binary.BigEndian.Uint64(b[9:])), nil
}

func bodyKey(body uint64) []byte { return binary.BigEndian.AppendUint64(nil, body) }

// state is what is counted in the file itself, so that opening it needs no scan.
type state struct {
	nextBody  uint64 // the next body number
	responses int64
	bodies    int64 // that have a root record
	bodyBytes int64 // of all responses' bodies, equal ones once
}

func (st state) append(b []byte) []byte {
	for _, v := range []uint64{st.nextBody, uint64(st.responses), uint64(st.bodies), uint64(st.bodyBytes)} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}

func parseState(b []byte) (st state, err error) {
	if len(b) != 32 {
		return st, fmt.Errorf("%w: state of %d bytes", ErrCorrupt, len(b))
	}
	u := binary.BigEndian.Uint64
	return state{u(b), int64(u(b[8:])), int64(u(b[16:])), int64(u(b[24:]))}, nil
}

func formatQuota(quota int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(quota)) }

// parseQuota returns the recorded quota, 0 if none is.
func parseQuota(b []byte) (int64, error) {
	if b == nil {
		return 0, nil
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("%w: quota of %d bytes", ErrCorrupt, len(b))
	}
	quota := int64(binary.BigEndian.Uint64(b))
	if quota < MinQuota {
		return 0, fmt.Errorf("%w: recorded quota is %d bytes", ErrCorrupt, quota)
	}
	return quota, nil
}
