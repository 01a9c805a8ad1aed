package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

// answer is what a peer gave: a verified head, and a body that is a slice and still
// to be verified while it is read.
type answer struct {
	session  *session
	exchange *resource.Exchange // nil for a part
	tier     resource.Tier      // 0: a valid signature of nobody who is trusted
	signer   trust.Key
	slice    io.ReadCloser
	done     func() // ends the use of the session and the request
}

// close drops what is left of the answer.
func (a *answer) close() {
	_ = a.slice.Close()
	a.done()
}

// question is what is asked of a session. It returns [ErrNotHeld], an error that wraps
// errLie or errBusy, [ErrUnverified], or that of the connection.
type question func(ctx context.Context, s *session) (*answer, error)

// whole asks for head and body of a query. If a copy that is signed by nobody who is trusted may
// still be witnessed, the answer's tier is 0.
func (w *Swarm) whole(q resource.Query) question {
	return w.exchange(q, pathResource, readHead, w.mayWitness())
}

// trusted asks like [Swarm.whole], for a copy that needs no witnesses to be accepted.
func (w *Swarm) trusted(q resource.Query) question {
	return w.exchange(q, pathResource, readHead, false)
}

// head asks for the head alone, which carries the witnesses that the peer knows. The
// answer has no slice, and its tier may be 0.
func (w *Swarm) head(q resource.Query) question {
	return w.exchange(q, pathWitness, readHeadOnly, w.mayWitness())
}

// exchange asks for what begins with a head, which read reads. It is verified.
func (w *Swarm) exchange(q resource.Query, path string, read func(io.Reader, int64) (*resource.Exchange, error), anybody bool) question {
	path += q.ID().Blind(w.cfg.Secret).String()
	return func(ctx context.Context, s *session) (*answer, error) {
		resp, err := get(ctx, s, path, selecting(q.Header))
		if err != nil {
			return nil, err
		}
		a, err := w.readAnswer(resp, q, read, anybody)
		if err != nil {
			_ = resp.Body.Close()
			return nil, err
		}
		a.session = s
		return a, nil
	}
}

func (w *Swarm) readAnswer(resp *http.Response, q resource.Query, read func(io.Reader, int64) (*resource.Exchange, error), anybody bool) (*answer, error) {
	if err := checkAnswer(resp, http.StatusOK); err != nil {
		return nil, err
	}
	ex, err := read(resp.Body, resp.ContentLength)
	if err != nil {
		return nil, err
	}
	if ex.Method != q.Method || ex.URL != q.URL {
		return nil, fmt.Errorf("%w: %w", errLie, trust.ErrWrongTarget)
	}
	tier, signer, err := w.cfg.Verifier.Verify(ex, q)
	if err != nil && !(anybody && errors.Is(err, trust.ErrUntrusted)) {
		return nil, verifyError(err)
	}
	if !w.cfg.Matches(q.Header, ex) {
		return nil, ErrNotHeld
	}
	return &answer{exchange: ex, tier: tier, signer: signer, slice: resp.Body}, nil
}

// verifyError tells lies from copies that are merely not proven well enough for us.
func verifyError(err error) error {
	if errIs(err, trust.ErrBadSignature, trust.ErrWrongTarget) {
		return fmt.Errorf("%w: %w", errLie, err)
	}
	return fmt.Errorf("%w: %w", ErrUnverified, err)
}

// rest asks for the part of a body from an offset to its end.
func (w *Swarm) rest(q resource.Query, body resource.Body, offset int64) question {
	path := pathResource + q.ID().Blind(w.cfg.Secret).String()
	part := span{offset, body.Length - offset}
	return func(ctx context.Context, s *session) (*answer, error) {
		header := selecting(q.Header)
		header.Set("If-Match", etag(body.Root))
		header.Set("Range", part.rangeField())
		resp, err := get(ctx, s, path, header)
		if err != nil {
			return nil, err
		}
		if err := checkPart(resp, body, part); err != nil {
			_ = resp.Body.Close()
			return nil, err
		}
		return &answer{session: s, slice: resp.Body}, nil
	}
}

func checkPart(resp *http.Response, body resource.Body, part span) error {
	if err := checkAnswer(resp, http.StatusPartialContent); err != nil {
		return err
	}
	if got := resp.Header.Get("Content-Range"); got != part.contentRange(body.Length) {
		return fmt.Errorf("%w: another range", errLie)
	}
	if resp.ContentLength != resource.SliceSize(body.Length, part.offset, part.n) {
		return fmt.Errorf("%w: wrong length of a slice", errLie)
	}
	return nil
}

func get(ctx context.Context, s *session, path string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://peer"+path, nil)
	if err != nil {
		return nil, err
	}
	header["User-Agent"] = nil
	req.Header = header
	return s.transport.RoundTrip(req)
}

// checkAnswer looks at the status and at what every answer with content must have.
func checkAnswer(resp *http.Response, want int) error {
	switch resp.StatusCode {
	case want:
	case http.StatusNotFound, http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable:
		return ErrNotHeld
	default:
		if resp.StatusCode >= 400 {
			return fmt.Errorf("%w: status %d", errBusy, resp.StatusCode)
		}
		return fmt.Errorf("%w: status %d", errLie, resp.StatusCode)
	}
	switch {
	case resp.Header.Get("Content-Type") != contentType:
		return fmt.Errorf("%w: wrong content type", errLie)
	case resp.ContentLength < 0 || resp.Header.Get("Content-Encoding") != "":
		return fmt.Errorf("%w: content without a length", errLie)
	}
	return nil
}

// ask puts a question to a session. Until the verified head is there, the time for an
// answer runs and ctx counts; then the answer lives until it is closed.
func (w *Swarm) ask(ctx context.Context, s *session, q question) (*answer, error) {
	used := s.use()
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	bounded, release := context.WithTimeout(ctx, w.cfg.Timeouts.Ask)
	stop := context.AfterFunc(bounded, cancel)
	a, err := q(life, s)
	inTime := stop()
	release()
	if err == nil && !inTime {
		_ = a.slice.Close()
		err = context.DeadlineExceeded
	}
	if err != nil {
		cancel()
		used()
		w.noteFailure(s, err)
		return nil, err
	}
	s.misses.Store(0)
	a.done = func() { cancel(); used() }
	return a, nil
}

// noteFailure remembers what an answer says about its peer.
func (w *Swarm) noteFailure(s *session, err error) {
	if errors.Is(err, errLie) {
		w.lied(s, err)
		return
	}
	if errors.Is(err, ErrUnverified) || errors.Is(err, ErrTruncated) {
		w.log.Debug("copy refused", "peer", s.key, "error", err)
	}
	s.misses.Add(1)
}
