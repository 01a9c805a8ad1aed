package intercept_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/peerproxy/peerproxy/intercept"
	"github.com/peerproxy/peerproxy/proxy"
)

// stage is a site, a proxy that looks into tunnels in front of it, and the authorities of both.
type stage struct {
	t     *testing.T
	site  *testCA // that the proxy trusts
	ours  *testCA // that the client trusts
	i     *intercept.Interceptor
	proxy string // its address
}

// onStage starts a proxy in front of origins by host name.
func onStage(t *testing.T, origins map[string]*httptest.Server) *stage {
	t.Helper()
	s := &stage{t: t, site: newCA(t), ours: newCA(t)}
	s.i = intercept.New(intercept.Config{Issue: s.ours.Issue})
	dialer := &proxy.Dialer{}
	for host, origin := range origins {
		cert, err := s.site.Issue(host)
		if err != nil {
			t.Fatal(err)
		}
		if origin.TLS == nil {
			origin.TLS = &tls.Config{NextProtos: []string{"h2", "http/1.1"}}
		}
		if origin.TLS.Certificates == nil {
			origin.TLS.Certificates = []tls.Certificate{*cert}
		}
		origin.EnableHTTP2 = true
		origin.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
		origin.StartTLS()
		t.Cleanup(origin.Close)
		for _, port := range []uint16{443, 8443} {
			dialer.Resolve = append(dialer.Resolve, proxy.Resolve{Host: host, Port: port, Addr: netip.MustParseAddrPort(origin.Listener.Addr().String())})
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.proxy = l.Addr().String()
	dialer.Resolve = append(dialer.Resolve, proxy.Resolve{Host: "loop.example", Port: 443, Addr: netip.MustParseAddrPort(s.proxy)})
	p, err := proxy.New(proxy.Config{Dialer: dialer, Interceptor: s.i, RootCAs: s.site.pool()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// client is a browser that speaks HTTP/2, or not.
func (s *stage) client(h2 bool) *http.Client {
	tr := &http.Transport{
		Proxy:             http.ProxyURL(&url.URL{Scheme: "http", Host: s.proxy}),
		TLSClientConfig:   &tls.Config{RootCAs: s.ours.pool()},
		ForceAttemptHTTP2: h2,
	}
	if !h2 {
		tr.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	s.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

func (s *stage) get(c *http.Client, u string) (*http.Response, string) {
	s.t.Helper()
	res, err := c.Get(u)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res, string(text)
}

// open makes a tunnel and TLS in it.
func (s *stage) open(authority string, cfg *tls.Config) (*tls.Conn, error) {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.proxy)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", authority, authority)
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: "CONNECT"})
	if err != nil || res.StatusCode != 200 {
		s.t.Fatal(res, err)
	}
	cfg.RootCAs = s.ours.pool()
	secure := tls.Client(conn, cfg)
	return secure, secure.Handshake()
}

func tells() *httptest.Server {
	return httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s over %s", r.Host, r.Proto)
	}))
}

// A request gets to the site by HTTP/2 where the site has it, whatever the client speaks.
func TestThroughTheProxy(t *testing.T) {
	onlyH2 := tells()
	onlyH2.TLS = &tls.Config{NextProtos: []string{"h2"}}
	onlyH1 := tells()
	onlyH1.TLS = &tls.Config{NextProtos: []string{"http/1.1"}}
	s := onStage(t, map[string]*httptest.Server{"two.example": onlyH2, "one.example": onlyH1})
	for _, h2 := range []bool{false, true} {
		c := s.client(h2)
		for u, want := range map[string]string{
			"https://two.example/":      "two.example over HTTP/2.0",
			"https://two.example:8443/": "two.example:8443 over HTTP/2.0",
			"https://one.example/":      "one.example over HTTP/1.1",
		} {
			res, text := s.get(c, u)
			if text != want || res.Header.Get("Proxy-Status") == "" || (res.ProtoMajor == 2) != h2 {
				t.Errorf("%s gives %q by %s, %v", u, text, res.Proto, res.Header)
			}
			if issuer := res.TLS.PeerCertificates[0].Issuer.CommonName; issuer != s.ours.cert.Subject.CommonName {
				t.Errorf("certificate of %q", issuer)
			}
		}
	}
	if n := s.ours.count("two.example"); n != 1 {
		t.Errorf("%d certificates", n)
	}
}

// curl is a client that is not made by those who made the server.
func TestCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("no curl")
	}
	s := onStage(t, map[string]*httptest.Server{"www.example.com": tells()})
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.ours.cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), curl, append([]string{"-q", "-sS", "-m", "20", "--noproxy", "", "--proxy", "http://" + s.proxy, "-w", " as %{http_version} %{http_code}"}, args...)...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for protocol, version := range map[string]string{"--http1.1": "1.1", "--http2": "2", "--http1.0": "1"} {
		out, err := run(protocol, "--cacert", file, "https://www.example.com/")
		if want := "www.example.com over HTTP/2.0 as " + version + " 200"; err != nil || out != want {
			t.Errorf("%s: %q, %v", protocol, out, err)
		}
	}
	if out, err := run("--cacert", file, "-H", "Host: other.example", "https://www.example.com/"); err != nil || !strings.Contains(out, "421") {
		t.Errorf("another host: %q, %v", out, err)
	}
	// One that does not know our authority: at first it fails, then it gets the site's own certificate.
	// The proxy may hear of that only when curl has ended.
	var all []intercept.Entry
	for range 10 {
		if out, err := run("https://www.example.com/"); err == nil {
			t.Errorf("an unknown authority is accepted: %q", out)
		}
		if all = s.i.Bypassed(); len(all) > 0 {
			break
		}
	}
	if len(all) != 1 || all[0].Host != "www.example.com" {
		t.Fatalf("not bypassed: %+v", all)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.site.cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := run("--cacert", file, "https://www.example.com/"); err != nil || !strings.Contains(out, "200") {
		t.Errorf("through the blind tunnel: %q, %v", out, err)
	}
}

// A name that leads to this machine is refused within TLS, where the browser shows the page.
func TestPrivateAddress(t *testing.T) {
	s := onStage(t, nil)
	for _, h2 := range []bool{false, true} {
		for _, u := range []string{"https://127.0.0.1:8443/", "https://localhost/", "https://[::1]/"} {
			res, text := s.get(s.client(h2), u)
			if res.StatusCode != 403 || !strings.Contains(text, "Address not allowed") || !strings.Contains(res.Header.Get("Proxy-Status"), "destination_ip_prohibited") {
				t.Errorf("%s: %d %v", u, res.StatusCode, res.Header)
			}
		}
	}
}

// A site that is the proxy itself is found out in tunnels too.
func TestLoop(t *testing.T) {
	s := onStage(t, nil)
	res, _ := s.get(s.client(true), "https://loop.example/")
	if res.StatusCode != 508 || !strings.Contains(res.Header.Get("Proxy-Status"), "proxy_loop_detected") {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}

// echoing is a site that changes to WebSocket, and then repeats what comes.
func echoing() *httptest.Server {
	return httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			http.Error(w, "over "+r.Proto, http.StatusBadRequest)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+r.Header.Get("Upgrade")+"\r\n\r\n")
		_, _ = io.Copy(conn, rw)
	}))
}

// wss:// goes through: the upgrade is one of HTTP/1.1 on both sides, though both have HTTP/2.
func TestWebSocket(t *testing.T) {
	s := onStage(t, map[string]*httptest.Server{"ws.example": echoing()})
	s.get(s.client(true), "https://ws.example/") // there is a connection of HTTP/2 already
	conn, err := s.open("ws.example:443", &tls.Config{ServerName: "ws.example", NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	fmt.Fprint(conn, "GET /chat HTTP/1.1\r\nHost: ws.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != 101 || res.Header.Get("Upgrade") != "websocket" {
		t.Fatal(res, err)
	}
	for range 3 {
		fmt.Fprint(conn, "frame")
		got := make([]byte, 5)
		if _, err := io.ReadFull(in, got); err != nil || string(got) != "frame" {
			t.Fatalf("%q %v", got, err)
		}
	}
}

// WebSocket over HTTP/2 (RFC 8441 section 3) is not offered, so that browsers open another connection for it; who
// asks all the same gets a stream error, and the connection goes on.
func TestNoExtendedConnect(t *testing.T) {
	s := onStage(t, map[string]*httptest.Server{"www.example.com": tells()})
	conn, err := s.open("www.example.com:443", &tls.Config{ServerName: "www.example.com", NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	f := http2.NewFramer(conn, conn)
	if err := f.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	frame, err := f.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	settings, ok := frame.(*http2.SettingsFrame)
	if !ok {
		t.Fatalf("first frame is %v", frame)
	}
	if v, offered := settings.Value(http2.SettingEnableConnectProtocol); offered && v != 0 {
		t.Error("extended CONNECT is offered")
	}
	if v, ok := settings.Value(http2.SettingMaxConcurrentStreams); !ok || v > 1000 {
		t.Errorf("streams are not bounded: %d, %v", v, ok)
	}
	if v, ok := settings.Value(http2.SettingMaxHeaderListSize); !ok || v > 1<<20 {
		t.Errorf("fields are not bounded: %d, %v", v, ok)
	}
	ask := func(stream uint32, fields ...string) {
		var block bytes.Buffer
		encoder := hpack.NewEncoder(&block)
		for i := 0; i < len(fields); i += 2 {
			_ = encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
		}
		if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: fields[1] == "GET"}); err != nil {
			t.Fatal(err)
		}
	}
	ask(1, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":authority", "www.example.com", ":path", "/")
	ask(3, ":method", "GET", ":scheme", "https", ":authority", "www.example.com", ":path", "/")
	for refused, answered := false, false; !refused || !answered; {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch frame := frame.(type) {
		case *http2.RSTStreamFrame:
			refused = frame.StreamID == 1
		case *http2.HeadersFrame:
			answered = answered || frame.StreamID == 3
		case *http2.GoAwayFrame:
			t.Fatal("the connection ends")
		}
	}
}

// What an intercepted connection asks of a site that can't prove who it is gets the page that says so, in TLS,
// and nothing of the site.
func TestBadSite(t *testing.T) {
	stranger := newCA(t)
	cert, err := stranger.Issue("www.example.com")
	if err != nil {
		t.Fatal(err)
	}
	origin := tells()
	origin.TLS = &tls.Config{Certificates: []tls.Certificate{*cert}, NextProtos: []string{"h2", "http/1.1"}}
	s := onStage(t, map[string]*httptest.Server{"www.example.com": origin})
	for _, h2 := range []bool{false, true} {
		res, text := s.get(s.client(h2), "https://www.example.com/")
		if res.StatusCode != 502 || !strings.Contains(text, "unknown authority") || !strings.Contains(res.Header.Get("Proxy-Status"), "tls_certificate_error") {
			t.Errorf("%d %v %s", res.StatusCode, res.Header, text)
		}
	}
	if all := s.i.Bypassed(); len(all) != 0 {
		t.Errorf("the site's fault is taken for the client's: %+v", all)
	}
}

func BenchmarkHandshake(b *testing.B) {
	ca := newCA(b)
	for _, c := range []struct {
		name string
		max  int // certificates that are kept
	}{{"cached", 512}, {"issued", 1}} {
		b.Run(c.name, func(b *testing.B) {
			i := intercept.New(intercept.Config{Issue: ca.Issue, MaxLeaves: c.max})
			for n := 0; b.Loop(); n++ {
				name := fmt.Sprintf("host%d.example", n%2) // two, so that one that is kept does not help
				client, server := net.Pipe()
				done := make(chan error, 1)
				go func() {
					cfg := web(name)
					cfg.RootCAs = ca.pool()
					secure := tls.Client(client, cfg)
					done <- secure.Handshake()
				}()
				conn, err := i.Intercept(b.Context(), server, name+":443")
				if err != nil {
					b.Fatal(err)
				}
				if err := <-done; err != nil {
					b.Fatal(err)
				}
				client.Close()
				_ = conn.Close()
			}
		})
	}
}
