package dht

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// InfoHash is a point in the key space of the DHT (BEP 5) under which peers are announced
// and found. It need not be the hash of anything.
type InfoHash [20]byte

// ErrBadInfoHash is returned by [ParseInfoHash] for what is not 40 hexadecimal digits.
var ErrBadInfoHash = errors.New("dht: an infohash is 40 hexadecimal digits")

// ParseInfoHash reads what [InfoHash.String] wrote, in either case.
func ParseInfoHash(text string) (InfoHash, error) {
	var h InfoHash
	if len(text) != hex.EncodedLen(len(h)) {
		return InfoHash{}, ErrBadInfoHash
	}
	if _, err := hex.Decode(h[:], []byte(text)); err != nil {
		return InfoHash{}, fmt.Errorf("%w: %w", ErrBadInfoHash, err)
	}
	return h, nil
}

// String returns 40 lower-case hexadecimal digits.
func (h InfoHash) String() string { return hex.EncodeToString(h[:]) }

// Blind returns the infohash of name for those who share secret: the first 20 bytes of
// HMAC-SHA-256(secret, level ‖ 0 ‖ name). Level separates kinds of names and must not
// contain a zero byte. Whoever knows the secret can test a guess of the name, so a public secret
// hides only names that cannot be guessed.
func Blind(secret []byte, level, name string) InfoHash {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(level))
	mac.Write([]byte{0})
	mac.Write([]byte(name))
	return InfoHash(mac.Sum(nil)[:20])
}
