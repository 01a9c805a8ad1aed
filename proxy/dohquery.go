package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const dnsMediaType = "application/dns-message" // RFC 8484 section 6

// newDoHTransport keeps a connection to the server, HTTP/2 by preference. Its address is the
// user's choice, and may be any.
func newDoHTransport(cfg DoHConfig) *http.Transport {
	dialer := &net.Dialer{Timeout: cfg.Timeout, Resolver: cfg.Resolver, KeepAlive: 30 * time.Second}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second},
		DisableCompression:     true,
		MaxIdleConnsPerHost:    4,
		MaxConnsPerHost:        16,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    cfg.Timeout,
		MaxResponseHeaderBytes: 32 << 10,
	}
}

// ask asks for both families side by side (RFC 8305 section 3) and returns when both
// halves are done.
func (d *DoH) ask(ctx context.Context, name string) (dnsAnswer, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type half struct {
		dnsAnswer
		err error
	}
	halves := make(chan half, 2)
	for _, kind := range []dnsmessage.Type{dnsmessage.TypeAAAA, dnsmessage.TypeA} {
		go func() { // waited for below
			a, err := d.exchange(ctx, name, kind)
			halves <- half{a, err}
		}()
	}
	first := <-halves
	if len(first.addrs) > 0 {
		defer time.AfterFunc(resolutionDelay, cancel).Stop()
	}
	second := <-halves
	a, err := join(first.dnsAnswer, second.dnsAnswer, first.err, second.err)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = context.DeadlineExceeded // whatever the transport calls it
	}
	if err != nil {
		return dnsAnswer{}, fmt.Errorf("%w: %w", errDoH, err)
	}
	return a, nil
}

// join makes one answer of the two families'. Half of it is better than none, but that
// there is nothing at all needs both.
func join(a, b dnsAnswer, aErr, bErr error) (dnsAnswer, error) {
	if aErr != nil {
		a, b, aErr, bErr = b, a, bErr, aErr
	}
	switch {
	case aErr != nil:
		return dnsAnswer{}, aErr
	case bErr == nil:
		both := dnsAnswer{addrs: append(a.addrs, b.addrs...), ttl: min(a.ttl, b.ttl), missing: a.missing && b.missing}
		if len(a.addrs) > 0 && len(b.addrs) == 0 {
			both.ttl = a.ttl // that one family is missing is no reason to ask again soon
		} else if len(b.addrs) > 0 && len(a.addrs) == 0 {
			both.ttl = b.ttl
		}
		return both, nil
	case len(a.addrs) > 0:
		a.ttl = min(a.ttl, partialTTL)
		return a, nil
	case a.missing: // the name, whatever the type
		return a, nil
	}
	return dnsAnswer{}, bErr
}

// exchange asks the server one question (RFC 8484 section 4.1).
func (d *DoH) exchange(ctx context.Context, name string, kind dnsmessage.Type) (dnsAnswer, error) {
	q, err := dnsQuestion(name, kind)
	if err != nil {
		return dnsAnswer{}, err
	}
	query, err := dnsQuery(q)
	if err != nil {
		return dnsAnswer{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.cfg.URL, bytes.NewReader(query))
	if err != nil {
		return dnsAnswer{}, ErrBadDoH
	}
	r.Header = http.Header{"Content-Type": {dnsMediaType}, "Accept": {dnsMediaType}, "User-Agent": {""}}
	response, err := d.transport.RoundTrip(r) // which follows no redirect
	if err != nil {
		return dnsAnswer{}, err
	}
	defer response.Body.Close()
	message, err := readMessage(response)
	if err != nil {
		return dnsAnswer{}, err
	}
	a, err := parseAnswer(message, q)
	a.ttl -= age(response.Header)
	return a, err
}

// readMessage takes the DNS message out of a response.
func readMessage(response *http.Response) ([]byte, error) {
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: status %d", errDNSServer, response.StatusCode)
	}
	media, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || media != dnsMediaType {
		return nil, fmt.Errorf("%w: not of type %s", errDNSMessage, dnsMediaType)
	}
	message, err := io.ReadAll(io.LimitReader(response.Body, maxDNSMessage+1))
	if err != nil {
		return nil, err
	}
	if len(message) > maxDNSMessage {
		return nil, fmt.Errorf("%w: too large", errDNSMessage)
	}
	return message, nil
}

// age is how long the answer lay in an HTTP cache: its records are that much older
// (RFC 8484 section 5.1).
func age(h http.Header) time.Duration {
	text := strings.TrimSpace(h.Get("Age"))
	if text == "" {
		return 0
	}
	seconds, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return maxTTL
	}
	return min(time.Duration(seconds)*time.Second, maxTTL)
}

// Failures of the DNS-over-HTTPS server.
var (
	failedDoH        = failure{502, "dns_error", "The name could not be looked up", "The DNS-over-HTTPS server that this proxy is set to use gave no proper answer. No other name server is asked, since that one would learn the name."}
	failedDoHTimeout = failure{504, "dns_timeout", "The name could not be looked up", "The DNS-over-HTTPS server that this proxy is set to use did not answer in time. No other name server is asked, since that one would learn the name."}
)

func explainDoH(err error) (failure, bool) {
	var timeout net.Error
	switch {
	case !errors.Is(err, errDoH):
		return failure{}, false
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return failedDoHTimeout, true
	}
	return failedDoH, true
}
