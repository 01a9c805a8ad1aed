// Package node joins the packages of peerproxy into one running node.
//
// A node is a forward proxy for its user, a store, a peer that gives what may be
// shared, and a member of the DHT. [New] opens everything that can fail (files,
// sockets) and [Node.Run] runs it until its context ends; it then stops in an
// orderly way, the store last, within [StopTime].
//
// This package holds no decisions of its own but three: which stored responses are
// offered to peers and announced (share.go), what of a name the DHT is told
// (levels.go), and the small adapters by which packages that do not know each other
// meet (adapters.go).
//
// A node's files, all in its data directory, which only its user may read:
//
//	cache.db       the store
//	node.key       the Ed25519 key by which it signs and proves itself
//	trust.toml     the keys that its user knows, trusted and revoked ones
//	group.secret   the secret of its group, if it shares with a group
//	port           the port on which peers connect, and of the DHT node
//	dht.nodes      DHT nodes that answered lately
//	control.sock   the control interface while it runs
package node
