// Package integrity is Subresource Integrity (W3C): what a document demands of the bytes of its
// scripts and style sheets.
//
// A document that names a hash in an integrity attribute vouches for whatever has it, from
// wherever it comes. [Parse] reads the attribute, a [Check] holds bytes to it, and [Notes]
// remembers which demands were seen for which resource.
//
// # Guarantees
//
// Hashes are over the content without Content-Encoding (SRI section 3.3.4); the caller decodes. Of
// several algorithms only the strongest that is named counts (section 3.3.3), so that a
// weak one can't stand in for it. What can't be read is as if it were not there, as in a
// browser, and a demand without any hash is met by nothing: a browser would let
// anything pass, but here the hash is what a proof is made of.
//
// [Notes] is bounded in all directions: documents are written by strangers.
package integrity
