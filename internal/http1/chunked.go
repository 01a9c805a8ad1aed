package http1

// content takes bytes of content, or of what divides it in chunks (RFC 9112 section 7.1).
func (s *Scanner) content(p []byte) (int, *Error) {
	switch s.state {
	case inContent:
		return s.data(p), nil
	case inSize:
		return s.size(p)
	case sizeCR, chunkCR:
		return s.chunkLineFeed(p[0])
	case afterChunk:
		if p[0] != '\r' {
			return 0, unless(p[0], ErrChunkEnd)
		}
		s.state = chunkCR
		return 1, nil
	}
	room := min(maxExtension-s.count, maxExtensions-s.extended)
	if room == 0 {
		return 0, ErrExtensionLength
	}
	n, bad := s.extension(p[:min(len(p), room)])
	s.count, s.extended = s.count+n, s.extended+n
	return n, bad
}

// data takes bytes without looking at them.
func (s *Scanner) data(p []byte) int {
	n := int(min(int64(len(p)), s.left))
	if s.left -= int64(n); s.left == 0 {
		if s.chunked {
			s.state = afterChunk
		} else {
			s.end()
		}
	}
	return n
}

// size takes digits of a chunk's size and what ends it.
func (s *Scanner) size(p []byte) (int, *Error) {
	for i, c := range p {
		digit := hexDigit(c)
		switch {
		case digit >= 0 && (s.count == maxSizeDigits || s.left > maxContent>>4):
			return i, ErrChunkSize
		case digit >= 0:
			s.left = s.left<<4 | digit
			s.count++
		case s.count == 0:
			return i, unless(c, ErrChunkSize)
		case c == ';':
			s.enter(inExtensionName)
			s.begun = false
			return i + 1, nil
		case c == '\r':
			s.state = sizeCR
			return i + 1, nil
		default:
			return i, unless(c, ErrChunkSize)
		}
	}
	return len(p), nil
}

// extension takes a piece of the chunk extensions (RFC 9112 section 7.1.1).
func (s *Scanner) extension(p []byte) (int, *Error) {
	switch s.state {
	case inExtensionName:
		return s.extensionToken(p, true)
	case inExtensionValue:
		return s.extensionToken(p, false)
	case inQuoted:
		return s.quoted(p)
	case inQuotedPair:
		if classes[p[0]]&valueChar == 0 {
			return 0, unless(p[0], ErrChunkExtension)
		}
		s.state = inQuoted
		return 1, nil
	default:
		return s.extensionEnd(p[0])
	}
}

// extensionToken takes bytes of a name or of a value that is not quoted.
func (s *Scanner) extensionToken(p []byte, name bool) (int, *Error) {
	if n := run(p, tokenChar); n > 0 {
		s.begun = true
		return n, nil
	}
	switch {
	case !name && !s.begun && p[0] == '"':
		s.state = inQuoted
		return 1, nil
	case !s.begun:
		return 0, unless(p[0], ErrChunkExtension)
	case name && p[0] == '=':
		s.state, s.begun = inExtensionValue, false
		return 1, nil
	}
	return s.extensionEnd(p[0])
}

// quoted takes bytes of a quoted value, and the quote that ends it.
func (s *Scanner) quoted(p []byte) (int, *Error) {
	n := run(p, quotedChar)
	if n == len(p) {
		return n, nil
	}
	switch p[n] {
	case '"':
		s.state = afterQuoted
	case '\\':
		s.state = inQuotedPair
	default:
		return n, unless(p[n], ErrChunkExtension)
	}
	return n + 1, nil
}

// extensionEnd takes what may follow an extension: another one, or the end of the line.
func (s *Scanner) extensionEnd(c byte) (int, *Error) {
	switch c {
	case ';':
		s.state, s.begun = inExtensionName, false
	case '\r':
		s.state = sizeCR
	default:
		return 0, unless(c, ErrChunkExtension)
	}
	return 1, nil
}

// chunkLineFeed takes the LF behind a chunk's size, or behind its data.
func (s *Scanner) chunkLineFeed(c byte) (int, *Error) {
	switch {
	case c != '\n':
		return 0, ErrBareCR
	case s.state == chunkCR:
		s.enter(inSize)
	case s.left > 0:
		s.enter(inContent)
	default:
		s.trailer, s.room, s.fields = true, maxTrailer, 0
		s.enter(atField)
	}
	return 1, nil
}
