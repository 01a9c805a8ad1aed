// Package truststore puts the certificate of a certificate authority into the places
// where the browsers and programs of this machine look for those that they trust, and takes it
// out again.
//
// # Stores
//
// [Machine.Find] finds, on Linux and BSD: the NSS databases that Chromium and its like
// use (~/.pki/nssdb, or pki/nssdb in the XDG data directory, or those of snap and Flatpak
// packages), the NSS database of each Firefox profile, and the system's store of Debian
// and Fedora and their like. NSS databases are changed by certutil of the NSS tools;
// the system's store by a file and the system's own update command, as root.
// For other systems [ByHand] says what a user has to do.
//
// # Guarantees
//
// Of what a store holds, only certificates are looked at whose name contains
// Machine.Mark, and a certificate is known by all of its bytes, so that none but
// the caller's is ever changed. What was done is read back: [Store.Add] succeeds only if the
// store then says that it trusts the certificate.
//
// The files of the user's own home are taken to be the user's. They are read up to a limit,
// and commands have a deadline and no terminal: a store with a password that would have to be asked for
// is an error ([ErrPassword]), and left as it was.
package truststore
