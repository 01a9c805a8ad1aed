// Package document is what the proxy does to an HTML document, and learns from it,
// while the document streams: a notice is put where the visible part begins
// ([Inserter], [Banner]), the policy of the document is opened for that notice's
// style and for nothing else ([AllowStyle]), and the digests that it demands of its
// scripts and styles are noted ([Scanner]). [Decode] takes the content codings off first.
//
// # Model
//
// A lexer follows the tokenizer of the HTML standard (section 13.2.5) byte by byte.
// It keeps a state and the beginning of a tag's name, so that a token may have any
// length, and what it finds does not depend on how the bytes came in pieces. On top
// of it the Inserter follows the insertion modes up to the body (section 13.2.6.4),
// and the Scanner looks at the attributes of a few elements. Attributes, with their
// character references, are read by golang.org/x/net/html.
//
// # Guarantees
//
// Every byte of a document is passed on as it was and in its order; the fragment is
// the only thing added, but for the end of a comment or an element that the document
// leaves open at its end. Memory is bounded: [maxHeld] bytes per Inserter and per Scanner.
//
// Where the fragment is put follows from the kind of delivery. In a live document the
// head stays whole, since a policy in a meta element counts there only; its scripts
// could take the notice away anyhow. In a sandboxed document no scripts run, and
// nothing of it is believed: the fragment comes before the first tag but html's, so
// that there is no text, comment, attribute or policy of the page before it that could
// swallow it.
//
// Style sheets can't reach into the notice, but a page may move, clip or hide its
// whole body, and lay something over the notice that is as high and comes later. A live
// page whose meta element forbids the notice's style has it unstyled, at its top. A notice within a page is a
// help for readers of honest pages; a decision about trust is to be made outside of it.
//
// The package imports nothing of this module. Values are not safe for concurrent use
// where nothing else is said.
package document
