package http1

// Error says why a stream is refused. All are the variables below, so that errors.Is
// tells them apart.
type Error struct {
	Status int    // of the answer: 400, 414, 431, 501 or 505
	Reason string // for people, in ASCII; never with bytes of the client
}

// Error implements error.
func (e *Error) Error() string { return "http1: " + e.Reason }

// Lines (RFC 9112 section 2.2).
var (
	ErrBareLF = &Error{400, "a line ends with LF alone"}
	ErrBareCR = &Error{400, "CR without LF"}
)

// The request line (RFC 9112 section 3).
var (
	ErrMethod             = &Error{400, "the request line does not begin with a method and one space"}
	ErrMethodLength       = &Error{501, "the method is longer than any that is known"}
	ErrTarget             = &Error{400, "the request target is empty or has blanks or controls in it"}
	ErrTargetLength       = &Error{414, "the request target is too long"}
	ErrVersion            = &Error{400, "the request line does not end with an HTTP version"}
	ErrVersionUnsupported = &Error{505, "only HTTP/1.1 and HTTP/1.0 are spoken here"}
)

// Fields (RFC 9112 section 5, RFC 9110 section 5).
var (
	ErrHeadLength = &Error{431, "the header is too large"}
	ErrFieldCount = &Error{431, "there are too many fields"}
	ErrFieldName  = &Error{400, "a field name is no token"}
	ErrBlankName  = &Error{400, "a blank stands between a field name and its colon"}
	ErrFold       = &Error{400, "a line of the header begins with a blank"}
	ErrFieldValue = &Error{400, "a field value has controls in it"}
)

// Host (RFC 9112 section 3.2).
var (
	ErrNoHost = &Error{400, "Host is missing"}
	ErrHosts  = &Error{400, "Host is there more than once"}
	ErrHost   = &Error{400, "Host is malformed"}
)

// The length of the content (RFC 9112 section 6, RFC 9110 section 8.6).
var (
	ErrContentLength     = &Error{400, "Content-Length is no number of bytes"}
	ErrContentLengths    = &Error{400, "Content-Length is there more than once"}
	ErrTransferEncoding  = &Error{400, "Transfer-Encoding is malformed, or chunked is not once and last in it"}
	ErrTransferCoding    = &Error{501, "a transfer coding other than chunked is not known here"}
	ErrTransferVersion   = &Error{400, "HTTP/1.0 has no Transfer-Encoding"}
	ErrLengthAndEncoding = &Error{400, "Content-Length stands beside Transfer-Encoding"}
	ErrConnectContent    = &Error{400, "CONNECT has no content"}
)

// Chunks and trailers (RFC 9112 section 7.1, RFC 9110 section 6.5.1).
var (
	ErrChunkSize       = &Error{400, "a chunk size is malformed or too large"}
	ErrChunkExtension  = &Error{400, "a chunk extension is malformed"}
	ErrExtensionLength = &Error{400, "there are too many bytes of chunk extensions"}
	ErrChunkEnd        = &Error{400, "a chunk does not end where its size says"}
	ErrTrailerField    = &Error{400, "a field is not allowed among the trailers"}
	ErrTrailerLength   = &Error{431, "the trailers are too large"}
)
