package peer

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"
)

const (
	// maxMessage is the largest WebSocket message in either direction, in bytes.
	maxMessage = 64 << 10
	// maxFrame is the largest frame of the multiplexer, so that with the WebSocket
	// header (8 bytes where it is masked) it fills four TLS records exactly.
	maxFrame = maxMessage - 8
	// maxPayload is what is left of a frame for the data of a stream.
	maxPayload = maxFrame - frameHeader
)

// The WebSocket close codes that say why a session ends (RFC 6455 section 7.4; the
// 4000s are for private use).
const (
	closeDone      = websocket.CloseGoingAway       // the node stops, or the session was idle
	closeFull      = websocket.CloseTryAgainLater   // no room for another session
	closeDuplicate = 4000                           // there is another connection to this key
	closeHello     = 4001                           // the hello was refused
	closeLie       = websocket.ClosePolicyViolation // an answer that no honest peer gives
)

var errText = errors.New("text message")

// wsConn makes a byte stream, as a net.Conn, of the binary messages of a WebSocket
// connection. One goroutine may read and one write, at the same time; Close and the
// deadlines may be used from any.
//
// A gorilla connection is dead after the first timeout, so nothing above may use a
// deadline of it to interrupt a Read and go on: a read deadline is refused. The
// multiplexer sets none; a stream has deadlines of its own. The write deadline ends
// the session, which is what it is for.
type wsConn struct {
	ws     *websocket.Conn
	raw    *rawConn  // below TLS, or nil
	r      io.Reader // rest of the current message, nil between messages
	guard  frameGuard
	closed sync.Once
}

func newWSConn(ws *websocket.Conn) *wsConn {
	ws.SetReadLimit(maxMessage)
	pongs := rate.NewLimiter(maxPongs, maxPongs)
	ws.SetPingHandler(func(data string) error {
		if pongs.Allow() {
			_ = ws.WriteControl(websocket.PongMessage, []byte(data), time.Now().Add(byeWait))
		}
		return nil
	})
	return &wsConn{ws: ws, raw: rawBelow(ws.NetConn())}
}

func (c *wsConn) Read(p []byte) (int, error) {
	for {
		if c.r == nil {
			kind, r, err := c.ws.NextReader()
			if err != nil {
				return 0, err
			}
			if kind != websocket.BinaryMessage {
				return 0, errText
			}
			c.r = r
		}
		n, err := c.r.Read(p)
		if errors.Is(err, io.EOF) {
			c.r, err = nil, nil
		}
		if err == nil {
			err = c.guard.check(p[:n])
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (c *wsConn) Write(p []byte) (int, error) {
	c.raw.hold()
	err := c.ws.WriteMessage(websocket.BinaryMessage, p)
	if flushed := c.raw.flush(); err == nil {
		err = flushed
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close drops the connection. See bye for an orderly end.
func (c *wsConn) Close() error {
	var err error
	c.closed.Do(func() { err = c.ws.Close() })
	return err
}

// bye tells the other side why, if that is possible at once, and drops the connection.
func (c *wsConn) bye(code int) {
	c.closed.Do(func() {
		// The lock on writing may be held by a Write that hangs.
		deadline := time.Now().Add(byeWait)
		_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), deadline)
		_ = c.ws.Close()
	})
}

const (
	byeWait  = 200 * time.Millisecond
	maxPongs = 10 // per second; the multiplexer has pings of its own
)

func (c *wsConn) LocalAddr() net.Addr                { return c.ws.LocalAddr() }
func (c *wsConn) RemoteAddr() net.Addr               { return c.ws.RemoteAddr() }
func (c *wsConn) SetWriteDeadline(t time.Time) error { return c.ws.SetWriteDeadline(t) }
func (c *wsConn) SetReadDeadline(time.Time) error    { return errors.ErrUnsupported }
func (c *wsConn) SetDeadline(time.Time) error        { return errors.ErrUnsupported }
