// Package demo shows on one machine, without internet, what peerproxy is for: a site
// outlives its server.
//
// It serves the site of package testdata on loopback, starts five complete nodes,
// lets the first browse the site through its proxy, stops the server, and has the
// last, which has never spoken with the first, load every part of the site through its
// own proxy: found in the DHT, fetched over a WebSocket, compared byte for byte.
package demo
