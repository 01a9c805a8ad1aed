package portmap

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"
)

const (
	// httpTimeout bounds one whole request. Slow routers take some 100 ms.
	httpTimeout = 4 * time.Second
	// maxReply bounds a description or SOAP reply; large real ones have 20 kB.
	maxReply = 128 << 10
)

var errForeignHost = errors.New("address is not that of the gateway")

// newHTTPClient returns a client that talks to the gateway, from the local
// address, and to nobody else: no proxy (the environment could name one that
// runs in this very process), no redirects, no connections kept, since routers'
// little servers get those wrong.
func newHTTPClient(gateway, local netip.Addr) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: local.AsSlice()}}
	transport := &http.Transport{
		Proxy:                  nil,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: 16 << 10,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			target, err := netip.ParseAddrPort(address)
			if err != nil || target.Addr().Unmap() != gateway {
				return nil, errForeignHost
			}
			return dialer.DialContext(ctx, network, address)
		},
	}
	return &http.Client{
		Transport:     limitedTransport{transport},
		Timeout:       httpTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// limitedTransport cuts bodies off, for goupnp reads them without limit.
type limitedTransport struct{ base http.RoundTripper }

func (t limitedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(req)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxReply)
	}
	return resp, err
}
