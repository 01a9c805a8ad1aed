package resource

import (
	"bytes"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"time"
)

// Root is the root of the BLAKE3 tree over a body. It names the body.
type Root [32]byte

// String is the root in lower-case hexadecimal.
func (r Root) String() string { return hex.EncodeToString(r[:]) }

// Body describes the content of a response: enough to verify every byte of it.
type Body struct {
	Root   Root     // BLAKE3 over the whole body; the hash of nothing if Length is 0
	SHA256 [32]byte // for Repr-Digest (RFC 9530)
	Length int64    // in bytes
}

// Exchange is one request and its response as they were with the origin. The
// content itself is kept elsewhere, under Body.Root.
type Exchange struct {
	Method string // always "GET" for now
	URL    URL

	// Selecting holds those request fields that the response's Vary field names
	// and that the request carried, in normal form (RFC 9111 section 4.1).
	Selecting http.Header

	Status int
	// Header holds the end-to-end response fields as received, security fields
	// included. It has no hop-by-hop field and no Age: the age at reception is
	// in InitialAge.
	Header http.Header
	Body   Body

	Requested  time.Time     // when the request was sent (RFC 9111 section 4.2.3: request_time)
	Received   time.Time     // when the response arrived (response_time)
	InitialAge time.Duration // value of the Age field then, 0 if there was none

	// Signatures vouch for everything above. The first is that of the node which
	// fetched the exchange from the origin.
	Signatures []Signature
}

// Signature is one HTTP message signature (RFC 9421) over an exchange.
type Signature struct {
	// Input is the member value of Signature-Input: covered components and parameters.
	Input string
	// Value is the signature itself.
	Value []byte
}

// ID is the resource that the exchange is a response of.
func (e *Exchange) ID() ID { return NewID(e.Method, e.URL) }

// Clone returns a deep copy, which the caller may change.
func (e *Exchange) Clone() *Exchange {
	c := *e
	c.Selecting = e.Selecting.Clone()
	c.Header = e.Header.Clone()
	c.Signatures = slices.Clone(e.Signatures)
	for i := range c.Signatures {
		c.Signatures[i].Value = bytes.Clone(c.Signatures[i].Value)
	}
	return &c
}

// Query is what is asked of peers: a resource, and the request fields among which
// the wanted variant selects.
type Query struct {
	Method string // always "GET" for now
	URL    URL
	Header http.Header // only fields that may leave this node: see SelectingFields
}

// ID is the resource that is asked for.
func (q Query) ID() ID { return NewID(q.Method, q.URL) }

// SelectingFields are the request fields that may be told to a peer so that it can
// choose a variant. Nothing that names a person or a session is among them.
var SelectingFields = []string{"Accept", "Accept-Encoding", "Accept-Language"}

// Copy is an exchange that a peer gave, proven as far as its Tier says. Body yields
// only bytes that have been verified against Exchange.Body.Root; it fails rather
// than end early. The receiver closes it.
type Copy struct {
	Exchange *Exchange
	Body     io.ReadCloser
	Tier     Tier
	Signer   string // text of the key whose signature counted, "" if none
	Peer     string // text of the node key that served it

	// Witnesses is how many independent nodes are known to have signed the same bytes, as
	// far as they were counted.
	Witnesses int
	// WitnessedAt is since when as many as it takes had seen them. Zero: there are too few, or they
	// were not counted. A Witnessed exchange's own times are the word of one unknown key.
	WitnessedAt time.Time
	// Newer is when another peer got different content, if that was later than this was
	// received. Zero: nobody says so.
	Newer time.Time
}
