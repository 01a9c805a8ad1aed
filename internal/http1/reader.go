package http1

import "io"

// What a parser gets in place of the bytes that are refused. Neither completes anything.
const (
	// A head that has no further line end stays incomplete; an error ends it. These
	// bytes come before the error because net/http hangs up without an answer if a
	// connection fails before four bytes of a request.
	insteadOfHead = "????"
	// This is no chunk size, no end of a chunk and no trailer section, whatever part of
	// them has come before. An error instead would make net/http cancel the request's
	// context, as if the client had gone.
	insteadOfContent = "\r\r\n?\r\n\r\n"
)

// Reader hands a client's bytes to a parser of HTTP/1.1 as far as a [Scanner] lets them
// pass, and each time no further than to the end of the message that the parser is at. Its
// methods must not be called concurrently.
type Reader struct {
	src  io.Reader
	scan Scanner
	held []byte // was read from src together with the end of an earlier message
	raw  []byte // was handed out although it may not be HTTP

	bad     *Error // what the Scanner found, once it has
	instead string // what is still to be handed out because of it
	refused *Error // bad, once the parser was told
	over    bool
}

// NewReader returns a Reader of a connection on which nothing was sent yet.
func NewReader(src io.Reader, l Limits) *Reader { return &Reader{src: src, scan: newScanner(l)} }

// Read implements io.Reader. From a refused stream it gives something that the parser
// can only fail at, and then the [*Error].
func (r *Reader) Read(p []byte) (int, error) {
	for len(p) > 0 {
		switch {
		case r.over:
			return 0, io.EOF
		case r.bad != nil:
			return r.refuse(p)
		case r.scan.Awaiting() != NoChange:
			return r.readRaw(p[:1])
		}
		if n, err := r.readScanned(p); n > 0 || err != nil {
			return n, err
		}
	}
	return 0, nil
}

// readScanned reads bytes that the Scanner has let pass. It may take some and give none.
func (r *Reader) readScanned(p []byte) (int, error) {
	if len(r.held) > 0 {
		some := r.held[:min(len(p), len(r.held))]
		from, to := r.judge(some)
		if r.held = r.held[to:]; len(r.held) == 0 {
			r.held = nil // is seldom needed, so it is not kept
		}
		return copy(p, some[from:to]), nil
	}
	n, err := r.src.Read(p)
	if n == 0 {
		return 0, err
	}
	from, to := r.judge(p[:n])
	if to < n && r.bad == nil {
		r.held = append(r.held, p[to:n]...)
	}
	if from > 0 {
		copy(p, p[from:to])
	}
	return to - from, nil // if there was an error beside the bytes, it will come again
}

func (r *Reader) judge(p []byte) (from, to int) {
	from, to, r.bad = r.scan.feed(p)
	if r.bad != nil {
		r.instead = insteadOfHead
		if r.scan.InContent() {
			r.instead = insteadOfContent
		}
	}
	return from, to
}

// refuse tells the parser what has been found.
func (r *Reader) refuse(p []byte) (int, error) {
	r.refused = r.bad
	if r.instead == "" {
		return 0, r.bad
	}
	n := copy(p, r.instead)
	r.instead = r.instead[n:]
	return n, nil
}

// readRaw reads what may be HTTP or not: the request that would end HTTP has not yet been
// answered. net/http reads a single byte then, to notice when the client leaves.
func (r *Reader) readRaw(p []byte) (n int, err error) {
	if len(r.held) > 0 {
		n = copy(p, r.held)
		r.held = r.held[n:]
	} else {
		n, err = r.src.Read(p)
	}
	r.raw = append(r.raw, p[:n]...)
	return n, err
}

// Refused is why the parser was given something to fail at, or nil if that was not so.
func (r *Reader) Refused() *Error { return r.refused }

// Answered says that the last message was answered and the connection is still one of
// HTTP. If it had asked for a tunnel, nothing more is read: some clients send what is to go
// through it without waiting, and it could be anything, requests included (RFC 9931).
func (r *Reader) Answered() {
	switch r.scan.Awaiting() {
	case Connect:
		r.over = true
	case Upgrade:
		r.scan.Resume()
		from, to := r.judge(r.raw)
		if from > 0 || to < len(r.raw) && r.bad == nil {
			r.over = true // the parser has had what it should not
		}
		r.raw = nil
	}
}

// Release says that the connection is no longer one of HTTP. It returns what the Reader has
// read and not handed out; from now on it passes on everything.
func (r *Reader) Release() []byte {
	early := r.held
	r.held = nil
	r.scan.Opaque()
	return early
}
