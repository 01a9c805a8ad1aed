// Package listener gives a program what a browser does not give to a page: it
// registers for incoming connections, has the ports on firewall and gateway
// opened, answers the WebSocket handshake, and hands out a WebSocket.
//
//	l, err := listener.Listen(ctx, listener.Config{Addr: ":0", Subprotocols: []string{"chat"}, Mapper: mapper})
//	...
//	defer l.Close()
//	for {
//		ws, err := l.Accept(ctx)
//		...
//		go serve(ws)
//	}
//
// The model is the WebSocketListener interface: a port and subprotocols go in, the
// states [Opening], [Listening] and [Closed] are passed through once and in this
// order, and each connection comes out with its handshake done ([RFC 6455]).
// What travels over it is no matter of this package.
//
// # Mapping
//
// A [Listener] listens as soon as its socket is bound. Where a
// [portmap.Mapper] is given, the gateway is asked beside that, again and again as
// leases want it, and nobody waits for it: without a gateway the listener goes on
// as it is, says so in [Listener.Status], and logs it once.
//
// # Guarantees
//
// Whoever connects is a stranger. From the first byte to the end of the handshake
// a connection has [Config.HandshakeTimeout]; the number of such connections is
// bounded, in all and per address; request headers are limited to some 16 KiB;
// and buffers for messages are allocated only after everything about the
// handshake has been found right. Pages of web sites can't connect unless
// [Config.CheckOrigin] lets them. A connection that nobody takes is refused with
// 503 before the handshake, not dropped after it. Only HTTP/1.1 is spoken.
//
// What is handed out has no limits any more: set a read limit and deadlines on it.
//
// Log messages above debug level hold no addresses.
//
// [RFC 6455]: https://www.rfc-editor.org/rfc/rfc6455
package listener
