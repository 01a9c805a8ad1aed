package proxy

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
)

// maxInterims bounds how many interim responses come before a response: net/http leaves
// that to those who look at them.
const maxInterims = 32

// hopFields is a transport that sees to what net/http lets through or keeps to itself.
// It gives responses back the Connection field that net/http takes away from
// those that say "close" in it: other names in it are of fields for this hop, too,
// which must not go further (RFC 9110 section 7.6.1). It needs a transport whose
// connections are those of recorded.
type hopFields struct{ http.RoundTripper }

// RoundTrip sends a request.
func (t hopFields) RoundTrip(r *http.Request) (*http.Response, error) {
	x := &exchanging{upload: uploadOf(r), method: r.Method}
	ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{GotConn: x.gotConn, Got1xxResponse: x.gotInterim})
	response, err := t.RoundTripper.RoundTrip(r.WithContext(ctx))
	if x.upload != nil {
		x.upload.settle()
	}
	if x.interims.Load() > maxInterims && err != nil {
		return nil, fmt.Errorf("%w: interim responses without end", errProtocol)
	}
	if watched := x.watched.Load(); watched != nil {
		err = watched.judge(response, err)
	}
	if err == nil {
		err = mend(response.Header)
	}
	if err != nil && response != nil {
		_ = response.Body.Close()
		response = nil
	}
	return response, err
}

// exchanging is one request on its way. Its methods are called by goroutines of the
// transport, perhaps late.
type exchanging struct {
	upload   *upload // nil = there is no content
	method   string
	watched  atomic.Pointer[watchedResponse] // nil: over HTTP/2 the bytes tell nothing
	conn     atomic.Pointer[net.Conn]
	interims atomic.Int32
}

func (x *exchanging) gotConn(info httptrace.GotConnInfo) {
	x.conn.Store(&info.Conn)
	c, watched := info.Conn.(*headConn)
	if !watched {
		x.watched.Store(nil)
		return
	}
	x.watched.Store(&watchedResponse{c, c.start(x.method, info.Reused)})
	if x.upload != nil {
		x.upload.follow(c)
	}
}

// watchedResponse is a response that comes over a watched connection.
type watchedResponse struct {
	conn  *headConn
	heard *heard
}

func (x *exchanging) gotInterim(_ int, fields textproto.MIMEHeader) error {
	_ = mend(http.Header(fields)) // they have no content
	if conn := x.conn.Load(); x.interims.Add(1) > maxInterims && conn != nil {
		_ = (*conn).Close()
	}
	return nil
}

// judge completes what came over the connection, or finds that it is not to be trusted.
func (w *watchedResponse) judge(response *http.Response, err error) error {
	head := w.conn.take(w.heard)
	switch {
	case err != nil && strings.Contains(err.Error(), "headers exceeded") && head.longest > maxHead/2:
		return fmt.Errorf("%w: %w", errLongField, err)
	case err != nil:
		return err
	case head.faulty():
		return fmt.Errorf("%w: framed for another version", errProtocol)
	}
	dropHidden(response.Header)
	if response.Close && response.Header["Connection"] == nil && head.fields["Connection"] != nil {
		response.Header["Connection"] = head.fields["Connection"]
	}
	if secure, ok := w.conn.Conn.(*tls.Conn); ok {
		state := secure.ConnectionState()
		response.TLS = &state
	}
	return nil
}

// mend removes blanks behind the names of fields, as a proxy has to (RFC 9112 section
// 5.1), and names with others in them. It fails if that brings something to light that
// says how the content is framed, and that net/http has missed.
func mend(h http.Header) error {
	for name, lines := range h {
		if !strings.Contains(name, " ") {
			continue
		}
		delete(h, name)
		switch name = http.CanonicalHeaderKey(strings.TrimRight(name, " ")); {
		case name == "Content-Length", name == "Transfer-Encoding":
			return fmt.Errorf("%w: blank in a field's name", errProtocol)
		case !strings.Contains(name, " "):
			h[name] = append(h[name], lines...)
		}
	}
	return nil
}
