package http1

// method takes bytes of a method and the space behind it (RFC 9112 section 3.1).
func (s *Scanner) method(p []byte) (int, *Error) {
	if s.state == atStart {
		s.enter(inMethod)
		s.name = s.name[:0]
	}
	n := run(p, tokenChar)
	if s.count+n > maxMethod {
		return maxMethod - s.count, ErrMethodLength
	}
	s.name = append(s.name, p[:n]...)
	if s.count += n; n == len(p) {
		return n, nil
	}
	if p[n] != ' ' || s.count == 0 {
		return n, unless(p[n], ErrMethod)
	}
	if string(s.name) == "CONNECT" {
		s.change = Connect
	}
	s.enter(inTarget)
	return n + 1, nil
}

// target takes bytes of a request target and the space behind it (RFC 9112 section 3.2).
func (s *Scanner) target(p []byte) (int, *Error) {
	n := run(p, targetChar)
	if s.count+n > s.limits.Target {
		return s.limits.Target - s.count, ErrTargetLength
	}
	if s.count += n; n == len(p) {
		return n, nil
	}
	switch {
	case p[n] == '\r' && s.count > 0:
		return n, ErrVersion // HTTP/0.9
	case p[n] != ' ' || s.count == 0:
		return n, unless(p[n], ErrTarget)
	}
	s.enter(inVersion)
	return n + 1, nil
}

// version takes bytes of a version and the CR behind it (RFC 9112 section 2.3).
func (s *Scanner) version(p []byte) (int, *Error) {
	for i, c := range p {
		if bad := s.versionByte(c); bad != nil {
			return i, unless(c, bad)
		}
		if s.count++; s.state != inVersion {
			return i + 1, nil
		}
	}
	return len(p), nil
}

func (s *Scanner) versionByte(c byte) *Error {
	const pattern = "HTTP/1.?\r" // ? = a digit
	switch want := pattern[s.count]; {
	case want == '?' && isDigit(c):
		s.minor = c - '0'
	case want == '1' && isDigit(c) && c != '1':
		return ErrVersionUnsupported // HTTP/2 and its preface among them
	case want == '?' || want != c:
		return ErrVersion
	case c == '\r':
		s.state = versionCR
	}
	return nil
}
