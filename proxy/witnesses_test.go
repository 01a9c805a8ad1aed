package proxy

import (
	"errors"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// Who got the same bytes is a witness of them: what is fetched anew, or confirmed, carries the signatures of
// what was stored. Other bytes do not.
func TestWitnessesAreCarried(t *testing.T) {
	for text, carried := range map[string]int{"from origin": 1, "from peers": 0} {
		bubble(func(t *testing.T) {
			var got []resource.Signature
			b := newBench(t, func(cfg *Config) {
				cfg.Signer = signerFunc(func(ex *resource.Exchange) error {
					got = ex.Signatures
					ex.Signatures = append([]resource.Signature{{Input: "own"}}, got...)
					return nil
				})
			})
			b.text, b.header, b.control = text, http.Header{"Cache-Control": {"max-age=86400"}}, "max-age=60"
			b.origin.err = syscall.ECONNREFUSED
			b.get("http://example.com/")
			time.Sleep(time.Minute)
			b.origin.err = nil
			a, _ := b.get("http://example.com/")
			a.want(t, 200, "from origin")
			if len(got) != carried {
				t.Errorf("%s: %d signatures are carried, want %d", text, len(got), carried)
			}
			time.Sleep(2 * time.Minute)
			b.origin.status = http.StatusNotModified
			a, _ = b.get("http://example.com/")
			a.want(t, 200, "from origin", "cache:fwd-status=304")
			if len(got) != carried+1 { // and its own, of which signing keeps what still fits
				t.Errorf("%s: %d signatures are carried when it is confirmed, want %d", text, len(got), carried+1)
			}
		})(t)
	}
}

// How many witnesses there are, and since when, is said of a copy.
func TestWitnessedLabels(t *testing.T) {
	bubble(func(t *testing.T) {
		b := strangers(t, "text/html")
		b.tier, b.witnesses, b.witnessed = resource.Witnessed, 4, time.Now().Add(-49*time.Hour)
		a, _ := b.get("http://example.com/", navigation)
		a.want(t, 200, "*", "cache:detail=peer")
		for _, part := range []string{"4 independent peers", "2 days old", "witnessed"} {
			if !strings.Contains(a.text, part) {
				t.Errorf("the page does not say %q: %s", part, a.text)
			}
		}
	})(t)
}

// Old bytes in a new exchange, with the witnesses that they had, are old: when they are shown, when
// it is asked whether they are fresh, out of the store, and against what is stored.
func TestOldWitnessesStayOld(t *testing.T) {
	bubble(func(t *testing.T) {
		seen := time.Now().Add(-49 * time.Hour)
		b := newBench(t, func(cfg *Config) {
			cfg.Sites = nil
			cfg.StillWitnessed = func(*resource.Exchange) (time.Time, bool) { return seen, true }
		})
		b.origin.err = syscall.ECONNREFUSED
		b.header = http.Header{"Content-Type": {"text/html"}, "Cache-Control": {"max-age=86400"}}
		b.tier, b.witnessed = resource.Witnessed, seen
		a, _ := b.get("http://example.com/", navigation)
		a.want(t, 200, "*", "cache:detail=peer")
		if age := a.Header.Get("Age"); age != "176400" {
			t.Errorf("Age %s when it came", age)
		}
		b.peers.err = errors.New("nobody")
		a, _ = b.get("http://example.com/", navigation)
		a.want(t, 200, "*", "cache:fwd=stale", "cache:detail=stale-if-error")
		if age := a.Header.Get("Age"); age != "176400" || !strings.Contains(a.text, "2 days old") {
			t.Errorf("Age %s out of the store: %s", age, a.text)
		}
		b.peers.err, b.text, b.witnessed = nil, "what was replaced", seen.Add(-time.Hour) // as new by its own word
		time.Sleep(2 * time.Hour)
		a, _ = b.get("http://example.com/", navigation)
		if strings.Contains(a.text, "what was replaced") {
			t.Errorf("older bytes replaced what is stored: %s", a.text)
		}
		a.want(t, 200, "*", "cache:detail=stale-if-error")

		b.header.Set("Cache-Control", "max-age=86400, must-revalidate")
		a, _ = b.get("http://example.com/other", navigation)
		a.want(t, 502, "*")
		if status := a.Header.Get("Proxy-Status"); !strings.Contains(status, "too old") {
			t.Errorf("Proxy-Status %s", status)
		}
	})(t)
}
