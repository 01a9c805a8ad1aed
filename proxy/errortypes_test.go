package proxy

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	"golang.org/x/net/http2"
)

// What net/http says only in words, and what the proxy finds itself, has the type that
// fits it best and the status that goes with it (RFC 9209 section 2.3).
func TestErrorTypes(t *testing.T) {
	broken := func(text string) error {
		return fmt.Errorf("net/http: HTTP/1.x transport connection broken: %w", errors.New(text))
	}
	for _, c := range []struct {
		err    error
		status int
		kind   string
	}{
		{broken(`unsupported transfer encoding: "gzip"`), 502, "http_response_transfer_coding"},
		{broken(`too many transfer encodings: ["chunked" "chunked"]`), 502, "http_response_transfer_coding"},
		{broken(`bad trailer key "Content-Length"`), 502, "http_protocol_error"},
		{errors.New("http: server closed idle connection"), 502, "connection_terminated"},
		{http2.StreamError{StreamID: 1, Code: http2.ErrCodeInternal, Cause: errors.New("received from peer")}, 502, "connection_terminated"},
		{http2.StreamError{StreamID: 1, Code: http2.ErrCodeProtocol}, 502, "http_protocol_error"},
		{http2.ConnectionError(http2.ErrCodeCompression), 502, "http_protocol_error"},
		{errors.New("http2: server sent GOAWAY and closed the connection"), 502, "connection_terminated"},
		{errors.New("http2: response header list larger than advertised limit"), 502, "http_response_header_section_size"},
		{fmt.Errorf("%w: %w", errLongField, errors.New("headers exceeded")), 502, "http_response_header_size"},
		{&net.OpError{Op: "write", Err: os.ErrDeadlineExceeded}, 504, "connection_write_timeout"},
		{&net.OpError{Op: "write", Err: syscall.EPIPE}, 502, "connection_terminated"},
		{fmt.Errorf("%w: %w", errIncomplete, errStalled), 504, "connection_read_timeout"},
		{fmt.Errorf("%w: %w", errIncomplete, syscall.ECONNRESET), 502, "http_response_incomplete"},
		{errSurplus, 502, "http_protocol_error"},
		{(&headConn{}).lost(), 502, "http_protocol_error"},
		{(&headConn{why: syscall.ECONNRESET}).lost(), 502, "connection_terminated"},
	} {
		if f := explain(fmt.Errorf("proxy: origin: %w", c.err)); f.status != c.status || f.kind != c.kind || f.title == "" || f.text == "" {
			t.Errorf("%v: %d %s", c.err, f.status, f.kind)
		}
	}
}
