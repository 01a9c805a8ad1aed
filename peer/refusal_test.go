package peer

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

// badInput is what a peer may offer in the place of an honest copy, and why it is refused.
var badInput = map[string]struct {
	offer  func(t *testing.T, liar, other *trust.Identity) *resource.Exchange
	reason error
	words  string
}{
	"forged": {func(t *testing.T, liar, other *trust.Identity) *resource.Exchange {
		ex := exchangeFor(t, other, page)
		ex.Body.Root[0] ^= 1
		return ex
	}, trust.ErrBadSignature, "bad signature"},
	"signature of another exchange": {func(t *testing.T, liar, other *trust.Identity) *resource.Exchange {
		ex := exchangeFor(t, other, page)
		time.Sleep(time.Second)
		later := exchangeFor(t, other, page)
		later.Signatures = ex.Signatures
		return later
	}, trust.ErrBadSignature, "bad signature"},
	"re-targeted": {func(t *testing.T, liar, other *trust.Identity) *resource.Exchange {
		return exchangeFor(t, other, "https://example.org/other")
	}, trust.ErrWrongTarget, "signed for another URL"},
	"re-targeted, its URL changed": {func(t *testing.T, liar, other *trust.Identity) *resource.Exchange {
		ex := exchangeFor(t, other, "https://example.org/other")
		ex.URL = query(page).URL
		return ex
	}, trust.ErrBadSignature, "bad signature"},
	"http for https": {func(t *testing.T, liar, other *trust.Identity) *resource.Exchange {
		return exchangeFor(t, other, strings.Replace(page, "https:", "http:", 1))
	}, trust.ErrWrongTarget, "signed for another URL"},
	"fewer fields signed than there are": {func(t *testing.T, liar, other *trust.Identity) *resource.Exchange {
		ex := exchangeFor(t, other, page)
		ex.Header.Set("Refresh", "0; url=https://evil.example/")
		return ex
	}, trust.ErrNotCovered, "signature does not cover the exchange"},
	"downgraded: witness as signer": {func(t *testing.T, liar, other *trust.Identity) *resource.Exchange {
		ex := exchangeFor(t, other, page)
		ex.Signatures = ex.Signatures[1:]
		return ex
	}, trust.ErrNotCovered, "signature does not cover the exchange"},
	"from the future": {func(t *testing.T, liar, other *trust.Identity) *resource.Exchange {
		ex := exchangeFor(t, other, page)
		ex.Received = ex.Received.Add(time.Hour)
		sign(t, other, ex)
		return ex
	}, trust.ErrFuture, "from the future"},
	"not signed": {func(t *testing.T, liar, other *trust.Identity) *resource.Exchange {
		ex := exchangeFor(t, other, page)
		ex.Signatures = nil
		return ex
	}, trust.ErrUnsigned, "not signed"},
	"of a stranger": {func(t *testing.T, liar, other *trust.Identity) *resource.Exchange {
		return exchangeFor(t, liar, page)
	}, trust.ErrTooFewWitnesses, "too few witnesses"},
	"one key as many witnesses": {func(t *testing.T, liar, other *trust.Identity) *resource.Exchange {
		return crowdOf(t, liar, func(int) *trust.Identity { return liar })
	}, trust.ErrTooFewWitnesses, "too few witnesses"},
	"many keys as witnesses, never met": {func(t *testing.T, liar, other *trust.Identity) *resource.Exchange {
		return crowdOf(t, liar, func(int) *trust.Identity { return trust.NewIdentity() })
	}, trust.ErrTooFewWitnesses, "too few witnesses"},
}

func exchangeFor(t *testing.T, id *trust.Identity, url string) *resource.Exchange {
	return makeItem(t, id, url, []byte("hello")).exchange
}

func sign(t *testing.T, id *trust.Identity, ex *resource.Exchange) {
	t.Helper()
	if err := id.Sign(ex); err != nil {
		t.Fatal(err)
	}
}

// crowdOf is a stranger's exchange with more witness signatures, made at different times.
func crowdOf(t *testing.T, liar *trust.Identity, witness func(int) *trust.Identity) *resource.Exchange {
	ex := exchangeFor(t, liar, page)
	for i := range 10 {
		time.Sleep(time.Second)
		other := exchangeFor(t, witness(i), page)
		ex.Signatures = append(ex.Signatures, other.Signatures[1])
	}
	return ex
}

// Every kind of bad input is refused by a reader that would take it from anybody, or from witnesses,
// or from the friend whose key was used; the reason is in the error and in plain words.
func TestBadInput(t *testing.T) {
	for name, bad := range badInput {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.end()
				liar, friend := w.fake(), trust.NewIdentity()
				ex := bad.offer(t, liar.identity, friend)
				head, err := encodeHead(ex)
				if err != nil {
					t.Fatal(err)
				}
				it := makeItem(t, liar.identity, page, []byte("hello"))
				content := append(head, sliceOf(t, it, 0, 5)...)
				liar.serve(onResource(func(rw http.ResponseWriter, r *http.Request) { give(rw, content) }))
				w.announce("example.org", liar.addr)
				reader := w.node(func(c *Config) {
					c.Verifier = trust.Policy{Witnessed: true, Keys: []trust.Key{friend.Key()}}
				})
				refused(t, reader, bad.reason, bad.words)
			})
		})
	}
}

// onResource answers digests, and with h what begins with a whole copy's path.
func onResource(h http.HandlerFunc) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == pathDigest:
			rw.WriteHeader(http.StatusNoContent)
		case strings.HasPrefix(r.URL.Path, pathResource):
			h(rw, r)
		default:
			rw.WriteHeader(http.StatusNotFound)
		}
	}
}

func refused(t *testing.T, reader *testNode, reason error, words string) {
	t.Helper()
	c, err := reader.Fetch(t.Context(), query(page))
	if err == nil {
		_ = c.Body.Close()
		t.Fatalf("accepted as %v", c.Tier)
	}
	var fe *FetchError
	if !errors.As(err, &fe) || !errors.Is(err, reason) {
		t.Fatalf("%v: %v, want %v", err, fe.Refusals, reason)
	}
	if why := fe.Why(); !strings.HasPrefix(why, "copies refused: ") || !strings.Contains(why, words) || strings.Contains(why, "example") {
		t.Errorf("why: %q, want %q", why, words)
	}
}

// The same for answers that are not even exchanges.
func TestBadAnswers(t *testing.T) {
	for name, bad := range map[string]struct {
		answer func(rw http.ResponseWriter, whole []byte)
		reason error
		words  string
		shun   bool
	}{
		"oversized exchange": {func(rw http.ResponseWriter, _ []byte) {
			rw.Header().Set("Content-Type", contentType)
			rw.Header().Set("Content-Length", strconv.Itoa(1<<30))
			_, _ = rw.Write([]byte{0, 2, 0, 1})
		}, ErrOversized, "too large", true},
		"malformed exchange": {func(rw http.ResponseWriter, _ []byte) {
			give(rw, append([]byte{0, 0, 1, 0}, randomBody(256)...))
		}, ErrMalformed, "malformed", true},
		"truncated body is announced": {func(rw http.ResponseWriter, whole []byte) {
			give(rw, whole[:len(whole)-1])
		}, ErrMalformed, "malformed", true},
		"truncated exchange": {func(rw http.ResponseWriter, whole []byte) {
			rw.Header().Set("Content-Type", contentType)
			rw.Header().Set("Content-Length", strconv.Itoa(len(whole)))
			_, _ = rw.Write(whole[:100])
		}, ErrTruncated, "cut off", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.end()
				liar, reader := w.fake(), w.node()
				whole := answerWhole(t, makeItem(t, liar.identity, page, []byte("hello")))
				liar.serve(onResource(func(rw http.ResponseWriter, r *http.Request) { bad.answer(rw, whole) }))
				w.announce("example.org", liar.addr)
				refused(t, reader, bad.reason, bad.words)
				synctest.Wait()
				if got := reader.liars.has(liar.identity.Key()); got != bad.shun {
					t.Errorf("shunned: %v", got)
				}
			})
		})
	}
}

// The same lies in the place of a head that is asked for its witnesses change nothing about the copy.
func TestBadHeads(t *testing.T) {
	for name, bad := range badInput {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.end()
				friend := trust.NewIdentity()
				reader := w.nodeIn(200, believing)
				first := w.nodeIn(1)
				first.share(page, []byte("genuine"))
				if err := reader.Connect(t.Context(), first.addr); err != nil {
					t.Fatal(err)
				}
				w.place = 2
				liar := w.fake()
				head, err := encodeHead(bad.offer(t, liar.identity, friend))
				if err != nil {
					t.Fatal(err)
				}
				asked := false
				liar.serve(func(rw http.ResponseWriter, r *http.Request) {
					if !strings.HasPrefix(r.URL.Path, pathWitness) {
						rw.WriteHeader(http.StatusNoContent)
						return
					}
					asked = true
					give(rw, head)
				})
				time.Sleep(3 * time.Second)
				w.announce("example.org", liar.addr)
				c, got := reader.mustFetch(page)
				equalBody(t, got, []byte("genuine"))
				if !asked || c.Tier != resource.Unproven || c.Witnesses != 1 {
					t.Errorf("asked %v, tier %v by %d", asked, c.Tier, c.Witnesses)
				}
			})
		})
	}
}

func TestWhy(t *testing.T) {
	e := FetchError{reason: ErrUnverified}
	if got := e.Why(); got != "no copy could be verified" || e.Refused() != "" {
		t.Errorf("%q, refused %q", got, e.Refused())
	}
	for i := range 50 {
		e.refuse(verifyError(fmt.Errorf("https://example.org/%d: %w", i, trust.ErrUntrusted)))
		e.refuse(verifyError(fmt.Errorf("%w: not x", trust.ErrNotCovered)))
		e.refuse(fmt.Errorf("%w: status 302", errLie))
		e.refuse(errors.New("https://example.org/"))
	}
	const refused = "signer is not trusted; signature does not cover the exchange; not as the protocol demands; not accepted"
	if got := e.Why(); got != "copies refused: "+refused || e.Refused() != refused {
		t.Errorf("%q, refused %q", got, e.Refused())
	}
	for _, r := range refusals {
		e.refuse(r.err)
	}
	if len(e.Refusals) != maxRefusals {
		t.Errorf("%d reasons", len(e.Refusals))
	}
	if !errors.Is(&e, ErrUnverified) || !errors.Is(&e, trust.ErrNotCovered) || errors.Is(&e, ErrNotFound) {
		t.Error("the reasons are not in the chain")
	}
	if got := (&FetchError{reason: t.Context().Err()}).Why(); got != "the search was ended" {
		t.Errorf("%q", got)
	}
}

// A revoked key's copy is refused as such, whatever else would do.
func TestRevokedSigner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.end()
		n := w.node()
		n.share(page, []byte("hello"))
		w.announceAll(n)
		ring, err := new(trust.Keyring).With(trust.Entry{Key: n.identity.Key(), Name: "mallory", Added: time.Now(), Revoked: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		live := new(trust.LiveKeyring)
		live.Store(ring)
		reader := w.node(func(c *Config) { c.Verifier = trust.Policy{Any: true, Ring: live} })
		refused(t, reader, trust.ErrRevoked, "signer's key is revoked")
	})
}
