package http1

// Limits bound what a client may send. For each, 0 stands for a value that all common
// clients keep.
type Limits struct {
	Head   int // bytes of a request line and its fields; 0 = 128 KiB
	Target int // bytes of a request target; 0 = 64 KiB
	Fields int // number of fields of a head, or of a trailer section; 0 = 256
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		value    *int
		standard int
	}{{&l.Head, 128 << 10}, {&l.Target, 64 << 10}, {&l.Fields, 256}} {
		if *d.value == 0 {
			*d.value = d.standard
		}
	}
	return l
}

// Limits that nobody needs to change.
const (
	maxMethod     = 32      // bytes; the longest that is registered has 17
	maxName       = 24      // bytes of a field name that are looked at
	maxValue      = 512     // bytes of a field value that is looked at
	maxContent    = 1 << 60 // bytes, far from any overflow
	maxSizeDigits = 16      // of a chunk
	maxExtension  = 256     // bytes of the extensions of one chunk
	maxExtensions = 8 << 10 // bytes of the extensions of all chunks of a message, CVE-2023-39326
	maxTrailer    = 4 << 10 // bytes; net/http takes no more
)

// state is what the next byte belongs to.
type state uint8

// The states. Names with CR are of LF, which must follow.
const (
	// Lines of a head, or of the trailer section behind the last chunk.
	atStart state = iota
	inMethod
	inTarget
	inVersion
	versionCR
	atField // or at the empty line that ends the section
	inName
	beforeValue
	inValue
	fieldCR
	sectionCR

	// Content.
	inContent // by length, or of a chunk
	inSize
	inExtensionName
	inExtensionValue
	inQuoted
	inQuotedPair
	afterQuoted
	sizeCR
	afterChunk
	chunkCR

	// Neither.
	blankCR  // of an empty line in front of a request
	awaiting // a request to leave HTTP is to be answered
	opaque   // HTTP was left
)

// Change is what a message asked for that would end HTTP on its connection.
type Change uint8

// The changes. The zero Change is NoChange.
const (
	NoChange Change = iota
	Connect         // a tunnel (RFC 9110 section 9.3.6)
	Upgrade         // another protocol (RFC 9110 section 7.8)
)

// Scanner follows the framing of the messages that a client sends on one connection. It
// must be made by [NewScanner], and is not safe for concurrent use.
type Scanner struct {
	limits Limits
	state  state
	failed *Error
	blank  bool // an empty line has been dropped in front of this request

	count  int    // bytes of the part of a line that the state is in
	room   int    // bytes that the section may still have
	fields int    // of the section
	field  field  // the field that the state is in
	name   []byte // of a field in small letters, or a method
	value  []byte // of a field that is looked at
	begun  bool   // the token of a chunk extension has a byte

	request
}

// request is what is known of the message at which the Scanner is.
type request struct {
	minor    byte // of the version
	change   Change
	host     bool // Host was there
	length   bool // Content-Length was there
	chunked  bool
	trailer  bool  // what lines come are trailers
	left     int64 // bytes of content, or of a chunk, that are still to come
	extended int   // bytes of chunk extensions so far
}

// NewScanner returns a Scanner for a connection on which nothing was sent yet.
func NewScanner(l Limits) *Scanner {
	s := newScanner(l)
	return &s
}

func newScanner(l Limits) Scanner { return Scanner{limits: l.withDefaults()} }

// Feed takes the next bytes of the stream, up to the end of the message at the most: p[to:]
// has not been looked at and is to be fed again. Only p[from:to] is for a parser: p[:from]
// was an empty line in front of a request. An error, always an [*Error] and final, means
// that p[to] must not be passed on, nor anything behind it.
func (s *Scanner) Feed(p []byte) (from, to int, err error) {
	from, to, bad := s.feed(p)
	if bad != nil {
		return from, to, bad
	}
	return from, to, nil
}

func (s *Scanner) feed(p []byte) (from, to int, bad *Error) {
	if s.failed != nil || s.state == awaiting {
		return 0, 0, s.failed
	}
	if s.state == opaque {
		return 0, len(p), nil
	}
	from, bad = s.skip(p)
	for to = from; bad == nil && to < len(p); {
		var n int
		n, bad = s.step(p[to:])
		to += n
		if s.state == atStart || s.state == awaiting { // behind the end of a message
			break
		}
	}
	s.failed = bad
	return from, to, bad
}

// Awaiting is what the message that has just ended asked for. While it is not NoChange,
// nobody knows what protocol the next bytes are of, and Feed takes none.
func (s *Scanner) Awaiting() Change {
	if s.state != awaiting {
		return NoChange
	}
	return s.change
}

// Resume says that the change was not granted, and HTTP goes on.
func (s *Scanner) Resume() {
	if s.state == awaiting {
		s.state, s.request = atStart, request{}
	}
}

// Opaque says that HTTP was left: Feed takes everything from now on.
func (s *Scanner) Opaque() { s.state = opaque }

// InContent reports whether a head has been accepted whose content has not yet ended.
func (s *Scanner) InContent() bool {
	return s.trailer || inContent <= s.state && s.state <= chunkCR
}

// skip takes an empty line in front of a request: some clients send one behind their
// last (RFC 9112 section 2.2).
func (s *Scanner) skip(p []byte) (n int, bad *Error) {
	if s.state == atStart && !s.blank && len(p) > 0 && p[0] == '\r' {
		s.state, s.blank = blankCR, true
		n++
	}
	if s.state == blankCR && n < len(p) {
		if p[n] != '\n' {
			return n, ErrBareCR
		}
		s.state = atStart
		n++
	}
	return n, nil
}

// step takes as much of p as belongs together. It takes at least one byte, or finds an
// error behind those that it takes.
func (s *Scanner) step(p []byte) (int, *Error) {
	if s.state >= inContent {
		return s.content(p)
	}
	if s.state == atStart {
		s.room, s.fields = s.limits.Head, 0
	}
	if s.room == 0 {
		if s.trailer {
			return 0, ErrTrailerLength
		}
		return 0, ErrHeadLength
	}
	n, bad := s.line(p[:min(len(p), s.room)])
	s.room -= n
	return n, bad
}

// line takes a piece of a line of a head or of a trailer section.
func (s *Scanner) line(p []byte) (int, *Error) {
	switch s.state {
	case atStart, inMethod:
		return s.method(p)
	case inTarget:
		return s.target(p)
	case inVersion:
		return s.version(p)
	case atField:
		return s.fieldStart(p[0])
	case inName:
		return s.fieldName(p)
	case beforeValue, inValue:
		return s.fieldValue(p)
	default:
		return s.lineFeed(p[0])
	}
}

// enter begins a part of a line.
func (s *Scanner) enter(next state) { s.state, s.count = next, 0 }

// end is the end of a message.
func (s *Scanner) end() {
	s.state, s.blank, s.request = atStart, false, request{change: s.change}
	if s.change != NoChange {
		s.state = awaiting
	}
}

// unless is the error for a byte that does not belong where it stands.
func unless(c byte, otherwise *Error) *Error {
	if c == '\n' {
		return ErrBareLF
	}
	return otherwise
}
