package httpcache

import "strings"

// entityTag is an entity tag (RFC 9110 section 8.8.3).
type entityTag struct {
	opaque string // with its quotes; "" is no entity tag
	weak   bool
}

// cutETag reads the entity tag that s begins with. A backslash in it is a character like
// any other; the W of a weak one is in upper case.
func cutETag(s string) (tag entityTag, rest string) {
	if strings.HasPrefix(s, "W/") {
		tag.weak, s = true, s[2:]
	}
	if s == "" || s[0] != '"' {
		return entityTag{}, s
	}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			tag.opaque = s[:i+1]
			return tag, s[i+1:]
		case c <= ' ' || c == 0x7f:
			return entityTag{}, s
		}
	}
	return entityTag{}, s
}

// parseETag reads the lines of a field that is to hold one entity tag.
func parseETag(lines []string) (tag entityTag, ok bool) {
	if len(lines) != 1 {
		return entityTag{}, false
	}
	tag, rest := cutETag(trimBlanks(lines[0]))
	if tag.opaque == "" || rest != "" {
		return entityTag{}, false
	}
	return tag, true
}

// strongly is the strong comparison of RFC 9110 section 8.8.3.2.
func (t entityTag) strongly(u entityTag) bool {
	return t.opaque != "" && !t.weak && !u.weak && t.opaque == u.opaque
}

// weakly is the weak comparison of RFC 9110 section 8.8.3.2.
func (t entityTag) weakly(u entityTag) bool { return t.opaque != "" && t.opaque == u.opaque }

// containsWeakly reports whether one of the entity tags in a list is the same as tag by the
// weak comparison. What is no entity tag is skipped.
func containsWeakly(lines []string, tag entityTag) bool { return containsTag(lines, tag.weakly) }

// containsStrongly is containsWeakly by the strong comparison.
func containsStrongly(lines []string, tag entityTag) bool { return containsTag(lines, tag.strongly) }

func containsTag(lines []string, same func(entityTag) bool) bool {
	for _, line := range lines {
		for line != "" {
			if c := line[0]; c == ',' || isBlank(c) {
				line = line[1:]
				continue
			}
			candidate, rest := cutETag(line)
			rest = trimBlanks(rest)
			if (rest == "" || rest[0] == ',') && same(candidate) {
				return true
			}
			_, line, _ = strings.Cut(rest, ",")
		}
	}
	return false
}
