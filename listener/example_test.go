package listener_test

import (
	"context"
	"fmt"

	"github.com/gorilla/websocket"
	"github.com/peerproxy/peerproxy/listener"
)

// A program that greets whoever connects. With a portmap.UPnP as Mapper and
// ":0" as Addr, the whole internet could.
func Example() {
	ctx := context.Background()
	l, err := listener.Listen(ctx, listener.Config{Addr: "127.0.0.1:0", Subprotocols: []string{"greeting"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()

	dialer := websocket.Dialer{Subprotocols: []string{"greeting"}}
	client, _, err := dialer.Dial("ws://"+l.Addr().String(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	ws, err := l.Accept(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer ws.Close()
	ws.SetReadLimit(1 << 10)
	ws.WriteMessage(websocket.TextMessage, []byte("good day, "+ws.Subprotocol()))

	_, text, _ := client.ReadMessage()
	fmt.Printf("%s; %s; %s\n", text, l.State(), l.Mapping())
	// Output: good day, greeting; listening; port mapping is off
}
