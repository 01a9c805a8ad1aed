package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/peerproxy/peerproxy/resource"
)

func TestParseUpstream(t *testing.T) {
	for text, want := range map[string]string{
		"http://proxy.example:3128": "http://proxy.example:3128", "http://127.0.0.1:1/": "http://127.0.0.1:1", "https://a:b@[::1]:443": "https://[::1]:443",
		"socks5://localhost:1080": "socks5://localhost:1080", "socks5h://u:p@tor.example:9050": "socks5://tor.example:9050", "HTTP://u@x:1": "http://x:1",
	} {
		up, err := ParseUpstream(text)
		if err != nil || up.String() != want {
			t.Errorf("%s: %v, %v", text, up, err)
		}
	}
	for _, text := range []string{
		"", "proxy.example:3128", "127.0.0.1:3128", "http://proxy.example", "http://:3128", "http://x:0", "http://x:65536", "http://x:1/path", "http://x:1?q", "http://x:1#f",
		"ftp://x:1", "socks4://x:1", "socks5://topsecret@x:1", "socks5://u:" + strings.Repeat("topsecret", 40) + "@x:1", "http://u%0a:topsecret@x:1",
		"http://u:topsecret@x:y", "http://u:topsecret@x y:1", "http://a%3Ab:topsecret@x:1",
	} {
		up, err := ParseUpstream(text)
		if !errors.Is(err, ErrBadUpstream) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%q: %v, %v", text, up, err)
		}
	}
}

func FuzzParseUpstream(f *testing.F) {
	for _, seed := range []string{"http://u:p@x:1", "socks5://[::1]:1080", "https://x:443/", "socks5h://a%40:b@x:1", "http://x", "://", "http://%zz:1", "socks5://:0:1", "http://[fe80::1%25eth0]:1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		up, err := ParseUpstream(text)
		if err != nil {
			return
		}
		if again, err := ParseUpstream(up.String()); err != nil || again.String() != up.String() || strings.Contains(up.String(), "@") {
			t.Errorf("%q: %q, %v", text, up, err)
		}
	})
}

// What a client asks for plainly, as a tunnel, and as an upgrade gets through each kind
// of upstream, with and without credentials.
func TestUpstream(t *testing.T) {
	const basic = "Basic dXNlcjpwYXNz" // user:pass
	for name, start := range map[string]func(*beyond) string{
		"http":           func(b *beyond) string { return "http://" + startUpstream(t, httpUpstream(b, "")) },
		"http with auth": func(b *beyond) string { return "http://user:pass@" + startUpstream(t, httpUpstream(b, basic)) },
		"socks5":         func(b *beyond) string { return "socks5://" + socksUpstream(t, b, "", 0).String() },
		"socks5 with auth": func(b *beyond) string {
			return "socks5h://user:pass@" + socksUpstream(t, b, "user:pass", 0).String()
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := &beyond{}
			var log bytes.Buffer
			l := newLabVia(t, func(w http.ResponseWriter, r *http.Request) {
				for field := range r.Header {
					if strings.HasPrefix(field, "Proxy-") {
						t.Errorf("the origin got %s", field)
					}
				}
				if r.Header.Get("Upgrade") != "" {
					echoWebSocket(w, r)
					return
				}
				w.Header().Set("Cache-Control", "max-age=60")
				fmt.Fprint(w, "via ", len(r.Header["Via"]), " ", r.Host, " ", r.Header.Get("X-Form"))
			}, b, start(b), func(c *Config) {
				c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			})
			form, plain := "", "www.example.com:80"
			if strings.HasPrefix(name, "http") {
				form, plain = "absolute", "GET www.example.com:80"
			}
			l.get(site+"/a").want(t, 200, "via 1 www.example.com "+form, "cache:stored", "proxy:received-status=200")
			l.settle()
			l.get(site+"/a").want(t, 200, "via 1 www.example.com "+form, "cache:hit")
			l.do("POST", site+"/b").want(t, 200, "via 1 www.example.com "+form, "cache:fwd=method")
			conn, _, err := l.dialWebSocket("/ws")
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.WriteMessage(websocket.TextMessage, []byte("hello"))
			if _, text, err := conn.ReadMessage(); err != nil || string(text) != "echo hello" {
				t.Errorf("%q %v", text, err)
			}
			conn.Close()
			tunnel, br, res := l.connectTo("www.example.com:80", "GET /c HTTP/1.0\r\nHost: www.example.com\r\n\r\n")
			if text, _ := io.ReadAll(br); res.StatusCode != 200 || !strings.Contains(string(text), "via 0") {
				t.Errorf("%d %q", res.StatusCode, text)
			}
			tunnel.Close()
			if asked := b.requests(); asked[0] != plain || asked[len(asked)-1] != "www.example.com:80" || slices.Contains(asked, "127.0.0.1:80") {
				t.Errorf("the upstream was asked for %q", asked)
			}
			for _, st := range l.store.all() {
				if st.Shareable {
					t.Error("an answer of an unknown address counts as provably public")
				}
			}
			_ = l.proxy.Close()
			if text := log.String(); strings.Contains(text, "pass") && strings.Contains(text, "user") || strings.Contains(text, "dXNlcjpwYXNz") {
				t.Errorf("credentials in the log: %s", text)
			}
		})
	}
}

func echoWebSocket(w http.ResponseWriter, r *http.Request) {
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer conn.Close()
	kind, text, err := conn.ReadMessage()
	if err == nil {
		_ = conn.WriteMessage(kind, append([]byte("echo "), text...))
	}
}

// Where a resolve rule leads, no upstream is asked.
func TestUpstreamResolveIsDirect(t *testing.T) {
	b := &beyond{}
	l := newLabVia(t, fixed("direct", ""), b, "http://"+startUpstream(t, httpUpstream(b, "")), nil)
	l.proxy.dialer.Resolve = []Resolve{{Host: "www.example.com", Port: 80, Addr: addrOf(l.origin.Listener)}}
	l.get(site+"/").want(t, 200, "direct")
	if asked := b.requests(); len(asked) != 0 {
		t.Errorf("asked %v", asked)
	}
}

// The upstream is reached over TLS; it must prove who it is.
func TestUpstreamTLS(t *testing.T) {
	b := &beyond{}
	secure := httptest.NewUnstartedServer(httpUpstream(b, ""))
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	secure.StartTLS()
	defer secure.Close()
	up := mustUpstream(t, "https://"+secure.Listener.Addr().String())
	up.RootCAs = secure.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	l := newLabVia(t, fixed("x", ""), b, up.String(), func(c *Config) { c.Dialer.Upstream = up })
	l.get(site+"/").want(t, 200, "x")
	_, br, res := l.connectTo("www.example.com:80", "GET / HTTP/1.0\r\nHost: x\r\n\r\n")
	if text, _ := io.ReadAll(br); res.StatusCode != 200 || !strings.HasSuffix(string(text), "x") {
		t.Errorf("%d %q", res.StatusCode, text)
	}
	l = newLabVia(t, fixed("x", ""), b, up.String(), nil)
	a := l.get(site + "/")
	a.want(t, 502, "*", "proxy:error=tls_certificate_error")
	if !strings.Contains(a.text, "upstream proxy failed") {
		t.Error(a.text)
	}
}

// Special addresses are told by what the name itself says: the upstream does not get to
// see such requests, however they are written.
func TestUpstreamForbidden(t *testing.T) {
	b := &beyond{}
	address := startUpstream(t, httpUpstream(b, ""))
	l := newLabVia(t, nil, b, "http://"+address, nil)
	for _, host := range []string{
		"127.0.0.1", "10.0.0.1", "[::1]", "[::ffff:192.168.0.1]", "169.254.169.254", "localhost", "LOCALHOST.", "a.localhost", "printer.local", "printer", "127.1",
		"0x7f.1", "127.0.0.1.", "１２７.0.0.1", "127。0。0。1", "ｌocalhost", address,
	} {
		l.get("http://"+host+"/").want(t, 403, "*", "proxy:error=destination_ip_prohibited")
		if strings.Contains(host, "[") || net.ParseIP(host) != nil || strings.HasPrefix(host, "l") {
			if _, _, res := l.connectTo(strings.TrimSuffix(host, ".")+":443", ""); res.StatusCode != 403 {
				t.Errorf("CONNECT %s: %d", host, res.StatusCode)
			}
		}
	}
	for _, host := range []string{"localhost..", "a..b.example", strings.Repeat("a", 64) + ".example", "a!b.example", "a@b.example:80@c"} {
		if _, err := l.proxy.dialer.upstreamTarget(host + ":80"); !errors.Is(err, errBadTarget) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if asked := b.requests(); len(asked) != 0 {
		t.Errorf("the upstream was asked for %q", asked)
	}
	l.proxy.dialer.AllowPrivate = true
	l.get("http://printer/").want(t, 502, "*")
	if asked := b.requests(); len(asked) != 1 {
		t.Errorf("the upstream was asked for %q", asked)
	}
	for _, target := range []string{"x.onion:80", "bücher.example:80", "EXAMPLE.com.:80", "[2606:4700::1111]:443"} {
		if _, err := (&Dialer{Upstream: l.proxy.dialer.Upstream}).upstreamTarget(target); err != nil {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// answering accepts connections and answers each with a text, whatever it says.
func answering(t *testing.T, text string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 4096)
			if n, _ := c.Read(buf); n > 0 {
				_, _ = io.WriteString(c, text)
			}
			_ = c.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	return l.Addr().String()
}

// deafAddress is one that nobody listens at and that nobody else gets meanwhile: the
// near end of a connection.
func deafAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().String()
}

// What the client learns of failures at and beyond the upstream (RFC 9209 section 2.3).
func TestUpstreamFailures(t *testing.T) {
	closed := deafAddress(t)
	const refused = "HTTP/1.1 %s\r\nContent-Length: 0\r\n%s\r\n"
	for name, c := range map[string]struct {
		upstream       string
		status         int
		kind, words    string // of a plain request
		tunnel, tWords string // of CONNECT, if it differs
	}{
		"not there":       {"http://" + closed, 502, "connection_refused", "upstream proxy failed", "", ""},
		"socks not there": {"socks5://" + closed, 502, "connection_refused", "upstream proxy failed", "", ""},
		"no such name":    {"http://nowhere.invalid:1", 502, "dns_error", "upstream proxy failed", "", ""},
		"wrong password":  {"http://u:wrong@" + startUpstream(t, httpUpstream(&beyond{}, "Basic right")), 500, "proxy_configuration_error", "USER:PASSWORD", "", ""},
		"socks no password": {"socks5://" + socksUpstream(t, &beyond{}, "u:p", 0).String(), 500, "proxy_configuration_error",
			"USER:PASSWORD", "", ""},
		"socks wrong password": {"socks5://u:wrong@" + socksUpstream(t, &beyond{}, "u:p", 0).String(), 500, "proxy_configuration_error",
			"USER:PASSWORD", "", ""},
		"silent end":         {"http://" + answering(t, ""), 502, "connection_terminated", "upstream proxy failed", "", ""},
		"no HTTP":            {"http://" + answering(t, "SSH-2.0-x\r\n\r\n"), 502, "http_protocol_error", "upstream proxy failed", "", ""},
		"no SOCKS":           {"socks5://" + answering(t, "HTTP/1.1 400 x\r\n\r\n"), 502, "proxy_internal_error", "upstream proxy failed", "", ""},
		"short SOCKS":        {"socks5://" + answering(t, "\x05"), 502, "connection_terminated", "upstream proxy failed", "", ""},
		"socks rules":        {"socks5://" + socksUpstream(t, &beyond{}, "", 2).String(), 502, "http_request_denied", "upstream proxy refused", "", ""},
		"socks unreachable":  {"socks5://" + socksUpstream(t, &beyond{}, "", 3).String(), 502, "destination_ip_unroutable", "site cannot be reached", "", ""},
		"socks unknown host": {"socks5://" + socksUpstream(t, &beyond{}, "", 4).String(), 502, "destination_unavailable", "site cannot be reached", "", ""},
		"socks refused":      {"socks5://" + socksUpstream(t, &beyond{}, "", 5).String(), 502, "connection_refused", "site refused", "", ""},
		"socks ttl":          {"socks5://" + socksUpstream(t, &beyond{}, "", 6).String(), 504, "connection_timeout", "site did not answer", "", ""},
		"socks no such":      {"socks5://" + socksUpstream(t, &beyond{}, "", 7).String(), 502, "proxy_internal_error", "upstream proxy failed", "", ""},
		"says why": {"http://" + answering(t, fmt.Sprintf(refused, "502 x", "Proxy-Status: up; error=dns_error\r\n")), 502, "", "",
			"dns_error", "name could not be found"},
		"bad gateway": {"http://" + answering(t, fmt.Sprintf(refused, "502 x", "")), 502, "", "", "destination_unavailable", "site cannot be reached"},
		"forbidden":   {"http://" + answering(t, fmt.Sprintf(refused, "403 x", "Proxy-Status: nonsense;;\r\n")), 403, "", "", "http_request_denied", "upstream proxy refused"},
		"interim only": {"http://" + answering(t, strings.Repeat("HTTP/1.1 102 x\r\n\r\n", 20)), 502, "", "upstream proxy failed",
			"http_protocol_error", "upstream proxy failed"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, nil, func(cfg *Config) { cfg.Dialer = &Dialer{Upstream: mustUpstream(t, c.upstream), Resolver: noDNS()} })
			a := l.get(site + "/")
			if a.StatusCode != c.status || c.kind != "" && !has(a.proxyStatus(), "error", c.kind) || !strings.Contains(a.text, c.words) {
				t.Errorf("plain: %d %v\n%s", a.StatusCode, a.Header["Proxy-Status"], a.text)
			}
			kind, words := c.kind, c.words
			if c.tunnel != "" {
				kind, words = c.tunnel, c.tWords
			}
			_, _, res := l.connectTo("www.example.com:443", "")
			text, _ := io.ReadAll(res.Body)
			if !has(lastMember(res.Header["Proxy-Status"]), "error", kind) || !strings.Contains(string(text), words) {
				t.Errorf("tunnel: %d %v\n%s", res.StatusCode, res.Header["Proxy-Status"], text)
			}
		})
	}
}

// Peers are asked when the upstream fails as when the origin does.
func TestUpstreamFailureAsksPeers(t *testing.T) {
	for _, upstream := range []string{
		"http://u:wrong@" + startUpstream(t, httpUpstream(&beyond{}, "Basic right")), "socks5://" + socksUpstream(t, &beyond{}, "", 5).String(),
	} {
		l := newLab(t, nil, func(c *Config) {
			c.Dialer = &Dialer{Upstream: mustUpstream(t, upstream)}
			c.Peers = fakePeers(func(_ context.Context, q resource.Query) (*resource.Copy, error) {
				return copyOf(q.URL.String(), "from a peer", http.Header{"Cache-Control": {"max-age=60"}}, time.Now()), nil
			})
		})
		l.get(site+"/").want(t, 200, "from a peer", "cache:detail=peer")
	}
}

// An upstream that does not get anywhere is given up, and so is one whose client leaves.
func TestUpstreamSilent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, scheme := range []string{"http://", "socks5://"} {
		d := &Dialer{Upstream: mustUpstream(t, scheme+l.Addr().String()), Timeout: 30 * time.Millisecond}
		_, err := d.DialContext(t.Context(), "tcp", "www.example.com:443")
		if f := explain(err); f.kind != "connection_timeout" || f.status != 504 {
			t.Errorf("%s: %v %v", scheme, err, f)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errAbandoned)
		d.Timeout = time.Minute
		if _, err := d.DialContext(ctx, "tcp", "www.example.com:443"); err == nil {
			t.Error("dialled after the end")
		}
	}
}

// Two peerproxies in a row: Via names both, and nobody takes it for a loop.
func TestChain(t *testing.T) {
	b := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		fmt.Fprint(w, strings.Join(r.Header["Via"], ", "))
	}, func(c *Config) { c.Pseudonym = "second" })
	a := newLab(t, nil, func(c *Config) {
		c.Pseudonym = "first"
		c.Dialer = &Dialer{Upstream: mustUpstream(t, "http://"+b.server.Listener.Addr().String())}
	})
	got := a.get(site + "/")
	got.want(t, 200, "*", "cache:stored")
	if hops := strings.Split(got.text, ", "); len(hops) != 2 || !strings.HasPrefix(hops[0], "1.1 first-") || !strings.HasPrefix(hops[1], "1.1 second-") {
		t.Errorf("Via at the origin: %q", got.text)
	}
	if via := strings.Join(got.Header["Via"], ", "); via != "1.1 second, 1.1 first" {
		t.Errorf("Via at the client: %q", via)
	}
	if statuses := strings.Join(got.Header["Proxy-Status"], ", "); !strings.HasPrefix(statuses, "second") || !strings.Contains(statuses, "first") {
		t.Errorf("Proxy-Status %q", statuses)
	}
	_, br, res := a.connectTo("www.example.com:80", "GET / HTTP/1.0\r\nHost: www.example.com\r\n\r\n")
	if head, err := br.ReadString('\n'); res.StatusCode != 200 || !strings.Contains(head, "200") {
		t.Errorf("%d %q %v", res.StatusCode, head, err)
	}
	// What the second could not do, the first explains.
	b.proxy.dialer.Resolver = noDNS()
	_, _, res = a.connectTo("www.example.com:444", "")
	if res.StatusCode != 502 || !has(lastMember(res.Header["Proxy-Status"]), "error", "dns_error") {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}

// Proxies that are each other's upstream find out, for tunnels too.
func TestChainInACircle(t *testing.T) {
	a, b := newLab(t, nil, nil), newLab(t, nil, nil)
	a.proxy.dialer.Resolve, b.proxy.dialer.Resolve = nil, nil
	a.proxy.dialer.Upstream = mustUpstream(t, "http://"+b.server.Listener.Addr().String())
	b.proxy.dialer.Upstream = mustUpstream(t, "http://"+a.server.Listener.Addr().String())
	_, _, res := a.connectTo("www.example.com:443", "")
	if res.StatusCode != 508 || !has(lastMember(res.Header["Proxy-Status"]), "error", "proxy_loop_detected") {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
	// A proxy that is its own upstream notices before it dials.
	self := newLab(t, nil, nil)
	self.proxy.own.add(self.server.Listener.Addr())
	self.proxy.dialer.Upstream, self.proxy.dialer.Resolve = mustUpstream(t, "socks5://"+self.server.Listener.Addr().String()), nil
	self.get(site+"/").want(t, 508, "*", "proxy:error=proxy_loop_detected")
	self.proxy.dialer.own = func(netip.AddrPort) bool { return true }
	if _, err := self.proxy.dialer.upstreamTarget("9.9.9.9:3128"); !errors.Is(err, ErrLoop) {
		t.Error(err)
	}
}

// An upstream's answer to CONNECT cannot be endless.
func TestConnectReplyIsBounded(t *testing.T) {
	endless := io.MultiReader(strings.NewReader("HTTP/1.1 200 x\r\n"), &repeated{line: "X: y\r\n"})
	br := bufio.NewReader(io.LimitReader(endless, maxConnectReply))
	if _, err := finalResponse(br, &http.Request{Method: "CONNECT"}); err == nil {
		t.Error("an endless header was taken")
	}
}

type repeated struct{ line string }

func (r *repeated) Read(p []byte) (int, error) { return copy(p, r.line), nil }

// Whatever a SOCKS server says: an error, or not a byte more than its reply is read.
func FuzzSOCKSReply(f *testing.F) {
	for _, seed := range []string{
		"\x05\x00\x00\x01abcd\x00\x50", "\x05\x00\x00\x04abcdefghijklmnop\x00\x50rest", "\x05\x00\x00\x03\x04here\x00\x00HTTP", "\x05\x00\x00\x03\xff", "\x05\x05\x00\x01",
		"\x04\x00", "\x05\x00\x00\x09", "HTTP/1.1 400 x", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, reply []byte) {
		r := bytes.NewReader(reply)
		if socksReply(r) != nil {
			return
		}
		want := map[byte]int{socksIPv4: 10, socksIPv6: 22, socksName: 7}[reply[3]]
		if reply[3] == socksName {
			want += int(reply[4])
		}
		if read := len(reply) - r.Len(); read != want || reply[0] != socksVersion || reply[1] != 0 {
			t.Errorf("%q: read %d bytes, want %d", reply, read, want)
		}
	})
}
