package main

import (
	"strings"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/control"
)

// Whether HTTPS is looked into, for which names, and what to do if it is not.
func TestHTTPSWords(t *testing.T) {
	until := time.Date(2028, 11, 24, 12, 0, 0, 0, time.UTC)
	for want, h := range map[string]control.HTTPS{
		"looked into, until 2028-11-24; 1 host not":                                 {On: true, Until: until, Bypassed: 1},
		"looked into for example.com, example.org alone, until 2028-11-24; 0 hosts": {On: true, Until: until, Only: []string{"example.com", "example.org"}},
		"passed through: none (peerproxy ca create, then":                           {NoCA: true, Why: "none"},
		"passed through: expired (peerproxy ca create --replace, then":              {Expired: true, Why: "expired"},
		"passed through: it is off":                                                 {Why: "it is off"},
	} {
		if got := https(h); !strings.HasPrefix(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
