package proxy

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// fruitless is how a search for a copy ends without one.
type fruitless struct{ why, refused string }

func (e fruitless) Error() string   { return "nothing for https://example.com/secret" }
func (e fruitless) Why() string     { return e.why }
func (e fruitless) Refused() string { return e.refused }

// What is told of peers is what became of it: nothing was refused where nothing was offered.
func TestPeerWords(t *testing.T) {
	for name, c := range map[string]struct {
		err           error
		page, refused string
	}{
		"none there":  {fruitless{why: "no peer could be asked"}, "Peers were looked for: no peer could be asked.", ""},
		"none has it": {fruitless{why: "no peer holds a copy"}, "Peers were looked for: no peer holds a copy.", ""},
		"refused": {fruitless{why: "copies refused: bad signature", refused: "bad signature"},
			"Peers were asked. What they offered was refused: bad signature.", "bad signature"},
		"of no use": {&unfitError{"another variant"}, "Peers were asked: the copies they have are of no use here: another variant.", "another variant"},
		"no newer":  {errNoNewer, "Peers were asked: they have nothing newer than the copy that is kept here.", ""},
		"newer":     {&newerError{time.Now()}, "Peers were asked: the copies they have are of no use here.", ""},
		"else":      {errors.New("secret"), "Peers were asked: none has it.", ""},
	} {
		err := fmt.Errorf("%w: %w", errNoPeer, c.err)
		if page, refused := peerWords(err), refusalWords(err); page != c.page || refused != c.refused {
			t.Errorf("%s: page %q, refused %q", name, page, refused)
		}
	}
}

// The same in an answer, and in the log.
func TestNothingOfferedNothingRefused(t *testing.T) {
	for _, c := range []struct{ why, refused, page, details string }{
		{"no peer holds a copy", "", "Peers were looked for: no peer holds a copy.", "The site refused the connection"},
		{"copies refused: bad signature", "bad signature", "What they offered was refused: bad signature.", "The site refused the connection; copies refused: bad signature"},
	} {
		t.Run(c.why, bubble(func(t *testing.T) {
			var log bytes.Buffer
			b := newBench(t, func(cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			b.origin.err, b.peers.err = syscall.ECONNREFUSED, fruitless{c.why, c.refused}
			a, _ := b.get("http://example.com/")
			a.want(t, 502, "*", "proxy:details="+c.details)
			if !strings.Contains(a.text, c.page) {
				t.Errorf("page: %s", a.text)
			}
			if logged := strings.Contains(log.String(), "refused"); logged != (c.refused != "") {
				t.Errorf("log: %s", log.String())
			}
		}))
	}
}

// The words make sentences in the notice ("This is …, 2 days old.") and rows in the page in between.
func TestSourceWords(t *testing.T) {
	for want, src := range map[string]provenance{
		"a copy kept by this proxy":              {tier: resource.Origin, kept: true},
		"a peer's copy that this proxy has kept": {tier: resource.Signer, kept: true},
		"a peer's copy":                          {tier: resource.Witnessed},
	} {
		if got := sourceWords(src); got != want {
			t.Errorf("%+v: %q, want %q", src, got, want)
		}
	}
}
