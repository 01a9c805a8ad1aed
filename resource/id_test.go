package resource

import (
	"errors"
	"strings"
	"testing"
)

func TestSite(t *testing.T) {
	for host, want := range map[string]string{
		"example.com":          "example.com",
		"www.example.com":      "example.com",
		"a.b.c.example.com":    "example.com",
		"WWW.Example.Com.":     "example.com",
		"www.example.co.uk":    "example.co.uk",
		"co.uk":                "co.uk", // a public suffix is its own site
		"com":                  "com",
		"alice.github.io":      "alice.github.io", // private part of the list: different people
		"www.alice.github.io":  "alice.github.io",
		"www.city.kawasaki.jp": "city.kawasaki.jp", // an exception rule of the list
		"a.b.c.kawasaki.jp":    "b.c.kawasaki.jp",  // a wildcard rule
		"host.nosuchtld":       "host.nosuchtld",   // the default rule "*"
		"a.host.nosuchtld":     "host.nosuchtld",
		"localhost":            "localhost",
		"192.0.2.1":            "192.0.2.1",
		"2001:db8::1":          "2001:db8::1",
		"":                     "",
	} {
		if got := Site(host); got != want {
			t.Errorf("Site(%q) = %q, want %q", host, got, want)
		}
	}
}

// The numbers are part of the protocol: they were computed with other tools from
// what the doc comments say.
func TestIDKnownAnswers(t *testing.T) {
	id := NewID("GET", mustURL(t, "http://example.com/"))
	if got, want := id.String(), "3f0c549c7feaf10d2b7936b629eb37c3af21cfa2cf2f71bed157473be0176c50"; got != want {
		t.Errorf("ID %s, want %s", got, want)
	}
	if got, want := id.Blind([]byte("secret")).String(), "3a42230b82a8c1786ea5c2a56df6cc77a94a096d3edccbeb5f0f91d08dfb777e"; got != want {
		t.Errorf("blinded ID %s, want %s", got, want)
	}
}

func TestIDDistinguishes(t *testing.T) {
	u := mustURL(t, "http://example.com/a")
	id := NewID("GET", u)
	if NewID("HEAD", u) != id || (&Exchange{Method: "GET", URL: u}).ID() != id || (Query{Method: "GET", URL: u}).ID() != id {
		t.Error("one resource has two IDs")
	}
	for name, other := range map[string]ID{
		"method": NewID("POST", u),
		"scheme": NewID("GET", mustURL(t, "https://example.com/a")),
		"port":   NewID("GET", mustURL(t, "http://example.com:81/a")),
		"path":   NewID("GET", mustURL(t, "http://example.com/A")),
		"query":  NewID("GET", mustURL(t, "http://example.com/a?")),
	} {
		if other == id {
			t.Errorf("another %s has the same ID", name)
		}
	}
	one, two := id.Blind([]byte("one")), id.Blind([]byte("two"))
	if one == two || one == BlindedID(id) || one != id.Blind([]byte("one")) {
		t.Error("blinding does not depend on the secret alone")
	}
}

func TestParseID(t *testing.T) {
	id := NewID("GET", mustURL(t, "http://example.com/a"))
	if got, err := ParseID(id.String()); got != id || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := ParseID(strings.ToUpper(id.String())); got != id || err != nil {
		t.Errorf("upper case: %v, %v", got, err)
	}
	blinded := id.Blind(nil)
	if got, err := ParseBlindedID(blinded.String()); got != blinded || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", "00", id.String()[1:], id.String() + "0", "g" + id.String()[1:]} {
		if _, err := ParseID(text); !errors.Is(err, ErrBadID) {
			t.Errorf("%q: %v", text, err)
		}
		if _, err := ParseBlindedID(text); !errors.Is(err, ErrBadID) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestTier(t *testing.T) {
	order := []Tier{Unproven, Witnessed, Signer, Content, Origin}
	names := "unproven witnessed signer content origin"
	var got []string
	for i, tier := range order {
		got = append(got, tier.String())
		if !tier.Valid() || i > 0 && order[i-1] >= tier {
			t.Errorf("%v is not valid, or not stronger than the one before", tier)
		}
	}
	if strings.Join(got, " ") != names {
		t.Errorf("names are %q", got)
	}
	for _, tier := range []Tier{0, Origin + 1} {
		if tier.Valid() || !strings.HasPrefix(tier.String(), "tier(") {
			t.Errorf("%v is valid", tier)
		}
	}
}
