// Package httpcache decides what a shared HTTP cache may do: what it may store,
// which stored response answers a request, how long it is fresh, when it has to be
// validated, and what validation changes. The rules are those of RFC 9111, together
// with the parts of RFC 9110 that a cache needs (conditional requests, ranges,
// dates, hop-by-hop fields), RFC 5861 (stale-if-error, stale-while-revalidate) and
// RFC 8246 (immutable).
//
// Every function is pure. It reads a request, the fields of a response or a
// [resource.Exchange], and the time now where time matters; nothing here reads the
// clock, does I/O, keeps state or changes an argument, but for [RemoveHopByHop],
// whose purpose it is. All functions may be called by any number of goroutines.
// Header maps have their keys in the canonical form of net/http.
//
// The life of a response, in the order in which a proxy asks:
//
//	Storable            may it be stored at all?              RFC 9111 section 3
//	RemoveHopByHop      what of its fields is kept?           RFC 9111 section 3.1
//	Selecting           under which request fields?           RFC 9111 section 4.1
//	InitialAge          how old was it on arrival?            RFC 9111 section 5.1
//	Matches             does it answer this request?          RFC 9111 section 4.1
//	Evaluate            may it be used without asking?        RFC 9111 section 4.2
//	NotModified, Range  what part of it has to be sent?       RFC 9110 sections 13, 14
//	ConditionalHeaders  how is the origin asked about it?     RFC 9111 section 4.3.1
//	Validates, Freshen  what does a 304 (Not Modified) change? RFC 9111 section 4.3.4
//
// Decisions come with a [Reason] in plain words, and where there is a choice the
// doubtful case is decided so that nothing private is stored and nothing stale is
// taken for fresh: a max-age that is no number counts as 0, a date that is not
// exactly of the three forms of HTTP is none, a Vary that can't be read never matches.
//
// # What is not covered yet
//
// Only responses to GET are stored. Partial content (206) is neither stored nor
// combined, and of several ranges in a request none is honoured: the whole
// response is the answer. The qualified forms no-cache="field" and private="field"
// count like the plain ones, which RFC 9111 sections 5.2.2.4 and 5.2.2.7 allow.
// Freshening by HEAD (section 4.3.5), invalidation by unsafe methods (section 4.4),
// validation of several stored variants by one request (section 4.3.1), targeted
// cache control (RFC 9213) and POST responses reused through Content-Location are
// still to come, each as a file of its own beside these.
package httpcache
