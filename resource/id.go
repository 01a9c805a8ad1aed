package resource

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// ErrBadID is returned for a text that is no ID.
var ErrBadID = errors.New("bad resource ID")

// ID names a resource inside of a node: SHA-256 over method and canonical URL,
// domain-separated. Variants (RFC 9111 section 4.1) hang below it.
type ID [sha256.Size]byte

// NewID returns the ID of a method and URL. HEAD shares the ID of GET, since a
// stored GET answers it (RFC 9111 section 4).
func NewID(method string, u URL) ID {
	if method == "HEAD" {
		method = "GET"
	}
	h := sha256.New()
	h.Write([]byte("peerproxy resource\x00" + method + "\x00" + u.text))
	return ID(h.Sum(nil))
}

// String is the ID in lower-case hexadecimal.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID is the inverse of [ID.String].
func ParseID(s string) (ID, error) {
	b, err := parseHex32(s)
	return ID(b), err
}

// BlindedID names a resource towards peers of one swarm. Who does not know the
// URL, or the swarm's secret, learns nothing from it.
type BlindedID [sha256.Size]byte

// Blind returns the name of id in the swarm with the given secret.
func (id ID) Blind(secret []byte) BlindedID {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("peerproxy blinded resource\x00"))
	mac.Write(id[:])
	return BlindedID(mac.Sum(nil))
}

// String is the blinded ID in lower-case hexadecimal.
func (id BlindedID) String() string { return hex.EncodeToString(id[:]) }

// ParseBlindedID is the inverse of [BlindedID.String].
func ParseBlindedID(s string) (BlindedID, error) {
	b, err := parseHex32(s)
	return BlindedID(b), err
}

func parseHex32(s string) (out [32]byte, err error) {
	if len(s) != hex.EncodedLen(len(out)) {
		return out, fmt.Errorf("%w: not %d digits", ErrBadID, hex.EncodedLen(len(out)))
	}
	if _, err = hex.Decode(out[:], []byte(s)); err != nil {
		return out, fmt.Errorf("%w: not hexadecimal", ErrBadID)
	}
	return out, nil
}
