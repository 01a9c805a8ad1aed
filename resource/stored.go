package resource

import (
	"fmt"
	"time"
)

// Tier says how far an exchange is proven. A higher tier is stronger.
type Tier uint8

// The tiers, weakest first.
const (
	Unproven  Tier = iota + 1 // nobody that counts vouches for it
	Witnessed                 // enough independent peers signed the same bytes
	Signer                    // signed by a key that the user trusts
	Content                   // a hash or signature of the site vouches for the bytes
	Origin                    // fetched by this node from the origin
)

var tierNames = [...]string{Unproven: "unproven", Witnessed: "witnessed", Signer: "signer", Content: "content", Origin: "origin"}

// String is the tier's name, in lower case.
func (t Tier) String() string {
	if t.Valid() {
		return tierNames[t]
	}
	return fmt.Sprintf("tier(%d)", uint8(t))
}

// Valid reports whether t is one of the tiers.
func (t Tier) Valid() bool { return t >= Unproven && t <= Origin }

// Stored is an exchange in this node's cache, with what only this node knows of it.
type Stored struct {
	Exchange  *Exchange
	Tier      Tier
	Shareable bool      // provably public: may be given to peers
	Signer    string    // text of the key whose signature counted, "" for an own fetch
	StoredAt  time.Time // when it was committed here
	// WithCookie: fetched with a Cookie, so that it may be one person's although nothing in it
	// says so. It is not Shareable then.
	WithCookie bool
	// EndUncertain: nothing but the end of an unencrypted connection said that the body is whole, so
	// that it may have been cut off. It is not Shareable then, and never confirmed: it is fetched anew.
	EndUncertain bool
}
