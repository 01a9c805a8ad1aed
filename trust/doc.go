// Package trust says who vouches for what: the key of a node, signatures over
// exchanges, and whose signatures count.
//
// # Model
//
// A node has one Ed25519 key, its [Identity]. What the node itself fetched from an
// origin it signs once ([Identity.Sign]). Whoever gets the exchange from a peer
// later, over however many hops, asks a [Policy] what it is worth ([Policy.Verify]).
// The same key proves on a connection who serves there ([Identity.SignChannel]).
//
// # Signatures over exchanges
//
// The signature is an HTTP message signature (RFC 9421) over the response as it was
// received, in a profile with nothing left to choose. The covered components are, in
// this order:
//
//	"@method";req  "@target-uri";req  "@status"
//	every selecting request field, by name, with the parameter req
//	every response field, by name
//
// Before it is signed, two field lines are appended to the response: Repr-Digest
// with the SHA-256 of the body (RFC 9530), and Peerproxy-Exchange, a dictionary
// (RFC 9651) with the members root (BLAKE3 root of the body), length (bytes),
// requested, received (milliseconds since 1970) and age (milliseconds). If the
// origin sent fields of these names, they stay, and ours is the last line.
//
// A field of one line in plain ASCII is covered as it is. A field of several lines,
// or with bytes beyond ASCII, is covered with the parameter bs (RFC 9421 section
// 2.1.3), so that "a, b" in one line and "a" and "b" in two are never the same text.
// Whether bs is there follows from the exchange and can't be chosen.
//
// The signature's parameters are created (the second of Received), keyid (text of
// the [Key]), alg="ed25519" and tag="peerproxy.1", in this order.
//
// # Witnesses
//
// Two nodes that get the same response sign different things: times, dates, age. So each adds
// a second signature, as a witness of what does not differ from fetch to fetch. It
// covers, in this order:
//
//	"@method";req  "@target-uri";req  "@status"
//	every selecting request field, by name, with the parameter req
//	peerproxy-body, repr-digest and those response fields, by name, that are on
//	a fixed list (witnessedFields) and that the response has
//
// Peerproxy-Body is a dictionary with the members root and length, Repr-Digest has the
// SHA-256 of the body; fields of these names that the origin sent are left out. For bs the same
// rule holds as above. The parameters are created (the second in which this witness got the
// response), keyid, alg="ed25519" and tag="peerproxy.witness.1".
//
// A witness signature is valid on every exchange with the same covered values, so a node that
// serves a copy carries the witnesses that it knows, in Exchange.Signatures. Whoever gets
// copies collects them ([Policy.Tally]) and counts networks: of keys that
// itself has met, each in the network where that was, its own left out. [Policy.Quorum] of them
// make the copy [resource.Witnessed].
//
// The list has what changes what a browser does with the bytes. The rest of a witnessed
// copy (freshness, dates, validators, fields that report to servers, unknown ones) is still
// the word of one unknown key. Whoever delivers it leaves away what matters of that, and
// takes [Testimony.At] for its age, which no single key can set.
//
// # The keyring
//
// Whom the user trusts stands in a [Keyring]: keys with names, for all sites or for some
// (their scope), and keys that are revoked, which count no more than if they had never signed. A
// [Policy] looks at the one in force ([LiveKeyring]), which may change while a node runs.
// On disk it is TOML ([UpdateKeyring]); the same text is exported and imported
// ([Keyring.Merge]). An [Invitation] makes somebody a member of a group: the secret of its
// swarm and the inviter's key, as one text with a checksum.
//
// # Guarantees
//
// The verifier never lets a signature say what it covers. It derives the covered
// components and the parameters from the exchange alone and demands that the
// signature's Input is that text, byte for byte. So every part of the exchange but
// the signatures themselves is covered: times to the millisecond, everything else
// to the last bit. An exchange that has no unambiguous signature base (a name that
// is no token, a line break in a value) can neither be signed nor verified
// ([ErrUnsignable]). Whether the signed URL is the one that was asked for is checked
// first of all.
//
// Signatures say who saw a response, not that it is true. An exchange of an unknown
// key is [resource.Unproven] at best. The body isn't touched here: its root is
// signed, and [resource.SliceReader] holds the bytes to the root.
//
// Texts signed for exchanges and for channels begin differently, and those of fetchers and
// of witnesses end differently, in the tag. So none can be passed off as another.
//
// Witnesses say that several networks were given the same bytes. Someone who has hosts in
// as many networks as it takes, or who stands in front of the origin, can make witnesses of
// what is not true.
//
// All values are safe for concurrent use once they are made.
package trust
