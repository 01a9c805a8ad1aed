package proxy

import (
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// dohServer is a DNS-over-HTTPS server.
type dohServer struct {
	*httptest.Server
	asked atomic.Int32 // questions
	conns atomic.Int32
	proto atomic.Int32 // major version of HTTP that was used last
}

// newDoHServer starts a server. The answer is a template: ID, question and the response
// bit are filled in.
func newDoHServer(t testing.TB, answer func(q dnsmessage.Question) dnsmessage.Message) *dohServer {
	return newRawDoHServer(t, func(w http.ResponseWriter, query dnsmessage.Message) {
		reply := answer(query.Questions[0])
		reply.Response, reply.Questions = true, query.Questions
		packed, err := reply.Pack()
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", dnsMediaType)
		_, _ = w.Write(packed)
	})
}

func newRawDoHServer(t testing.TB, answer func(w http.ResponseWriter, query dnsmessage.Message)) *dohServer {
	s := &dohServer{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.proto.Store(int32(r.ProtoMajor))
		text, err := io.ReadAll(r.Body)
		var query dnsmessage.Message
		if err != nil || query.Unpack(text) != nil || len(query.Questions) != 1 {
			t.Errorf("no query: %q", text)
			return
		}
		h := r.Header
		if r.Method != "POST" || h.Get("Content-Type") != dnsMediaType || h.Get("Accept") != dnsMediaType || h.Get("User-Agent") != "" || h["Cookie"] != nil {
			t.Errorf("%s %v", r.Method, h)
		}
		if query.ID != 0 || !query.RecursionDesired || len(text)%queryBlock != 0 {
			t.Errorf("query of %d bytes: %v", len(text), query)
		}
		answer(w, query)
	}))
	s.EnableHTTP2 = true
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.conns.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *dohServer) roots() *x509.CertPool {
	return s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
}

// resolver is a DoH that asks the server.
func (s *dohServer) resolver(t testing.TB, change func(*DoHConfig)) *DoH {
	t.Helper()
	cfg := DoHConfig{URL: s.URL + "/dns-query", RootCAs: s.roots()}
	if change != nil {
		change(&cfg)
	}
	d, err := NewDoH(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// recordOf is a resource record with a name of the DNS, or an address.
func recordOf(owner string, ttl uint32, value string) dnsmessage.Resource {
	r := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(owner), Class: dnsmessage.ClassINET, TTL: ttl}}
	ip, err := netip.ParseAddr(value)
	switch {
	case err != nil:
		r.Body = &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(value)}
	case ip.Is4():
		r.Body = &dnsmessage.AResource{A: ip.As4()}
	default:
		r.Body = &dnsmessage.AAAAResource{AAAA: ip.As16()}
	}
	return r
}

// answering4 answers questions for A with the addresses, and those for AAAA with nothing.
func answering4(ttl uint32, addrs ...string) func(dnsmessage.Question) dnsmessage.Message {
	return func(q dnsmessage.Question) (m dnsmessage.Message) {
		for _, ip := range addrs {
			if q.Type == dnsmessage.TypeA {
				m.Answers = append(m.Answers, recordOf(q.Name.String(), ttl, ip))
			}
		}
		return m
	}
}
