package httpcache

import (
	"net/http"
	"slices"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// HeadEffect is what a response to HEAD means for a stored response to GET.
type HeadEffect int

const (
	// HeadNothing means: it says nothing about the stored response.
	HeadNothing HeadEffect = iota
	// HeadFreshens means: the stored response is still the right one: [Freshen] it with the fields.
	HeadFreshens
	// HeadOutdates means: the stored response is another one: see [Outdate].
	HeadOutdates
)

// OfHead decides what the response to a HEAD request means for a stored response that could
// have been chosen for it, fresh or not (RFC 9111 section 4.3.5). The validators that it has and
// its Content-Length must be those of the stored one.
func OfHead(ex *resource.Exchange, status int, header http.Header) (HeadEffect, Reason) {
	const section = "RFC 9111 section 4.3.5"
	if status == http.StatusNotFound || status == http.StatusGone {
		if ex.Status != status {
			return HeadOutdates, Reason{"HEAD says that the resource is gone", section}
		}
		return HeadNothing, Reason{"HEAD says nothing new", section}
	}
	if status != http.StatusOK {
		return HeadNothing, Reason{"only a 200 to HEAD says something about stored responses", section}
	}
	text := ""
	switch {
	case ex.Status != http.StatusOK && ex.Status != http.StatusPartialContent:
		text = "the status is another one than the stored"
	case len(header["Etag"]) > 0 && !sameTag(ex.Header, header):
		text = "the entity tag is another one than the stored"
	case len(header["Last-Modified"]) > 0 && !sameModified(ex, header):
		text = "the date of modification is another one than the stored"
	case len(header["Content-Length"]) > 0 && contentLength(header["Content-Length"]) != wholeLength(ex):
		text = "the length is another one than the stored"
	default:
		return HeadFreshens, Reason{"HEAD agrees with the stored response and updates it", section}
	}
	return HeadOutdates, Reason{"HEAD: " + text, section}
}

// sameTag compares entity tags byte for byte: a tag that has become weak is another one.
func sameTag(stored, got http.Header) bool {
	a, okA := parseETag(stored["Etag"])
	b, okB := parseETag(got["Etag"])
	return okA && okB && a == b
}

func sameModified(ex *resource.Exchange, got http.Header) bool {
	if slices.Equal(ex.Header["Last-Modified"], got["Last-Modified"]) {
		return true // even if it can't be read: nothing has changed
	}
	a, _, okA := dateField(ex.Header, "Last-Modified", ex.Received)
	b, _, okB := dateField(got, "Last-Modified", ex.Received)
	return okA && okB && a.Equal(b)
}

// wholeLength is the length of the whole representation, -1 if it is not known.
func wholeLength(ex *resource.Exchange) int64 {
	held, ok := PartOf(ex)
	if !ok {
		return -1
	}
	return held.Complete
}

// Outdate returns a copy of a stored response that is stale from now on: at least as old as it
// was allowed to become. The signatures are dropped. The response can still be validated.
func Outdate(ex *resource.Exchange, now time.Time) *resource.Exchange {
	return Policy{}.Outdate(ex, now)
}

// Outdate is the function [Outdate] under a policy.
func (p Policy) Outdate(ex *resource.Exchange, now time.Time) *resource.Exchange {
	old := ex.Clone()
	lifetime, _, _ := p.Lifetime(ex)
	if missing := lifetime - Age(ex, now); missing > 0 {
		// The age given is the greater of two figures, so that one of them has to grow by all.
		old.InitialAge = max(0, lifetime-elapsed(ex.Received, now))
		if !ex.Requested.IsZero() {
			old.InitialAge = max(0, old.InitialAge-elapsed(ex.Requested, ex.Received))
		}
	}
	old.Signatures = nil
	return old
}
