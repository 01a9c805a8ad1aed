package node_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/control"
	"github.com/peerproxy/peerproxy/node"
	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

// poison is in every body that a hostile peer sends.
const poison = "<script>poison()</script>"

// offer is what a hostile peer answers with.
type offer struct {
	exchange *resource.Exchange
	body     string
	raw      func(whole []byte) (length int, sent []byte) // nil: all of it, well formed
}

// page is an exchange as an honest node would make it, signed by its fetcher.
func page(t *testing.T, fetcher *trust.Identity, url string, change func(*resource.Exchange)) offer {
	t.Helper()
	h := resource.NewHasher()
	_, _ = h.Write([]byte(poison))
	now := time.Now().Round(0)
	ex := &resource.Exchange{
		Method: http.MethodGet, URL: parse(t, url), Status: http.StatusOK, Body: h.Body(),
		Header:    http.Header{"Content-Type": {"text/html"}, "Cache-Control": {"max-age=600"}},
		Requested: now.Add(-time.Second), Received: now,
	}
	if change != nil {
		change(ex)
	}
	if err := fetcher.Sign(ex); err != nil {
		t.Fatal(err)
	}
	return offer{exchange: ex, body: poison}
}

// changed is an offer that was changed after it was signed.
func (o offer) changed(change func(*resource.Exchange)) offer {
	change(o.exchange)
	return o
}

// bytes is the answer to a question for all of it: length, exchange, slice.
func (o offer) bytes(t *testing.T) []byte {
	encoded, err := o.exchange.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	whole := bytes.NewBuffer(append(binary.BigEndian.AppendUint32(nil, uint32(len(encoded))), encoded...))
	length := o.exchange.Body.Length
	if err := resource.WriteSlice(whole, strings.NewReader(o.body), strings.NewReader(""), length, 0, length); err != nil {
		t.Fatal(err)
	}
	return whole.Bytes()
}

func (o offer) write(t *testing.T, w http.ResponseWriter) {
	whole := o.bytes(t)
	length, sent := len(whole), whole
	if o.raw != nil {
		length, sent = o.raw(whole)
	}
	w.Header().Set("Content-Type", "application/peerproxy-exchange")
	w.Header().Set("Content-Length", strconv.Itoa(length))
	_, _ = w.Write(sent)
}

// meet connects to a node from an address, and is sure to be met by it.
func meet(t *testing.T, address, from string, identity *trust.Identity) {
	t.Helper()
	connect(t, address, from, identity, http.NotFound).ask(http.MethodGet, resource.BlindedID{}, http.Header{})
}

// hostile connects to a node as a peer, says that it has a page, and answers with an offer.
func hostile(t *testing.T, address string, identity *trust.Identity, url string, o func() offer) *probe {
	t.Helper()
	p := connect(t, address, "127.0.0.1", identity, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/r/") {
			o().write(t, w)
			return
		}
		http.NotFound(w, r)
	})
	id := blinded(t, url)
	prefix := uint64(binary.BigEndian.Uint32(id[:]))
	// One number by Rice's code for k = 31: its highest bit in unary, and the others.
	code, bits := prefix&(1<<31-1), 32
	if prefix>>31 == 1 {
		code, bits = code|1<<32, 33
	}
	digest := append([]byte{0, 0, 0, 0, 1, 31}, binary.BigEndian.AppendUint64(nil, code<<(64-bits))[:5]...)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://peer/digest", bytes.NewReader(digest[:6+(bits+7)/8]))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := p.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if _ = resp.Body.Close(); resp.StatusCode != http.StatusNoContent {
		t.Fatalf("the node does not take the digest: %s", resp.Status)
	}
	return p
}

// reader is a user's node whose origin does not answer, and its log above debug level.
type reader struct {
	*node.Node
	log     *lockedBuffer
	browser *http.Client
	control *control.Client
}

func newReader(t *testing.T, trusted string, changes ...func(*node.Config)) *reader {
	t.Helper()
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := dead.Addr().String()
	_ = dead.Close()
	r := &reader{log: new(lockedBuffer)}
	var dir string
	r.Node = start(t, func(c *node.Config) {
		c.Trust, c.Logger = []string{trusted}, slog.New(slog.NewTextHandler(r.log, nil))
		c.AllowPrivate = true // loopback networks count for witnesses
		c.Resolve = []string{"www.example.org:80:" + address, "www.example.org:443:" + address}
		for _, change := range changes {
			change(c)
		}
		dir = c.DataDir
	})
	r.browser = client(t, r.Node)
	if r.control, err = control.Dial(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.control.Close)
	return r
}

// fetch returns the whole answer, or as much of it as there is.
func (r *reader) fetch(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	resp, err := (*http.Response)(nil), error(nil)
	if strings.HasPrefix(url, "https:") {
		resp, err = r.control.Get(t.Context(), url, "any")
	} else {
		resp, err = r.browser.Get(url)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, _ := io.ReadAll(resp.Body) // which a hostile peer may make break off
	return resp, string(text)
}

// badOffers are what the issue names, and who refuses it with which words. A reader that is not named is
// one for whom this is no bad input.
var badOffers = map[string]struct {
	scheme string // "" is http
	offer  func(t *testing.T, url string, liar, friend *trust.Identity) offer
	words  map[string]string // by whom the reader trusts
}{
	"forged": {offer: func(t *testing.T, url string, liar, friend *trust.Identity) offer {
		return page(t, friend, url, nil).changed(func(ex *resource.Exchange) { ex.Signatures[0].Value[5] ^= 1 })
	}, words: everybody("bad signature")},
	"forged: another body under a friend's signature": {offer: func(t *testing.T, url string, liar, friend *trust.Identity) offer {
		return page(t, friend, url, func(ex *resource.Exchange) { ex.Body.Root[0] ^= 1 }).
			changed(func(ex *resource.Exchange) { ex.Body.Root[0] ^= 1 })
	}, words: everybody("bad signature")},
	"replayed: an old signature on a new exchange": {offer: func(t *testing.T, url string, liar, friend *trust.Identity) offer {
		old := page(t, friend, url, func(ex *resource.Exchange) { age(ex, time.Hour) })
		return page(t, friend, url, nil).changed(func(ex *resource.Exchange) { ex.Signatures = old.exchange.Signatures })
	}, words: everybody("bad signature")},
	"replayed: an old exchange with new times": {offer: func(t *testing.T, url string, liar, friend *trust.Identity) offer {
		return page(t, friend, url, func(ex *resource.Exchange) { age(ex, time.Hour) }).
			changed(func(ex *resource.Exchange) { age(ex, -time.Hour) })
	}, words: everybody("bad signature")},
	"replayed: what must not be used unconfirmed any more": {offer: func(t *testing.T, url string, liar, friend *trust.Identity) offer {
		return page(t, friend, url, func(ex *resource.Exchange) {
			age(ex, time.Hour)
			ex.Header.Set("Cache-Control", "max-age=600, must-revalidate")
		})
	}, words: map[string]string{"friend": "too old, and must not be used unconfirmed", "any": "too old, and must not be used unconfirmed"}},
	"re-targeted": {offer: func(t *testing.T, url string, liar, friend *trust.Identity) offer {
		return page(t, friend, url+"/other", nil)
	}, words: everybody("signed for another URL")},
	"re-targeted: the URL changed": {offer: func(t *testing.T, url string, liar, friend *trust.Identity) offer {
		return page(t, friend, url+"/other", nil).changed(func(ex *resource.Exchange) { ex.URL = parse(t, url) })
	}, words: everybody("bad signature")},
	"downgraded: http for https": {scheme: "https", offer: func(t *testing.T, url string, liar, friend *trust.Identity) offer {
		return page(t, friend, "http"+strings.TrimPrefix(url, "https"), nil)
	}, words: everybody("signed for another URL")},
	"downgraded: signatures of witnesses alone": {offer: func(t *testing.T, url string, liar, friend *trust.Identity) offer {
		return page(t, friend, url, nil).changed(func(ex *resource.Exchange) { ex.Signatures = ex.Signatures[1:] })
	}, words: everybody("signature does not cover the exchange")},
	"downgraded: a friend's signature stripped for one's own": {offer: func(t *testing.T, url string, liar, friend *trust.Identity) offer {
		o := page(t, friend, url, nil)
		o.exchange.Signatures = o.exchange.Signatures[1:] // the friend stays as a witness
		if err := liar.Sign(o.exchange); err != nil {
			t.Fatal(err)
		}
		return o
	}, words: map[string]string{"friend": "signer is not trusted", "witnessed": "too few witnesses"}},
	"not signed": {offer: func(t *testing.T, url string, liar, friend *trust.Identity) offer {
		return page(t, friend, url, nil).changed(func(ex *resource.Exchange) { ex.Signatures = nil })
	}, words: everybody("not signed")},
	"fewer fields signed than there are": {offer: func(t *testing.T, url string, liar, friend *trust.Identity) offer {
		return page(t, friend, url, nil).changed(func(ex *resource.Exchange) { ex.Header.Set("Refresh", "0; url=https://evil.example/") })
	}, words: everybody("signature does not cover the exchange")},
	"more fields signed than there are": {offer: func(t *testing.T, url string, liar, friend *trust.Identity) offer {
		return page(t, friend, url, func(ex *resource.Exchange) { ex.Header.Set("Content-Security-Policy", "default-src 'none'") }).
			changed(func(ex *resource.Exchange) { ex.Header.Del("Content-Security-Policy") })
	}, words: everybody("signature does not cover the exchange")},
	"from the future": {offer: func(t *testing.T, url string, liar, friend *trust.Identity) offer {
		return page(t, friend, url, func(ex *resource.Exchange) { age(ex, -time.Hour) })
	}, words: everybody("from the future")},
	"truncated in the exchange": {offer: func(t *testing.T, url string, liar, friend *trust.Identity) offer {
		o := page(t, friend, url, nil)
		o.raw = func(whole []byte) (int, []byte) { return len(whole), whole[:100] }
		return o
	}, words: everybody("cut off")},
	"truncated, and said so": {offer: func(t *testing.T, url string, liar, friend *trust.Identity) offer {
		o := page(t, friend, url, nil)
		o.raw = func(whole []byte) (int, []byte) { return len(whole) - 1, whole[:len(whole)-1] }
		return o
	}, words: everybody("malformed")},
	"oversized exchange": {offer: func(t *testing.T, url string, liar, friend *trust.Identity) offer {
		o := page(t, friend, url, nil)
		o.raw = func(whole []byte) (int, []byte) {
			return 1 << 30, append([]byte{0x10, 0, 0, 0}, whole...)
		}
		return o
	}, words: everybody("too large")},
	"a stranger's": {offer: func(t *testing.T, url string, liar, friend *trust.Identity) offer {
		return page(t, liar, url, nil)
	}, words: map[string]string{"friend": "signer is not trusted", "witnessed": "too few witnesses"}},
	"one key as many witnesses": {offer: func(t *testing.T, url string, liar, friend *trust.Identity) offer {
		return crowd(t, url, liar, func() *trust.Identity { return liar })
	}, words: map[string]string{"friend": "signer is not trusted", "witnessed": "too few witnesses"}},
	"many keys of one host as witnesses": {offer: func(t *testing.T, url string, liar, friend *trust.Identity) offer {
		return crowd(t, url, liar, trust.NewIdentity)
	}, words: map[string]string{"friend": "signer is not trusted", "witnessed": "too few witnesses"}},
}

// everybody refuses it for the same reason.
func everybody(words string) map[string]string {
	return map[string]string{"friend": words, "any": words, "witnessed": words}
}

func age(ex *resource.Exchange, by time.Duration) {
	ex.Requested, ex.Received = ex.Requested.Add(-by), ex.Received.Add(-by)
}

// crowd is a stranger's exchange with ten more signatures of witnesses.
func crowd(t *testing.T, url string, liar *trust.Identity, witness func() *trust.Identity) offer {
	o := page(t, liar, url, nil)
	for n := range 10 {
		seen := page(t, witness(), url, func(ex *resource.Exchange) { age(ex, time.Duration(n)*time.Minute) })
		o.exchange.Signatures = append(o.exchange.Signatures, seen.exchange.Signatures[1])
	}
	return o
}

// Every kind of bad input that a peer may give, over a real connection, to a node whose origin is gone: nothing of
// it reaches the client or the store, and the reason stands in Proxy-Status and in the log.
func TestBadInput(t *testing.T) {
	friend := trust.NewIdentity()
	readers := map[string]*reader{
		"friend": newReader(t, friend.Key().String()), "any": newReader(t, "any"), "witnessed": newReader(t, "witnessed"),
	}
	number := 0
	for name, bad := range badOffers {
		for who, words := range bad.words {
			number++
			scheme := bad.scheme
			if scheme == "" {
				scheme = "http"
			}
			url := fmt.Sprintf("%s://www.example.org/page-%d", scheme, number)
			t.Run(name+", to who trusts "+who, func(t *testing.T) {
				r, liar := readers[who], trust.NewIdentity()
				before := len(r.log.String())
				hostile(t, r.Addresses().Peer, liar, url, func() offer { return bad.offer(t, url, liar, friend) })
				r.refuses(t, url, words, before)
			})
		}
	}
}

func (r *reader) refuses(t *testing.T, url, words string, before int) {
	t.Helper()
	resp, text := r.fetch(t, url)
	if strings.Contains(text, poison) || resp.StatusCode < 500 {
		t.Errorf("%s with %q", resp.Status, text)
	}
	want := "copies refused: " + words
	if status := resp.Header.Get("Proxy-Status"); !strings.Contains(status, want+`"`) && !strings.Contains(status, want+`;`) {
		t.Errorf("Proxy-Status: %s, want %q", status, want)
	}
	log := r.log.String()[before:]
	if !strings.Contains(log, `why="`+words) && !strings.Contains(log, `why=`+words) {
		t.Errorf("the reason %q is not in the log:\n%s", words, log)
	}
	for _, secret := range []string{"example", "127.0.0.1", "/page-"} {
		if strings.Contains(log, secret) {
			t.Errorf("%q is in the log:\n%s", secret, log)
		}
	}
	if stored, err := r.control.Show(t.Context(), url); len(stored) > 0 {
		t.Errorf("it is stored: %+v, %v", stored, err)
	}
}

// A host that brings as many keys as it likes stays one witness, also if each has connected.
func TestManyKeysOfOneHost(t *testing.T) {
	r := newReader(t, "witnessed")
	const url = "http://www.example.org/page"
	liar := trust.NewIdentity()
	o := page(t, liar, url, nil)
	for range 6 {
		other := trust.NewIdentity()
		meet(t, r.Addresses().Peer, "127.0.0.1", other)
		o.exchange.Signatures = append(o.exchange.Signatures, page(t, other, url, nil).exchange.Signatures[1])
	}
	before := len(r.log.String())
	hostile(t, r.Addresses().Peer, liar, url, func() offer { return o })
	r.refuses(t, url, "too few witnesses", before)
}

// A body that is not the one whose root is signed breaks off before its first byte.
func TestBadBody(t *testing.T) {
	friend := trust.NewIdentity()
	r := newReader(t, friend.Key().String())
	const url = "http://www.example.org/page"
	hostile(t, r.Addresses().Peer, trust.NewIdentity(), url, func() offer {
		return page(t, friend, url, func(ex *resource.Exchange) {
			h := resource.NewHasher()
			_, _ = h.Write([]byte(strings.Repeat("x", len(poison))))
			ex.Body = h.Body()
		})
	})
	resp, text := r.fetch(t, url)
	if strings.Contains(text, poison) || resp.StatusCode < 500 {
		t.Errorf("%s with %q", resp.Status, text)
	}
	if stored, err := r.control.Show(t.Context(), url); len(stored) > 0 {
		t.Errorf("it is stored: %+v, %v", stored, err)
	}
}

// An older exchange, whoever signed it, never takes the place of the one that is stored, and
// what is old is not shown as new.
func TestReplayOfTheOld(t *testing.T) {
	friend := trust.NewIdentity()
	r := newReader(t, friend.Key().String())
	for name, tt := range map[string]struct{ stored, replayed string }{
		"stale and usable":                  {"max-age=60", "max-age=60"},
		"replayed one would still be fresh": {"max-age=60", "max-age=600000"},
		"must not be used unconfirmed":      {"no-cache", "max-age=600000"},
	} {
		t.Run(name, func(t *testing.T) {
			url := "http://www.example.org/" + strings.ReplaceAll(name, " ", "-")
			made := func(by time.Duration, cacheControl string) offer {
				return page(t, friend, url, func(ex *resource.Exchange) {
					age(ex, by)
					ex.Header.Set("Cache-Control", cacheControl)
				})
			}
			now := made(2*time.Minute, tt.stored)
			hostile(t, r.Addresses().Peer, trust.NewIdentity(), url, func() offer { return now })
			first, err := r.control.Get(t.Context(), url, "peers")
			if err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(first.Body); string(text) != poison || err != nil {
				t.Fatalf("the new one: %s, %q, %v", first.Status, text, err)
			}
			_ = first.Body.Close()
			eventually(t, "the storing", func() bool {
				stored, _ := r.control.Show(t.Context(), url)
				return len(stored) == 1
			})
			now = made(24*time.Hour, tt.replayed)
			before := len(r.log.String())
			resp, text := r.fetch(t, url)
			if status := resp.Header.Get("Proxy-Status"); !strings.Contains(status, "copies refused: older than the stored copy") {
				t.Errorf("%s: %s, %q", resp.Status, status, text)
			}
			if log := r.log.String()[before:]; !strings.Contains(log, "older than the stored copy") {
				t.Errorf("log: %s", log)
			}
		})
	}
	t.Run("nothing stored", func(t *testing.T) {
		const url = "http://www.example.org/old"
		hostile(t, r.Addresses().Peer, trust.NewIdentity(), url, func() offer {
			return page(t, friend, url, func(ex *resource.Exchange) { age(ex, 24*time.Hour) })
		})
		resp, text := r.fetch(t, url)
		seconds, err := strconv.Atoi(resp.Header.Get("Age"))
		if text != poison || err != nil || seconds < 24*60*60 {
			t.Errorf("%s, Age %q: %q", resp.Status, resp.Header.Get("Age"), text)
		}
	})
}
