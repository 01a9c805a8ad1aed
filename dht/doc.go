// Package dht finds peers through the BitTorrent mainline DHT (BEP 5, BEP 32),
// without any server of one's own.
//
// A [Node] is one participant: it answers others and keeps a routing table. A
// program announces that it can be reached under an [InfoHash], any 20 bytes that
// the parties agree on, and finds those who announced the same:
//
//	node, err := dht.New(dht.Config{Listen: ":6881", NodesFile: "nodes"})
//	go node.Run(ctx)
//	err = node.Announce(ctx, hash, 4242)
//	for peer, err := range node.FindPeers(ctx, hash) { … }
//
// An [Announcer] keeps a set of infohashes announced for as long as they are in
// it. [Blind] makes infohashes that tell outsiders nothing who do not know the
// secret. A [Topic] is a name whose infohash changes with the week ([Epoch]), so that
// what somebody has collected ages; a [Rotation] keeps topics announced through the
// change, and [Bucket] is a topic that a name shares with many others. The package
// knows nothing of what its users exchange.
//
// # Guarantees
//
// Everything that arrives is taken for hostile. A guard stands between the socket
// and github.com/anacrolix/dht/v2, which by itself can be killed by a single
// datagram: what it would choke on never reaches it. Answers are accepted only to
// queries that were really sent (their transaction IDs carry a keyed tag), and an
// answer from the public internet may not point at private networks. Whatever is
// kept for strangers is bounded, and no source network can take more than a share
// of the answers given and of the peers kept. Nothing that a stranger says is ever
// taken for proven: a peer that was found is a hint, no more.
//
// A node takes a fresh random ID at each start, so that it cannot be recognised from
// one network to the next. If other nodes agreed in the last run on which address
// they saw, the ID is one that this address may have (BEP 42). What is kept between
// runs is a list of other nodes, by which the network is found again without the
// public bootstrap hosts.
//
// All methods may be called by any number of goroutines. Node.Run and Announcer.Run
// return when their context ends, after all that they started has ended.
//
// # Limits
//
// The DHT is public: whoever knows an infohash can see who announces it, and a
// node near to it sees who looks. Nothing stops a rich attacker from placing
// many nodes around an infohash; lookups ask only one node per public address,
// which makes it dearer. Node IDs that BEP 42 calls insecure are accepted, since much of
// the network still has them.
package dht
