// Package peer is the exchange protocol between nodes.
package peer
