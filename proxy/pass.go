package proxy

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strconv"
	"sync"
)

// pass forwards a request that the cache has no say in, with its content, and
// streams the answer back.
func (p *Proxy) pass(w http.ResponseWriter, r *http.Request) {
	fwd := fwdMethod
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		fwd = fwdBypass
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	hints := &hintWriter{w: w, deadline: p.deadline(w), done: !takesHints(r)}
	out := p.passing(hints.trace(ctx), r)
	requested := p.cfg.Now()
	response, err := p.transport.RoundTrip(out)
	hints.stop()
	if err = blame(out, err); err == nil {
		err = impossibleStatus(response.StatusCode)
	}
	if response != nil {
		defer response.Body.Close()
	}
	if err != nil {
		p.answer(w, r, report{failure: explain(err), cache: cacheStatus{fwd: fwd}})
		return
	}
	p.invalidate(r, response)
	cs := cacheStatus{fwd: fwd, fwdStatus: response.StatusCode}
	if kept := p.keepPosted(r, out.Header, response, requested); kept != nil {
		defer func() { _ = kept.Close() }()
		response.Body, cs.stored = kept, true
		defer p.commitPosted(ctx, kept)
	}
	p.passBack(ctx, w, r, response, cs, cancel)
}

// passing is the request to the origin, content and trailers included.
func (p *Proxy) passing(ctx context.Context, r *http.Request) *http.Request {
	out := outgoing(ctx, r, p.fields(r))
	if u := uploadOf(r); u != nil {
		out.Body = u
		out.ContentLength = r.ContentLength
		out.Trailer = r.Trailer // the same map: it is filled in while the body is read
		// Or else net/http would get the content from the client although the origin's
		// final answer says, on a connection to be kept, that it has no use for it.
		out.Close = u.expects
	}
	return out
}

// passBack sends an origin's response, whose context is given, to the client.
func (p *Proxy) passBack(ctx context.Context, w http.ResponseWriter, r *http.Request, response *http.Response, cs cacheStatus, cancel context.CancelCauseFunc) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	body := watch(response.Body, p.cfg.Idle, func() { cancel(errStalled) })
	n, err := 0, error(nil)
	if response.ContentLength > 0 && r.Method != http.MethodHead {
		n, err = body.Read(*buf) // while the client can still be told that nothing comes
	}
	if n == 0 && err != nil {
		err = fmt.Errorf("%w: %w", errIncomplete, causeOf(ctx, err))
		p.answer(w, r, report{failure: explain(err), cache: cs, received: response.StatusCode})
		return
	}
	announced := slices.Collect(maps.Keys(response.Trailer))
	p.passHead(w, r, response, announced, cs)
	if err := p.copyBody(w, body, *buf, n, err, response.ContentLength); err != nil {
		p.log.Debug("body broken off", "err", err)
		panic(http.ErrAbortHandler) // the client must notice that this is not all
	}
	writeTrailer(w.Header(), response.Trailer, announced)
	if response.ContentLength < 0 && hasContent(response.StatusCode) && r.Method != http.MethodHead {
		endEarly(r, response.Trailer)
	}
}

func (p *Proxy) passHead(w http.ResponseWriter, r *http.Request, response *http.Response, announced []string, cs cacheStatus) {
	h := w.Header()
	age := response.Header["Age"]
	endToEnd(response.Header)
	for name, lines := range response.Header {
		h[name] = lines
	}
	if age != nil {
		h["Age"] = age
	}
	if h["Content-Type"] == nil {
		h["Content-Type"] = nil // keeps net/http from guessing one
	}
	delete(h, "Content-Length")
	if response.ContentLength >= 0 && hasContent(response.StatusCode) {
		h["Content-Length"] = []string{strconv.FormatInt(response.ContentLength, 10)}
	}
	p.label(h, response.Header, version(response.ProtoMajor, response.ProtoMinor), cs, proxyStatus{received: response.StatusCode})
	// A 304 without policies leaves the client those that it has, with ours among them: to add ours here would
	// put it in the place of the site's own (RFC 9111 section 3.2).
	if response.StatusCode != http.StatusNotModified || h["Content-Security-Policy"] != nil {
		p.fence(h, r, destinationOf(r, contentTypeOf(h)))
	}
	announceTrailer(h, r, announced)
	answerNow(w, r)
	w.WriteHeader(response.StatusCode)
	if response.ContentLength < 0 {
		p.deadline(w)()
		_ = flush(http.NewResponseController(w)) // it may be long until the first event
	}
}

// copyBody streams without waiting for more than has come: a read that did not fill
// the buffer is flushed, unless it was the last. The first read has been made.
func (p *Proxy) copyBody(w http.ResponseWriter, body io.Reader, buf []byte, n int, err error, length int64) error {
	control, deadline := http.NewResponseController(w), p.deadline(w)
	for copied := int64(0); ; n, err = body.Read(buf) {
		if n > 0 {
			deadline()
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
			if copied += int64(n); n < len(buf) && copied != length && err == nil {
				if err := flush(control); err != nil {
					return err
				}
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// hintWriter passes interim responses on as they come (RFC 9110 section 15.2).
type hintWriter struct {
	mu       sync.Mutex // the trace may be called by the transport's goroutines, even late
	w        http.ResponseWriter
	deadline func()
	done     bool
}

func (h *hintWriter) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(status int, fields textproto.MIMEHeader) error {
			h.mu.Lock()
			defer h.mu.Unlock()
			if !h.done && status != http.StatusContinue && status != http.StatusSwitchingProtocols {
				h.deadline()
				passHint(h.w, hint{status, http.Header(fields).Clone()})
			}
			return nil
		},
	})
}

func (h *hintWriter) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = true
}
