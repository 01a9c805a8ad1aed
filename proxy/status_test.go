package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// RFC 9211 section 2: the members as they stand in the field.
func TestCacheStatus(t *testing.T) {
	n, err := newNames("peerproxy")
	if err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]cacheStatus{
		"peerproxy;hit":                                    {},
		"peerproxy;hit;ttl=60":                             {ttl: time.Minute, hasTTL: true},
		"peerproxy;hit;ttl=-30":                            {ttl: -30 * time.Second, hasTTL: true},
		"peerproxy;fwd=uri-miss":                           {fwd: fwdURIMiss},
		"peerproxy;fwd=uri-miss;fwd-status=200;stored":     {fwd: fwdURIMiss, fwdStatus: 200, stored: true},
		"peerproxy;fwd=vary-miss;fwd-status=200;collapsed": {fwd: fwdVaryMiss, fwdStatus: 200, collapsed: true},
		"peerproxy;fwd=stale;fwd-status=304;ttl=10":        {fwd: fwdStale, fwdStatus: 304, ttl: 10 * time.Second, hasTTL: true},
		"peerproxy;fwd=uri-miss;stored;detail=peer":        {fwd: fwdURIMiss, stored: true, detail: "peer"},
		"peerproxy;fwd=stale;ttl=-5;detail=stale-if-error": {fwd: fwdStale, ttl: -5 * time.Second, hasTTL: true, detail: "stale-if-error"},
	} {
		if got := n.cacheStatus(c); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestProxyStatus(t *testing.T) { // RFC 9209 section 2.1
	n, _ := newNames("peerproxy")
	for want, s := range map[string]proxyStatus{
		"peerproxy":                               {},
		"peerproxy;received-status=200":           {received: 200},
		"peerproxy;error=dns_error":               {kind: "dns_error"},
		`peerproxy;details="from a peer, signer"`: {details: "from a peer, signer"},
	} {
		if got := n.proxyStatus(s); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// What can't be written is left out rather than sent broken.
func TestProxyStatusOfStrangeText(t *testing.T) {
	n, _ := newNames("peerproxy")
	if got := n.proxyStatus(proxyStatus{details: "böse\r\n"}); got != "peerproxy" {
		t.Errorf("got %q", got)
	}
}

func TestBadPseudonym(t *testing.T) {
	for _, name := range []string{"two words", "1two", "x\r\nEvil: 1", "ö"} {
		if _, err := New(Config{Pseudonym: name}); err == nil {
			t.Errorf("%q was accepted", name)
		}
	}
}

// Earlier members stay in front of the proxy's own (RFC 9211 section 2).
func TestStatusOfOthersIsKept(t *testing.T) {
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Status", "cdn; hit")
		w.Header().Set("Proxy-Status", "cdn")
		w.Header().Set("Via", "1.1 cdn")
		fixed("x", "max-age=60")(w, r)
	}, nil)
	for range 2 {
		a := l.get(site)
		for _, name := range []string{"Cache-Status", "Proxy-Status", "Via"} {
			if lines := a.Header[name]; len(lines) != 2 || !strings.Contains(lines[0], "cdn") || !strings.Contains(lines[1], "peerproxy") {
				t.Errorf("%s: %q", name, lines)
			}
		}
		l.settle()
	}
}

// One function maps errors to what the client is told: RFC 9209 section 2.3.
func TestExplain(t *testing.T) {
	dial := func(err error) error {
		return fmt.Errorf("proxy: origin: %w", &net.OpError{Op: "dial", Err: err})
	}
	for _, c := range []struct {
		err    error
		status int
		kind   string
	}{
		{dial(ErrForbiddenAddress), 403, "destination_ip_prohibited"},
		{dial(ErrLoop), 508, "proxy_loop_detected"},
		{dial(&net.DNSError{IsNotFound: true}), 502, "dns_error"},
		{dial(&net.DNSError{IsTimeout: true}), 504, "dns_timeout"},
		{dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), 502, "connection_refused"},
		{dial(os.NewSyscallError("connect", syscall.ENETUNREACH)), 502, "destination_ip_unroutable"},
		{dial(os.ErrDeadlineExceeded), 504, "connection_timeout"},
		{syscall.ECONNRESET, 502, "connection_terminated"},
		{io.ErrUnexpectedEOF, 502, "connection_terminated"},
		{context.DeadlineExceeded, 504, "http_response_timeout"},
		{errBudget, 504, "http_response_timeout"},
		{&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}}}, 502, "tls_certificate_error"},
		{x509.UnknownAuthorityError{}, 502, "tls_certificate_error"},
		{tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, 502, "tls_protocol_error"},
		{tls.AlertError(40), 502, "tls_alert_received"},
		{&net.OpError{Op: "remote error", Err: tls.AlertError(40)}, 502, "tls_alert_received"},
		{errors.New("net/http: TLS handshake timeout"), 502, "tls_protocol_error"},
		{errors.New(`net/http: HTTP/1.x transport connection broken: malformed HTTP response "x"`), 502, "http_protocol_error"},
		{errors.New("net/http: server response headers exceeded 10 bytes; aborted"), 502, "http_response_header_section_size"},
		{errors.New("something with a secret in it"), 502, "destination_unavailable"},
		{badStatusError(503), 502, "destination_unavailable"},
	} {
		f := explain(c.err)
		if f.status != c.status || f.kind != c.kind || f.title == "" || f.text == "" {
			t.Errorf("%v: %+v", c.err, f)
		}
		if strings.Contains(f.title+f.text, "secret") {
			t.Errorf("%v: tells internals", c.err)
		}
	}
}

func FuzzErrorPage(f *testing.F) {
	p, err := New(Config{Transport: transportFunc(nil)})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"/", "/<script>alert(1)</script>", `/"><img src=x onerror=y>`, "/%0d%0aSet-Cookie:a=b", "/{{.}}", "/\x00\xff", "?'`"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		r := httptest.NewRequest("GET", "http://example.com/", nil)
		r.URL.Path, r.URL.RawQuery = path, path
		w := httptest.NewRecorder()
		p.answer(w, r, report{failure: failedDNS, tried: []string{path}})
		text := w.Body.String()
		if strings.Count(text, "<script") > 0 || strings.Contains(text, "<img") || strings.Count(text, "<code>") != 1 || len(w.Header()) > 9 {
			t.Errorf("%q: %s", path, text)
		}
	})
}

func TestHealthIsBounded(t *testing.T) {
	now := time.Now()
	h := newHealth(30*time.Second, func() time.Time { return now })
	for i := range 3 * maxFailing {
		h.failed(fmt.Sprintf("site%d.example", i))
		now = now.Add(time.Millisecond)
	}
	if len(h.until) > maxFailing || !h.failing(fmt.Sprintf("site%d.example", 3*maxFailing-1)) || h.failing("site0.example") {
		t.Errorf("%d remembered", len(h.until))
	}
	now = now.Add(time.Minute)
	h.failed("new.example")
	if len(h.until) != 1 || h.failing("site3071.example") {
		t.Errorf("%d remembered after all have expired", len(h.until))
	}
	h.worked("new.example")
	if h.failing("new.example") {
		t.Error("still failing")
	}
}
