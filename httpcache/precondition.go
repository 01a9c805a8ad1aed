package httpcache

import (
	"net/http"

	"github.com/peerproxy/peerproxy/resource"
)

// Outcome is how a request's preconditions come out.
type Outcome int

const (
	// Proceed means: the request is to be answered as if it had none; Range comes next.
	Proceed Outcome = iota
	// AnswerNotModified means: 304 (Not Modified) is to be sent.
	AnswerNotModified
	// AnswerFailed means: 412 (Precondition Failed) is to be sent.
	AnswerFailed
)

// Preconditions evaluates all preconditions of a GET or HEAD request on the stored response that
// would answer it, in the order of RFC 9110 section 13.2.2: If-Match or else If-Unmodified-Since,
// then If-None-Match or else If-Modified-Since. The first two are for the origin rather
// than for a cache (RFC 9111 section 4.3.2), which is why [Evaluate] sends requests with them
// there; they are judged here for when the store has to answer all the same.
func Preconditions(reqHeader http.Header, ex *resource.Exchange) (Outcome, Reason) {
	if ex.Status < 200 || ex.Status > 299 {
		return Proceed, Reason{"preconditions are about successful responses", "RFC 9110 section 13.2.1"}
	}
	if why := failed(reqHeader, ex); why.Text != "" {
		return AnswerFailed, why
	}
	if !NotModified(reqHeader, ex) {
		return Proceed, Reason{"no precondition stands against it", "RFC 9110 section 13.2.2"}
	}
	if len(reqHeader["If-None-Match"]) > 0 {
		return AnswerNotModified, Reason{"the client has this representation, by its entity tag", "RFC 9110 section 13.1.2"}
	}
	return AnswerNotModified, Reason{"not modified since the client's date", "RFC 9110 section 13.1.3"}
}

// failed is why the first two conditions are not met.
func failed(reqHeader http.Header, ex *resource.Exchange) Reason {
	if lines := reqHeader["If-Match"]; len(lines) > 0 {
		if len(lines) == 1 && trimBlanks(lines[0]) == "*" {
			return Reason{}
		}
		tag, ok := parseETag(ex.Header["Etag"])
		if ok && containsStrongly(lines, tag) {
			return Reason{}
		}
		return Reason{"the stored response has none of the entity tags in If-Match", "RFC 9110 section 13.1.1"}
	}
	since, _, valid := dateField(reqHeader, "If-Unmodified-Since", ex.Received)
	modified, _, known := dateField(ex.Header, "Last-Modified", ex.Received)
	if valid && known && modified.After(since) {
		return Reason{"modified since the date in If-Unmodified-Since", "RFC 9110 section 13.1.4"}
	}
	return Reason{}
}
