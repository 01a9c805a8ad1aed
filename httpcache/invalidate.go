package httpcache

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/peerproxy/peerproxy/resource"
)

// maxInvalidated bounds how many URLs one response can name.
const maxInvalidated = 8

// IsSafe reports whether a method is known to change nothing at the origin (RFC 9110 section
// 9.2.1; the other names are those that the IANA method registry calls safe). Methods are
// case-sensitive; "" is GET, as in net/http.
func IsSafe(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, "PROPFIND", "REPORT", "SEARCH":
		return true
	}
	return false
}

// Invalidates are the URLs whose stored responses, of all variants, must not be used any more
// without validation after the final response to a request (RFC 9111 section 4.4): of a method
// that is unsafe or unknown, with a status that is no error. These are the target itself, and
// what Location and Content-Location name at the same origin. Others are left alone, since
// a site could make caches forget another one's pages.
//
// To remove the stored responses does. Who keeps them for the day when the origin fails
// has to see to it that they are never used without validation otherwise.
func Invalidates(method string, status int, target resource.URL, header http.Header) []resource.URL {
	if IsSafe(method) || status < 200 || status > 399 || target.IsZero() {
		return nil
	}
	urls := []resource.URL{target}
	for _, name := range [...]string{"Location", "Content-Location"} {
		for _, line := range header[name] {
			u, ok := resolve(target, line)
			if ok && sameOrigin(u, target) && !slices.Contains(urls, u) && len(urls) < maxInvalidated {
				urls = append(urls, u)
			}
		}
	}
	return urls
}

// resolve makes an absolute URL of a reference (RFC 3986 section 5).
func resolve(base resource.URL, reference string) (resource.URL, bool) {
	if len(reference) > resource.MaxURLLength {
		return resource.URL{}, false
	}
	b, err := url.Parse(base.String())
	if err != nil {
		return resource.URL{}, false
	}
	u, err := b.Parse(trimBlanks(reference))
	if err != nil {
		return resource.URL{}, false
	}
	canonical, err := resource.FromURL(u)
	return canonical, err == nil
}

// sameOrigin compares scheme, host and port (RFC 9110 section 4.3.1).
func sameOrigin(u, v resource.URL) bool {
	return u.Scheme() == v.Scheme() && u.HostPort() == v.HostPort()
}
