package httpcache

import (
	"net/http"
	"slices"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// maxTagsSent bounds the entity tags in one request to the origin.
const maxTagsSent = 16

// ConditionsAmong are the fields that ask the origin which of the stored variants of a resource is
// the right one for a request that none of them matches: If-None-Match with their entity tags (RFC
// 9111 section 4.3.1). Their dates, be it of only one, would be compared with that of another variant,
// and the tag of a part would say that all of it is here. The result is empty if there is nothing to
// ask by.
func ConditionsAmong(stored []*resource.Exchange) http.Header {
	var tags []string
	for _, ex := range stored {
		lines := ConditionalHeaders(ex)["If-None-Match"]
		if ex.Status == http.StatusPartialContent || len(lines) == 0 || slices.Contains(tags, lines[0]) || len(tags) == maxTagsSent {
			continue
		}
		tags = append(tags, lines[0])
	}
	if len(tags) == 0 {
		return http.Header{}
	}
	return http.Header{"If-None-Match": {joinList(tags)}}
}

func joinList(members []string) string {
	var b []byte
	for i, m := range members {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, m...)
	}
	return string(b)
}

// Updated are those of the stored responses that a 304 (Not Modified) is about, and that are to
// be freshened, newest first; the first one answers the request (RFC 9111 section 4.3.4). Asked
// are the responses whose validators were sent. With a strong validator it is every response
// that has it; with a weak one the newest that has it; with none the one that was asked about,
// if it was one. If there is none, the request has to be repeated without conditions.
func Updated(asked []*resource.Exchange, notModified http.Header) (about []*resource.Exchange, why Reason) {
	const section = "RFC 9111 section 4.3.4"
	for _, ex := range asked {
		if Validates(ex, notModified) {
			about = append(about, ex)
		}
	}
	slices.SortStableFunc(about, func(a, b *resource.Exchange) int { return generated(b).Compare(generated(a)) })
	tag, tagged := parseETag(notModified["Etag"])
	_, strongly := strongDate(notModified, noYear)
	switch {
	case len(about) == 0:
		return nil, Reason{"the 304 is about no stored response", section}
	case tagged && !tag.weak || !tagged && strongly:
		return about, Reason{"every stored response with the strong validator of the 304 is updated", section}
	case tagged || len(notModified["Last-Modified"]) > 0:
		return about[:1], Reason{"the newest stored response with the weak validator of the 304 is updated", section}
	case len(asked) > 1:
		return nil, Reason{"the 304 does not say which of the stored responses it is about", section}
	}
	return about, Reason{"the 304 is about the one response that was asked about", section}
}

// FreshenAs is [Freshen] for a response that a 304 has chosen for a request with these fields
// although it is stored for others: the copy is stored beside it, as a variant for this request.
func FreshenAs(reqHeader http.Header, ex *resource.Exchange, notModified http.Header, requested, received time.Time) (fresh *resource.Exchange, ok bool) {
	fresh = Freshen(ex, notModified, requested, received)
	fresh.Selecting, ok = Selecting(reqHeader, fresh.Header)
	return fresh, ok
}

// StorableUpdate decides whether what a response to a request has made of a stored response may be kept:
// the results of [Freshen] and [Combine]. If not, it answers that request, and what is stored stays
// as it was: a request with no-store or credentials forbids to store any part of the response to it
// (RFC 9111 sections 5.2.1.5 and 3.5).
func StorableUpdate(req *http.Request, updated *resource.Exchange) (ok bool, why Reason) {
	return Policy{}.StorableUpdate(req, updated)
}

// StorableUpdate is the function [StorableUpdate] under a policy.
func (p Policy) StorableUpdate(req *http.Request, updated *resource.Exchange) (ok bool, why Reason) {
	asked, said := ParseCacheControl(req.Header), p.rules(updated.Header)
	if asked.NoStore {
		return false, Reason{"not stored: the request says no-store", "RFC 9111 section 5.2.1.5"}
	}
	if why := authorizationForbids(req, &said.Directives); why.Text != "" {
		return false, why
	}
	return true, Reason{"stored: the response is updated", "RFC 9111 section 3.2"}
}
