// Package peerproxy is the root of a distributed cache in the shape of a local HTTP
// proxy. There is no code in it: the program is cmd/peerproxy, ARCHITECTURE.md tells
// what each package is for, and the tests here hold the packages to that.
package peerproxy
