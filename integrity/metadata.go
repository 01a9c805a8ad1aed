package integrity

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
)

const (
	maxAttribute = 8 << 10 // bytes that are looked at
	maxHashes    = 32      // of one attribute
)

// Key is the Ed25519 public key of a site.
type Key = [ed25519.PublicKeySize]byte

// Metadata is what one integrity attribute says. The zero Metadata demands nothing.
type Metadata struct {
	algorithm *algorithm // the strongest that is named, nil = none
	hashes    [][]byte   // of this algorithm; one of them has to fit
	keys      []Key
}

// algorithm is a hash function of SRI (section 3.2).
type algorithm struct {
	name string
	size int // bytes
	make func() hash.Hash
}

// algorithmsBySRI has them all, the strongest first.
var algorithmsBySRI = [...]algorithm{
	{"sha512", sha512.Size, sha512.New},
	{"sha384", sha512.Size384, sha512.New384},
	{"sha256", sha256.Size, sha256.New},
}

// Parse reads the value of an integrity attribute (SRI section 3.5): expressions with white space
// between them, each an algorithm, a dash, a hash in base64 or base64url, and perhaps
// options, which mean nothing. Beside hashes it takes Ed25519 keys, as Signature-based
// Subresource Integrity has them. Algorithms that it does not know it passes over; a hash of one
// that it knows, but that can't be one, fits nothing, and still stands above weaker algorithms.
func Parse(attribute string) Metadata {
	var m Metadata
	best := len(algorithmsBySRI)
	for expression := range strings.FieldsSeq(attribute[:min(len(attribute), maxAttribute)]) {
		expression, _, _ = strings.Cut(expression, "?")
		name, encoded, _ := strings.Cut(expression, "-")
		value, ok := decode(encoded)
		switch name = strings.ToLower(name); {
		case name == "ed25519" && ok:
			m.addKey(value)
		default:
			best = m.addHash(name, value, best)
		}
	}
	return m
}

func (m *Metadata) addKey(value []byte) {
	if len(value) == ed25519.PublicKeySize && len(m.keys) < maxHashes {
		m.keys = append(m.keys, Key(value))
	}
}

// addHash takes a hash unless a stronger algorithm is named, and returns the rank of the strongest.
func (m *Metadata) addHash(name string, value []byte, best int) int {
	rank := slices.IndexFunc(algorithmsBySRI[:], func(a algorithm) bool { return a.name == name })
	if rank < 0 || rank > best {
		return best
	}
	if rank < best {
		m.algorithm, m.hashes = &algorithmsBySRI[rank], nil
	}
	if len(value) == algorithmsBySRI[rank].size && len(m.hashes) < maxHashes {
		m.hashes = append(m.hashes, value)
	}
	return rank
}

// decode reads base64 in either alphabet, padded or not (SRI section 3.5).
func decode(text string) ([]byte, bool) {
	text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	value, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, false
	}
	return value, len(value) > 0
}

// OfSHA256 and OfSHA512 are the metadata that demand one hash, as it stands in a digest field (RFC 9530).
func OfSHA256(sum [sha256.Size]byte) Metadata {
	return Metadata{algorithm: &algorithmsBySRI[2], hashes: [][]byte{sum[:]}}
}

// OfSHA512 is like [OfSHA256].
func OfSHA512(sum [sha512.Size]byte) Metadata {
	return Metadata{algorithm: &algorithmsBySRI[0], hashes: [][]byte{sum[:]}}
}

// Hashed reports whether a hash is demanded.
func (m Metadata) Hashed() bool { return len(m.hashes) > 0 }

// Keys are those keys one of which is to have signed the response.
func (m Metadata) Keys() []Key { return slices.Clone(m.keys) }

// IsZero reports whether nothing is demanded.
func (m Metadata) IsZero() bool { return len(m.hashes)+len(m.keys) == 0 }

// String is the attribute in normal form.
func (m Metadata) String() string {
	var list []string
	for _, h := range m.hashes {
		list = append(list, m.algorithm.name+"-"+base64.StdEncoding.EncodeToString(h))
	}
	for _, k := range m.keys {
		list = append(list, "ed25519-"+base64.StdEncoding.EncodeToString(k[:]))
	}
	return strings.Join(list, " ")
}

// Check holds bytes to metadata. It is for one goroutine.
type Check struct {
	hash   hash.Hash // nil: nothing can fit
	hashes [][]byte
}

var _ io.Writer = (*Check)(nil)

// NewCheck begins a check of content without Content-Encoding.
func (m Metadata) NewCheck() *Check {
	if m.algorithm == nil {
		return &Check{}
	}
	return &Check{hash: m.algorithm.make(), hashes: m.hashes}
}

// Write takes the next bytes. It never fails.
func (c *Check) Write(b []byte) (int, error) {
	if c.hash != nil {
		_, _ = c.hash.Write(b) // never fails
	}
	return len(b), nil
}

// OK reports whether all that was written has one of the hashes.
func (c *Check) OK() bool {
	if c.hash == nil {
		return false
	}
	sum := c.hash.Sum(nil)
	return slices.ContainsFunc(c.hashes, func(h []byte) bool { return string(h) == string(sum) })
}

// GoString is for the messages of tests.
func (m Metadata) GoString() string { return fmt.Sprintf("integrity.Parse(%q)", m.String()) }
