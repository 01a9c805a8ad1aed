// Package peer is the exchange protocol between nodes, version peerproxy.1: a [Swarm]
// holds sessions with other nodes, answers what they ask out of a [Catalog], and
// fetches copies from them.
//
// # Model
//
// A session is one WebSocket connection between two nodes, whose keys are proven.
// Either side may ask on it, so a node that can't be reached serves over the
// connections that it opened. [Swarm.Fetch] asks those connected peers first whose
// digest has the resource, then looks up addresses for the site ([Finder]; with [Config.Exact] for the
// resource first), dials
// several side by side, asks them, and takes the first verified answer. If no trusted key
// signed that, it asks others for heads, to find out whether enough independent nodes
// got the same bytes, before a byte of the body is handed out. The body
// streams verified in groups of 16 KiB; if its peer fails, another continues it.
//
// # Guarantees
//
// No byte of a body is handed out before the exchange has been verified by the
// [Verifier] and its URL is the one that was asked for, and none that does not belong
// to the exchange's root. A body ends with its last byte or with an error.
//
// A copy is [resource.Witnessed] if as many witnesses as the [Jury] wants signed what it says,
// whose keys were proven to this node on sessions with addresses in different networks
// (IPv4 /24, IPv6 /48). Signatures that peers carry count as those of their keys, and only
// if these were met. Sightings are kept for twelve hours, of at most 4,096 keys, and eight
// in one network. Where several contents are offered, the best proven one wins, and of several
// witnessed ones that which was seen last.
//
// Nothing is answered but what is in the catalog. What this node holds and does not
// share is, in bytes and in the way that the answer is found, the same as what it does
// not hold.
//
// To ask is to tell what the user lacks. So a peer is asked only if its digest has the
// resource, or if the look-up gave its address for that very site ([Found.Named]).
// Others are not asked, as who connects and sends no digest, or one that is not complete,
// or who was found for a set of sites among which this one is hidden.
//
// A stranger can cost only what [Limits] and [Timeouts] allow: every length that is
// said is checked before memory is taken for it, every wait has an end, every table
// is bounded. A peer that gives an answer which no honest peer gives is closed and
// shunned, its key and the address that was dialled, for [Timeouts.Shun]; one that
// is slow, busy or broken is only passed over.
//
// Why an offered copy was refused is told at debug level with the peer's key, and in
// [FetchError].
//
// What is not guaranteed: whoever has hosts in as many networks as it takes, or stands in
// front of the origin, can have bytes witnessed that are not the site's. Peers learn what they
// are asked for if they know its URL, and the addresses of each other. Keys cost
// nothing, so to shun one stops accidents and not a determined liar; that one still can't
// forge a signature.
//
// # The connection
//
// TLS 1.3, with ALPN http/1.1. The server's certificate is self-made and is not
// verified. Within it a WebSocket connection (RFC 6455) with the subprotocol
// "peerproxy.1", any path, no extension. All messages are binary and at most 65,536
// bytes long; a text message or a longer one ends the connection.
//
// The first message in each direction is a hello, sent without waiting for the
// other's:
//
//	hello = version(1) *( type(1) length(2) value )      at most 1,024 bytes
//	type 1  role        1 byte: "c" (who dialled) or "s" (who accepted)
//	type 2  key        32 bytes: Ed25519 public key of the node
//	type 3  signature  64 bytes
//
// Numbers are big-endian, as everywhere. Version is 1. Fields ascend by type and none
// occurs twice; all three are needed. Unknown types below 128 are ignored, others make
// the hello invalid. The signature is over "peerproxy channel 1", a zero byte, the
// role and 32 bytes that the TLS exporter gives for the label
// "EXPORTER-peerproxy-channel-1" without context (RFC 8446 section 7.5). The
// receiver verifies it with its own exporter and the role that the other side must
// have. So a hello can't be replayed on another connection, relayed by a machine in
// the middle, or reflected. After ten seconds without a valid hello, or if the key is
// one's own, the connection is closed.
//
// Close codes: 1001 the node stops or the session was idle, 1008 a broken rule, 1013
// no room, 4000 another connection to the same key, 4001 hello refused.
//
// Two nodes keep one connection. If there are two, the node with the lower key (as
// a big-endian number) decides: it keeps the older one if that answers a ping within two
// seconds, else the newer, and closes the other. If it does not within ten seconds,
// the other node does.
//
// # Streams
//
// All further messages together are one byte stream that carries yamux version 0
// (data, window update, ping and go-away frames of 12 bytes header; the dialler has
// the odd stream numbers), with these rules on top: the data of a frame is at most
// 65,524 bytes; a sender's data frames carry at least 64 bytes on average, beyond the
// first 4,096 frames; at most 64 streams may be open in each direction; what a side has
// sent as questions and the other has not read yet is at most 2 MiB over all streams.
// Frames and messages need not coincide.
//
// # Questions
//
// On each stream the side that opened it speaks HTTP/1.1 (RFC 9112), one request after
// the other. The Host field is "peer". There are no redirects, codings, trailers or
// cookies. Header sections are at most 8 KiB in requests and 16 KiB in answers.
//
//	GET /r/<blinded ID>        also HEAD
//
// The blinded ID is, in lower-case hexadecimal, HMAC-SHA-256 keyed with the swarm's
// secret over "peerproxy blinded resource", a zero byte, and the resource's ID, which
// is SHA-256 over "peerproxy resource", a zero byte, the method, a zero byte and the
// canonical URL.
// Accept, Accept-Encoding and Accept-Language choose a variant; no other field of a
// browser's request is sent.
//
//	200  Content-Type: application/peerproxy-exchange
//	     Content-Length: exactly that of what follows
//	     ETag: "<root of the body in hexadecimal>"
//
//	     length(4) exchange slice
//
// The exchange is encoded as by resource.Exchange.MarshalBinary, in at most 128 KiB.
// The slice is the bao encoding of the whole body over groups of 16 KiB: each parent
// (two chaining values) before its children, in pre-order, without the length in
// front.
//
// A part is asked for with the range unit "bao" (RFC 9110 section 14.1): offsets into
// the body, one range, "bao=first-last" or "bao=first-". The answer is the slice of
// the groups that have a byte of the range, and of the parents above them:
//
//	GET /r/<blinded ID>
//	If-Match: "<root>"
//	Range: bao=1048576-4194303
//
//	206  Content-Range: bao 1048576-4194303/4194304
//
// 412 if the variant that is chosen has another root, 416 if the range has no byte of
// the body or can't be understood. 404 if there is no copy, and the same for every
// unknown path; 405 with Allow for another method; 429 and 503 if there is too much to
// do. Other range units are ignored. Another status below 400, or an answer of another
// form, is a broken rule.
//
// # Witnesses
//
// What a node knows of the witnesses of a copy is in the signatures of its exchange (package
// trust). They are asked for with
//
//	GET /w/<blinded ID>        with Accept, Accept-Encoding, Accept-Language as above
//
//	200  Content-Type: application/peerproxy-exchange
//	     Content-Length: exactly that of what follows
//	     ETag: "<root of the body in hexadecimal>"
//
//	     length(4) exchange
//
// which is the head that /r/ gives, without the slice. With If-Match, a copy with another root is
// as none: 404, like all that is not there. This package asks without, since a copy with another
// root is worth knowing of, and to say which one it has would tell peers what to answer. Errors
// and limits are those of /r/. At most 16 peers are asked for one copy, two of one network, side by
// side, for 1.5 seconds.
//
// # Digests
//
// Each side tells the other what it shares: all at the start, then changes, at once
// after a quiet time and otherwise collected over two seconds.
//
//	PUT /digest     flags(1) set
//	PATCH /digest   removed-set added-set
//	Content-Type: application/peerproxy-digest
//
//	set = count(4) k(1) codes
//
// An entry is the first 32 bits of a blinded ID. A set is Golomb-Rice coded: for each
// entry in ascending order its distance to the entry before, less one (the first
// entry itself), divided by 2^k in unary (ones, then a zero), and the remainder in k
// bits, the most significant bit first; zero bits fill the last byte. Bit 0 of the
// flags says that the digest is not complete, so that absence proves nothing. An
// entry that is removed and added is added. At most 200,000 entries and 524,288
// bytes.
//
// 204 if all is well, 408 if it takes longer than ten seconds to arrive, 409 for a
// PATCH before a PUT (the whole is then sent), 413 if it is too large, 429 if it comes
// too often (more than two per second for long), 400 if it is malformed. Without an
// answer, and after 408, 409, 429 and 503, the sender sends the whole later. It gives up
// after any other status than these and 204.
//
// A digest permits questions, orders them and saves those in vain. It proves nothing,
// and nothing is believed because of it.
//
// # Why
//
// 32 bits per entry make one question in 20,000 a vain one at 200,000 entries. They
// need two bytes each on the wire and four in memory, where 64 would need six and
// eight, for as good as no further gain.
//
// Ports below 1024 are not dialled, but for 80 and 443: addresses come from strangers,
// who could otherwise have many nodes knock at the mail or SSH servers of others.
//
// A gorilla connection is dead after its first timeout. So nothing sets a read
// deadline on it: streams have deadlines of their own, and keep-alive pings find out
// when the connection is dead.
package peer
