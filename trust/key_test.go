package trust

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
)

func TestKeyText(t *testing.T) {
	key := seeded(1).Key()
	text := key.String()
	if len(text) != 51 || !strings.HasPrefix(text, "ed25519:") {
		t.Errorf("text is %q", text)
	}
	if back, err := ParseKey(text); err != nil || back != key {
		t.Errorf("ParseKey(%q) = %v, %v", text, back, err)
	}
}

func TestParseKeyRefuses(t *testing.T) {
	good := seeded(1).Key().String()
	encoded := strings.TrimPrefix(good, "ed25519:")
	// 43 digits carry 258 bits; the last two must be zero.
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", good[50])
	padded := good[:50] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last|1])
	for name, text := range map[string]string{
		"nothing":            "",
		"prefix alone":       "ed25519:",
		"no prefix":          encoded,
		"other case":         "Ed25519:" + encoded,
		"other algorithm":    "ecdsa:" + encoded,
		"short":              good[:50],
		"long":               good + "A",
		"padding":            good + "=",
		"blank before":       " " + good,
		"line feed after":    good + "\n",
		"line feed within":   good[:30] + "\n" + good[31:],
		"standard alphabet":  good[:20] + "+" + good[21:],
		"bits after the end": padded,
		"zero key":           Key{}.String(),
	} {
		if key, err := ParseKey(text); !errors.Is(err, ErrBadKey) {
			t.Errorf("%s: ParseKey(%q) = %v, %v", name, text, key, err)
		}
	}
}

// TestWeakKeys finds, under each key of small order, a message for which anybody can
// sign: R the neutral element, S = 0. The standard library accepts that.
func TestWeakKeys(t *testing.T) {
	forged := make([]byte, ed25519.SignatureSize)
	forged[0] = 1
	for _, key := range smallOrder {
		for _, sign := range []byte{0, 0x80} {
			key := key
			key[31] |= sign
			fooled := 0
			for i := range 200 {
				message := fmt.Append(nil, i)
				if ed25519.Verify(key[:], message, forged) {
					fooled++
				}
				if key.verify(message, forged) {
					t.Fatalf("%x: forgery accepted", key)
				}
			}
			// -0 and -1 with x = 0 are no encodings of points.
			if fooled == 0 && sign == 0 {
				t.Errorf("%x is not weak", key)
			}
			if _, err := ParseKey(keyPrefix + base64.RawURLEncoding.EncodeToString(key[:])); !errors.Is(err, ErrBadKey) {
				t.Errorf("%x: parsed with %v", key, err)
			}
		}
	}
}

// TestWeakKeysAreComplete computes the y coordinates of the eight points: those of
// order 8 satisfy d*y^4 + 2*y^2 - 1 = 0 (doubled, they have y = 0).
func TestWeakKeysAreComplete(t *testing.T) {
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	mod := func(x *big.Int) *big.Int { return x.Mod(x, p) }
	d := mod(new(big.Int).Mul(big.NewInt(-121665), new(big.Int).ModInverse(big.NewInt(121666), p)))
	ys := []*big.Int{big.NewInt(0), big.NewInt(1), new(big.Int).Sub(p, big.NewInt(1)), p, new(big.Int).Add(p, big.NewInt(1))}
	root := new(big.Int).ModSqrt(new(big.Int).Add(d, big.NewInt(1)), p)
	for _, r := range []*big.Int{root, new(big.Int).Neg(root)} {
		square := mod(new(big.Int).Mul(new(big.Int).Sub(r, big.NewInt(1)), new(big.Int).ModInverse(d, p)))
		if y := new(big.Int).ModSqrt(square, p); y != nil {
			ys = append(ys, y, new(big.Int).Sub(p, y))
		}
	}
	if len(ys) != len(smallOrder) {
		t.Fatalf("%d encodings, the table has %d", len(ys), len(smallOrder))
	}
	for _, y := range ys {
		var key Key
		b := y.FillBytes(make([]byte, 32))
		for i := range b {
			key[31-i] = b[i]
		}
		if !key.weak() {
			t.Errorf("%x is missing", key)
		}
	}
}

func TestIdentityKeepsItsSecret(t *testing.T) {
	id := seeded(1)
	seed := id.private.Seed()
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		text := fmt.Sprintf(format, id)
		for _, leak := range []string{fmt.Sprintf("%x", seed), fmt.Sprint(seed)[1:20], string(seed), fmt.Sprintf("%#v", seed)[7:30]} {
			if strings.Contains(text, leak) {
				t.Errorf("%s shows the private key: %s", format, text)
			}
		}
	}
}

func TestNewIdentityIsFresh(t *testing.T) {
	if a, b := NewIdentity(), NewIdentity(); a.Key() == b.Key() {
		t.Error("two new identities have one key")
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(seeded(1).Key().String())
	f.Add("ed25519:")
	f.Add(Key{1}.String())
	f.Fuzz(func(t *testing.T, text string) {
		if key, err := ParseKey(text); err == nil && key.String() != text {
			t.Errorf("%q and %q are one key", text, key)
		}
	})
}
