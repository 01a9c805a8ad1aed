package node_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/libp2p/go-yamux/v5"

	"github.com/peerproxy/peerproxy/peer"
	"github.com/peerproxy/peerproxy/resource"
	"github.com/peerproxy/peerproxy/trust"
)

// probe is a peer of a node, written from the description in package peer alone, that keeps every
// byte which it is sent: behind TLS, and once more of each stream.
type probe struct {
	t      *testing.T
	mux    *yamux.Session
	client *http.Client
	wg     sync.WaitGroup
	answer http.HandlerFunc // to what the node asks

	mu       sync.Mutex
	taps     []*tap
	prefixes map[uint32]bool // of all that was in a digest or in a change of it
}

// tap keeps what is read from a connection.
type tap struct {
	net.Conn
	mu   sync.Mutex
	seen bytes.Buffer
}

func (c *tap) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen.Write(p[:n])
	return n, err
}

func (p *probe) tap(c net.Conn) net.Conn {
	tapped := &tap{Conn: c}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taps = append(p.taps, tapped)
	return tapped
}

// seen is what has come: of the connection, and then of each stream as a whole, so that nothing is
// hidden by the borders of frames.
func (p *probe) seen() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []byte
	for _, c := range p.taps {
		c.mu.Lock()
		all = append(append(all, c.seen.Bytes()...), '\n')
		c.mu.Unlock()
	}
	return all
}

// newProbe connects to a node. It has nothing.
func newProbe(t *testing.T, address string) *probe {
	return connect(t, address, "127.0.0.1", trust.NewIdentity(), http.NotFound)
}

// connect connects to a node from an address. The node's questions are answered by answer.
func connect(t *testing.T, address, from string, identity *trust.Identity, answer http.HandlerFunc) *probe {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	p := &probe{t: t, prefixes: map[uint32]bool{}, answer: answer}
	var secure *tls.Conn
	d := websocket.Dialer{Subprotocols: []string{peer.Subprotocol}, NetDialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		raw, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		//nolint:gosec // node certificates are not verified: the keys inside are
		secure = tls.Client(raw, &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
		return p.tap(secure), secure.HandshakeContext(ctx)
	}}
	ws, _, err := d.DialContext(t.Context(), "wss://"+address+"/", nil) //nolint:bodyclose // of an upgraded connection
	if err != nil {
		t.Fatal(err)
	}
	state := secure.ConnectionState()
	exported, err := state.ExportKeyingMaterial("EXPORTER-peerproxy-channel-1", nil, 32)
	if err != nil {
		t.Fatal(err)
	}
	if err := ws.WriteMessage(websocket.BinaryMessage, helloOf(identity, exported)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ws.ReadMessage(); err != nil { // the node's hello
		t.Fatal(err)
	}
	settings := yamux.DefaultConfig()
	settings.LogOutput, settings.MaxMessageSize = io.Discard, 32<<10
	if p.mux, err = yamux.Client(&messages{Conn: ws.NetConn(), ws: ws}, settings, nil); err != nil {
		t.Fatal(err)
	}
	p.serve()
	return p
}

func helloOf(identity *trust.Identity, exported []byte) []byte {
	key, b := identity.Key(), []byte{1}
	for kind, value := range [][]byte{1: {'c'}, 2: key[:], 3: identity.SignChannel(trust.RoleClient, exported)} {
		if value != nil {
			b = binary.BigEndian.AppendUint16(append(b, byte(kind)), uint16(len(value)))
			b = append(b, value...)
		}
	}
	return b
}

// messages is the byte stream in the messages of a WebSocket connection.
type messages struct {
	net.Conn
	ws *websocket.Conn
	r  io.Reader
}

func (m *messages) Read(p []byte) (int, error) {
	for {
		if m.r == nil {
			var err error
			if _, m.r, err = m.ws.NextReader(); err != nil {
				return 0, err
			}
		}
		n, err := m.r.Read(p)
		if errors.Is(err, io.EOF) {
			m.r, err = nil, nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (m *messages) Write(p []byte) (int, error) {
	return len(p), m.ws.WriteMessage(websocket.BinaryMessage, p)
}

// serve answers what the node sends on streams of its own, which are digests, and opens streams for
// questions, until the test ends.
func (p *probe) serve() {
	transport := &http.Transport{DisableCompression: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		stream, err := p.mux.OpenStream(ctx)
		if err != nil {
			return nil, err
		}
		return p.tap(stream), nil
	}}
	p.client = &http.Client{Transport: transport, Timeout: 10 * time.Second}
	server := &http.Server{Handler: http.HandlerFunc(p.digest), ReadHeaderTimeout: 10 * time.Second}
	p.wg.Go(func() { _ = server.Serve(streams{p}) })
	p.t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = p.mux.Close()
		_ = server.Close()
		p.wg.Wait()
	})
}

type streams struct{ p *probe }

func (s streams) Accept() (net.Conn, error) {
	stream, err := s.p.mux.AcceptStream()
	if err != nil {
		return nil, net.ErrClosed
	}
	return s.p.tap(stream), nil
}

func (s streams) Close() error   { return nil }
func (s streams) Addr() net.Addr { return s.p.mux.LocalAddr() }

// digest takes what the node says that it shares.
func (p *probe) digest(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/digest" {
		p.answer(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || len(body) == 0 {
		p.t.Errorf("%s %s: %v", r.Method, r.URL, err)
		return
	}
	var sets [][]uint32
	switch r.Method {
	case http.MethodPut:
		set, _ := p.set(body[1:])
		sets = [][]uint32{set}
	case http.MethodPatch:
		removed, rest := p.set(body)
		added, _ := p.set(rest)
		sets = [][]uint32{removed, added}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, set := range sets {
		for _, prefix := range set {
			p.prefixes[prefix] = true
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// set reads a Golomb-Rice coded set.
func (p *probe) set(b []byte) (set []uint32, rest []byte) {
	if len(b) < 5 {
		p.t.Errorf("a set of %d bytes", len(b))
		return nil, nil
	}
	count, k, at := int(binary.BigEndian.Uint32(b)), uint(b[4]), 0
	b = b[5:]
	bit := func() uint32 {
		if at/8 >= len(b) {
			p.t.Error("a set ends too early")
			return 0
		}
		v := uint32(b[at/8]>>(7-at%8)) & 1
		at++
		return v
	}
	last := int64(-1)
	for range count {
		var high, low uint32
		for bit() == 1 {
			high++
		}
		for range k {
			low = low<<1 | bit()
		}
		last += int64(high)<<k + int64(low) + 1
		set = append(set, uint32(last))
	}
	return set, b[(at+7)/8:]
}

// listed reports whether a digest has ever had a resource.
func (p *probe) listed(id resource.BlindedID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.prefixes[binary.BigEndian.Uint32(id[:])]
}

// ask asks for a resource, and returns the status and all fields but the date.
func (p *probe) ask(method string, id resource.BlindedID, fields http.Header) (int, http.Header) {
	p.t.Helper()
	return p.askAt(method, "/r/", id, fields)
}

func (p *probe) askAt(method, path string, id resource.BlindedID, fields http.Header) (int, http.Header) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, "http://peer"+path+id.String(), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header = fields.Clone()
	resp, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		p.t.Error(err)
	}
	resp.Header.Del("Date")
	return resp.StatusCode, resp.Header
}
