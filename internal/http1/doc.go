// Package http1 stands between a client and a parser of HTTP/1.1, and lets nothing pass
// that two parsers could read in two ways (request smuggling, RFC 9112 section 11.2).
//
// # Model
//
// A [Scanner] is fed with what a client sends, cut in any way. It follows each request
// line by line and its content by length or by chunk, so that it knows where one message
// ends and the next begins, and it stops at the first byte with which the stream is no
// longer strictly framed HTTP/1.1. It keeps no message, does no I/O and allocates next
// to nothing.
//
// A [Reader] is a Scanner in front of a parser that is more lenient, as net/http's is. It
// hands out no more than the message that the parser is at, so that the parser never
// holds bytes of a later one while it answers.
//
// # Guarantees
//
//   - The verdict depends on the bytes alone, not on how they were cut.
//   - The parser never gets the last byte of a head that is refused, so it can't act on
//     one. In content that is refused it gets a framing error where the Scanner found one.
//   - What follows a refused byte is never handed out.
//   - What the Scanner accepts, net/http divides in the same messages, or refuses because of
//     what stands in the request target or in the Trailer field (a fuzz test holds both to that).
//   - All memory is bounded: a few hundred bytes, and for a Reader what one read got too much.
//
// # What is refused
//
// Everything that RFC 9112 lets a recipient refuse and that has been used for smuggling:
// bare LF and CR (section 2.2), blanks in the request line (section 3), blanks in front of
// the colon (section 5.1), folded lines (section 5.2), controls in values (RFC 9110
// section 5.5), Content-Length beside Transfer-Encoding or more than once (section 6.3),
// codings other than chunked (section 6.1), Host that is missing, doubled or malformed
// (section 3.2), chunk sizes, extensions and ends that don't match the grammar (section
// 7.1), framing fields among the trailers (RFC 9110 section 6.5.1), content of CONNECT.
// One empty line in front of a request is dropped (section 2.2).
//
// # Limits
//
// Only framing is judged. Whether a target can be parsed, or Host fits it, is left to
// the parser. Blanks around chunk extensions, which the RFC calls bad, are refused.
package http1
