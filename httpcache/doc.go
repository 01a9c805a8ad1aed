// Package httpcache decides what a shared HTTP cache may do: what it may store,
// which stored response answers a request, how long it is fresh, when it has to be
// validated, and what validation changes. The rules are those of RFC 9111, together
// with the parts of RFC 9110 that a cache needs (conditional requests, ranges,
// dates, hop-by-hop fields), RFC 5861 (stale-if-error, stale-while-revalidate),
// RFC 8246 (immutable) and RFC 9213 (targeted cache control).
//
// Every function is pure. It reads a request, the fields of a response or a
// [resource.Exchange], and the time now where time matters; nothing here reads the
// clock, does I/O, keeps state or changes an argument, but for [RemoveHopByHop],
// whose purpose it is. All functions may be called by any number of goroutines.
// Header maps have their keys in the canonical form of net/http.
//
// The life of a response, in the order in which a proxy asks:
//
//	Storable              may it be stored at all?              RFC 9111 section 3
//	StorablePart          may a 206 be?                         RFC 9111 section 3.3
//	StorablePost          may a response to POST be?            RFC 9110 section 9.3.3
//	RemoveHopByHop        what of its fields is kept?           RFC 9111 section 3.1
//	Selecting             under which request fields?           RFC 9111 section 4.1
//	InitialAge            how old was it on arrival?            RFC 9111 section 5.1
//	Matches               does it answer this request?          RFC 9111 section 4.1
//	Evaluate              may it be used without asking?        RFC 9111 section 4.2
//	Preconditions         does the client need it at all?       RFC 9110 section 13.2.2
//	ChooseRanges          what part of it has to be sent?       RFC 9110 section 14.2
//	NewMultipart          how are several parts sent?           RFC 9110 section 14.6
//	ConditionalHeaders    how is the origin asked about it?     RFC 9111 section 4.3.1
//	ConditionsAmong       which variant is the right one?       RFC 9111 section 4.3.1
//	Updated, Freshen      what does a 304 (Not Modified) change? RFC 9111 section 4.3.4
//	Completion, Combine   how is a part made whole?             RFC 9111 section 3.4
//	OfHead                what does a response to HEAD change?  RFC 9111 section 4.3.5
//	StorableUpdate        may such changes be kept?             RFC 9111 section 3.5
//	Invalidates           what does another method change?      RFC 9111 section 4.4
//	Explain               all of this in words for the user
//
// Where an operator has a choice, the functions are methods of [Policy], too; without one they
// go by the zero Policy.
//
// Decisions come with a [Reason] in plain words, and where there is a choice the
// doubtful case is decided so that nothing private is stored and nothing stale is
// taken for fresh: a max-age that is no number counts as 0, a date that is not
// exactly of the three forms of HTTP is none, a Vary that can't be read never matches, parts
// without the same strong validator are never joined.
//
// # Parts
//
// A stored part is an exchange with status 206 whose Content-Range says which bytes its body is.
// There is one part of each variant: what is not next to it replaces it or is not stored. A
// part answers ranges within it; [ChooseRanges] says so, and everything else about it is [RangeMissing],
// whatever [Evaluate] says.
//
// # What is left to the caller
//
// The request's no-store and only-if-cached directives, which are about the caller's doing.
// Sending stale-while-revalidate's request. What to keep when a stored response is invalidated.
//
// # What is stricter than it has to be
//
// The qualified forms no-cache="field" and private="field" count like the plain ones, which RFC
// 9111 sections 5.2.2.4 and 5.2.2.7 allow. s-maxage forbids stale use even beside
// stale-while-revalidate (section 5.2.2.10). Multipart responses are not taken apart to be stored.
package httpcache
