package peer

import (
	"bytes"
	"encoding/binary"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

// What may come on a connection after an honest hello, and ends it at once.
func TestBrokenFraming(t *testing.T) {
	frame := func(kind byte, flags uint16, stream, length uint32) []byte {
		b := []byte{0, kind}
		b = binary.BigEndian.AppendUint16(b, flags)
		b = binary.BigEndian.AppendUint32(b, stream)
		return binary.BigEndian.AppendUint32(b, length)
	}
	binaryMessage := func(ws *websocket.Conn, b []byte) { _ = ws.WriteMessage(websocket.BinaryMessage, b) }
	for name, script := range map[string]func(ws *websocket.Conn){
		"garbage":       func(ws *websocket.Conn) { binaryMessage(ws, bytes.Repeat([]byte{0xee}, 1000)) },
		"text":          func(ws *websocket.Conn) { _ = ws.WriteMessage(websocket.TextMessage, frame(2, 1, 0, 1)) },
		"giant message": func(ws *websocket.Conn) { binaryMessage(ws, make([]byte, 1<<20)) },
		"giant frame":   func(ws *websocket.Conn) { binaryMessage(ws, frame(0, 1, 1, 200<<10)) },
		"data beyond the window": func(ws *websocket.Conn) {
			for i := range uint32(20) {
				dataOn(ws, 1, i == 0)
			}
		},
		"many large questions": func(ws *websocket.Conn) {
			for i := range uint32(45) {
				dataOn(ws, 1+2*(i/15), i%15 == 0)
			}
		},
		"stream of the wrong side": func(ws *websocket.Conn) { binaryMessage(ws, frame(1, 1, 2, 0)) },
		"stream twice": func(ws *websocket.Conn) {
			binaryMessage(ws, append(frame(1, 1, 1, 0), frame(1, 1, 1, 0)...))
		},
		"unknown version": func(ws *websocket.Conn) { binaryMessage(ws, append([]byte{9}, frame(2, 1, 0, 1)[1:]...)) },
		"unknown type":    func(ws *websocket.Conn) { binaryMessage(ws, frame(9, 1, 0, 1)) },
		"tiny frames": func(ws *websocket.Conn) {
			binaryMessage(ws, frame(1, 1, 1, 0))
			for range 100 {
				binaryMessage(ws, bytes.Repeat(append(frame(0, 0, 1, 1), 'x'), 100))
			}
		},
		"closes": func(ws *websocket.Conn) { ws.Close() },
		"goes away": func(ws *websocket.Conn) {
			_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1001, ""), time.Now().Add(time.Second))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				defer w.end()
				n, f := w.node(), w.fake()
				ws := f.dial(n.addr)
				if _, err := f.swarm.exchangeHellos(newWSConn(ws), roleDialler); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if st := n.Status(); len(st.Sessions) != 1 {
					t.Fatalf("%d sessions before", len(st.Sessions))
				}
				script(ws)
				time.Sleep(time.Second)
				if st := n.Status(); len(st.Sessions) != 0 {
					t.Errorf("%d sessions after", len(st.Sessions))
				}
			})
		})
	}
}

// dataOn sends 60,000 bytes on a stream, which begins with them if it is new.
func dataOn(ws *websocket.Conn, stream uint32, isNew bool) {
	header := []byte{0, frameData, 0, 0, 0, 0, 0, byte(stream), 0, 0, 0xea, 0x60}
	if isNew {
		header[3] = 1
	}
	_ = ws.WriteMessage(websocket.BinaryMessage, append(header, make([]byte, 60_000)...))
}
