package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/peerproxy/peerproxy/trust"
)

// establish proves the keys of both sides to each other and puts the multiplexer onto
// the connection. It takes the connection over: if it fails, it is closed.
func (w *Swarm) establish(ctx context.Context, ws *websocket.Conn, r trust.Role, addr netip.AddrPort) (*session, error) {
	conn := newWSConn(ws)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	key, err := w.exchangeHellos(conn, r)
	if err != nil {
		conn.bye(closeHello)
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	if key == w.key {
		conn.bye(closeHello)
		return nil, ErrSelf
	}
	if w.liars.has(key) {
		conn.bye(closeHello)
		return nil, ErrShunned
	}
	if !stop() {
		return nil, fmt.Errorf("%w: %w", ErrHandshake, ctx.Err())
	}
	mux, err := newMux(conn, r, &w.windows)
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("%w: %w", ErrHandshake, err)
	}
	s := newSession(conn, mux, w.cfg.Limits, w.cfg.Timeouts)
	s.key, s.addr, s.dialled = key, addr, r == roleDialler
	return s, nil
}

// exchangeHellos sends our proof and verifies that of the other side. Both speak at
// once; over a connection without any buffer that would be a deadlock, so sending is
// a goroutine's task.
func (w *Swarm) exchangeHellos(conn *wsConn, r trust.Role) (trust.Key, error) {
	ws := conn.ws
	if ws.Subprotocol() != Subprotocol {
		return trust.Key{}, errors.New("another subprotocol")
	}
	secret, err := exporter(ws)
	if err != nil {
		return trust.Key{}, err
	}
	deadline := time.Now().Add(w.cfg.Timeouts.Handshake)
	_ = ws.SetReadDeadline(deadline)
	_ = ws.SetWriteDeadline(deadline)
	own := hello{version: helloVersion, role: r, key: w.key, signature: w.cfg.Identity.SignChannel(r, secret)}
	var sending sync.WaitGroup
	var sendErr error
	sending.Go(func() { sendErr = ws.WriteMessage(websocket.BinaryMessage, own.encode()) })
	key, err := receiveHello(ws, otherRole(r), secret)
	if err != nil {
		// What is wrong is known; our hello need not go out to its end.
		_ = ws.NetConn().SetWriteDeadline(time.Now().Add(byeWait))
	}
	sending.Wait()
	if err == nil {
		err = sendErr
	}
	_ = ws.SetReadDeadline(time.Time{})
	_ = ws.SetWriteDeadline(time.Time{})
	return key, err
}

func receiveHello(ws *websocket.Conn, from trust.Role, secret []byte) (trust.Key, error) {
	kind, r, err := ws.NextReader()
	if err != nil {
		return trust.Key{}, err
	}
	if kind != websocket.BinaryMessage {
		return trust.Key{}, errText
	}
	message, err := io.ReadAll(io.LimitReader(r, maxHello+1))
	if err != nil {
		return trust.Key{}, err
	}
	h, err := parseHello(message)
	if err != nil {
		return trust.Key{}, err
	}
	if h.role != from {
		return trust.Key{}, fmt.Errorf("%w: in the wrong role", errHello)
	}
	if err := trust.VerifyChannel(h.key, h.role, secret, h.signature); err != nil {
		return trust.Key{}, err
	}
	return h.key, nil
}
