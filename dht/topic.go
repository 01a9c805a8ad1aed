package dht

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Topic is what peers meet under: a name of one kind. Its infohash depends on the secret of those
// who meet and on the epoch.
type Topic struct {
	Level string // the kind of the name; without a zero byte
	Name  string
}

// InfoHash returns the topic's point in the DHT for those who share secret, in one epoch.
func (t Topic) InfoHash(secret []byte, epoch int64) InfoHash {
	return Blind(EpochSecret(secret, epoch), t.Level, t.Name)
}

// The bounds of the number of bits of [Bucket]: with fewer, everybody meets everybody; with more,
// few names share a bucket.
const (
	MinBucketBits = 4
	MaxBucketBits = 20
)

// ErrBucketBits is returned by [Bucket] for a number of bits out of bounds.
var ErrBucketBits = errors.New("dht: bits of a bucket out of bounds")

// Bucket returns the topic that name shares with all names whose SHA-256 begins with the same
// bits, about one in 2^bits. Who sees it announced or looked up knows no more of the name than
// that, even if the secret is public. The topic's name is those bits in binary digits, and the number
// of bits is part of its level, so that those who do not agree on it do not meet by accident.
// A name is in the same bucket in every epoch: if buckets were drawn anew each time, who watches for
// long enough would be left with the one name that is in all of them.
func Bucket(name string, bits int) (Topic, error) {
	if bits < MinBucketBits || bits > MaxBucketBits {
		return Topic{}, fmt.Errorf("%w: %d is not from %d to %d", ErrBucketBits, bits, MinBucketBits, MaxBucketBits)
	}
	var digits strings.Builder
	for i, sum := 0, sha256.Sum256([]byte(name)); i < bits; i++ {
		digits.WriteByte('0' + sum[i/8]>>(7-i%8)&1)
	}
	return Topic{Level: "bucket" + strconv.Itoa(bits), Name: digits.String()}, nil
}
