// Package proxy is a forward proxy as an http.Handler: it stores what it fetches,
// serves it while it is fresh, and when an origin fails it asks peers or falls back
// to what it has.
//
// # Model
//
// A request arrives in absolute form (RFC 9112 section 3.2.2), as CONNECT or as an
// upgrade. Tunnels and upgrades are copied blindly; what an [Interceptor] has opened is served like
// the front door, for one site. GET and HEAD go the way of the
// cache:
//
//	store ── fresh ─────────────────────────────────▶ client
//	  │ missing or stale
//	  ▼
//	flight: one fetch for all clients that wait for the same thing
//	  │ race: origin, and peers beside it after Patience or at once if it fails
//	  ▼
//	spool ──▶ Store.Create … Commit
//	  └─────▶ clients, each at its own pace
//
// All other requests are passed on as they are; what they mean for the store is that of
// RFC 9111 section 4.4, and a response to POST may be kept for GET. What may be stored and used
// is the decision of package httpcache; what is provably public is [ShareDecision].
//
// By file: cachepath.go decides whether what is stored answers a request, asking.go what the
// origin is asked, ride.go and flight.go who waits for which answer, race.go whom to
// ask, outcome.go what an answer means, join.go how it is joined with what is stored, deliver.go what
// the client gets, parts.go and stream.go how that is written; connect.go and inside.go are about tunnels.
//
// # Guarantees
//
//   - No body is held in memory as a whole. A fetch runs at most 4 MiB ahead of its
//     fastest reader; what is not stored passes through a window of 512 KiB.
//   - A body that breaks off is never stored, and the client's connection is
//     broken off too, so that it notices.
//   - An answer is passed on as it comes, also while the client still sends; then its
//     connection ends with the answer. Waits for clients and for sites end after Idle.
//   - A site's connection gives the answer to a request and no more; what comes behind it
//     ends the connection.
//   - OPTIONS and TRACE are counted down and answered here when Max-Forwards says so.
//   - A flight lives until its last reader leaves; then its fetch is cancelled.
//   - No failure of the store is seen by a client as long as the bytes can be had
//     otherwise. No error ever takes the place of a good copy, and no part that of a whole.
//   - Parts of different representations are never joined, and what is joined is only
//     stored when all of its bytes have come.
//   - A response all of which has come is found by the next request, even if the store has
//     not finished with it: a request waits for that, 200 ms at most.
//   - A site that can't prove by its certificate who it is has failed: nothing of it is
//     passed on, and the page says what is wrong. There is no way to ignore it.
//   - In an opened tunnel only the site is asked for whose name the client was shown a
//     certificate; requests for others are answered by 421.
//   - Hop-by-hop fields, fields that Connection names and credentials for the proxy
//     are not forwarded. Requests that come back are answered by 508.
//   - Special addresses are refused when they are dialled ([Dialer]), after the
//     resolution of the name.
//   - An upstream proxy ([Upstream]) resolves names itself: then special addresses are
//     refused where the name tells them, and what comes through it is never shared, since
//     nobody here can tell whether it is public. Its failures are told from the site's.
//   - DNS over HTTPS ([DoH]) has no way back to plain DNS.
//   - Peers are asked for public hosts only, and learn the URL's ID and the fields
//     of resource.SelectingFields, never cookies or credentials.
//   - What was fetched with a cookie is shared only after the same has come to a second fetch
//     ([Recheck]) that tells nothing of who asked.
//   - Every answer bears Cache-Status (RFC 9211) and Proxy-Status (RFC 9209), on
//     connections of [Proxy.Serve] also those to requests that are not HTTP, which
//     net/http refuses itself.
//
// # Limits
//
// Of each variant one part is stored; responses with several parts are forwarded only. Bodies
// that only the end of an unencrypted connection delimits may have been cut off: they are
// stored, but never confirmed or shared. Of several ranges of a body that is still coming the
// whole is sent. Requests with If-Match or If-Unmodified-Since, which only the origin can
// judge (RFC 9111 section 4.3.2), go past the store.
package proxy
