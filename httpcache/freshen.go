package httpcache

import (
	"net/http"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// Freshen returns a copy of a stored response that a 304 (Not Modified) with the given
// fields has validated (RFC 9111 section 4.3.4). Every field of the 304 replaces the stored
// one, except for hop-by-hop fields and those that describe the stored bytes (section 3.2). The
// age starts anew. The signatures are dropped: what they vouch for has changed.
//
// If the 304 changes Vary, the selecting fields that it no longer names are removed; those
// that it newly names count as absent until the caller, who knows the request, sets Selecting
// of the copy to the result of [Selecting].
func Freshen(ex *resource.Exchange, notModified http.Header, requested, received time.Time) *resource.Exchange {
	fresh := ex.Clone()
	if fresh.Header == nil {
		fresh.Header = http.Header{}
	}
	update := notModified.Clone()
	RemoveHopByHop(update)
	for name, values := range update {
		if len(values) > 0 && !describesBytes(name) {
			fresh.Header[name] = values
		}
	}
	delete(fresh.Header, "Age")
	// Without a new date the old one would make the response as old as before
	// (RFC 9110 section 6.6.1).
	if _, _, valid := dateField(update, "Date", received); !valid {
		fresh.Header["Date"] = []string{received.UTC().Format(http.TimeFormat)}
	}
	fresh.Selecting = onlyVarying(fresh)
	fresh.Requested, fresh.Received = requested, received
	fresh.InitialAge = InitialAge(notModified)
	fresh.Signatures = nil
	return fresh
}

// describesBytes names the fields without which the stored body would not be understood, or
// misunderstood. Servers are known to send wrong ones with a 304.
func describesBytes(name string) bool {
	switch name {
	case "Content-Length", "Content-Encoding", "Content-Range", "Content-Md5",
		"Content-Digest", "Repr-Digest", "Unencoded-Digest", "Digest":
		return true
	}
	return false
}

// onlyVarying are the selecting fields that Vary still names.
func onlyVarying(ex *resource.Exchange) http.Header {
	names, _ := varyNames(ex.Header)
	var sel http.Header
	for _, name := range names {
		if values, ok := ex.Selecting[name]; ok {
			if sel == nil {
				sel = make(http.Header, len(names))
			}
			sel[name] = values
		}
	}
	return sel
}
