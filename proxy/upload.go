package proxy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// upload is the content of a request on its way to the origin. A goroutine reads it from
// the client when it is asked for, so that nobody who wants it has to wait for a client
// that sends nothing: the transport gives up a broken connection only when it gets no
// more content. A client that stops sending is given up after the idle time.
type upload struct {
	body    io.ReadCloser
	trailer http.Header // of the request, filled in at the end
	control *http.ResponseController
	idle    time.Duration
	expects bool // the client sends only when it is told to (RFC 9110 section 10.1.1)

	settled chan struct{}  // closed when the transport has an answer, or none
	helpers sync.WaitGroup // goroutines, for which stop waits
	mu      sync.Mutex
	changed *sync.Cond
	begun   bool   // there is a pump, or was one
	wanted  bool   // the transport waits for more
	reading bool   // the pump is within body.Read
	dumping bool   // nobody wants what it reads
	data    []byte // what it has read
	err     error  // why there is no more behind that
	closed  bool   // the transport wants no more
	gone    error  // why the origin wants no more
	failed  error  // err, if the transport still wanted more
	over    bool   // nobody gets any more

	early  bool   // the answer has begun before the end of the upload
	ending string // what the answer still lacks then
}

// takeUpload makes the content of a request an upload, which has to be stopped. The
// request that has it is another: net/http looks at its own.
func (p *Proxy) takeUpload(w http.ResponseWriter, r *http.Request) (*upload, *http.Request) {
	u := &upload{
		body: r.Body, trailer: r.Trailer, control: http.NewResponseController(w), idle: p.cfg.Idle,
		expects: r.Header["Expect"] != nil && r.ProtoAtLeast(1, 1), settled: make(chan struct{}),
	}
	u.changed = sync.NewCond(&u.mu)
	taken := *r
	taken.Body = u
	return u, &taken
}

func uploadOf(r *http.Request) *upload {
	u, _ := r.Body.(*upload)
	return u
}

// Read is for the transport.
func (u *upload) Read(p []byte) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.wanted = true
	u.beginLocked()
	u.changed.Broadcast()
	for len(u.data) == 0 && u.err == nil && u.gone == nil && !u.closed {
		u.changed.Wait()
	}
	u.wanted = false
	switch {
	case u.closed:
		return 0, http.ErrBodyReadAfterClose
	case u.gone != nil:
		return 0, u.gone
	}
	n := copy(p, u.data)
	if u.data = u.data[n:]; len(u.data) > 0 {
		return n, nil
	}
	u.changed.Broadcast()
	return n, u.err
}

// Close says that the transport has had enough. The rest is thrown away as it comes,
// since there are clients that look for an answer only when they have sent all. One
// that was not told to send is not made to.
func (u *upload) Close() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed = true
	if !u.expects {
		u.beginLocked()
	}
	u.changed.Broadcast()
	return nil
}

// beginLocked starts the pump.
func (u *upload) beginLocked() {
	if !u.begun && !u.over {
		u.begun = true
		u.helpers.Go(u.pump)
	}
}

func (u *upload) pump() {
	buf := buffers.Get().(*[]byte)
	for u.turn() {
		n, err := u.body.Read((*buf)[:bufferSize])
		u.took((*buf)[:n], err)
	}
	buffers.Put(buf)
}

// turn waits until something is to be read; false = never again.
func (u *upload) turn() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	for {
		switch taken := len(u.data) == 0 || u.closed; {
		case u.over, u.err != nil && taken:
			return false
		case u.err == nil && taken && (u.wanted || u.closed):
			u.reading, u.dumping = true, u.closed
			_ = u.control.SetReadDeadline(time.Now().Add(u.idle))
			return true
		}
		u.changed.Wait()
	}
}

func (u *upload) took(data []byte, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.reading = false
	u.changed.Broadcast()
	if u.over {
		return
	}
	u.data, u.err = data, err
	if u.whole() {
		onlyTrailer(u.trailer)
	} else if !u.dumping {
		u.failed = err
	}
	if err == nil || u.whole() {
		// net/http goes on reading to notice when the client leaves: that has no deadline.
		// After an error it stays: net/http would wait for the rest before it answers.
		_ = u.control.SetReadDeadline(time.Time{})
	}
}

func (u *upload) whole() bool { return errors.Is(u.err, io.EOF) }

// isWhole reports whether the client has sent all.
func (u *upload) isWhole() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.whole()
}

// follow makes the upload end with a connection to the origin: net/http notices the end
// of one that speaks HTTP/1 only when it gets no more content.
func (u *upload) follow(c *headConn) {
	u.helpers.Go(func() {
		select {
		case <-c.ended:
			u.giveUp(c.lost())
		case <-u.settled:
		}
	})
}

func (u *upload) giveUp(err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.failed == nil { // or it ended for that
		u.gone = err
		u.changed.Broadcast()
	}
}

// settle says that what becomes of the connection to the origin no longer matters.
func (u *upload) settle() { close(u.settled) }

// stop ends all reading and waits for it. It may be called again.
func (u *upload) stop() {
	u.mu.Lock()
	u.over, u.closed = true, true
	u.changed.Broadcast()
	u.interruptLocked()
	u.mu.Unlock()
	u.helpers.Wait()
}

// interruptLocked makes that nothing more can be read. It waits for who is reading; nor
// does net/http wait for the rest then, before it closes the connection.
func (u *upload) interruptLocked() {
	if !u.whole() && u.control.SetReadDeadline(time.Unix(1, 0)) != nil && u.reading {
		_ = u.body.Close() // a body of tests
	}
	for u.reading {
		u.changed.Wait()
	}
}

// blame tells whether an exchange failed because of the client, whose content did
// not come in the form or length that it should have, and not because of the origin.
func blame(out *http.Request, err error) error {
	u := uploadOf(out)
	if err == nil || u == nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	broken := out.Context().Err() != nil // perhaps because the content is failing right now
	if broken {
		u.interruptLocked()
	}
	switch {
	case u.failed == nil, u.gone != nil && !broken:
		return err
	case errors.Is(u.failed, os.ErrDeadlineExceeded):
		return fmt.Errorf("%w: %w", errSlowUpload, u.failed)
	}
	return fmt.Errorf("%w: %w", errBadUpload, u.failed)
}
