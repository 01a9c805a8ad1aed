package trust

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func sampleInvitation() Invitation {
	return Invitation{
		Secret:  [SwarmSecretSize]byte(bytes.Repeat([]byte{0x5a}, SwarmSecretSize)),
		Inviter: Entry{Key: seeded(1).Key(), Name: "Zoë's laptop"},
		Introduced: []Entry{
			{Key: seeded(2).Key(), Name: "bob"},
			{Key: seeded(3).Key(), Name: strings.Repeat("𝒳", 63), Sites: []string{"example.org", "www.example.com"}},
		},
	}
}

func textOf(t testing.TB, v Invitation) string {
	t.Helper()
	text, err := v.Text()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestInvitationRoundTrip(t *testing.T) {
	v := sampleInvitation()
	text := textOf(t, v)
	for name, spelt := range map[string]string{
		"as written": text, "in small letters": strings.ToLower(text), "with a line end": text + "\r\n",
		"wrapped": text[:40] + "\n > "[:2] + text[40:], "with blanks": strings.Join(strings.Split(text, "A"), "A "),
	} {
		if got, err := ParseInvitation(spelt); err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	small := Invitation{Secret: v.Secret, Inviter: Entry{Key: v.Inviter.Key, Name: "a"}}
	if text := textOf(t, small); len(text) > 130 {
		t.Errorf("the smallest has %d characters", len(text))
	}
}

// TestInvitationNoticesSlips changes, drops and swaps every character.
func TestInvitationNoticesSlips(t *testing.T) {
	text := textOf(t, sampleInvitation())
	try := func(what string, i int, changed string) {
		if changed == text {
			return
		}
		if _, err := ParseInvitation(changed); !errors.Is(err, ErrBadInvitation) && !errors.Is(err, ErrNewerInvitation) {
			t.Errorf("%s at %d: %v", what, i, err)
		}
	}
	for i := range text {
		for _, c := range []string{"A", "7", "0", ":", "=", "-", "\xff"} {
			try("changed to "+c, i, text[:i]+c+text[i+1:])
		}
		try("dropped", i, text[:i]+text[i+1:])
		try("doubled", i, text[:i]+text[i:i+1]+text[i:])
		try("cut off", i, text[:i])
		if i > 0 {
			try("swapped", i, text[:i-1]+text[i:i+1]+text[i-1:i]+text[i+1:])
		}
	}
}

// TestInvitationRefuses: with a right checksum, too, nothing odd is taken.
func TestInvitationRefuses(t *testing.T) {
	v := sampleInvitation()
	seal := func(records ...[]byte) string {
		payload := bytes.Join(records, nil)
		prefix := invitationName + invitationVersion + ":"
		return prefix + invitationEncoding.EncodeToString(append(payload, checksum(prefix, payload)...))
	}
	record := func(kind byte, content ...byte) []byte { return appendRecord(nil, kind, content) }
	secret, inviter := record(recordSecret, v.Secret[:]...), record(recordInviter, append(v.Inviter.Key[:], "a"...)...)
	introduced := record(recordIntroduced, introduction(v.Introduced[0])...)
	many := bytes.Repeat(introduced, MaxIntroduced+1)
	tests := []struct {
		name, text string
		want       error
	}{
		{"the least", seal(secret, inviter), nil},
		{"an optional record", seal(secret, inviter, introduced, record(200, 1, 2), record(200)), nil},
		{"a record that must be known", seal(secret, inviter, record(4)), ErrNewerInvitation},
		{"a newer version", "PEERPROXY2:AAAA", ErrNewerInvitation},
		{"nothing", "", ErrBadInvitation},
		{"something else", "ed25519:AAAA", ErrBadInvitation},
		{"no records", seal(), ErrBadInvitation},
		{"no inviter", seal(secret), ErrBadInvitation},
		{"no secret", seal(inviter), ErrBadInvitation},
		{"an empty secret", seal(record(recordSecret, make([]byte, SwarmSecretSize)...), inviter), ErrBadInvitation},
		{"a short secret", seal(record(recordSecret, 1, 2, 3), inviter), ErrBadInvitation},
		{"two secrets", seal(secret, secret, inviter), ErrBadInvitation},
		{"two inviters", seal(secret, inviter, inviter), ErrBadInvitation},
		{"out of order", seal(inviter, secret), ErrBadInvitation},
		{"kind 0", seal(record(0), secret, inviter), ErrBadInvitation},
		{"a weak key", seal(secret, record(recordInviter, append(make([]byte, 32), 'a')...)), ErrBadInvitation},
		{"no name", seal(secret, record(recordInviter, v.Inviter.Key[:]...)), ErrBadInvitation},
		{"a name that steers the terminal", seal(secret, record(recordInviter, append(v.Inviter.Key[:], "\x1b[2J"...)...)), ErrBadInvitation},
		{"half a key", seal(secret, record(recordInviter, 1, 2)), ErrBadInvitation},
		{"introduced without a name", seal(secret, inviter, record(recordIntroduced, v.Inviter.Key[:]...)), ErrBadInvitation},
		{"a length beyond the end", seal(secret, inviter, []byte{recordIntroduced, 200, 1, 0}), ErrBadInvitation},
		{"an endless length", seal(secret, inviter, bytes.Repeat([]byte{0xff}, 12)), ErrBadInvitation},
		{"too many introduced", seal(secret, inviter, many), ErrBadInvitation},
		{"too long", strings.Repeat("A", 100_000), ErrBadInvitation},
	}
	for _, tt := range tests {
		_, err := ParseInvitation(tt.text)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("%s: an error of %d bytes", tt.name, len(err.Error()))
		}
	}
	v.Introduced = make([]Entry, MaxIntroduced+1)
	if _, err := v.Text(); !errors.Is(err, ErrBadEntry) {
		t.Errorf("too many to write: %v", err)
	}
}

// FuzzParseInvitation: what is read is written and read the same again.
func FuzzParseInvitation(f *testing.F) {
	text := textOf(f, sampleInvitation())
	f.Add(text)
	f.Add(strings.ToLower(text[:60]) + " " + text[60:])
	f.Add("PEERPROXY1:")
	f.Add("PEERPROXY2:AAAA")
	f.Fuzz(func(t *testing.T, text string) { checkInvitation(t, text) })
}

// FuzzInvitationRecords is FuzzParseInvitation behind the checksum.
func FuzzInvitationRecords(f *testing.F) {
	raw, err := invitationEncoding.DecodeString(strings.TrimPrefix(textOf(f, sampleInvitation()), "PEERPROXY1:"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw[:len(raw)-checksumSize])
	f.Add(appendRecord(raw[:len(raw)-checksumSize], 200, []byte("hint")))
	f.Fuzz(func(t *testing.T, payload []byte) {
		sum := checksum("PEERPROXY1:", payload)
		checkInvitation(t, "PEERPROXY1:"+invitationEncoding.EncodeToString(append(bytes.Clone(payload), sum...)))
	})
}

func checkInvitation(t *testing.T, text string) {
	v, err := ParseInvitation(text)
	if err != nil {
		return
	}
	again, err := ParseInvitation(textOf(t, v))
	if err != nil || !reflect.DeepEqual(again, v) {
		t.Fatalf("%q: %+v, again %+v, %v", text, v, again, err)
	}
}
