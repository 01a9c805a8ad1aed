package document

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
)

// AllowStyle edits the lines of a Content-Security-Policy field so that a style element
// with exactly the text style is applied. Nothing else is allowed by it that was not before, nothing
// forbidden, and no directive is taken away. Policies that allow the element as they are
// stay, byte for byte. The argument isn't changed.
//
// The directive that governs style elements is style-src-elem, else style-src, else
// default-src (CSP level 3, section 6.8.3). To the first two the hash of style is added; beside a
// default-src that governs, a style-src with the same sources and the hash is put.
func AllowStyle(policies []string, style string) []string {
	sum := sha256.Sum256([]byte(style))
	hash := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	edited := make([]string, len(policies))
	for i, line := range policies {
		list := strings.Split(line, ",")
		for j, policy := range list {
			list[j] = allowHash(policy, hash)
		}
		edited[i] = strings.Join(list, ",")
	}
	return edited
}

const cspSpace = " \t\n\f\r"

// directive is the name of one in lower case, and its values.
func directive(text string) (name string, values []string) {
	fields := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(cspSpace, r) })
	if len(fields) == 0 {
		return "", nil
	}
	return strings.ToLower(fields[0]), fields[1:]
}

func allowHash(policy, hash string) string {
	directives := strings.Split(policy, ";")
	i, name := governing(directives)
	if i < 0 {
		return policy
	}
	_, sources := directive(directives[i])
	if allowsInline(sources) || slices.Contains(sources, hash) {
		return policy
	}
	if name == "default-src" {
		text := strings.Join(append([]string{"style-src"}, withHash(sources, hash)...), " ")
		return strings.Join(slices.Insert(directives, i+1, " "+text), ";")
	}
	directives[i] = addSource(directives[i], sources, hash)
	return strings.Join(directives, ";")
}

// governing finds the directive for style elements. Of several with one name the
// first counts (CSP level 3, section 2.2.1).
func governing(directives []string) (index int, name string) {
	found := make(map[string]int)
	for i, text := range directives {
		name, _ := directive(text)
		if _, ok := found[name]; !ok {
			found[name] = i
		}
	}
	for _, name := range []string{"style-src-elem", "style-src", "default-src"} {
		if i, ok := found[name]; ok {
			return i, name
		}
	}
	return -1, ""
}

// allowsInline: 'unsafe-inline' counts only where neither a nonce nor a hash does (CSP level 3,
// section 6.7.3.2). A hash beside it would switch it off.
func allowsInline(sources []string) bool {
	unsafe := false
	for _, source := range sources {
		source = strings.ToLower(source)
		switch {
		case source == "'unsafe-inline'":
			unsafe = true
		case isNonce(source), isHash(source):
			return false
		}
	}
	return unsafe
}

func isNonce(source string) bool {
	value, ok := strings.CutPrefix(source, "'nonce-")
	return ok && isBase64(value)
}

func isHash(source string) bool {
	for _, prefix := range []string{"'sha256-", "'sha384-", "'sha512-"} {
		if value, ok := strings.CutPrefix(source, prefix); ok {
			return isBase64(value)
		}
	}
	return false
}

// isBase64 matches base64-value and the quote behind it (CSP level 3, section 2.3.1).
func isBase64(value string) bool {
	value, ok := strings.CutSuffix(value, "'")
	digits := strings.TrimRight(value, "=")
	if !ok || digits == "" || len(value)-len(digits) > 2 {
		return false
	}
	for i := range len(digits) {
		if c := digits[i]; !letter(c) && (c < '0' || c > '9') && strings.IndexByte("+/-_", c) < 0 {
			return false
		}
	}
	return true
}

// none reports whether the sources are nothing but 'none'.
func none(sources []string) bool {
	return len(sources) == 1 && strings.EqualFold(sources[0], "'none'")
}

func withHash(sources []string, hash string) []string {
	if none(sources) {
		return []string{hash}
	}
	return append(slices.Clone(sources), hash)
}

// addSource leaves the rest of the directive as it is written.
func addSource(text string, sources []string, hash string) string {
	trimmed := strings.TrimRight(text, cspSpace)
	if none(sources) {
		trimmed = strings.TrimRight(trimmed[:len(trimmed)-len(sources[0])], cspSpace)
	}
	return trimmed + " " + hash
}
