// Command peerproxy is a local HTTP proxy that keeps what it fetches, and gets what an
// origin does not answer from peers.
//
// Run "peerproxy --help" for the commands, "peerproxy COMMAND --help" for one of them.
//
// What a command prints follows these rules. Results go to standard output and
// nothing else does, so that they can be piped. Errors are one line on standard
// error, begin with "peerproxy: ", say what was being done, and where it helps what
// to do. With --json, results are JSON; lists are a JSON value a line. The exit
// status tells a script what went wrong: see exit.go.
package main
