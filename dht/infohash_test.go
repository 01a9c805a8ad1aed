package dht

import (
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParseInfoHash(t *testing.T) {
	const text = "00112233445566778899aabbccddeeff01234567"
	for _, good := range []string{text, strings.ToUpper(text)} {
		h, err := ParseInfoHash(good)
		if err != nil || h.String() != text {
			t.Errorf("ParseInfoHash(%q) = %v, %v", good, h, err)
		}
	}
	for _, bad := range []string{"", text[1:], text + "0", "g" + text[1:], " " + text[1:]} {
		if _, err := ParseInfoHash(bad); !errors.Is(err, ErrBadInfoHash) {
			t.Errorf("ParseInfoHash(%q): error %v, want ErrBadInfoHash", bad, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		h := InfoHash(rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "hash"))
		if got, err := ParseInfoHash(h.String()); err != nil || got != h {
			t.Fatalf("%v came back as %v, %v", h, got, err)
		}
	})
}

// The infohash of a name must be the same in every version and every implementation.
func TestBlind(t *testing.T) {
	mac := hmac.New(sha256.New, []byte("secret"))
	mac.Write([]byte("site\x00example.org"))
	want := InfoHash(mac.Sum(nil)[:20])
	if got := Blind([]byte("secret"), "site", "example.org"); got != want {
		t.Errorf("Blind = %v, want %v", got, want)
	}
	const golden = "409a6a448f19f0a94dc7c224305b24177164a9ad"
	if want.String() != golden {
		t.Errorf("Blind = %v, want %v as ever", want, golden)
	}
	others := []InfoHash{
		Blind([]byte("Secret"), "site", "example.org"),
		Blind([]byte("secret"), "bucket", "example.org"),
		Blind([]byte("secret"), "site", "example.com"),
		Blind([]byte("secret"), "sitee", "xample.org"),
		Blind(nil, "site", "example.org"),
	}
	for i, h := range others {
		if h == want {
			t.Errorf("case %d has the same infohash", i)
		}
	}
}
