package proxy

import (
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// How long a connection is kept, after an answer that came early, for a client that is
// still sending: in all, and while it is silent.
const (
	lingerTime    = 30 * time.Second
	lingerSilence = 5 * time.Second
)

// answerNow is called before the header of an answer is written. If the request has
// content that is still to come, net/http would hold the answer back for it; and the
// connection can't be used again, since who answers does not read it all (RFC 9112
// section 9.3).
func answerNow(w http.ResponseWriter, r *http.Request) {
	u := uploadOf(r)
	if u == nil || u.isWhole() || r.ProtoMajor != 1 || u.control.EnableFullDuplex() != nil {
		return
	}
	u.early = true
	w.Header()["Connection"] = []string{"close"}
}

// endEarly keeps what marks the end of an answer of unknown length that came early.
func endEarly(r *http.Request, trailer http.Header) {
	u := uploadOf(r)
	if u == nil || !u.early || !r.ProtoAtLeast(1, 1) {
		return
	}
	var b strings.Builder
	b.WriteString("0\r\n")
	onlyTrailer(trailer)
	_ = trailer.Write(&b) // never fails
	b.WriteString("\r\n")
	u.ending = b.String()
}

// linger ends the connection of a client that got its answer before it had sent all. To
// close it at once could lose the answer: the system resets connections that more comes
// in on (RFC 9112 section 9.6).
func (p *Proxy) linger(w http.ResponseWriter, u *upload) {
	if !u.early || flush(u.control) != nil {
		return
	}
	conn, err := hijack(w)
	if err != nil {
		return
	}
	defer conn.Close()
	leave, ok := p.tunnels.enter(conn)
	if !ok {
		return
	}
	defer leave()
	_ = conn.SetWriteDeadline(time.Now().Add(p.cfg.Idle))
	if _, err := io.WriteString(conn, u.ending); err == nil && closeWrite(conn) == nil {
		discard(conn, min(lingerSilence, p.cfg.Idle))
	}
}

// discard reads until the other side closes, is silent, or has had its time.
func discard(conn net.Conn, silence time.Duration) {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	end := time.Now().Add(lingerTime)
	for {
		until := time.Now().Add(silence)
		if until.After(end) {
			until = end
		}
		_ = conn.SetReadDeadline(until)
		if _, err := conn.Read(*buf); err != nil {
			return
		}
	}
}

// reset breaks the connection of an HTTP/1.0 client off: the ordinary end of the
// connection would tell it that the answer is whole.
func reset(w http.ResponseWriter) {
	conn, err := hijack(w)
	if err != nil {
		return
	}
	if read, ok := conn.(*earlyConn); ok {
		conn = read.Conn
	}
	switch conn := conn.(type) {
	case *insideConn:
		conn.abort()
		return
	case *net.TCPConn:
		_ = conn.SetLinger(0)
	}
	_ = conn.Close()
}
