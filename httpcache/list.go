package httpcache

import "strings"

// list reads the members of a comma-separated field value (RFC 9110 section 5.6.1).
// Commas inside of quoted strings do not separate. After a quote that is never
// closed the text can't be trusted any more: broken is set, and every further comma
// separates, so that nothing can hide behind the quote.
type list struct {
	rest   string
	ended  bool
	broken bool
}

// next returns the next member without the blanks around it. Members may be empty.
func (l *list) next() (member string, ok bool) {
	if l.ended {
		return "", false
	}
	end := -1
	if !l.broken {
		end, l.broken = separator(l.rest, ',')
	}
	if l.broken {
		end = strings.IndexByte(l.rest, ',')
	}
	if end < 0 {
		l.ended = true
		return trimBlanks(l.rest), true
	}
	member, l.rest = l.rest[:end], l.rest[end+1:]
	return trimBlanks(member), true
}

// separator finds the first sep outside of quoted strings, or -1. If a quote is left
// open at the end, it says so instead.
func separator(s string, sep byte) (at int, open bool) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == sep && !quoted:
			return i, false
		}
	}
	return -1, quoted
}

// trimBlanks removes optional whitespace (RFC 9110 section 5.6.3) from both ends.
func trimBlanks(s string) string {
	for s != "" && isBlank(s[0]) {
		s = s[1:]
	}
	for s != "" && isBlank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// cutToken splits s after the token (RFC 9110 section 5.6.2) that it begins with.
func cutToken(s string) (token, rest string) {
	i := 0
	for i < len(s) && isTokenByte(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

func isToken(s string) bool {
	token, rest := cutToken(s)
	return token != "" && rest == ""
}

// tokenBytes are the characters of a token, by bit: those below 64 and those above.
const (
	tokenBytesLow  = 1<<'!' | 1<<'#' | 1<<'$' | 1<<'%' | 1<<'&' | 1<<'\'' | 1<<'*' | 1<<'+' | 1<<'-' | 1<<'.' | (1<<10-1)<<'0'
	tokenBytesHigh = 1<<('^'-64) | 1<<('_'-64) | 1<<('`'-64) | 1<<('|'-64) | 1<<('~'-64) | (1<<26-1)<<('A'-64) | (1<<26-1)<<('a'-64)
)

func isTokenByte(c byte) bool {
	if c < 64 {
		return uint64(tokenBytesLow)>>c&1 != 0
	}
	return c < 128 && uint64(tokenBytesHigh)>>(c-64)&1 != 0
}

// unquote returns the content of a quoted string (RFC 9110 section 5.6.4) that is
// all of s.
func unquote(s string) (content string, ok bool) {
	if len(s) < 2 || s[0] != '"' {
		return "", false
	}
	escaped := false
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			if i != len(s)-1 {
				return "", false
			}
			if escaped {
				return unescape(s[1:i]), true
			}
			return s[1:i], true
		}
	}
	return "", false
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// asciiLower appends s with its ASCII letters in lower case.
func asciiLower(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		b = append(b, c)
	}
	return b
}
