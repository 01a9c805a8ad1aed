package peer

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/peerproxy/peerproxy/resource"
)

const (
	pathResource = "/r/"
	pathWitness  = "/w/"
	pathDigest   = "/digest"
	digestType   = "application/peerproxy-digest"
)

// server answers the questions of one session.
type server struct {
	swarm   *Swarm
	session *session
}

// ServeHTTP implements http.Handler.
func (h server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header()["Date"] = nil // a clock is a fingerprint, and of no use here
	if r.ContentLength != 0 {
		// The server waits for content even where the handler has no use for it.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(requestWait))
	}
	release, ok := h.acquire()
	if !ok {
		empty(w, http.StatusServiceUnavailable)
		return
	}
	defer release()
	switch {
	case strings.HasPrefix(r.URL.Path, pathResource):
		h.resource(w, r)
	case strings.HasPrefix(r.URL.Path, pathWitness):
		h.witness(w, r)
	case r.URL.Path == pathDigest:
		h.digest(w, r)
	default:
		empty(w, http.StatusNotFound)
	}
}

// acquire takes a slot of the session and one of all sessions.
func (h server) acquire() (release func(), ok bool) {
	select {
	case h.session.slots <- struct{}{}:
	default:
		return nil, false
	}
	select {
	case h.swarm.slots <- struct{}{}:
	default:
		<-h.session.slots
		return nil, false
	}
	return func() { <-h.swarm.slots; <-h.session.slots }, true
}

func empty(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Length", "0")
	w.WriteHeader(status)
}

func allowed(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	for _, m := range methods {
		if r.Method == m {
			return true
		}
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	empty(w, http.StatusMethodNotAllowed)
	return false
}

// resource answers GET and HEAD of /r/<blinded ID>.
func (h server) resource(w http.ResponseWriter, r *http.Request) {
	if !allowed(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	h.withCopy(w, r, pathResource, h.give)
}

// witness answers GET of /w/<blinded ID>: the head of a copy, with the signatures of all witnesses
// that this node knows.
func (h server) witness(w http.ResponseWriter, r *http.Request) {
	if !allowed(w, r, http.MethodGet) {
		return
	}
	h.withCopy(w, r, pathWitness, h.giveHead)
}

// withCopy opens the copy that the rest of the path asks for and has it given.
func (h server) withCopy(w http.ResponseWriter, r *http.Request, path string, give func(http.ResponseWriter, *http.Request, *Shared) error) {
	defer h.session.use()()
	shared, err := h.open(r, path)
	if errors.Is(err, ErrNotHeld) {
		empty(w, http.StatusNotFound)
		return
	}
	if err != nil {
		h.swarm.log.Warn("open shared copy", "error", err)
		empty(w, http.StatusServiceUnavailable)
		return
	}
	defer func() { _ = shared.Close() }() // it was only read
	if err := give(w, r, shared); err != nil {
		h.swarm.log.Debug("give copy", "peer", h.session.key, "error", err)
	}
}

// open finds what is asked for. What is held but not shared is not in the catalog,
// and so takes the very same path as what is not held.
func (h server) open(r *http.Request, path string) (*Shared, error) {
	blinded, err := resource.ParseBlindedID(strings.TrimPrefix(r.URL.Path, path))
	if err != nil {
		return nil, ErrNotHeld
	}
	id, ok := h.swarm.cfg.Catalog.lookup(blinded)
	if !ok {
		return nil, ErrNotHeld
	}
	return h.swarm.cfg.Source.Open(r.Context(), id, selecting(r.Header))
}

// giveHead writes the head alone. With If-Match, a copy with another body is as none at all:
// who asks so has no use for it.
func (h server) giveHead(w http.ResponseWriter, r *http.Request, shared *Shared) error {
	tag := etag(shared.Exchange.Body.Root)
	if field := r.Header.Get("If-Match"); field != "" && !matchesTag(field, tag) {
		empty(w, http.StatusNotFound)
		return nil
	}
	head, err := encodeHead(shared.Exchange)
	if err != nil {
		empty(w, http.StatusServiceUnavailable)
		return err
	}
	w.Header().Set("ETag", tag)
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(head)))
	w.WriteHeader(http.StatusOK)
	out := &uploadWriter{ctx: r.Context(), w: w, limit: h.swarm.upload, total: &h.session.served}
	_, err = out.Write(head)
	return err
}

// maxSelecting bounds the selecting fields of one name in a request, in bytes. Longer
// ones are as if they were not there.
const maxSelecting = 2 << 10

// selecting is the part of a request's fields that chooses a variant.
func selecting(h http.Header) http.Header {
	out := make(http.Header)
	for _, name := range resource.SelectingFields {
		v := h.Values(name)
		size := 0
		for _, line := range v {
			size += len(line)
		}
		if len(v) > 0 && size <= maxSelecting {
			out[name] = append([]string(nil), v...)
		}
	}
	return out
}

// give writes the answer: preconditions first, then the range (RFC 9110 section 13.2.2).
func (h server) give(w http.ResponseWriter, r *http.Request, shared *Shared) error {
	body := shared.Exchange.Body
	tag := etag(body.Root)
	header := w.Header()
	header.Set("ETag", tag)
	header.Set("Accept-Ranges", rangeUnit)
	if field := r.Header.Get("If-Match"); field != "" && !matchesTag(field, tag) {
		empty(w, http.StatusPreconditionFailed)
		return nil
	}
	part, ranged, err := span{}, false, error(nil)
	if r.Method == http.MethodGet { // RFC 9110 section 14.2: not for other methods
		part, ranged, err = parseRange(r.Header.Get("Range"), body.Length)
	}
	if err != nil {
		header.Set("Content-Range", unsatisfied(body.Length))
		empty(w, http.StatusRequestedRangeNotSatisfiable)
		return nil
	}
	status, head := http.StatusPartialContent, []byte(nil)
	if ranged {
		header.Set("Content-Range", part.contentRange(body.Length))
	} else {
		status, part = http.StatusOK, span{0, body.Length}
		if head, err = encodeHead(shared.Exchange); err != nil {
			empty(w, http.StatusServiceUnavailable)
			return err
		}
	}
	size := int64(len(head)) + resource.SliceSize(body.Length, part.offset, part.n)
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.FormatInt(size, 10))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	return h.send(r.Context(), w, head, shared, part)
}

// send writes the head and the slice. If it fails, the stream is closed before all
// that was announced has been sent, which the other side notices.
func (h server) send(ctx context.Context, w io.Writer, head []byte, shared *Shared, part span) error {
	out := &uploadWriter{ctx: ctx, w: w, limit: h.swarm.upload, total: &h.session.served}
	if _, err := out.Write(head); err != nil {
		return err
	}
	return resource.WriteSlice(out, shared.Data, shared.Outboard, shared.Exchange.Body.Length, part.offset, part.n)
}

// uploadWriter keeps to the upload rate, if there is one.
type uploadWriter struct {
	ctx   context.Context // of the one request that the writer lives for
	w     io.Writer
	limit *rate.Limiter // nil: no limit
	total interface{ Add(int64) int64 }
}

// Write implements io.Writer.
func (u *uploadWriter) Write(p []byte) (n int, err error) {
	if u.limit == nil {
		n, err = u.w.Write(p)
		u.total.Add(int64(n))
		return n, err
	}
	for n < len(p) && err == nil {
		part := p[n:min(len(p), n+u.limit.Burst())]
		if err = u.limit.WaitN(u.ctx, len(part)); err == nil {
			var m int
			m, err = u.w.Write(part)
			u.total.Add(int64(m))
			n += m
		}
	}
	return n, err
}

// newUploadLimit allows bytes per second, and what fills a message at once.
func newUploadLimit(bytes int64) *rate.Limiter {
	if bytes <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(bytes), maxMessage)
}

// digest takes the other side's digest (PUT) or a change of it (PATCH).
func (h server) digest(w http.ResponseWriter, r *http.Request) {
	if !allowed(w, r, http.MethodPut, http.MethodPatch) {
		return
	}
	if !h.session.digests.Allow() {
		empty(w, http.StatusTooManyRequests)
		return
	}
	content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDigestBody))
	if err == nil {
		err = h.takeDigest(r.Method, content)
	}
	status := http.StatusNoContent
	var tooLarge *http.MaxBytesError
	var late net.Error
	switch {
	case errors.As(err, &late) && late.Timeout():
		status = http.StatusRequestTimeout
	case errors.As(err, &tooLarge), errors.Is(err, errDigestLarge):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, errNoDigest):
		status = http.StatusConflict
	case err != nil:
		status = http.StatusBadRequest
	}
	w.WriteHeader(status)
}

func (h server) takeDigest(method string, content []byte) error {
	limit := h.swarm.cfg.Limits.DigestEntries
	if method == http.MethodPut {
		d, err := parseDigest(content, limit)
		if err == nil {
			h.session.remote.put(d)
		}
		return err
	}
	d, err := parseDelta(content, limit)
	if err != nil {
		return err
	}
	return h.session.remote.patch(d, limit)
}
