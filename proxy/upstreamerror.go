package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/dunglas/httpsfv"
)

// upstreamError says that a request failed at the upstream proxy.
type upstreamError struct {
	told failure // what to tell the client; the zero value = by err
	err  error
}

func (e *upstreamError) Error() string { return "proxy: upstream: " + e.err.Error() }
func (e *upstreamError) Unwrap() error { return e.err }

// asUpstreamError marks err as one of the upstream, if it is not yet.
func asUpstreamError(err error) error {
	var up *upstreamError
	if errors.As(err, &up) {
		return err
	}
	return &upstreamError{err: err}
}

// Failures at the upstream.
var (
	failedUpstreamAuth    = failure{500, "proxy_configuration_error", "The upstream proxy wants credentials", "The proxy that all requests go through wants a name and a password, or does not accept those that it got. They belong in the setting of the upstream (USER:PASSWORD@HOST:PORT). For HTTP only the scheme Basic is known here."}
	failedUpstreamRefused = failure{502, "http_request_denied", "The upstream proxy refused the request", "The proxy that all requests go through does not go to this site or port. The site itself was not asked."}
	failedBeyond          = failure{502, "destination_unavailable", "The site cannot be reached", "The upstream proxy, which all requests go through, did not get a connection to the site."}
	failedBeyondTimeout   = failure{504, "connection_timeout", "The site did not answer", "The upstream proxy, which all requests go through, got no connection to the site in time."}
)

// upstreamReasons tell in words why the upstream itself failed, by proxy error type.
var upstreamReasons = map[string]string{
	"dns_error":                         "Its name has no address.",
	"dns_timeout":                       "Its name could not be looked up in time.",
	"connection_refused":                "Its machine is there but does not accept connections.",
	"connection_timeout":                "No connection to it came about in time.",
	"connection_terminated":             "The connection to it broke off.",
	"destination_ip_unroutable":         "There is no way through the network to it.",
	"tls_certificate_error":             "Its certificate is not valid.",
	"tls_protocol_error":                "No secure connection to it came about.",
	"tls_alert_received":                "It turned the secure connection down.",
	"http_response_timeout":             "It was silent for too long.",
	"http_protocol_error":               "What it sent is not valid HTTP.",
	"http_response_header_section_size": "The header fields of its answer are too large.",
}

// explainUpstream tells failures of the upstream from those of the site.
func explainUpstream(err error) (failure, bool) {
	var up *upstreamError
	if !errors.As(err, &up) {
		return failure{}, false
	}
	if up.told != (failure{}) {
		return up.told, true
	}
	f := explain(up.err)
	if f.kind == "proxy_loop_detected" { // the upstream is this proxy
		return f, true
	}
	reason, known := upstreamReasons[f.kind]
	if !known {
		f.kind, reason = "proxy_internal_error", "Its answer makes no sense. Perhaps it is no proxy of this kind."
	}
	return failure{f.status, f.kind, "The upstream proxy failed", "All requests go through another proxy, and that one failed, not the site. " + reason}, true
}

// handshakeCause turns the end of the time that an upstream has for reaching the site
// into words about the site; it prefers the reason of a cancellation to its consequences.
func handshakeCause(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return &upstreamError{told: failedBeyondTimeout, err: context.DeadlineExceeded}
	}
	return causeOf(ctx, err)
}

// connectRefused judges an HTTP upstream's refusal of a tunnel.
func connectRefused(response *http.Response) error {
	e := &upstreamError{told: failedUpstreamRefused, err: fmt.Errorf("CONNECT answered with status %d", response.StatusCode)}
	f, known := reported(response.Header)
	switch {
	case response.StatusCode == http.StatusProxyAuthRequired:
		e.told = failedUpstreamAuth
	case known:
		e.told = f
	case response.StatusCode == http.StatusBadGateway, response.StatusCode == http.StatusServiceUnavailable:
		e.told = failedBeyond
	case response.StatusCode == http.StatusGatewayTimeout:
		e.told = failedBeyondTimeout
	}
	return e
}

// siteFailures are those that an upstream's word is taken for.
var siteFailures = []failure{
	failedDNS, failedDNSTimeout, failedRefused, failedUnroutable, failedConnect, failedTerminated, failedElse,
	{508, "proxy_loop_detected", "The request runs in a circle", "It came back to a proxy that it had passed before."},
	{403, "destination_ip_prohibited", "Address not allowed", "The upstream proxy, which all requests go through, does not go to the address that this name leads to."},
}

// reported is what the upstream itself says in Proxy-Status about why it has no tunnel
// (RFC 9209); its member is the last.
func reported(h http.Header) (failure, bool) {
	list, err := httpsfv.UnmarshalList(h["Proxy-Status"])
	if err != nil || len(list) == 0 {
		return failure{}, false
	}
	item, ok := list[len(list)-1].(httpsfv.Item)
	if !ok || item.Params == nil {
		return failure{}, false
	}
	kind, _ := item.Params.Get("error")
	for _, f := range siteFailures {
		if kind == any(httpsfv.Token(f.kind)) {
			return f, true
		}
	}
	return failure{}, false
}

// socksRefused judges a SOCKS reply (RFC 1928 section 6).
func socksRefused(code byte) error {
	e := &upstreamError{told: failedBeyond, err: fmt.Errorf("SOCKS reply %d", code)}
	switch code {
	case 2: // not allowed by ruleset
		e.told = failedUpstreamRefused
	case 3: // network unreachable
		e.told = failedUnroutable
	case 5:
		e.told = failedRefused
	case 6: // TTL expired
		e.told = failedBeyondTimeout
	case 7, 8: // command or address type not supported
		e.told = failure{502, "proxy_internal_error", "The upstream proxy failed", "The SOCKS server that all requests go through cannot do what was asked of it."}
	}
	return e
}
