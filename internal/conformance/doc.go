// Package conformance is what the RFCs ask of a shared HTTP cache, told as stories. A [Story] is
// some requests to one cache, in their order; each [Step] says what the client asks, what the origin
// answers if it is asked, and what has to come of it. Every story cites the section that it is
// about: "9111 4.3.4" is RFC 9111 section 4.3.4.
//
// The stories know no cache. They are told twice: by the tests of package httpcache to a model
// cache in memory, and by those of package proxy to a proxy, over sockets. Whoever tells them reports
// an [Outcome] for each step, which [Step.Check] judges.
//
// Most of what is asked here is a MUST or a MUST NOT. Where the RFCs leave a choice, the stories ask for
// what this project does: what is fresh is used, what may be stored is stored, and a stale response
// stands in for an origin that fails.
package conformance
