package httpcache

import (
	"net/http"
	"strings"

	"github.com/peerproxy/peerproxy/resource"
)

// StorablePart decides whether the 206 (Partial Content) that answers a GET request may be stored
// (RFC 9111 sections 3 and 3.3). Length is that of its content, -1 while it is not known. A part
// is stored as an exchange with status 206, its Content-Range, and a body of its bytes alone;
// it answers requests for ranges within it (see [ChooseRanges]), and nothing else. With a
// strong validator it can be completed (see [Completion]).
func StorablePart(req *http.Request, header http.Header, length int64) (ok bool, why Reason) {
	return Policy{}.StorablePart(req, header, length)
}

// StorablePart is the function [StorablePart] under a policy.
func (p Policy) StorablePart(req *http.Request, header http.Header, length int64) (ok bool, why Reason) {
	if why := methodForbids(req); why.Text != "" {
		return false, why
	}
	if why := partForbids(req, header, length); why.Text != "" {
		return false, why
	}
	if ok, why = p.storable(req, http.StatusPartialContent, header); !ok {
		return false, why
	}
	if !strongly(header, header) {
		return true, Reason{"stored as a part; it can't be completed, for it has no strong validator", "RFC 9111 section 3.4"}
	}
	return true, Reason{"stored as a part", "RFC 9111 section 3.3"}
}

// partForbids refuses what does not say which part of what it is.
func partForbids(req *http.Request, header http.Header, length int64) Reason {
	text, section := "", "RFC 9110 section 15.3.7"
	got, ok := ParseContentRange(header)
	switch {
	case len(req.Header["Range"]) == 0:
		text = "a part that nobody asked for"
	case isMultipart(header):
		text, section = "several parts at once", "RFC 9110 section 15.3.7.2"
	case !ok || got.Span.Length == 0:
		text, section = "a part without a valid Content-Range", "RFC 9110 section 14.4"
	case length == 0 || length > got.Span.Length:
		text, section = "its length contradicts its Content-Range", "RFC 9110 section 14.4"
	case len(req.Header["If-Range"]) > 0:
		// The server may have left out every field that the client has already. With what is
		// stored here it can be combined nevertheless.
		text = "an answer to If-Range need not have all fields"
	default:
		return Reason{}
	}
	return Reason{"not stored: " + text, section}
}

func isMultipart(h http.Header) bool {
	kind, _, _ := cutParameter(h.Get("Content-Type"))
	return strings.EqualFold(kind, "multipart/byteranges")
}

// strongly reports whether two responses share a strong validator: the entity tag or, if
// neither has one, the date of modification (RFC 9110 sections 8.8.1 and 15.3.7.3).
func strongly(a, b http.Header) bool {
	if len(a["Etag"]) > 0 || len(b["Etag"]) > 0 {
		x, okX := parseETag(a["Etag"])
		y, okY := parseETag(b["Etag"])
		return okX && okY && x.strongly(y)
	}
	x, strongX := strongDate(a, noYear)
	y, strongY := strongDate(b, noYear)
	return strongX && strongY && x.Equal(y)
}

// StrongValidator is the strong validator of a stored response as a field says it, for If-Range:
// an entity tag in its quotes, or a date. It is "" if there is none.
func StrongValidator(ex *resource.Exchange) string {
	if !strongly(ex.Header, ex.Header) {
		return ""
	}
	if lines := ex.Header["Etag"]; len(lines) > 0 {
		return trimBlanks(lines[0])
	}
	return trimBlanks(ex.Header["Last-Modified"][0])
}

// Incomplete makes a storable part of a 200 whose body broke off after the first length bytes
// (RFC 9111 section 3.3). The exchange's Body.Length is set; root and digest are the caller's.
// It is not ok without a strong validator, since nothing could ever be joined to it then, and
// where the server says that it has no ranges.
func Incomplete(ex *resource.Exchange, length int64) (part *resource.Exchange, ok bool, why Reason) {
	complete := contentLength(ex.Header["Content-Length"])
	text, section := "", "RFC 9111 section 3.3"
	switch {
	case ex.Status != http.StatusOK || length <= 0 || complete >= 0 && length >= complete:
		text = "no part of a whole"
	case StrongValidator(ex) == "":
		text, section = "it could never be completed without a strong validator", "RFC 9111 section 3.4"
	case strings.EqualFold(trimBlanks(ex.Header.Get("Accept-Ranges")), "none"):
		text, section = "the server has no ranges to complete it", "RFC 9110 section 14.3"
	default:
		return asPart(ex, ContentRange{Span{0, length}, complete}), true, Reason{"stored as the first part", section}
	}
	return nil, false, Reason{"not stored: " + text, section}
}

// asPart is the exchange with the status and fields of a part.
func asPart(ex *resource.Exchange, held ContentRange) *resource.Exchange {
	part := ex.Clone()
	part.Status = http.StatusPartialContent
	part.Header["Content-Range"] = []string{held.String()}
	delete(part.Header, "Content-Length")
	part.Body = resource.Body{Length: held.Span.Length}
	part.Signatures = nil
	return part
}

// WholePart makes a whole response, with status 200, of a part that is all of its representation
// ("bytes 0-9/10"): such answers to "bytes=0-" are what media players cause. Others are not
// ok. It is to be stored as that; its body stays as it is.
func WholePart(ex *resource.Exchange) (whole *resource.Exchange, ok bool) {
	held, ok := PartOf(ex)
	if !ok || ex.Status != http.StatusPartialContent || held.Span != (Span{0, held.Complete}) {
		return nil, false
	}
	whole = ex.Clone()
	whole.Status = http.StatusOK
	delete(whole.Header, "Content-Range")
	whole.Signatures = nil
	return whole, true
}
