package http1

import "strings"

// Streams that are strictly framed, and how many requests they are.
var accepted = []struct {
	name     string
	stream   string
	requests int
}{
	{"origin form, RFC 9112 section 3.2.1", "GET /a?b=c HTTP/1.1\r\nHost: a.example\r\n\r\n", 1},
	{"absolute form, RFC 9112 section 3.2.2", "GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", 1},
	{"user information is not framing", "GET http://u:p@a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", 1},
	{"authority form, RFC 9112 section 3.2.3", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", 1},
	{"asterisk form, RFC 9112 section 3.2.4", "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n", 1},
	{"unknown method, RFC 9110 section 9.1", "M-SEARCH! / HTTP/1.1\r\nHost: a\r\n\r\n", 1},
	{"UTF-8 in the target", "GET /ü HTTP/1.1\r\nHost: a\r\n\r\n", 1},
	{"HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", 1},
	{"later minor version, RFC 9110 section 2.5", "GET / HTTP/1.9\r\nHost: a\r\n\r\n", 1},
	{"empty line first, RFC 9112 section 2.2", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 1},
	{"empty line between, RFC 9112 section 2.2", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 2},
	{"pipelined, RFC 9112 section 9.3.2", strings.Repeat("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 3), 3},
	{"empty Host, RFC 9112 section 3.2", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 1},
	{"Host with a port", "GET / HTTP/1.1\r\nHost: a.example:8080\r\n\r\n", 1},
	{"Host is an IPv6 address", "GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", 1},
	{"no blank behind the colon, RFC 9112 section 5.1", "GET / HTTP/1.1\r\nHost:a\r\nContent-Length:1\r\n\r\nx", 1},
	{"blanks around a value, RFC 9112 section 5.1", "GET / HTTP/1.1\r\nHost: \t a \t \r\nContent-Length: \t1\t \r\n\r\nx", 1},
	{"obs-text and HTAB in a value, RFC 9110 section 5.5", "GET / HTTP/1.1\r\nHost: a\r\nX: \xff\té\r\n\r\n", 1},
	{"empty value", "GET / HTTP/1.1\r\nHost: a\r\nX:\r\nY: \r\n\r\n", 1},
	{"names that only begin alike", "GET / HTTP/1.1\r\nHost: a\r\nHosts: b\r\nContent-Length-: 5\r\nX-Content-Length: 5\r\nTransfer-Encoding-Of-A-Very-Long-Name: x\r\n\r\n", 1},
	{"content by length, RFC 9112 section 6.2", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 27\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n", 1},
	{"no content, RFC 9112 section 6.3", "POST / HTTP/1.1\r\nHost: a\r\n\r\n", 1},
	{"length 0", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 2},
	{"length with zeros in front", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 003\r\n\r\nabc", 1},
	{"length with HTTP/1.0", "POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", 1},
	{"content of GET", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\nHost: a\r\n\r\n", 2},
	{"chunks, RFC 9112 section 7.1", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 2},
	{"codings have no case, RFC 9112 section 7", "POST / HTTP/1.1\r\nHost: a\r\ntransfer-ENCODING: ChUnKeD\r\n\r\n0\r\n\r\n", 1},
	{"blanks around chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \t chunked \t\r\n\r\n0\r\n\r\n", 1},
	{"chunk size with zeros in front", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0003\r\nabc\r\n000\r\n\r\n", 1},
	{"chunk data of line ends", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n\r\n0\r\n\r\r\n0\r\n\r\n", 1},
	{"chunk extensions, RFC 9112 section 7.1.1", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a;b=c;d=\"e;\\\"\t\xff\";f\r\nx\r\n0;last\r\n\r\n", 1},
	{"trailers, RFC 9112 section 7.1.2", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: Digest\r\n\r\n0\r\nDigest: x\r\nX-Other: \r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 2},
	{"CONNECT with length 0", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 0\r\n\r\n", 1},
	{"Upgrade that is not granted", "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 2},
	{"Upgrade with content", "POST / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nT: x\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 2},
}

// Beginnings of the streams below.
const (
	head  = "POST / HTTP/1.1\r\nHost: a\r\n"
	chunk = head + "Transfer-Encoding: chunked\r\n\r\n"
	tail  = "\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n"
)

// Streams that are not: what is good, what is not from its first byte on, and why.
var refused = []struct {
	name      string
	good, bad string
	err       *Error
}{
	// RFC 9112 section 2.2: lines end with CRLF.
	{"LF behind the request line", "GET / HTTP/1.1", "\nHost: a\n\n", ErrBareLF},
	{"LF behind the method", "GET", "\n", ErrBareLF},
	{"LF behind the target", "GET /", "\n", ErrBareLF},
	{"LF behind a field", "GET / HTTP/1.1\r\nHost: a", "\n\r\n", ErrBareLF},
	{"LF behind a field name", "GET / HTTP/1.1\r\nHost", "\n\r\n", ErrBareLF},
	{"LF for the empty line", "GET / HTTP/1.1\r\nHost: a\r\n", "\n", ErrBareLF},
	{"CR in the request line", "GET / HTTP/1.1\r", " X\r\n", ErrBareCR},
	{"CR in a value", head + "X: a\r", "Transfer-Encoding: chunked" + tail, ErrBareCR},
	{"CR CR LF behind a field", head + "X: a\r", "\r\n", ErrBareCR},
	{"CR for the empty line", head + "\r", "GET /", ErrBareCR},
	{"blank in front of the method", "", " GET / HTTP/1.1\r\n", ErrMethod},
	{"two empty lines in front", "\r\n", "\r\nGET / HTTP/1.1\r\n", ErrMethod},
	{"LF in front", "", "\nGET / HTTP/1.1\r\n", ErrBareLF},
	{"CR in front", "\r", "GET / HTTP/1.1\r\n", ErrBareCR},
	{"blank line start in front of all fields", "GET / HTTP/1.1\r\n", " Host: a\r\n\r\n", ErrFold},
	{"HTAB line start in front of all fields", "GET / HTTP/1.1\r\n", "\tX: y\r\nHost: a\r\n\r\n", ErrFold},

	// RFC 9112 section 3: method SP request-target SP HTTP-version.
	{"TLS", "", "\x16\x03\x01\x02\x00\x01\x00", ErrMethod},
	{"no request", "hello", "\r\n\r\n", ErrMethod},
	{"method is no token", "GE", "(T / HTTP/1.1\r\n", ErrMethod},
	{"NUL in the method", "GE", "\x00T / HTTP/1.1\r\n", ErrMethod},
	{"HTAB behind the method", "GET", "\t/ HTTP/1.1\r\n", ErrMethod},
	{"method without end", strings.Repeat("A", maxMethod), strings.Repeat("A", 100) + " / HTTP/1.1\r\n", ErrMethodLength},
	{"two spaces in front of the target", "GET ", " / HTTP/1.1\r\n", ErrTarget},
	{"HTAB in the target", "GET /a", "\tb HTTP/1.1\r\n", ErrTarget},
	{"NUL in the target", "GET /a", "\x00 HTTP/1.1\r\n", ErrTarget},
	{"DEL in the target", "GET /a", "\x7f HTTP/1.1\r\n", ErrTarget},
	{"no target", "GET ", "\r\nHost: a\r\n\r\n", ErrTarget},
	{"space in the target", "GET /a ", "b HTTP/1.1\r\n", ErrVersion},
	{"a second request line in the target", "GET /a HTTP/1.1", " HTTP/1.1\r\nHost: a\r\n\r\n", ErrVersion},
	{"two spaces in front of the version", "GET / ", " HTTP/1.1\r\n", ErrVersion},
	{"space behind the version", "GET / HTTP/1.1", " \r\n", ErrVersion},
	{"target without end", "GET /" + strings.Repeat("a", 64<<10-1), "a HTTP/1.1\r\n", ErrTargetLength},

	// RFC 9112 section 2.3, RFC 9110 section 15.6.6.
	{"HTTP/0.9", "GET /", "\r\n", ErrVersion},
	{"version 0.9", "GET / HTTP/", "0.9\r\n", ErrVersionUnsupported},
	{"the preface of HTTP/2, RFC 9113 section 3.4", "PRI * HTTP/", "2.0\r\n\r\nSM\r\n\r\n", ErrVersionUnsupported},
	{"version 3.0", "GET / HTTP/", "3.0\r\nHost: a\r\n\r\n", ErrVersionUnsupported},
	{"version in small letters", "GET / ", "http/1.1\r\n", ErrVersion},
	{"version without a point", "GET / HTTP/1", "1\r\n", ErrVersion},
	{"version without a minor", "GET / HTTP/1.", "\r\n", ErrVersion},
	{"version with a letter", "GET / HTTP/1.", "x\r\n", ErrVersion},
	{"version with a mark", "GET / HTTP/1.", "?\r\n", ErrVersion},
	{"version of two digits", "GET / HTTP/1.1", "0\r\n", ErrVersion},
	{"another protocol", "GET / ", "ICY/1.1\r\n", ErrVersion},

	// RFC 9112 section 5.1: no blank between name and colon. RFC 9110 section 5.1: names are tokens.
	{"space in front of the colon of Content-Length", head + "Content-Length", " : 5" + tail, ErrBlankName},
	{"space in front of the colon of Transfer-Encoding", head + "Transfer-Encoding", " : chunked" + tail, ErrBlankName},
	{"HTAB in front of the colon", head + "Transfer-Encoding", "\t: chunked" + tail, ErrBlankName},
	{"VT in front of the colon", head + "Transfer-Encoding", "\x0b: chunked" + tail, ErrFieldName},
	{"NUL in a name", head + "Transfer", "\x00-Encoding: chunked" + tail, ErrFieldName},
	{"a name that is empty", head, ": x\r\n\r\n", ErrFieldName},
	{"a name with obs-text", head + "Transfer-Encoding", "\xa0: chunked" + tail, ErrFieldName},
	{"a name in brackets", head, "(X): y\r\n\r\n", ErrFieldName},
	{"a line without a colon", head + "Transfer-Encoding", "\r\n\r\n", ErrFieldName},
	{"CR in front of a name", head + "X: y\r\n\r", "Transfer-Encoding: chunked" + tail, ErrBareCR},

	// RFC 9112 section 5.2: no folded lines.
	{"folded Transfer-Encoding", head + "Transfer-Encoding:\r", "\n chunked" + tail, ErrTransferEncoding},
	{"folded Content-Length", head + "Content-Length:\r", "\n\t5" + tail, ErrContentLength},
	{"folded value", head + "X: y\r\n", " Transfer-Encoding: chunked" + tail, ErrFold},
	{"folded value, then more", head + "X: y\r\n", "\tz\r\nTransfer-Encoding: chunked" + tail, ErrFold},
	{"a line of blanks", head + "X: y\r\n", " \r\nTransfer-Encoding: chunked" + tail, ErrFold},

	// RFC 9110 section 5.5: no controls in values.
	{"NUL in a value", head + "X: y", "\x00z\r\n\r\n", ErrFieldValue},
	{"VT in a value", head + "X: y", "\x0bz\r\n\r\n", ErrFieldValue},
	{"DEL in a value", head + "X: y", "\x7f\r\n\r\n", ErrFieldValue},
	{"VT in front of chunked", head + "Transfer-Encoding: ", "\x0bchunked" + tail, ErrFieldValue},
	{"FF behind chunked", head + "Transfer-Encoding: chunked", "\x0c" + tail, ErrFieldValue},
	{"ESC in Content-Length", head + "Content-Length: ", "\x1b5" + tail, ErrFieldValue},

	// RFC 9112 section 3.2: one Host that is a host.
	{"no Host", "GET / HTTP/1.1\r\n\r", "\n", ErrNoHost},
	{"no Host with CONNECT", "CONNECT a:1 HTTP/1.1\r\n\r", "\n", ErrNoHost},
	{"two Hosts", head + "Host: b\r", "\n\r\n", ErrHosts},
	{"the same Host twice", head + "host: a\r", "\n\r\n", ErrHosts},
	{"two Hosts with HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r", "\n\r\n", ErrHosts},
	{"two Hosts, one empty", "GET / HTTP/1.1\r\nHost:\r\nHost: b\r", "\n\r\n", ErrHosts},
	{"Host with a blank", "GET / HTTP/1.1\r\nHost: a b\r", "\n\r\n", ErrHost},
	{"Host with a list", "GET / HTTP/1.1\r\nHost: a, b\r", "\n\r\n", ErrHost},
	{"Host with user information", "GET / HTTP/1.1\r\nHost: u@a\r", "\n\r\n", ErrHost},
	{"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r", "\n\r\n", ErrHost},
	{"Host with two ports", "GET / HTTP/1.1\r\nHost: a:1:2\r", "\n\r\n", ErrHost},
	{"Host with a port that is no number", "GET / HTTP/1.1\r\nHost: a:x\r", "\n\r\n", ErrHost},
	{"Host with an open bracket", "GET / HTTP/1.1\r\nHost: [::1\r", "\n\r\n", ErrHost},
	{"Host with something behind the bracket", "GET / HTTP/1.1\r\nHost: [::1]a\r", "\n\r\n", ErrHost},
	{"Host with a zone", "GET / HTTP/1.1\r\nHost: [fe80::1%25x]\r", "\n\r\n", ErrHost},
	{"Host with obs-text", "GET / HTTP/1.1\r\nHost: \xff\r", "\n\r\n", ErrHost},
	{"Host without end", "GET / HTTP/1.1\r\nHost: " + strings.Repeat("a", maxValue+1) + "\r", "\n\r\n", ErrHost},

	// RFC 9110 section 8.6: Content-Length is one number.
	{"length with plus", head + "Content-Length: +5\r", "\n\r\nhello", ErrContentLength},
	{"length with minus", head + "Content-Length: -5\r", "\n\r\nhello", ErrContentLength},
	{"length with a blank", head + "Content-Length: 5 5\r", "\n\r\nhello", ErrContentLength},
	{"length in hexadecimal", head + "Content-Length: 0x5\r", "\n\r\nhello", ErrContentLength},
	{"length with an underscore", head + "Content-Length: 1_0\r", "\n\r\nhello", ErrContentLength},
	{"length with a point", head + "Content-Length: 5.0\r", "\n\r\nhello", ErrContentLength},
	{"length with an exponent", head + "Content-Length: 1e1\r", "\n\r\nhello", ErrContentLength},
	{"length in quotes", head + "Content-Length: \"5\"\r", "\n\r\nhello", ErrContentLength},
	{"length with a letter", head + "Content-Length: 5a\r", "\n\r\nhello", ErrContentLength},
	{"length in other digits", head + "Content-Length: ٥\r", "\n\r\nhello", ErrContentLength},
	{"empty length", head + "Content-Length: \r", "\n\r\nhello", ErrContentLength},
	{"length in a list", head + "Content-Length: 5, 5\r", "\n\r\nhello", ErrContentLength},
	{"length in a list that differs", head + "Content-Length: 5,6\r", "\n\r\nhello", ErrContentLength},
	{"length beyond 64 bits", head + "Content-Length: 18446744073709551621\r", "\n\r\nhello", ErrContentLength},
	{"length beyond 63 bits", head + "Content-Length: 9223372036854775808\r", "\n\r\nhello", ErrContentLength},
	{"absurd length", head + "Content-Length: 4611686018427387904\r", "\n\r\nhello", ErrContentLength},
	{"length of many digits", head + "Content-Length: " + strings.Repeat("0", maxValue) + "5\r", "\n\r\nhello", ErrContentLength},
	{"two lengths", head + "Content-Length: 5\r\nContent-Length: 6\r", "\n\r\nhello!", ErrContentLengths},
	{"the same length twice", head + "Content-Length: 5\r\ncontent-length: 5\r", "\n\r\nhello", ErrContentLengths},

	// RFC 9112 sections 6.1 and 6.3, 11.2: CL.TE, TE.CL, TE.TE.
	{"CL.TE", head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r", "\n0\r\n" + tail, ErrLengthAndEncoding},
	{"TE.CL", head + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r", "\n5c\r\nGPOST", ErrLengthAndEncoding},
	{"length 0 and encoding", head + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r", "\n0" + tail, ErrLengthAndEncoding},
	{"TE.TE", head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r", "\n\r\n0" + tail, ErrTransferEncoding},
	{"the same encoding twice", head + "Transfer-Encoding: chunked\r\nTransfer-encoding: chunked\r", "\n\r\n0" + tail, ErrTransferEncoding},
	{"chunked twice", head + "Transfer-Encoding: chunked, chunked\r", "\n\r\n0" + tail, ErrTransferEncoding},
	{"chunked is not last", head + "Transfer-Encoding: chunked, gzip\r", "\n\r\n0" + tail, ErrTransferEncoding},
	{"chunked with a comma", head + "Transfer-Encoding: chunked,\r", "\n\r\n0" + tail, ErrTransferEncoding},
	{"chunked behind a comma", head + "Transfer-Encoding: ,chunked\r", "\n\r\n0" + tail, ErrTransferEncoding},
	{"chunked with a parameter", head + "Transfer-Encoding: chunked;q=1\r", "\n\r\n0" + tail, ErrTransferEncoding},
	{"chunked in quotes", head + "Transfer-Encoding: \"chunked\"\r", "\n\r\n0" + tail, ErrTransferEncoding},
	{"chunked and a word", head + "Transfer-Encoding: chunked x\r", "\n\r\n0" + tail, ErrTransferEncoding},
	{"empty encoding", head + "Transfer-Encoding:\r", "\n\r\n0" + tail, ErrTransferEncoding},
	{"encoding behind many blanks", head + "Transfer-Encoding: x" + strings.Repeat(" ", maxValue) + "chunked\r", "\n\r\n0" + tail, ErrTransferEncoding},
	{"xchunked", head + "Transfer-Encoding: xchunked\r", "\n\r\n0" + tail, ErrTransferCoding},
	{"chunked with a Kelvin sign", head + "Transfer-Encoding: chun\u212aed\r", "\n\r\n0" + tail, ErrTransferEncoding},
	{"gzip", head + "Transfer-Encoding: gzip\r", "\n\r\n", ErrTransferCoding},
	{"gzip and chunked", head + "Transfer-Encoding: gzip, chunked\r", "\n\r\n0" + tail, ErrTransferCoding},
	{"identity", head + "Transfer-Encoding: identity\r", "\n\r\n", ErrTransferCoding},
	{"encoding with HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r", "\n0" + tail, ErrTransferVersion},
	{"content of CONNECT by length", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 5\r\n\r", "\nhello", ErrConnectContent},
	{"content of CONNECT in chunks", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nTransfer-Encoding: chunked\r\n\r", "\n0\r\n\r\n", ErrConnectContent},

	// RFC 9112 section 7.1: chunks.
	{"no chunk size", chunk, "\r\n", ErrChunkSize},
	{"chunk size with plus", chunk, "+5\r\nhello\r\n", ErrChunkSize},
	{"chunk size with minus", chunk, "-1\r\n", ErrChunkSize},
	{"chunk size with 0x", chunk + "0", "x5\r\nhello\r\n", ErrChunkSize},
	{"chunk size with an underscore", chunk + "1", "_0\r\n", ErrChunkSize},
	{"chunk size behind a blank", chunk, " 5\r\nhello\r\n", ErrChunkSize},
	{"chunk size in front of a blank", chunk + "5", " \r\nhello\r\n", ErrChunkSize},
	{"chunk size in front of a blank and extension", chunk + "5", " ;a\r\nhello\r\n", ErrChunkSize},
	{"chunk size with a letter", chunk, "g\r\n", ErrChunkSize},
	{"chunk size with NUL", chunk + "5", "\x00\r\nhello\r\n", ErrChunkSize},
	{"chunk size with a comma", chunk + "5", ",5\r\nhello\r\n", ErrChunkSize},
	{"chunk size beyond 64 bits", chunk + "1000000000000000", "5\r\nhello\r\n", ErrChunkSize},
	{"chunk size of 64 bits", chunk + "ffffffffffffff" + "f", "f\r\n", ErrChunkSize},
	{"chunk size of many digits", chunk + strings.Repeat("0", maxSizeDigits), "5\r\nhello\r\n", ErrChunkSize},
	{"LF behind a chunk size", chunk + "5", "\nhello\r\n", ErrBareLF},
	{"CR behind a chunk size", chunk + "5\r", "hello\r\n", ErrBareCR},
	{"LF behind the last chunk's size", chunk + "0", "\n\n", ErrBareLF},
	{"chunk data too long", chunk + "3\r\nabc", "d\r\n", ErrChunkEnd},
	{"chunk data too short", chunk + "5\r\nabc\r\n", "0\r\n\r\n", ErrChunkEnd},
	{"LF behind chunk data", chunk + "3\r\nabc", "\n0\r\n\r\n", ErrBareLF},
	{"CR behind chunk data", chunk + "3\r\nabc\r", "0\r\n\r\n", ErrBareCR},
	{"no line end behind chunk data", chunk + "3\r\nabc", "0\r\n\r\n", ErrChunkEnd},

	// RFC 9112 section 7.1.1: extensions.
	{"LF in an extension", chunk + "5;a", "\nhello\r\n", ErrBareLF},
	{"LF behind the semicolon", chunk + "5;", "\nhello\r\n", ErrBareLF},
	{"CR in an extension", chunk + "5;a\r", "b\r\n", ErrBareCR},
	{"LF in a quoted extension", chunk + "5;a=\"", "\n\"\r\nhello\r\n", ErrBareLF},
	{"CR LF in a quoted extension", chunk + "5;a=\"", "\r\n\"\r\nhello\r\n", ErrChunkExtension},
	{"LF behind a backslash", chunk + "5;a=\"\\", "\n\"\r\nhello\r\n", ErrBareLF},
	{"extension without a name", chunk + "5;", "\r\nhello\r\n", ErrChunkExtension},
	{"extension without a value", chunk + "5;a=", "\r\nhello\r\n", ErrChunkExtension},
	{"something behind a quoted extension", chunk + "5;a=\"b\"", "c\r\nhello\r\n", ErrChunkExtension},
	{"a quote in an extension", chunk + "5;a=b", "\"\r\nhello\r\n", ErrChunkExtension},
	{"a quote for a name", chunk + "5;", "\"a\"\r\nhello\r\n", ErrChunkExtension},
	{"a blank in an extension", chunk + "5;", " a\r\nhello\r\n", ErrChunkExtension},
	{"NUL in an extension", chunk + "5;a", "\x00\r\nhello\r\n", ErrChunkExtension},
	{"extension without end", chunk + "5;" + strings.Repeat("a", maxExtension), "a\r\nhello\r\n", ErrExtensionLength},
	{"quoted extension without end", chunk + "5;a=\"" + strings.Repeat("a", maxExtension-3), "a\"\r\nhello\r\n", ErrExtensionLength},
	{"many extensions, CVE-2023-39326", chunk + strings.Repeat("1;"+strings.Repeat("a", 127)+"\r\nx\r\n", 64) + "1;", "a\r\nx\r\n", ErrExtensionLength},

	// RFC 9112 section 7.1.2, RFC 9110 section 6.5.1: trailers.
	{"trailer of length", chunk + "0\r\nContent-Length", ": 5\r\n\r\nhello", ErrTrailerField},
	{"trailer of encoding", chunk + "0\r\ntransfer-encoding", ": chunked\r\n\r\n", ErrTrailerField},
	{"trailer of Host", chunk + "0\r\nHOST", ": b\r\n\r\n", ErrTrailerField},
	{"trailer of Trailer", chunk + "0\r\nTrailer", ": x\r\n\r\n", ErrTrailerField},
	{"trailer of credentials", chunk + "0\r\nProxy-Authorization", ": x\r\n\r\n", ErrTrailerField},
	{"folded trailer", chunk + "0\r\nX: y\r\n", " z\r\n\r\n", ErrFold},
	{"blank in front of a trailer's colon", chunk + "0\r\nX", " : y\r\n\r\n", ErrBlankName},
	{"LF behind a trailer", chunk + "0\r\nX: y", "\n\r\n", ErrBareLF},
	{"LF behind the trailers", chunk + "0\r\nX: y\r\n", "\n", ErrBareLF},
	{"CR behind the trailers", chunk + "0\r\n\r", "GET / HTTP/1.1\r\n", ErrBareCR},
	{"a request for trailers", chunk + "0\r\nGET", " /smuggled HTTP/1.1\r\nHost: b\r\n\r\n", ErrBlankName},
	{"trailers without end", chunk + "0\r\nX: " + strings.Repeat("y", maxTrailer-3), "y\r\n\r\n", ErrTrailerLength},

	// RFC 6585 section 5.
	{"head without end", head + "X: " + strings.Repeat("y", 128<<10-len(head)-3), "y\r\n\r\n", ErrHeadLength},
	{"fields without end", head + strings.Repeat("X: y\r\n", 255), "X: y\r\n\r\n", ErrFieldCount},

	// What follows a good request is judged as the first was.
	{"second request", "GET / HTTP/1.1\r\nHost: a\r\n\r\n" + head + "Transfer-Encoding", " : chunked" + tail, ErrBlankName},
	{"rest of a content that was longer than its length", head + "Content-Length: 3\r\n\r\nabc", "\x00", ErrMethod},
	{"rest behind the last chunk", chunk + "0\r\n\r\n", "\x00", ErrMethod},
	{"behind an Upgrade that is not granted", head + "Upgrade: h2c\r\n\r\n", "\x16\x03\x01", ErrMethod},
}
