package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// inlineMax is the largest body, in bytes, that is kept beside its metadata. A page
// of its own would cost more than copying it along.
const inlineMax = 2 << 10

// maxSigner bounds the text of a signer's key, in bytes.
const maxSigner = 1 << 10

const (
	recordVersion  = 1
	recordHeadSize = 84

	flagShareable    = 1 << 0
	flagWithCookie   = 1 << 1
	flagEndUncertain = 1 << 2
	allFlags         = flagShareable | flagWithCookie | flagEndUncertain
)

// record is the value of the meta bucket: a head of fixed size with all that
// replacing and evicting ask for, so that neither has to decode an exchange; then
// the signer, the exchange and, if it is small, the body.
//
//	version, flags, tier, 0          4 bytes
//	status, length of signer         2 + 2
//	received, storedAt, accessed     8 + 8 + 8, microseconds since 1970
//	body number, or 0 for inline     8
//	body length, body root           8 + 32
//	length of exchange               4
type record struct {
	flags    byte
	tier     resource.Tier
	status   int
	received int64
	storedAt int64
	accessed int64
	body     uint64 // 0 if the body is inline
	length   int64
	root     resource.Root
	signer   string
	exchange []byte
	inline   []byte
}

// newRecord encodes st. MarshalBinary refuses what could not be read back.
func newRecord(st *resource.Stored) (*record, error) {
	if st == nil || st.Exchange == nil || !st.Tier.Valid() || len(st.Signer) > maxSigner {
		return nil, errors.New("incomplete or oversized description of a response")
	}
	encoded, err := st.Exchange.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return &record{
		flags:    flagsOf(st),
		tier:     st.Tier,
		status:   st.Exchange.Status,
		received: st.Exchange.Received.UnixMicro(),
		length:   st.Exchange.Body.Length,
		root:     st.Exchange.Body.Root,
		signer:   st.Signer,
		exchange: encoded,
	}, nil
}

func flagsOf(st *resource.Stored) (flags byte) {
	if st.Shareable {
		flags |= flagShareable
	}
	if st.WithCookie {
		flags |= flagWithCookie
	}
	if st.EndUncertain {
		flags |= flagEndUncertain
	}
	return flags
}

func (r *record) isInline() bool { return r.length <= inlineMax }

// weakerThan reports whether r must not replace old: an error nothing good, a part no whole. What
// an origin said while it failed gives way to every good copy.
func (r *record) weakerThan(old *record) bool {
	switch {
	case r.status >= 400 && old.status < 400, r.status == http.StatusPartialContent && old.status == http.StatusOK:
		return true
	case old.failed() && r.status < 400:
		return false
	case r.tier != old.tier:
		return r.tier < old.tier
	default:
		return r.received < old.received
	}
}

// failed reports whether a response says no more than that its origin could not give a better one.
func (r *record) failed() bool {
	return r.status >= 500 || r.status == http.StatusUnavailableForLegalReasons
}

func (r *record) size() int {
	return recordHeadSize + len(r.signer) + len(r.exchange) + len(r.inline)
}

func (r *record) append(b []byte) []byte {
	b = append(b, recordVersion, r.flags, byte(r.tier), 0)
	b = binary.BigEndian.AppendUint16(b, uint16(r.status))
	b = binary.BigEndian.AppendUint16(b, uint16(len(r.signer)))
	for _, v := range []uint64{uint64(r.received), uint64(r.storedAt), uint64(r.accessed), r.body, uint64(r.length)} {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	b = append(b, r.root[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.exchange)))
	b = append(b, r.signer...)
	b = append(b, r.exchange...)
	return append(b, r.inline...)
}

// parseRecord checks lengths and ranges; the exchange is left encoded. The result
// shares memory with b.
func parseRecord(b []byte) (*record, error) {
	if len(b) < recordHeadSize || b[0] != recordVersion || b[1]&^allFlags != 0 || b[3] != 0 {
		return nil, fmt.Errorf("%w: head of a record", ErrCorrupt)
	}
	u64 := func(at int) uint64 { return binary.BigEndian.Uint64(b[at:]) }
	r := &record{
		flags:    b[1],
		tier:     resource.Tier(b[2]),
		status:   int(binary.BigEndian.Uint16(b[4:])),
		received: int64(u64(8)),
		storedAt: int64(u64(16)),
		accessed: int64(u64(24)),
		body:     u64(32),
		length:   int64(u64(40)),
		root:     resource.Root(b[48:80]),
	}
	signer, exchange := int(binary.BigEndian.Uint16(b[6:])), int64(binary.BigEndian.Uint32(b[80:]))
	rest := b[recordHeadSize:]
	if !r.tier.Valid() || r.length < 0 || signer > maxSigner || int64(signer)+exchange > int64(len(rest)) {
		return nil, fmt.Errorf("%w: field of a record", ErrCorrupt)
	}
	r.signer, rest = string(rest[:signer]), rest[signer:]
	r.exchange, r.inline = rest[:exchange:exchange], rest[exchange:]
	wantInline := int64(0)
	if r.isInline() {
		wantInline = r.length
	}
	if int64(len(r.inline)) != wantInline || r.isInline() != (r.body == 0) {
		return nil, fmt.Errorf("%w: body of a record", ErrCorrupt)
	}
	return r, nil
}

// stored decodes the exchange and checks that it belongs under the given key.
func (r *record) stored(key metaKey) (*resource.Stored, error) {
	ex := new(resource.Exchange)
	if err := ex.UnmarshalBinary(r.exchange); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if metaKeyOf(ex) != key || ex.Status != r.status || ex.Received.UnixMicro() != r.received ||
		ex.Body.Root != r.root || ex.Body.Length != r.length {
		return nil, fmt.Errorf("%w: record and exchange differ", ErrCorrupt)
	}
	return &resource.Stored{
		Exchange:   ex,
		Tier:       r.tier,
		Shareable:  r.flags&flagShareable != 0,
		Signer:     r.signer,
		StoredAt:   time.UnixMicro(r.storedAt).UTC(),
		WithCookie: r.flags&flagWithCookie != 0, EndUncertain: r.flags&flagEndUncertain != 0,
	}, nil
}

// rootRecord is the value of the roots bucket: where a body is and how many
// responses have it. A small outboard tree is kept here, a larger one in chunks.
type rootRecord struct {
	body     uint64
	refs     uint64
	length   int64
	sha256   [32]byte
	outboard []byte
}

const rootRecordHead = 1 + 8 + 8 + 8 + 32

func (r *rootRecord) append(b []byte) []byte {
	b = append(b, recordVersion)
	b = binary.BigEndian.AppendUint64(b, r.body)
	b = binary.BigEndian.AppendUint64(b, r.refs)
	b = binary.BigEndian.AppendUint64(b, uint64(r.length))
	b = append(b, r.sha256[:]...)
	return append(b, r.outboard...)
}

// parseRootRecord is the inverse of append. The result shares memory with b.
func parseRootRecord(b []byte) (*rootRecord, error) {
	if len(b) < rootRecordHead || b[0] != recordVersion {
		return nil, fmt.Errorf("%w: root record", ErrCorrupt)
	}
	r := &rootRecord{
		body:     binary.BigEndian.Uint64(b[1:]),
		refs:     binary.BigEndian.Uint64(b[9:]),
		length:   int64(binary.BigEndian.Uint64(b[17:])),
		sha256:   [32]byte(b[25:57]),
		outboard: b[rootRecordHead:],
	}
	if r.body == 0 || r.refs == 0 || r.length <= inlineMax || r.length > resource.MaxLength ||
		len(r.outboard) != inlineOutboard(r.length) {
		return nil, fmt.Errorf("%w: field of a root record", ErrCorrupt)
	}
	return r, nil
}

// inlineOutboard is how much of a body's outboard tree is in its root record: all
// of it, or nothing.
func inlineOutboard(length int64) int {
	if n := resource.OutboardSize(length); n <= inlineMax {
		return int(n)
	}
	return 0
}
