package dht

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
)

const tagSize = 4

// tagger marks the transaction IDs of our own queries. The library counts them up, so
// anyone could guess them and answer in another node's name; the tag depends on
// a secret and on the address asked, and costs no memory per query.
type tagger struct{ key [32]byte }

func newTagger() tagger {
	var t tagger
	rand.Read(t.key[:]) //nolint:errcheck // never fails (crypto/rand)
	return t
}

// add returns id with its tag for a query sent to the node at to.
func (t tagger) add(id []byte, to netip.AddrPort) []byte {
	tag := t.tag(id, to)
	return append(append(make([]byte, 0, len(id)+tagSize), id...), tag[:]...)
}

// remove returns the ID that add was given, if tagged is its result for that address.
func (t tagger) remove(tagged []byte, from netip.AddrPort) ([]byte, bool) {
	if len(tagged) < tagSize || len(tagged) > maxTransactionID {
		return nil, false
	}
	id := tagged[:len(tagged)-tagSize]
	want := t.tag(id, from)
	return id, hmac.Equal(tagged[len(id):], want[:])
}

func (t tagger) tag(id []byte, ap netip.AddrPort) [tagSize]byte {
	mac := hmac.New(sha256.New, t.key[:])
	ip := ap.Addr().As16()
	mac.Write(ip[:])
	mac.Write(binary.BigEndian.AppendUint16(nil, ap.Port()))
	mac.Write(id)
	return [tagSize]byte(mac.Sum(nil))
}
