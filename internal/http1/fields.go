package http1

// field is a field that is looked at.
type field uint8

const (
	otherField field = iota
	hostField
	lengthField
	encodingField
	upgradeField
)

// fieldStart takes the first byte of a line. No line may begin with a blank: neither is
// a value folded, nor may one stand in front of all fields (RFC 9112 sections 2.2, 5.2).
func (s *Scanner) fieldStart(c byte) (int, *Error) {
	switch {
	case c == '\r':
		s.state = sectionCR
		return 1, nil
	case c == ' ' || c == '\t':
		return 0, ErrFold
	case classes[c]&tokenChar == 0:
		return 0, unless(c, ErrFieldName)
	case s.fields == s.limits.Fields:
		return 0, ErrFieldCount
	}
	s.fields++
	s.enter(inName)
	s.name = s.name[:0]
	s.note(c)
	return 1, nil
}

// fieldName takes bytes of a field name and the colon behind it (RFC 9112 section 5.1).
func (s *Scanner) fieldName(p []byte) (int, *Error) {
	n := run(p, tokenChar)
	for _, c := range p[:n] {
		s.note(c)
	}
	if n == len(p) {
		return n, nil
	}
	switch c := p[n]; {
	case c == ' ' || c == '\t':
		return n, ErrBlankName
	case c != ':':
		return n, unless(c, ErrFieldName)
	}
	if bad := s.recognise(); bad != nil {
		return n, bad
	}
	s.enter(beforeValue)
	s.value = s.value[:0]
	return n + 1, nil
}

// note remembers as much of a name as may be looked at, in small letters.
func (s *Scanner) note(c byte) {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	if s.count++; s.count <= maxName {
		s.name = append(s.name, c)
	}
}

// recognise looks at a field name.
func (s *Scanner) recognise() *Error {
	s.field = otherField
	if s.count > maxName {
		return nil
	}
	if s.trailer {
		if inTrailerForbidden(string(s.name)) {
			return ErrTrailerField
		}
		return nil
	}
	switch string(s.name) {
	case "host":
		s.field = hostField
	case "content-length":
		s.field = lengthField
	case "transfer-encoding":
		s.field = encodingField
	case "upgrade":
		s.field = upgradeField
	}
	return nil
}

// inTrailerForbidden lists the fields whose late coming would change how a message is
// framed, routed or authenticated (RFC 9110 section 6.5.1), or what else it asks for.
func inTrailerForbidden(name string) bool {
	switch name {
	case "content-length", "transfer-encoding", "trailer", "te", "connection", "keep-alive", "proxy-connection", "upgrade",
		"host", "max-forwards", "expect", "authorization", "proxy-authorization", "cookie", "forwarded", "via",
		"content-encoding", "content-type", "content-range", "range", "cache-control", "pragma",
		"if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range":
		return true
	}
	return false
}

// fieldValue takes bytes of a field value and the CR behind it (RFC 9110 section 5.5).
func (s *Scanner) fieldValue(p []byte) (int, *Error) {
	n := 0
	for s.state == beforeValue && n < len(p) {
		if p[n] == ' ' || p[n] == '\t' {
			n++
		} else {
			s.enter(inValue)
		}
	}
	rest := p[n:]
	m := run(rest, valueChar)
	if s.field != otherField {
		s.value = append(s.value, rest[:min(m, maxValue-len(s.value))]...)
		s.count += m
	}
	if n += m; n == len(p) {
		return n, nil
	}
	if p[n] != '\r' {
		return n, unless(p[n], ErrFieldValue)
	}
	s.state = fieldCR
	return n + 1, nil
}

// lineFeed takes the LF of a line, and draws the consequences.
func (s *Scanner) lineFeed(c byte) (int, *Error) {
	if c != '\n' {
		return 0, ErrBareCR
	}
	var bad *Error
	switch s.state {
	case versionCR:
		s.state = atField
	case fieldCR:
		s.state, bad = atField, s.fieldEnd()
	case sectionCR:
		if s.trailer {
			s.end()
		} else {
			bad = s.headEnd()
		}
	}
	if bad != nil {
		return 0, bad
	}
	return 1, nil
}
