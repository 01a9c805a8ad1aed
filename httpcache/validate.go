package httpcache

import (
	"net/http"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// ConditionalHeaders are the fields that ask the origin to validate a stored response:
// If-None-Match and If-Modified-Since, with its entity tag and its date of modification as
// received (RFC 9111 section 4.3.1). They replace the client's own fields of these names. The
// result is empty if the response has no validator.
func ConditionalHeaders(ex *resource.Exchange) http.Header {
	h := make(http.Header, 2)
	// An ETag of "*" or of several tags must not get through: it would match anything.
	if _, ok := parseETag(ex.Header["Etag"]); ok {
		h["If-None-Match"] = []string{trimBlanks(ex.Header["Etag"][0])}
	}
	if _, _, valid := dateField(ex.Header, "Last-Modified", ex.Received); valid {
		h["If-Modified-Since"] = []string{trimBlanks(ex.Header["Last-Modified"][0])}
	}
	return h
}

// NotModified reports whether a GET or HEAD request is to be answered by 304 (Not Modified)
// instead of the stored response, which may be used for it
// (RFC 9111 section 4.3.2, RFC 9110 section 13.2.2). If-Modified-Since counts only where
// there is no If-None-Match.
func NotModified(reqHeader http.Header, ex *resource.Exchange) bool {
	if ex.Status < 200 || ex.Status > 299 {
		return false // RFC 9110 section 13.2.1
	}
	if lines := reqHeader["If-None-Match"]; len(lines) > 0 {
		if len(lines) == 1 && trimBlanks(lines[0]) == "*" {
			return true
		}
		tag, ok := parseETag(ex.Header["Etag"])
		return ok && containsWeakly(lines, tag)
	}
	since, _, valid := dateField(reqHeader, "If-Modified-Since", ex.Received)
	return valid && !modifiedAfter(ex, since)
}

// modifiedAfter compares with the date of modification, or else with the date of the
// response, or else with the time when it was received (RFC 9111 section 4.3.2).
func modifiedAfter(ex *resource.Exchange, since time.Time) bool {
	modified, present, valid := dateField(ex.Header, "Last-Modified", ex.Received)
	switch {
	case valid:
		return modified.After(since)
	case present:
		return true // it can't be read, so nothing is known
	}
	return generated(ex).After(since)
}

// Validates reports whether a 304 (Not Modified) is about this stored response and may
// freshen it (RFC 9111 section 4.3.4). Without any validator in it, it is about the response
// whose validators were sent; only a caller that sent those of one stored response may
// rely on that. A 304 that does not validate means that the request has to be repeated
// without conditions.
func Validates(ex *resource.Exchange, notModified http.Header) bool {
	if len(notModified["Etag"]) > 0 {
		got, ok := parseETag(notModified["Etag"])
		stored, _ := parseETag(ex.Header["Etag"])
		if ok && !got.weak {
			return got.strongly(stored)
		}
		return ok && got.weakly(stored)
	}
	got, present, valid := dateField(notModified, "Last-Modified", ex.Received)
	if !present {
		return true
	}
	stored, _, storedValid := dateField(ex.Header, "Last-Modified", ex.Received)
	return valid && storedValid && got.Equal(stored)
}
