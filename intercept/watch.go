package intercept

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"reflect"
	"sync/atomic"
	"syscall"
	"time"
)

// watched is an opened connection. It notices a client that leaves after it has seen the
// certificate: some check it only when the handshake is over.
type watched struct {
	*tls.Conn
	name   string
	bypass *bypass
	since  time.Time // of the handshake
	judged atomic.Bool
}

// Read implements net.Conn.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if (n > 0 || err != nil) && !w.judged.Swap(true) {
		w.judge(n, err)
	}
	return n, err
}

func (w *watched) judge(n int, err error) {
	switch {
	case n > 0:
		w.bypass.stayed(w.name)
	case refusal(err):
		w.bypass.refused(w.name)
	case hungUp(err) && w.bypass.now().Sub(w.since) < leaveTime:
		w.bypass.left(w.name)
	}
}

// refusal reports whether a client has said that it does not accept the certificate (RFC
// 8446 section 6.2). ech_required is none: it asks for another hello.
func refusal(err error) bool {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return false
	}
	number := reflect.ValueOf(op.Err) // its type is hidden, but known to be a number
	if !number.CanUint() {
		return false
	}
	return refuses(number.Uint())
}

// refusedInPlain finds such an alert in the bytes that a client has sent when it was shown the
// certificate. OpenSSL sends it in the clear there, which crypto/tls can't read, perhaps behind the record
// change_cipher_spec (RFC 8446 appendix D.4).
func refusedInPlain(reply []byte) bool {
	reply = bytes.TrimPrefix(reply, []byte{20, 3, 3, 0, 1, 1})
	return len(reply) >= 7 && reply[0] == 21 && reply[1] == 3 && reply[3] == 0 && reply[4] == 2 && refuses(uint64(reply[6]))
}

// refuses reports whether an alert is about the certificate.
func refuses(alert uint64) bool {
	switch alert {
	case 42, // bad_certificate
		43,  // unsupported_certificate
		44,  // certificate_revoked
		45,  // certificate_expired
		46,  // certificate_unknown
		48,  // unknown_ca
		49,  // access_denied
		113: // bad_certificate_status_response
		return true
	}
	return false
}

// hungUp reports whether the client has ended the connection.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
