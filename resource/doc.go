// Package resource is the vocabulary of peerproxy: what a web resource is
// called, what a stored response consists of, and how bytes are proven.
//
// A [URL] is canonical, so that two spellings of one address are one resource.
// An [ID] names a resource (method and URL) everywhere inside this node; a
// [BlindedID] names it to peers, who learn nothing from it unless they know
// the URL already. A [Site] groups resources for announcing. An [Exchange] is
// a request and its response as they were with the origin, and the [Body] of
// it is named by the root of a BLAKE3 tree, so that every 16 KiB group can be
// verified alone while it streams: a [Hasher] makes the tree when a body is stored,
// [WriteSlice] sends a range of it, and a [SliceReader] lets only proven bytes through.
// The binary form of an exchange ([Exchange.MarshalBinary]) is the same in the store and
// on the wire, and is checked in every part when it is read.
//
// The package does no I/O of its own and imports no other package of this
// module. All hashing and all canonical forms live here, once. Values are
// plain data: a value that has been handed over is not changed any more, and
// may therefore be read by any number of goroutines.
package resource
