package peer

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/libp2p/go-yamux/v5"

	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

// A fake is a peer that a test has full control of. It uses the package's own
// handshake where it means to be honest, and raw connections where not.
type fake struct {
	t        testing.TB
	w        *world
	addr     netip.AddrPort
	identity *trust.Identity
	swarm    *Swarm // never run; lends its handshake
	claims   digest // that it sends in each session, if it is not empty
	tasks    sync.WaitGroup
}

func (w *world) fake() *fake {
	id := trust.NewIdentity()
	s, err := New(Config{Identity: id, Verifier: trust.Policy{Any: true}, Secret: testSecret})
	if err != nil {
		w.t.Fatal(err)
	}
	return &fake{t: w.t, w: w, addr: w.address(), identity: id, swarm: s}
}

// accept runs script with each WebSocket connection that others open, until the
// world ends.
func (f *fake) accept(script func(*websocket.Conn)) {
	u := newUpgrader(f.t, f.w.net.listen(f.addr))
	ctx, cancel := context.WithCancel(context.Background())
	f.tasks.Go(func() {
		for {
			ws, err := u.Accept(ctx)
			if err != nil {
				return
			}
			f.tasks.Go(func() {
				stop := context.AfterFunc(ctx, func() { ws.Close() })
				defer stop()
				defer ws.Close()
				script(ws)
			})
		}
	})
	f.w.close = append(f.w.close, func() {
		cancel()
		f.tasks.Wait()
		u.stop()
	})
}

// serve is an honest connection with a dishonest HTTP server on it.
func (f *fake) serve(h http.HandlerFunc) {
	f.accept(func(ws *websocket.Conn) {
		mux := f.mux(ws, roleAcceptor)
		if mux == nil {
			return
		}
		if len(f.claims.prefixes) > 0 {
			f.tasks.Go(func() { f.sendClaims(mux) })
		}
		f.run(mux, h)
	})
}

func (f *fake) sendClaims(mux *yamux.Session) {
	s, err := mux.OpenStream(context.Background())
	if err != nil {
		return
	}
	defer s.Close()
	content := f.claims.encode()
	_, _ = io.WriteString(s, request("PUT", pathDigest, "Content-Length", strconv.Itoa(len(content)))+string(content))
	_, _ = s.Read(make([]byte, 1000))
}

// run serves until the session ends.
func (f *fake) run(mux *yamux.Session, h http.Handler) {
	server := http.Server{Handler: h}
	_ = server.Serve(muxListener{mux: mux, stall: time.Hour})
	_ = server.Close()
	_ = mux.Close()
}

// dial opens a WebSocket connection to a node.
func (f *fake) dial(to netip.AddrPort) *websocket.Conn {
	f.t.Helper()
	d := websocket.Dialer{
		TLSClientConfig: clientTLS(),
		Subprotocols:    []string{Subprotocol},
		NetDialContext:  f.w.net.dialFrom(f.addr.Addr()),
	}
	ws, _, err := d.Dial("wss://"+to.String()+"/", nil)
	if err != nil {
		f.t.Fatalf("fake: dial: %v", err)
	}
	f.w.close = append(f.w.close, func() { ws.Close() })
	return ws
}

// mux does the handshake and puts streams onto the connection; nil if that fails.
func (f *fake) mux(ws *websocket.Conn, r trust.Role) *yamux.Session {
	conn := newWSConn(ws)
	if _, err := f.swarm.exchangeHellos(conn, r); err != nil {
		return nil
	}
	mux, err := newMux(conn, r, &windowBudget{free: 1 << 30})
	if err != nil {
		f.t.Errorf("fake: %v", err)
	}
	return mux
}

// session is an honest connection to a node; the fake answers nothing on it.
func (f *fake) session(to netip.AddrPort) *yamux.Session {
	f.t.Helper()
	mux := f.mux(f.dial(to), roleDialler)
	if mux == nil {
		f.t.Fatal("fake: handshake failed")
	}
	f.w.close = append(f.w.close, func() { mux.Close() })
	return mux
}

// ask sends one request as it is and returns the answer's status, fields and content.
func ask(t testing.TB, mux *yamux.Session, request string) *http.Response {
	t.Helper()
	s, err := mux.OpenStream(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Reset()
	if _, err := io.WriteString(s, request); err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, s, request)
}

func readAnswer(t testing.TB, r io.Reader, request string) *http.Response {
	t.Helper()
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(newBufReader(r), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	resp.Body = io.NopCloser(strings.NewReader(string(content)))
	return resp
}

// request is the text of a request without content.
func request(method, path string, fields ...string) string {
	b := method + " " + path + " HTTP/1.1\r\nHost: peer\r\n"
	for i := 0; i+1 < len(fields); i += 2 {
		b += fields[i] + ": " + fields[i+1] + "\r\n"
	}
	return b + "\r\n"
}

func pathOf(url string) string {
	return pathResource + query(url).ID().Blind(testSecret).String()
}

func witnessPathOf(url string) string {
	return pathWitness + query(url).ID().Blind(testSecret).String()
}

// answerWhole is what an honest server sends for an item, as bytes.
func answerWhole(t testing.TB, it *item) []byte {
	t.Helper()
	head, err := encodeHead(it.exchange)
	if err != nil {
		t.Fatal(err)
	}
	return append(head, sliceOf(t, it, 0, int64(len(it.body)))...)
}

func sliceOf(t testing.TB, it *item, offset, n int64) []byte {
	t.Helper()
	var b strings.Builder
	err := resource.WriteSlice(&b, strings.NewReader(string(it.body)), strings.NewReader(string(it.outboard)), int64(len(it.body)), offset, n)
	if err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
}

// give sends content as an answer of the right form.
func give(w http.ResponseWriter, content []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	_, _ = w.Write(content)
}
