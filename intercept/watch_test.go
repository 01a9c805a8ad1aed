package intercept

import (
	"testing"
	"time"
)

// A browser opens several connections at once and closes those that it does not need: before the one that it
// keeps has said anything, or after that.
func TestSpareConnections(t *testing.T) {
	for _, order := range []string{"lllls", "sllll", "llsll"} {
		b := newBypass(Config{Now: time.Now}.withDefaults())
		for _, what := range order {
			if what == 's' {
				b.stayed("www.example.com")
			} else {
				b.left("www.example.com")
			}
		}
		if b.has("www.example.com", "443") {
			t.Errorf("%s: bypassed", order)
		}
	}
	b := newBypass(Config{MaxBypass: 2}.withDefaults())
	for _, name := range []string{"a.example", "b.example", "c.example"} {
		b.stayed(name)
	}
	if len(b.staying) > 2 {
		t.Error("the memory of hosts is not bounded")
	}
	b.refused("www.example.com")
	b.stayed("www.example.com")
	if !b.has("www.example.com", "443") {
		t.Error("one client's clear word does not count because another has none")
	}
}

func TestRefusedInPlain(t *testing.T) {
	for reply, want := range map[string]bool{
		"\x15\x03\x03\x00\x02\x02\x30":                         true,  // unknown_ca
		"\x15\x03\x01\x00\x02\x02\x2e":                         true,  // certificate_unknown
		"\x14\x03\x03\x00\x01\x01\x15\x03\x03\x00\x02\x02\x2a": true,  // behind change_cipher_spec
		"\x15\x03\x03\x00\x02\x02\x28":                         false, // handshake_failure
		"\x15\x03\x03\x00\x13\x02\x30":                         false, // encrypted
		"\x17\x03\x03\x00\x13\x02\x30":                         false,
		"\x15\x03\x03\x00\x02\x02":                             false,
		"":                                                     false,
	} {
		if got := refusedInPlain([]byte(reply)); got != want {
			t.Errorf("%x: %v", reply, got)
		}
	}
}
