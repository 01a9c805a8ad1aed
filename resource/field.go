package resource

// tokenBytes are the characters of a token (RFC 9110 section 5.6.2).
var tokenBytes = func() (set [256]bool) {
	for c := range set {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		set[c] = letter || '0' <= c && c <= '9'
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~") {
		set[c] = true
	}
	return set
}()

// isToken reports whether s is a token.
func isToken(s string) bool {
	for i := range len(s) {
		if !tokenBytes[s[i]] {
			return false
		}
	}
	return s != ""
}

// isFieldName reports whether s is a token in the canonical form of net/http: a letter
// is in upper case exactly if it is the first or follows a hyphen.
func isFieldName(s string) bool {
	upper := true
	for i := range len(s) {
		c := s[i]
		if !tokenBytes[c] || upper && 'a' <= c && c <= 'z' || !upper && 'A' <= c && c <= 'Z' {
			return false
		}
		upper = c == '-'
	}
	return s != ""
}

// isFieldValue reports whether s has no control but HTAB (RFC 9110 section 5.5).
// Bytes above 0x7f are allowed (obs-text).
func isFieldValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// isPrintable reports whether s can be a structured field (RFC 9651 section 3).
func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
