// Package cache is the store of peerproxy: exchanges and their bodies in one
// bbolt file.
//
// # Model
//
// A stored response is named by the [resource.ID] of its URL and by the request
// fields that selected it (RFC 9111 section 4.1). It refers to a body by the
// root of the body's BLAKE3 tree, and equal bodies are kept once. Small bodies
// lie beside the metadata, larger ones in chunks of up to 256 KiB under growing
// numbers; the tree of a body is kept with it, so that any range of it can be
// given to a peer with its proof.
//
// A body comes in through a [Writer] while it is being fetched, and can be read
// from there by any number of readers at the same time. Nothing of it is part of
// the cache before [Writer.Commit] has returned. [Store.Lookup] finds responses,
// [Store.OpenBody] reads their bodies. What is handed out is shared and not to be
// changed.
//
// # Guarantees
//
//   - What Commit, Freshen or Delete acknowledged survives a crash of the process
//     at any time, and a loss of power as far as the disk keeps what it has synced.
//     What they had not acknowledged is stored whole or not at all. Bodies that
//     nobody committed are removed when the file is opened next.
//   - A weaker copy never replaces a stronger one, an error never replaces a good
//     response, an older one never a newer one of the same tier: [ErrWeaker].
//   - The file does not grow past the quota, which is recorded in it. What was used
//     least recently goes first, a little in each transaction. A file that is larger
//     when it is opened (the quota was lowered) is emptied down to the quota, whether
//     anything is stored meanwhile or not, for which it may grow by a few MiB; bbolt
//     does not give the space back to the file system.
//   - Bodies that are being written displace at most half of the quota together, and
//     nothing at all while they fit into the room that is kept free anyway.
//   - With Config.Inspect not one byte of the file changes.
//   - Memory is bounded: by the write queue (16 MiB), the memory tier, one chunk for
//     each open Writer and 32 bytes for each 16 KiB of a body that is being written.
//     Writers wait when the queue is full.
//   - Readers wait for nobody but the disk, and no transaction is open while a
//     caller holds a [Body]: a slow client costs nothing. An open body stays
//     readable although its response is deleted or evicted meanwhile.
//   - A file that is damaged, foreign or of a newer schema is refused and left as it
//     is. Damage that is found later ends in [ErrCorrupt], not in a crash, and from
//     then on nothing is written.
//
// # Limits
//
// One process at a time ([ErrLocked]). bbolt has no checksums: [Store.Verify] finds
// changed bytes in a body, a plain read does not. After an unclean end the free
// pages are found by reading the page headers of the whole file, which takes up to
// half a minute for 10 GiB on a cold disk.
package cache
