package peer

import (
	"bufio"
	"io"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/peerproxy/peerproxy/trust"
)

func newBufReader(r io.Reader) *bufio.Reader { return bufio.NewReader(r) }

// scene is what a liar has to do with.
type scene struct {
	t      testing.TB
	liar   *trust.Identity
	honest *item // what the honest peer has
}

// whole is what an honest answer would be.
func (s scene) whole() []byte { return answerWhole(s.t, s.honest) }

// lie is a way to answer falsely.
type lie struct {
	answer func(s scene, w http.ResponseWriter, r *http.Request)
	shun   bool // it is no accident
}

// partLie is a way to answer a question for a part falsely.
type partLie func(s scene, w http.ResponseWriter, p span)

// Every way to answer falsely. An honest peer has the copy too: the reader must get it
// whole, whatever the liar does, and the liar is shunned where it was no accident.
func TestLies(t *testing.T) {
	for _, lies := range []map[string]lie{falseHeads, falseForms, failures, falseBodies} {
		for name, c := range lies {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testLie(t, c, nil) })
			})
		}
	}
	for name, part := range falseParts {
		t.Run(name, func(t *testing.T) {
			breaksOff := lie{falseBodies["truncates the body"].answer, true}
			synctest.Test(t, func(t *testing.T) { testLie(t, breaksOff, part) })
		})
	}
}

// testLie has a liar asked first. If part is nil, it has no parts.
func testLie(t *testing.T, c lie, part partLie) {
	w := newWorld(t)
	defer w.end()
	a, b, liar := w.node(), w.node(), w.fake()
	want := randomBody(liedLength)
	it := a.share(page, want)
	liar.serve(func(rw http.ResponseWriter, r *http.Request) {
		s := scene{t, liar.identity, it}
		p, ranged, _ := parseRange(r.Header.Get("Range"), liedLength)
		switch {
		case r.URL.Path == pathDigest:
			rw.WriteHeader(http.StatusNoContent)
		case !ranged:
			c.answer(s, rw, r)
		case part != nil:
			part(s, rw, p)
		default:
			rw.WriteHeader(http.StatusNotFound)
		}
	})
	// The liar is connected and claims to have it, so it is asked before any look-up.
	liar.claims.prefixes = []uint32{prefix(query(page).ID().Blind(testSecret))}
	if err := b.Connect(t.Context(), liar.addr); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	w.announce("example.org", a.addr)
	copied, got := b.mustFetch(page)
	equalBody(t, got, want)
	if copied.Signer != a.identity.Key().String() {
		t.Errorf("signed by %v", copied.Signer)
	}
	synctest.Wait()
	if got := b.liars.has(liar.identity.Key()); got != c.shun {
		t.Errorf("shunned: %v, want %v", got, c.shun)
	}
	if c.shun {
		if err := b.Connect(t.Context(), liar.addr); err == nil {
			t.Error("a shunned peer was dialled")
		}
	}
}
