package resource

import "strings"

// canonicalPath normalises an escaped path: percent-encoding first (RFC 3986
// section 6.2.2.2), since %2E may hide a dot segment, then the dot segments.
func canonicalPath(escaped string) string {
	if escaped == "" {
		return "/"
	}
	if escaped[0] != '/' {
		escaped = "/" + escaped
	}
	return removeDotSegments(canonicalEscapes(escaped))
}

// canonicalEscapes decodes escaped unreserved characters, writes the hex digits of
// the others in upper case, and escapes what may not stand in a path.
func canonicalEscapes(path string) string {
	plain := 0
	for plain < len(path) && isPathByte(path[plain]) {
		plain++
	}
	if plain == len(path) {
		return path
	}
	var b strings.Builder
	b.Grow(len(path))
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case c == '%' && i+2 < len(path) && isHex(path[i+1]) && isHex(path[i+2]):
			decoded := unhex(path[i+1])<<4 | unhex(path[i+2])
			if isUnreserved(decoded) {
				b.WriteByte(decoded)
			} else {
				writeEscaped(&b, decoded)
			}
			i += 2
		case isPathByte(c):
			b.WriteByte(c)
		default:
			writeEscaped(&b, c)
		}
	}
	return b.String()
}

// canonicalQuery keeps every byte of a query but those that can't stand in a
// request line at all: controls, blanks and bytes outside of ASCII are escaped.
func canonicalQuery(query string) string {
	clean := func(c byte) bool { return c > ' ' && c < 0x7f && c != '#' }
	for i := 0; i < len(query); i++ {
		if !clean(query[i]) {
			return escapeWhere(query, func(c byte) bool { return !clean(c) })
		}
	}
	return query
}

func escapeWhere(s string, needed func(byte) bool) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if needed(s[i]) {
			writeEscaped(&b, s[i])
		} else {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// removeDotSegments is RFC 3986 section 5.2.4 for a path that begins with a slash.
func removeDotSegments(path string) string {
	if !strings.Contains(path, "/.") {
		return path
	}
	segments := strings.Split(path[1:], "/")
	kept := segments[:0]
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case ".":
		case "..":
			if len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
		default:
			kept = append(kept, s)
			continue
		}
		if last {
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/")
}

func writeEscaped(b *strings.Builder, c byte) {
	const upper = "0123456789ABCDEF"
	b.WriteByte('%')
	b.WriteByte(upper[c>>4])
	b.WriteByte(upper[c&15])
}

// isPathByte reports whether c stands for itself in a path: pchar or "/" (RFC 3986 section 3.3).
func isPathByte(c byte) bool {
	return isUnreserved(c) || c == '/' || strings.IndexByte("!$&'()*+,;=:@", c) >= 0
}

func isUnreserved(c byte) bool {
	letter := 'a' <= c|0x20 && c|0x20 <= 'z'
	return letter || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
