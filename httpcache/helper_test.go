package httpcache

import (
	"net/http"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

const hour = time.Hour

// epoch is when the responses of these tests arrive.
var epoch = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// fields makes a header of names and values in turn; equal names make several lines.
func fields(namesAndValues ...string) http.Header {
	h := http.Header{}
	for i := 0; i+1 < len(namesAndValues); i += 2 {
		h.Add(namesAndValues[i], namesAndValues[i+1])
	}
	return h
}

// httpDate is the date of epoch + d as a field has it.
func httpDate(d time.Duration) string { return epoch.Add(d).Format(http.TimeFormat) }

// exchange is a stored response that took no time on its way.
func exchange(status int, header http.Header) *resource.Exchange {
	return &resource.Exchange{
		Method: http.MethodGet, Status: status, Header: header,
		Body:      resource.Body{Length: 1000},
		Requested: epoch, Received: epoch,
	}
}

// get is a GET request with the given fields.
func get(namesAndValues ...string) *http.Request {
	return &http.Request{Method: http.MethodGet, Header: fields(namesAndValues...)}
}

// wantReason fails if a decision does not say why it was made.
func wantReason(t *testing.T, why Reason) {
	t.Helper()
	if why.Text == "" || why.Section == "" {
		t.Errorf("incomplete reason %+v", why)
	}
}

// bytesOf are the fields of a request for a part.
func bytesOf(set string, namesAndValues ...string) http.Header {
	return fields(append([]string{"Range", "bytes=" + set}, namesAndValues...)...)
}
