// Package observer plays the part of somebody in the DHT who writes down the infohashes that
// others announce and look up, and guesses from a list of sites what they stand for. It is the
// laboratory for what docs/privacy.md says; only tests import it.
//
// The observer knows all that is public: the secret of the public swarm, the week, how buckets
// are made, a dictionary of the sites that there are, how popular each is, and what else its pages
// load. It does not know the secret of a group.
package observer
