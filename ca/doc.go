// Package ca is the certificate authority of this machine: a root certificate that the
// user's own browsers are told to trust, and the short-lived certificates that it
// issues for the hosts of looked-into HTTPS connections.
//
// # Model
//
// [Create] makes an ECDSA P-256 key and a self-signed root for it and stores both in
// the data directory, [Load] reads them again, and [Authority.Issue] makes a
// certificate for one host, with a key of its own. [Certificate], [Former] and
// [CheckKey] look at the files without the key being needed.
//
// # Files
//
// ca.key is PKCS #8 in PEM with mode 0600, ca.crt the certificate in PEM, which
// is no secret. Each appears whole and synced or not at all; the authority exists as soon
// as ca.crt does. ca.former.crt has the certificates of roots that were
// replaced, so that they can be taken out of the stores that may still trust
// them; their keys are gone.
//
// # Guarantees
//
// The key leaves neither the data directory nor the process: nothing in this package
// returns it, and a key file that group or others can read is refused.
//
// The root can sign certificates of servers and nothing else (key usage, extended
// key usage serverAuth, path length 0: no authority below it). With Options.Only it
// has a critical name constraint (RFC 5280 section 4.2.1.10), by which browsers refuse
// what it might issue for any other name or for an IP address, even if the key
// was stolen; [Authority.Permits] says the same beforehand.
//
// Names come from strangers (server names in TLS handshakes). [Name] is the one
// door that they pass.
//
// An [Authority] is safe for concurrent use.
package ca
