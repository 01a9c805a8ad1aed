package peer

import (
	"encoding/binary"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// liedLength is that of the body that the lies are about, in bytes.
const liedLength = 500_000

// falseHeads are answers whose beginning no honest peer gives.
var falseHeads = map[string]lie{
	"length too large": {func(s scene, w http.ResponseWriter, r *http.Request) {
		give(w, append(s.whole(), 0))
	}, true},
	"length too small": {func(s scene, w http.ResponseWriter, r *http.Request) {
		b := s.whole()
		give(w, b[:len(b)-1])
	}, true},
	"head of 4 GiB": {func(s scene, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(5<<30))
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write([]byte{0xff, 0xff, 0xff, 0xff})
	}, true},
	"head just too large": {func(s scene, w http.ResponseWriter, r *http.Request) {
		give(w, append(binary.BigEndian.AppendUint32(nil, resource.MaxEncodedExchange+1), make([]byte, resource.MaxEncodedExchange+1)...))
	}, true},
	"head longer than the answer": {func(s scene, w http.ResponseWriter, r *http.Request) {
		give(w, []byte{0, 0, 1, 0, 1, 2, 3})
	}, true},
	"head of garbage": {func(s scene, w http.ResponseWriter, r *http.Request) {
		give(w, append([]byte{0, 0, 1, 0}, randomBody(256)...))
	}, true},
	"no content": {func(s scene, w http.ResponseWriter, r *http.Request) { give(w, nil) }, true},
	"another URL, well signed": {func(s scene, w http.ResponseWriter, r *http.Request) {
		give(w, answerWhole(s.t, makeItem(s.t, s.liar, "https://example.org/other", []byte("x"))))
	}, true},
	"changed head": {func(s scene, w http.ResponseWriter, r *http.Request) {
		ex := s.honest.exchange.Clone()
		ex.Header.Set("Content-Type", "text/plain")
		give(w, answerWhole(s.t, &item{ex, s.honest.body, s.honest.outboard}))
	}, true},
	"not signed": {func(s scene, w http.ResponseWriter, r *http.Request) {
		ex := s.honest.exchange.Clone()
		ex.Signatures = nil
		give(w, answerWhole(s.t, &item{ex, s.honest.body, s.honest.outboard}))
	}, false},
}

// falseForms are answers that HTTP permits, or not, and the protocol does not.
var falseForms = map[string]lie{
	"without a length": {func(s scene, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_ = http.NewResponseController(w).Flush()
		_, _ = w.Write(s.whole())
	}, true},
	"another content type": {func(s scene, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(s.whole())))
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write(s.whole())
	}, true},
	"content coding": {func(s scene, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		give(w, s.whole())
	}, true},
	"redirect": {func(s scene, w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1/", http.StatusFound)
	}, true},
	"switch of protocols": {func(s scene, w http.ResponseWriter, r *http.Request) {
		c, _, _ := http.NewResponseController(w).Hijack()
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
		c.Close()
	}, true},
	"endless header": {func(s scene, w http.ResponseWriter, r *http.Request) {
		c, _, _ := http.NewResponseController(w).Hijack()
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
		for range 1 << 20 {
			if _, err := io.WriteString(c, "A: "+strings.Repeat("b", 1000)+"\r\n"); err != nil {
				return
			}
		}
	}, false},
	"no HTTP": {func(s scene, w http.ResponseWriter, r *http.Request) {
		c, _, _ := http.NewResponseController(w).Hijack()
		defer c.Close()
		_, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n")
	}, false},
}

// failures are no lies: the peer may be unlucky.
var failures = map[string]lie{
	"server error":      {func(s scene, w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) }, false},
	"busy":              {func(s scene, w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }, false},
	"closes the stream": {func(s scene, w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, false},
	"never answers":     {func(s scene, w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, false},
	"stalls in the head": {func(s scene, w http.ResponseWriter, r *http.Request) {
		b := s.whole()
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(b[:50])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}, false},
}

// falseBodies follow a head that is right, so that their peer may win.
var falseBodies = map[string]lie{
	"truncates the body": {func(s scene, w http.ResponseWriter, r *http.Request) {
		b := s.whole()
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(b[:len(b)-100_000])
	}, false},
	"stalls in the body": {func(s scene, w http.ResponseWriter, r *http.Request) {
		b := s.whole()
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(b[:100_000])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}, false},
	"drips": {func(s scene, w http.ResponseWriter, r *http.Request) {
		b := s.whole()
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
	}, false},
	"changes the body": {func(s scene, w http.ResponseWriter, r *http.Request) {
		b := s.whole()
		b[len(b)-200_000] ^= 1
		give(w, b)
	}, true},
	"changes the tree": {func(s scene, w http.ResponseWriter, r *http.Request) {
		b := s.whole()
		b[len(b)-len(sliceOf(s.t, s.honest, 0, int64(len(s.honest.body))))] ^= 1
		give(w, b)
	}, true},
}

// falseParts are answers to the question for the rest of a body that was truncated.
var falseParts = map[string]partLie{
	"part: ignores the range": func(s scene, w http.ResponseWriter, p span) { give(w, s.whole()) },
	"part: another range": func(s scene, w http.ResponseWriter, p span) {
		p.offset++
		p.n--
		give206(w, p, liedLength, sliceOf(s.t, s.honest, p.offset, p.n))
	},
	"part: another length": func(s scene, w http.ResponseWriter, p span) {
		give206(w, p, liedLength+1, sliceOf(s.t, s.honest, p.offset, p.n))
	},
	"part: too short": func(s scene, w http.ResponseWriter, p span) {
		give206(w, p, liedLength, sliceOf(s.t, s.honest, p.offset, 1))
	},
	"part: wrong bytes": func(s scene, w http.ResponseWriter, p span) {
		b := sliceOf(s.t, s.honest, p.offset, p.n)
		b[len(b)-1] ^= 1
		give206(w, p, liedLength, b)
	},
}

func give206(w http.ResponseWriter, p span, length int64, content []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	w.Header().Set("Content-Range", p.contentRange(length))
	w.WriteHeader(http.StatusPartialContent)
	_, _ = w.Write(content)
}
