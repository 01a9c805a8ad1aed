package peer

import (
	"bufio"
	"encoding/binary"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

func newBufReader(r io.Reader) *bufio.Reader { return bufio.NewReader(r) }

// Every way to answer falsely. An honest peer has the copy too: the reader must get it
// whole, whatever the liar does, and the liar is shunned where it was no accident.
func TestLies(t *testing.T) {
	type scene struct {
		t      testing.TB
		liar   *trust.Identity
		honest *item // what the honest peer has
	}
	whole := func(s scene) []byte { return answerWhole(s.t, s.honest) }
	cases := map[string]struct {
		answer func(s scene, w http.ResponseWriter, r *http.Request)
		shun   bool
		ranges bool // it is asked for ranges too; otherwise it has none
	}{
		"length too large": {func(s scene, w http.ResponseWriter, r *http.Request) {
			give(w, append(whole(s), 0))
		}, true, false},
		"length too small": {func(s scene, w http.ResponseWriter, r *http.Request) {
			b := whole(s)
			give(w, b[:len(b)-1])
		}, true, false},
		"head of 4 GiB": {func(s scene, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(5<<30))
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write([]byte{0xff, 0xff, 0xff, 0xff})
		}, true, false},
		"head just too large": {func(s scene, w http.ResponseWriter, r *http.Request) {
			give(w, append(binary.BigEndian.AppendUint32(nil, resource.MaxEncodedExchange+1), make([]byte, resource.MaxEncodedExchange+1)...))
		}, true, false},
		"head longer than the answer": {func(s scene, w http.ResponseWriter, r *http.Request) {
			give(w, []byte{0, 0, 1, 0, 1, 2, 3})
		}, true, false},
		"head of garbage": {func(s scene, w http.ResponseWriter, r *http.Request) {
			give(w, append([]byte{0, 0, 1, 0}, randomBody(256)...))
		}, true, false},
		"no content": {func(s scene, w http.ResponseWriter, r *http.Request) { give(w, nil) }, true, false},
		"another URL, well signed": {func(s scene, w http.ResponseWriter, r *http.Request) {
			give(w, answerWhole(s.t, makeItem(s.t, s.liar, "https://example.org/other", []byte("x"))))
		}, true, false},
		"changed head": {func(s scene, w http.ResponseWriter, r *http.Request) {
			ex := s.honest.exchange.Clone()
			ex.Header.Set("Content-Type", "text/plain")
			give(w, answerWhole(s.t, &item{ex, s.honest.body, s.honest.outboard}))
		}, true, false},
		"not signed": {func(s scene, w http.ResponseWriter, r *http.Request) {
			ex := s.honest.exchange.Clone()
			ex.Signatures = nil
			give(w, answerWhole(s.t, &item{ex, s.honest.body, s.honest.outboard}))
		}, false, false},
		"without a length": {func(s scene, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", contentType)
			_ = http.NewResponseController(w).Flush()
			_, _ = w.Write(whole(s))
		}, true, false},
		"another content type": {func(s scene, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(whole(s))))
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write(whole(s))
		}, true, false},
		"content coding": {func(s scene, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			give(w, whole(s))
		}, true, false},
		"redirect": {func(s scene, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1/", http.StatusFound)
		}, true, false},
		"switch of protocols": {func(s scene, w http.ResponseWriter, r *http.Request) {
			c, _, _ := http.NewResponseController(w).Hijack()
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
			c.Close()
		}, true, false},
		"endless header": {func(s scene, w http.ResponseWriter, r *http.Request) {
			c, _, _ := http.NewResponseController(w).Hijack()
			defer c.Close()
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for range 1 << 20 {
				if _, err := io.WriteString(c, "A: "+strings.Repeat("b", 1000)+"\r\n"); err != nil {
					return
				}
			}
		}, false, false},
		"no HTTP": {func(s scene, w http.ResponseWriter, r *http.Request) {
			c, _, _ := http.NewResponseController(w).Hijack()
			defer c.Close()
			_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n")
		}, false, false},
		"server error":      {func(s scene, w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) }, false, false},
		"busy":              {func(s scene, w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }, false, false},
		"closes the stream": {func(s scene, w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, false, false},
		"never answers":     {func(s scene, w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, false, false},
		"stalls in the head": {func(s scene, w http.ResponseWriter, r *http.Request) {
			b := whole(s)
			w.Header().Set("Content-Length", strconv.Itoa(len(b)))
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write(b[:50])
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, false, false},
		// From here on the head is right, so that this peer may win.
		"truncates the body": {func(s scene, w http.ResponseWriter, r *http.Request) {
			b := whole(s)
			w.Header().Set("Content-Length", strconv.Itoa(len(b)))
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write(b[:len(b)-100_000])
		}, false, false},
		"stalls in the body": {func(s scene, w http.ResponseWriter, r *http.Request) {
			b := whole(s)
			w.Header().Set("Content-Length", strconv.Itoa(len(b)))
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write(b[:100_000])
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, false, false},
		"drips": {func(s scene, w http.ResponseWriter, r *http.Request) {
			b := whole(s)
			w.Header().Set("Content-Length", strconv.Itoa(len(b)))
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write(b[:100_000])
			for _, c := range b[100_000:] {
				_, _ = w.Write([]byte{c})
				_ = http.NewResponseController(w).Flush()
				if !sleepAfter(r.Context(), nil, time.Second) {
					return
				}
			}
		}, false, false},
		"changes the body": {func(s scene, w http.ResponseWriter, r *http.Request) {
			b := whole(s)
			b[len(b)-200_000] ^= 1
			give(w, b)
		}, true, false},
		"changes the tree": {func(s scene, w http.ResponseWriter, r *http.Request) {
			b := whole(s)
			b[len(b)-len(sliceOf(s.t, s.honest, 0, int64(len(s.honest.body))))] ^= 1
			give(w, b)
		}, true, false},
	}
	// These break off and then lie about the rest.
	part := func(answer func(s scene, w http.ResponseWriter, part span)) func(scene, http.ResponseWriter, *http.Request) {
		return func(s scene, w http.ResponseWriter, r *http.Request) {
			if field := r.Header.Get("Range"); field != "" {
				p, _, _ := parseRange(field, int64(len(s.honest.body)))
				answer(s, w, p)
				return
			}
			cases["truncates the body"].answer(s, w, r)
		}
	}
	give206 := func(w http.ResponseWriter, p span, length int64, content []byte) {
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		w.Header().Set("Content-Range", p.contentRange(length))
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(content)
	}
	for name, answer := range map[string]func(s scene, w http.ResponseWriter, p span){
		"part: ignores the range": func(s scene, w http.ResponseWriter, p span) { give(w, whole(s)) },
		"part: another range": func(s scene, w http.ResponseWriter, p span) {
			p.offset++
			p.n--
			give206(w, p, 500_000, sliceOf(s.t, s.honest, p.offset, p.n))
		},
		"part: another length": func(s scene, w http.ResponseWriter, p span) {
			give206(w, p, 500_001, sliceOf(s.t, s.honest, p.offset, p.n))
		},
		"part: too short": func(s scene, w http.ResponseWriter, p span) {
			give206(w, p, 500_000, sliceOf(s.t, s.honest, p.offset, 1))
		},
		"part: wrong bytes": func(s scene, w http.ResponseWriter, p span) {
			b := sliceOf(s.t, s.honest, p.offset, p.n)
			b[len(b)-1] ^= 1
			give206(w, p, 500_000, b)
		},
	} {
		c := cases[name]
		c.answer, c.shun, c.ranges = part(answer), true, true
		cases[name] = c
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.end()
				a, b, liar := w.node(), w.node(), w.fake()
				want := randomBody(500_000)
				it := a.share(page, want)
				liar.serve(func(rw http.ResponseWriter, r *http.Request) {
					if r.URL.Path == pathDigest {
						rw.WriteHeader(http.StatusNoContent)
						return
					}
					if r.Header.Get("Range") != "" && !c.ranges {
						rw.WriteHeader(http.StatusNotFound)
						return
					}
					c.answer(scene{t, liar.identity, it}, rw, r)
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
			})
		})
	}
}
