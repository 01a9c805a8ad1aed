package integrity

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
)

const text = "alert('Hello, world.');"

func b64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

var (
	of256 = sha256.Sum256([]byte(text))
	of384 = sha512.Sum384([]byte(text))
	of512 = sha512.Sum512([]byte(text))
	wrong = sha512.Sum512([]byte("another"))
)

// SRI sections 3.2 to 3.5: which bytes an attribute lets pass.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name, attribute string
		want            bool
	}{
		{"sha256", "sha256-" + b64(of256[:]), true},
		{"the vector of SRI section 1.2", "sha384-H8BRh8j48O9oYatfu5AZzq6A9RINhZO5H16dQZngK7T62em8MUt1FLm52t+eX6xO", true},
		{"sha384", "sha384-" + b64(of384[:]), true},
		{"sha512", "sha512-" + b64(of512[:]), true},
		{"upper case", "SHA512-" + b64(of512[:]), true},
		{"base64url without padding", "sha512-" + base64.RawURLEncoding.EncodeToString(of512[:]), true},
		{"options", "sha256-" + b64(of256[:]) + "?ct=text/javascript", true},
		{"white space", " \t\nsha256-" + b64(of256[:]) + "  ", true},
		{"one of two", "sha512-" + b64(wrong[:]) + " sha512-" + b64(of512[:]), true},
		{"what is unknown is passed over", "md5-abc sha1-def nonsense sha256-" + b64(of256[:]), true},
		{"wrong", "sha512-" + b64(wrong[:]), false},
		{"the strongest counts alone (section 3.3.3)", "sha256-" + b64(of256[:]) + " sha512-" + b64(wrong[:]), false},
		{"in the other order, too", "sha512-" + b64(wrong[:]) + " sha256-" + b64(of256[:]), false},
		{"a stronger one that can't be read", "sha512-!!! sha256-" + b64(of256[:]), false},
		{"a stronger one of another length", "sha384-AAAA sha256-" + b64(of256[:]), false},
		{"a weaker one that can't be read", "sha256-!!! sha512-" + b64(of512[:]), true},
		{"of another length", "sha512-" + b64(of256[:]), false},
		{"empty", "", false},
		{"no hash", "sha256-", false},
		{"weak algorithms prove nothing", "md5-" + b64(of256[:16]) + " sha1-" + b64(of256[:20]), false},
		{"a key is no hash", "ed25519-" + b64(of256[:]), false},
		{"behind more than an attribute has", strings.Repeat(" ", maxAttribute) + "sha256-" + b64(of256[:]), false},
	} {
		check := Parse(c.attribute).NewCheck()
		for i := range text {
			_, _ = check.Write([]byte{text[i]})
		}
		if check.OK() != c.want {
			t.Errorf("%s: %t, want %t", c.name, check.OK(), c.want)
		}
	}
}

// A check that has seen less, more or something else does not pass.
func TestCheckOtherBytes(t *testing.T) {
	for _, m := range []Metadata{OfSHA256(of256), OfSHA512(of512), Parse("sha384-" + b64(of384[:]))} {
		for _, other := range []string{"", text[1:], text + " ", strings.ToUpper(text)} {
			check := m.NewCheck()
			_, _ = check.Write([]byte(other))
			if check.OK() {
				t.Errorf("%#v: %q passed", m, other)
			}
		}
		if check := m.NewCheck(); !m.Hashed() || check.OK() {
			t.Errorf("%#v: passes without bytes", m)
		}
	}
}

func TestKeys(t *testing.T) {
	m := Parse("ed25519-" + b64(of256[:]) + " ed25519-short sha256-" + b64(of256[:]))
	if keys := m.Keys(); len(keys) != 1 || keys[0] != of256 || !m.Hashed() {
		t.Errorf("keys %x", keys)
	}
	if again := Parse(m.String()); again.String() != m.String() {
		t.Errorf("%q read again is %q", m, again)
	}
}

// A document of a stranger can't make the notes grow.
func TestNotesAreBounded(t *testing.T) {
	var n Notes
	key := func(i int) [32]byte { return sha256.Sum256(fmt.Append(nil, i)) }
	demand := func(i int) Metadata { return OfSHA256(key(i)) }
	for i := range 3 * maxDemands {
		n.Add(key(0), demand(i))
		n.Add(key(0), demand(i))
	}
	got := n.Get(key(0))
	if len(got) != maxDemands || got[0].String() != demand(3*maxDemands-1).String() {
		t.Errorf("%d demands of one resource, the first is %v", len(got), got[0])
	}
	n.Add(key(1), Parse("nothing of use"))
	if n.Get(key(1)) != nil {
		t.Error("a demand that says nothing is noted")
	}
	for i := range maxNoted + 10 {
		n.Add(key(i+2), demand(i))
	}
	if n.Len() != maxNoted || n.Get(key(0)) != nil || n.Get(key(maxNoted+11)) == nil {
		t.Errorf("%d resources noted", n.Len())
	}
}

func TestNotesConcurrently(t *testing.T) {
	var n Notes
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				key := sha256.Sum256(fmt.Append(nil, i%10))
				n.Add(key, OfSHA256(sha256.Sum256(fmt.Append(nil, g*i))))
				for _, m := range n.Get(key) {
					_ = m.String()
				}
			}
		})
	}
	wg.Wait()
	if n.Len() != 10 {
		t.Errorf("%d resources", n.Len())
	}
}

// Whatever an attribute has, what is read of it is bounded and stays the same when it is read again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "sha256-" + b64(of256[:]), "sha512-" + b64(of512[:]) + "?x sha384-=", "ed25519-" + b64(of256[:]), "-", "sha256--_", "a-b-c?d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, attribute string) {
		m := Parse(attribute)
		if len(m.hashes) > maxHashes || len(m.keys) > maxHashes || m.Hashed() && m.algorithm == nil {
			t.Fatalf("%d hashes, %d keys", len(m.hashes), len(m.keys))
		}
		if again := Parse(m.String()); again.String() != m.String() {
			t.Fatalf("%q read again is %q", m, again)
		}
	})
}
