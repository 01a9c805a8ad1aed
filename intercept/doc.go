// Package intercept looks into the tunnels of a proxy: it tells TLS from everything else by
// the first bytes of a client, decides by the name that the client asks for, and brings
// about TLS in the place of the site, with a certificate that an authority on
// this machine issues.
//
// # Model
//
//	CONNECT granted ─▶ peek ── no TLS, silence, odd hello, bypassed host ──▶ blind tunnel, nothing lost
//	                    │ ClientHello for HTTP
//	                    ▼
//	                  leaf for the name (cached, one issue for all that wait) ─▶ handshake ─▶ decrypted connection
//	                                                                    │ refused by the client
//	                                                                    ▼
//	                                                     host on the bypass list for a while
//
// What comes out of the decrypted connection is the proxy's business, as is TLS with the
// site itself: nothing is connected to here. By file: hello.go reads a ClientHello without consuming
// it, leaves.go keeps certificates, bypass.go the hosts that are not looked into,
// watch.go notices clients that leave.
//
// # Guarantees
//
//   - All that a client sends before the decision is yielded again to the blind tunnel, byte
//     by byte, and nothing is sent to the client before.
//   - A hello is held up to 64 KiB, and has 10 s to come; so has the handshake.
//   - A tunnel is looked into only if what is spoken in it can be HTTP: by ALPN, or by
//     the port if the client has none. Mail over TLS and the like stay blind.
//   - The name that a client gives decides nothing but the certificate that it is
//     shown. If no certificate can be had for it, the tunnel is blind.
//   - Certificates in memory and hosts on the lists are bounded in number.
//   - Every certificate has a key of its own, and is replaced when three quarters of its time
//     are over.
//   - TLS 1.2 and 1.3 with forward secrecy only. There is no goroutine in this package.
//
// # Limits
//
// A client that refuses certificates of the user's own authority (pinning) fails once, or three times if
// it gives no reason and no other client has accepted one lately, before its host is bypassed. A site that asks clients for
// certificates can't be reached through an intercepted tunnel: it belongs on the
// user's list. Encrypted ClientHello is not spoken: browsers fall back to without.
package intercept
