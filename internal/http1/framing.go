package http1

import "bytes"

// fieldEnd judges the field that has just ended, if it says something about framing.
func (s *Scanner) fieldEnd() *Error {
	value, whole := bytes.TrimRight(s.value, " \t"), s.count <= maxValue
	switch s.field {
	case hostField:
		if s.host {
			return ErrHosts
		}
		if s.host = true; !whole || !validHost(value) {
			return ErrHost
		}
	case lengthField:
		return s.contentLength(value, whole)
	case encodingField:
		return s.transferEncoding(value, whole)
	case upgradeField:
		if s.change == NoChange {
			s.change = Upgrade
		}
	}
	return nil
}

// contentLength wants one number (RFC 9110 section 8.6). A recipient may take a value
// that is repeated for one; none that we know of means it well.
func (s *Scanner) contentLength(value []byte, whole bool) *Error {
	if s.length {
		return ErrContentLengths
	}
	if s.length = true; len(value) == 0 || !whole {
		return ErrContentLength
	}
	for _, c := range value {
		if !isDigit(c) || s.left > maxContent/10 {
			return ErrContentLength
		}
		s.left = s.left*10 + int64(c-'0')
	}
	return nil
}

// transferEncoding wants "chunked" and nothing else. Codings that are not known are
// answered by 501 (RFC 9112 section 6.1); a list that does not end with its only chunked,
// by 400 (section 6.3).
func (s *Scanner) transferEncoding(value []byte, whole bool) *Error {
	if s.chunked || !whole {
		return ErrTransferEncoding
	}
	if s.chunked = isChunked(value); s.chunked {
		return nil
	}
	chunked := false
	for coding := range bytes.SplitSeq(value, []byte(",")) {
		coding = bytes.Trim(coding, " \t")
		if chunked || len(coding) == 0 || run(coding, tokenChar) < len(coding) {
			return ErrTransferEncoding
		}
		chunked = isChunked(coding)
	}
	return ErrTransferCoding
}

// isChunked compares lengths, too: EqualFold takes the Kelvin sign for a k.
func isChunked(coding []byte) bool {
	const chunked = "chunked"
	return len(coding) == len(chunked) && bytes.EqualFold(coding, []byte(chunked))
}

// headEnd judges a head that is complete, and decides what follows it (RFC 9112 section 6.3).
func (s *Scanner) headEnd() *Error {
	switch {
	case !s.host && s.minor > 0:
		return ErrNoHost
	case s.chunked && s.minor == 0:
		return ErrTransferVersion
	case s.chunked && s.length:
		return ErrLengthAndEncoding
	case s.change == Connect && (s.chunked || s.left > 0):
		return ErrConnectContent
	case s.chunked:
		s.enter(inSize)
	case s.left > 0:
		s.enter(inContent)
	default:
		s.end()
	}
	return nil
}

// validHost reports whether b is a host with an optional port (RFC 9110 section 7.2). It
// may be empty, for targets that have none.
func validHost(b []byte) bool {
	if len(b) > 0 && b[0] == '[' {
		end := bytes.IndexByte(b, ']')
		return end > 2 && validLiteral(b[1:end]) && validPort(b[end+1:])
	}
	n := run(b, hostChar)
	return validPort(b[n:])
}

// validLiteral checks the characters of an IPv6 address; its sense is left to the parser.
func validLiteral(b []byte) bool {
	for _, c := range b {
		if hexDigit(c) < 0 && c != ':' && c != '.' {
			return false
		}
	}
	return true
}

func validPort(b []byte) bool {
	if len(b) == 0 {
		return true
	}
	for _, c := range b[1:] {
		if !isDigit(c) {
			return false
		}
	}
	return b[0] == ':'
}
