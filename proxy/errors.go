package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// Reasons why a request gets an answer from the proxy instead of one from an origin.
var (
	errBudget       = errors.New("proxy: nobody answered in time")
	errStalled      = errors.New("proxy: peer of the connection stalled")
	errNotStored    = errors.New("proxy: nothing stored that would do")
	errNoPeer       = errors.New("proxy: no peer has it")
	errPrivate      = errors.New("proxy: nothing that peers may be asked for")
	errNotAsked     = errors.New("proxy: peers are not asked for this site")
	errUnfit        = errors.New("proxy: the peer's copy is of no use here")
	errCredentials  = errors.New("proxy: proxy credentials missing or wrong")
	errBadTarget    = errors.New("proxy: request target cannot be forwarded")
	errNotProxied   = errors.New("proxy: request to the proxy itself")
	errBadUpload    = errors.New("proxy: content of the request is malformed or broken off")
	errSlowUpload   = errors.New("proxy: content of the request did not come in time")
	errMaxForwards  = errors.New("proxy: Max-Forwards is no number")
	errTraceContent = errors.New("proxy: TRACE with content")
	errPort         = errors.New("proxy: port is not for tunnels")
	errProtocol     = errors.New("proxy: answer breaks the rules of HTTP")
	errIncomplete   = errors.New("proxy: the content of the answer breaks off")
	errSurplus      = errors.New("proxy: more came than the answer")
	errLongField    = errors.New("proxy: one field is too long")
	errNested       = errors.New("proxy: CONNECT inside of a tunnel")
	errMisdirected  = errors.New("proxy: request for another site than that of its connection")
	errNoHijack     = errors.New("proxy: connection cannot become a tunnel")
	errNoLocalPage  = errors.New("proxy: no such page of the proxy itself")
	errLocalMethod  = errors.New("proxy: method is not for a page of the proxy itself")
	errBadConsent   = errors.New("proxy: consent is not one that was asked for")
	errClosed       = errors.New("proxy: shutting down")
	errAbandoned    = errors.New("proxy: last reader left")
	errLost         = errors.New("proxy: lost the race to a better answer")
	errUnfitPart    = errors.New("proxy: part is not what its Content-Range says")
)

// badStatusError is an origin's answer that counts as a failure of the origin.
type badStatusError int

func (e badStatusError) Error() string { return "proxy: origin answered " + http.StatusText(int(e)) }

// failure is an error in the terms of the client: status, proxy error type (RFC 9209
// section 2.3) and words for a page. It tells nothing that only insiders may know.
type failure struct {
	status int
	kind   string
	title  string
	text   string
}

// proxyStatus is the failure for programs; what failed stands in words beside it.
func (f failure) proxyStatus(received int) proxyStatus {
	if f.kind == "" {
		return proxyStatus{received: received}
	}
	return proxyStatus{kind: f.kind, received: received, details: f.title}
}

// Failures that several errors share.
var (
	failedDNS        = failure{502, "dns_error", "The name could not be found", "The domain name system has no address for this site. It may be misspelt, gone, or kept from you."}
	failedDNSTimeout = failure{504, "dns_timeout", "The name could not be looked up", "No name server answered in time. This machine may be offline."}
	failedRefused    = failure{502, "connection_refused", "The site refused the connection", "The site's machine is there but does not accept connections."}
	failedUnroutable = failure{502, "destination_ip_unroutable", "The site cannot be reached", "There is no way through the network to the site. This machine may be offline."}
	failedConnect    = failure{504, "connection_timeout", "The site did not answer", "No connection to the site came about in time."}
	failedTerminated = failure{502, "connection_terminated", "The connection broke off", "The connection to the site ended before it had answered."}
	failedTimeout    = failure{504, "http_response_timeout", "Nobody answered in time", "The site was silent for too long."}
	failedProtocol   = failure{502, "http_protocol_error", "The site's answer makes no sense", "What the site sent is not valid HTTP."}
	failedHeaders    = failure{502, "http_response_header_section_size", "The site's answer is too large", "The header fields of the answer are larger than this proxy accepts."}
	failedIncomplete = failure{502, "http_response_incomplete", "The answer breaks off", "The site began to answer, but ended before there was any content."}
	failedRead       = failure{504, "connection_read_timeout", "The answer has stalled", "The site began to answer, but then was silent for too long."}
	failedWrite      = failure{504, "connection_write_timeout", "The site does not listen", "It did not take what was to be sent to it for too long."}
	failedField      = failure{502, "http_response_header_size", "The site's answer is too large", "A header field of the answer is larger than this proxy accepts."}
	failedCoding     = failure{502, "http_response_transfer_coding", "The site's answer makes no sense", "It is sent in a form (transfer coding) that this proxy does not know."}
	failedElse       = failure{502, "destination_unavailable", "The site cannot be reached", "The site did not give an answer."}
)

// ownFailures are the proxy's own verdicts.
var ownFailures = []struct {
	err error
	failure
}{
	{ErrForbiddenAddress, failure{403, "destination_ip_prohibited", "Address not allowed", "This name leads to a private or otherwise special address, and the proxy may not go there. Whoever runs it can allow that."}},
	{ErrLoop, failure{508, "proxy_loop_detected", "The request runs in a circle", "This request came back to the proxy that had sent it."}},
	{errBudget, failedTimeout},
	{errStalled, failedRead},
	{errIncomplete, failedIncomplete},
	{errNotStored, failure{504, "", "Not in the store", "Only a stored copy was asked for, and none is here that may be used."}},
	{errPrivate, failure{504, "destination_unavailable", "Peers are not asked for this", "Only peers were to be asked, but they are only asked for what is public: no private hosts, no secrets in addresses, no credentials."}},
	{errNotAsked, failure{504, "destination_unavailable", "Peers are not asked for this site", "Only peers were to be asked, but nobody's copies of this site would be taken, or it is set to be private."}},
	{errNoPeer, failure{504, "destination_unavailable", "No peer has it", "Only peers were asked, and none had a copy."}},
	{errUnfit, failure{504, "destination_unavailable", "No peer has it", "Only peers were asked, and none had a copy that fits."}},
	{errCredentials, failure{407, "http_request_denied", "The proxy needs a name and password", "Give those of this proxy, not of the site."}},
	{errBadTarget, failure{400, "http_request_error", "This address cannot be fetched", "The proxy forwards addresses that begin with http:// or https:// and name a host."}},
	{errNotProxied, failure{400, "http_request_error", "This is a proxy", "Set this address and port as the HTTP proxy in your browser or system, then browse as usual. As a site of its own it has nothing to show."}},
	{errBadUpload, failure{400, "http_request_error", "The request is not complete", "What was to be sent to the site broke off or is not valid HTTP."}},
	{errSlowUpload, failure{408, "http_request_error", "The request did not come in time", "What was to be sent to the site stopped coming."}},
	{errMaxForwards, failure{400, "http_request_error", "The request makes no sense", "How often it may be forwarded (Max-Forwards) is not given as one number."}},
	{errTraceContent, failure{400, "http_request_error", "The request makes no sense", "TRACE has no content."}},
	{errPort, failure{403, "http_request_denied", "Port not allowed", "Tunnels to this port are not allowed, since no web server listens there."}},
	{errProtocol, failedProtocol},
	{errSurplus, failedProtocol},
	{errLongField, failedField},
	{errNoLocalPage, failure{404, "", "There is no such page", "Addresses below /.well-known/peerproxy/ are answered by the proxy itself, and it has nothing here."}},
	{errLocalMethod, failure{405, "", "Not possible here", "This page of the proxy can be looked at, and its form be sent."}},
	{errBadConsent, failure{403, "", "This is not a valid answer", "The page that asked is too old, or the answer did not come from it. Go back to the page that you wanted to see, and try again."}},
	{errNested, failure{400, "http_request_error", "No tunnel within a tunnel", "A connection to a site cannot become a tunnel to another one."}},
	{errMisdirected, failure{421, "http_request_error", "This connection leads to another site", "The request names another site, or another port, than the one that the secure connection was opened for. It belongs on a connection of its own."}},
	{errNoHijack, failure{501, "http_request_error", "No tunnel possible", "This kind of connection cannot become a tunnel."}},
	{errClosed, failure{503, "proxy_internal_error", "The proxy is stopping", "Try again when it has started anew."}},
}

// explain maps every error to what the client is told.
func explain(err error) failure {
	for _, beside := range []func(error) (failure, bool){explainUpstream, explainDoH} { // not the site's fault
		if f, ok := beside(err); ok {
			return f
		}
	}
	for _, own := range ownFailures {
		if errors.Is(err, own.err) {
			return own.failure
		}
	}
	for _, stage := range []func(error) (failure, bool){explainDNS, explainTLS, explainSocket, explainHTTP} {
		if f, ok := stage(err); ok {
			return f
		}
	}
	return failedElse
}

func explainDNS(err error) (failure, bool) {
	var dns *net.DNSError
	if !errors.As(err, &dns) {
		return failure{}, false
	}
	if dns.IsTimeout {
		return failedDNSTimeout, true
	}
	return failedDNS, true
}

func explainSocket(err error) (failure, bool) {
	var (
		op      *net.OpError
		timeout net.Error
	)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return failedRefused, true
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return failedUnroutable, true
	case errors.As(err, &op) && op.Op == "dial" && op.Timeout():
		return failedConnect, true
	case errors.As(err, &op) && op.Op == "write" && op.Timeout():
		return failedWrite, true
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return failedTimeout, true
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF),
		errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return failedTerminated, true
	}
	return failure{}, false
}

// explainHTTP tells apart what net/http only gives in words.
func explainHTTP(err error) (failure, bool) {
	text := err.Error()
	switch {
	case strings.Contains(text, "headers exceeded"), strings.Contains(text, "header list larger"):
		return failedHeaders, true
	case strings.Contains(text, "transfer encoding"):
		return failedCoding, true
	case strings.Contains(text, "server closed idle"), strings.Contains(text, "received from peer"), strings.Contains(text, "GOAWAY"):
		return failedTerminated, true
	case strings.Contains(text, "stream error"), strings.Contains(text, "connection error"), strings.Contains(text, "http2: "),
		strings.Contains(text, "malformed"), strings.Contains(text, "bad Content-Length"), strings.Contains(text, "multiple Content-Length"),
		strings.Contains(text, "bad trailer key"):
		return failedProtocol, true
	}
	return failure{}, false
}
