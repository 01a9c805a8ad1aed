package dht

import (
	"errors"
	"fmt"
	"testing"
)

// The bucket of a name must be the same in every version and every implementation. SHA-256 of
// "example.org" begins with bf ab c3 74, which `printf %s example.org | sha256sum` shows.
func TestBucket(t *testing.T) {
	for bits, want := range map[int]string{
		4:  "1011",
		8:  "10111111",
		10: "1011111110",
		16: "1011111110101011",
		20: "10111111101010111100",
	} {
		got, err := Bucket("example.org", bits)
		if err != nil || got != (Topic{fmt.Sprintf("bucket%d", bits), want}) {
			t.Errorf("%d bits: %v, %v; want %s", bits, got, err, want)
		}
	}
	for _, bits := range []int{-1, 0, 3, 21, 256} {
		if _, err := Bucket("example.org", bits); !errors.Is(err, ErrBucketBits) {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
}

// Who doesn't agree on secret, epoch, level, bits or name does not meet.
func TestTopicsAreApart(t *testing.T) {
	ten, _ := Bucket("example.org", 10)
	eleven, _ := Bucket("example.org", 11)
	seen := map[InfoHash]string{}
	for _, secret := range []string{"one", "other"} {
		for epoch := range int64(3) {
			for _, topic := range []Topic{ten, eleven, {"site", "example.org"}, {"site", ten.Name}} {
				what := fmt.Sprint(secret, epoch, topic)
				hash := topic.InfoHash([]byte(secret), epoch)
				if before, there := seen[hash]; there {
					t.Errorf("%s meets %s", what, before)
				}
				seen[hash] = what
			}
		}
	}
}
