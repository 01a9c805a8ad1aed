package trust

import (
	"crypto/ed25519"
	"crypto/rand"
)

// Identity is a node's key pair. It never shows its private half, not even when
// it is printed or logged.
type Identity struct {
	private ed25519.PrivateKey
}

// NewIdentity makes a fresh identity that is stored nowhere. See [LoadOrCreate].
func NewIdentity() *Identity {
	seed := make([]byte, ed25519.SeedSize)
	rand.Read(seed) // never fails (crypto/rand)
	return fromSeed(seed)
}

func fromSeed(seed []byte) *Identity {
	return &Identity{private: ed25519.NewKeyFromSeed(seed)}
}

// Key is the public half.
func (id *Identity) Key() Key { return Key(id.private.Public().(ed25519.PublicKey)) }

func (id *Identity) sign(message []byte) []byte { return ed25519.Sign(id.private, message) }

// String is the text of the public key.
func (id *Identity) String() string { return id.Key().String() }

// GoString is the text of the public key.
func (id *Identity) GoString() string { return "trust.Identity(" + id.Key().String() + ")" }
