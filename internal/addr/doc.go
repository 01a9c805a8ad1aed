// Package addr sorts IP addresses into public and special ones, by the IANA
// special-purpose address registries (RFC 6890), and into networks. It keeps a proxy
// from being used to reach into the machine or network that it runs on, and one
// stranger with many addresses from being taken for many strangers.
package addr
