package httpcache

import (
	"net/http"

	"github.com/peerproxy/peerproxy/resource"
)

// Selecting returns those request fields that the response's Vary field names and that
// the request carries, in normal form: one line each, so that requests with the same
// meaning give the same value (RFC 9111 section 4.1). A field that the request lacks is not
// in it, which differs from an empty one. It is nil if there are none. ok is false
// if the response never answers another request: Vary has a "*" or can't be read.
func Selecting(reqHeader, respHeader http.Header) (sel http.Header, ok bool) {
	names, ok := varyNames(respHeader)
	for _, name := range names {
		values, present := reqHeader[name]
		if !present || len(values) == 0 {
			continue
		}
		if sel == nil {
			sel = make(http.Header, len(names))
		}
		sel[name] = []string{normalise(name, values)}
	}
	return sel, ok
}

// Matches reports whether the request fields select the stored response: every field that
// its Vary names is absent from both requests or has the same normal form in both
// (RFC 9111 section 4.1).
func Matches(reqHeader http.Header, ex *resource.Exchange) bool {
	for _, line := range ex.Header["Vary"] {
		members := list{rest: line}
		for member, ok := members.next(); ok; member, ok = members.next() {
			if member == "" {
				continue
			}
			if member == "*" || !isToken(member) {
				return false
			}
			name := http.CanonicalHeaderKey(member)
			if !sameField(name, reqHeader[name], ex.Selecting[name]) {
				return false
			}
		}
	}
	return true
}

// sameField compares a field of a request with the stored one. The stored one is brought
// into normal form again if it differs: another version may have stored it.
func sameField(name string, asked, stored []string) bool {
	if len(asked) == 0 || len(stored) == 0 {
		return len(asked) == len(stored)
	}
	if len(asked) == 1 && len(stored) == 1 && asked[0] == stored[0] {
		return true
	}
	normal := normalise(name, asked)
	return len(stored) == 1 && normal == stored[0] || normal == normalise(name, stored)
}

// varyNames are the field names in Vary, canonical and each once. It is not ok if one of them
// is "*" or no field name: then nobody knows what the response varies on.
func varyNames(h http.Header) (names []string, ok bool) {
	for _, line := range h["Vary"] {
		members := list{rest: line}
		for member, more := members.next(); more; member, more = members.next() {
			if member == "" {
				continue
			}
			if member == "*" || !isToken(member) {
				return nil, false
			}
			names = append(names, http.CanonicalHeaderKey(member))
		}
	}
	return names, true
}
