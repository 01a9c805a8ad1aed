package trust

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrBadKey is wrapped by every error of [ParseKey].
var ErrBadKey = errors.New("bad key")

// keyPrefix begins the text of every key. It leaves room for other algorithms.
const keyPrefix = "ed25519:"

// Key is an Ed25519 public key (RFC 8032). Keys are comparable. The zero Key is
// nobody's: no signature is valid under it.
type Key [ed25519.PublicKeySize]byte

// ParseKey is the inverse of [Key.String]. It accepts that one spelling only, and
// no key under which anybody could sign.
func ParseKey(text string) (Key, error) {
	encoded, ok := strings.CutPrefix(text, keyPrefix)
	if !ok {
		return Key{}, fmt.Errorf("%w: does not begin with %q", ErrBadKey, keyPrefix)
	}
	if len(encoded) != base64.RawURLEncoding.EncodedLen(len(Key{})) || strings.ContainsAny(encoded, "\r\n") {
		return Key{}, fmt.Errorf("%w: wrong length", ErrBadKey)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return Key{}, fmt.Errorf("%w: not base64url", ErrBadKey)
	}
	key := Key(b)
	if key.weak() {
		return Key{}, fmt.Errorf("%w: point of small order", ErrBadKey)
	}
	return key, nil
}

// String is "ed25519:" and the key in base64url without padding (RFC 4648 section 5),
// 51 characters.
func (k Key) String() string { return keyPrefix + base64.RawURLEncoding.EncodeToString(k[:]) }

// verify reports whether signature is one of k over message.
func (k Key) verify(message, signature []byte) bool {
	return len(signature) == ed25519.SignatureSize && !k.weak() && ed25519.Verify(k[:], message, signature)
}

// weak reports whether k is a point of small order. Under such a key anybody can
// make signatures that verify (RFC 8032 leaves the check to the application).
func (k Key) weak() bool {
	k[len(k)-1] &= 0x7f // the sign of x
	return slices.Contains(smallOrder[:], k)
}

// smallOrder has every encoding of the y coordinates of the eight points whose order
// divides the cofactor: 0, 1, -1, the two of order 8, and p and p+1, which
// decoders take for 0 and 1.
var smallOrder = [...]Key{
	{},
	{0: 0x01},
	littleEndianOnes(0xec),
	littleEndianOnes(0xed),
	littleEndianOnes(0xee),
	{
		0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
		0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
	},
	{
		0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
		0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
	},
}

// littleEndianOnes is 2^255 - 256 + low: the numbers around p = 2^255 - 19.
func littleEndianOnes(low byte) (k Key) {
	for i := range k {
		k[i] = 0xff
	}
	k[0], k[len(k)-1] = low, 0x7f
	return k
}
