// Package browserlab shows in real browsers what the other packages promise about them. It is
// all tests: this file is its only one that is none.
//
// # The laboratory
//
// Everything is as it is for users, but on loopback: nodes of package node that find each other by a DHT of their
// own; sites with HTTPS, HTTP/2 and certificates of a root that the nodes are told of by
// node.Config.UpstreamCA; and Chromium or Firefox with a home of its own, whose store has the root of
// the user's node because ca/truststore put it there. No error about a certificate is ever ignored.
//
// A liar is a node like all others. It is told another address for a site, so that it honestly
// fetches, signs, shares and announces what its own server makes up.
//
// Chromium is driven by the DevTools protocol over a pipe, Firefox by WebDriver BiDi: both are messages in
// JSON with numbers, for which one small client serves. Tests wait for events and for what can be seen, never for time
// to pass. They are skipped where no browser or certutil is, and with -short.
//
// With BROWSERLAB_SHOTS=DIR the pages that people see are left there as pictures.
package browserlab
