package httpcache

import (
	"slices"
	"strings"
)

// normalise brings the lines of a request field into one normal form: the lines joined, no
// blanks but one after each comma. Where the definition of the field says that order,
// case and repetition mean nothing, they are removed as well (RFC 9111 section 4.1). Applied
// to its own result it changes nothing.
func normalise(name string, lines []string) string {
	switch name {
	case "Cookie":
		// HTTP/2 may split it at its own separator (RFC 9113 section 8.2.3).
		return trimBlanks(strings.Join(lines, "; "))
	case "Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language":
		if normal, ok := normaliseWeighted(name, strings.Join(lines, ", ")); ok {
			return normal
		}
	}
	return normaliseBlanks(strings.Join(lines, ", "))
}

// normaliseBlanks is the normal form of a field about whose members nothing is known.
func normaliseBlanks(value string) string {
	members := list{rest: value}
	var b strings.Builder
	b.Grow(len(value))
	for first := true; ; first = false {
		member, ok := members.next()
		if !ok {
			return trimBlanks(b.String())
		}
		if !first {
			b.WriteString(", ")
		}
		b.WriteString(member)
	}
}

// normaliseWeighted is the normal form of a list of ranges with weights (RFC 9110
// section 12.5): names in lower case, weights in their shortest form, sorted, none twice. RFC 9110
// section 12.5.4 says of languages, too, that their order can't be relied upon. It is not ok
// if one of the members is not of that form.
func normaliseWeighted(name, value string) (normal string, ok bool) {
	kept := make([]string, 0, 8)
	members := list{rest: value}
	for {
		member, more := members.next()
		if !more {
			break
		}
		if member == "" {
			continue
		}
		member, ok := normaliseRange(member)
		if !ok || members.broken {
			return "", false
		}
		if name == "Accept-Encoding" {
			member = codingName(member)
		}
		kept = append(kept, member)
	}
	if name == "Accept-Encoding" {
		kept = withoutRefused(kept)
	}
	slices.Sort(kept)
	return strings.Join(slices.Compact(kept), ", "), true
}

// withoutRefused leaves out the codings of weight 0, which mean no more than not to be named. Where "*"
// stands for those that are not named they do, and identity is accepted unless it is refused
// (RFC 9110 section 12.5.3).
func withoutRefused(codings []string) []string {
	others := func(member string) bool { return member == "*" || strings.HasPrefix(member, "*;") }
	if slices.ContainsFunc(codings, others) {
		return codings
	}
	return slices.DeleteFunc(codings, func(member string) bool {
		return strings.HasSuffix(member, ";q=0") && member != "identity;q=0"
	})
}

// codingName takes the old names of content codings for their present ones (RFC 9110 sections
// 8.4.1.1 and 8.4.1.3).
func codingName(member string) string {
	name, _, _ := strings.Cut(member, ";")
	if name == "x-gzip" || name == "x-compress" {
		return member[len("x-"):]
	}
	return member
}

// normaliseRange is the normal form of one member: range *( ";" name "=" value ).
func normaliseRange(member string) (normal string, ok bool) {
	if strings.IndexByte(member, ';') < 0 {
		return strings.ToLower(member), isRange(member)
	}
	name, params, more := cutParameter(member)
	if !isRange(name) {
		return "", false
	}
	b := asciiLower(make([]byte, 0, len(member)), name)
	weighted := false
	for more {
		var param string
		param, params, more = cutParameter(params)
		key, value, ok := strings.Cut(param, "=")
		if !ok || !isToken(key) || !isParameterValue(value) {
			return "", false
		}
		if !equalFold(key, "q") {
			b = append(append(asciiLower(append(b, ';'), key), '='), value...)
			continue
		}
		weight, ok := shortestWeight(value)
		if !ok || weighted {
			return "", false
		}
		weighted = true
		if weight != "1" || more {
			b = append(append(b, ";q="...), weight...)
		}
	}
	return string(b), true
}

// cutParameter splits s at the first semicolon outside of a quoted string.
func cutParameter(s string) (before, after string, found bool) {
	at, open := separator(s, ';')
	if at < 0 || open {
		return trimBlanks(s), "", false
	}
	return trimBlanks(s[:at]), s[at+1:], true
}

// isRange reports whether s is a media range, or a token as for the other fields.
func isRange(s string) bool {
	kind, subtype, isMedia := strings.Cut(s, "/")
	return isToken(kind) && (!isMedia || isToken(subtype))
}

func isParameterValue(s string) bool {
	if strings.HasPrefix(s, `"`) {
		_, ok := unquote(s)
		return ok
	}
	return isToken(s)
}

// shortestWeight is a weight (RFC 9110 section 12.4.2) without the zeros that mean nothing.
func shortestWeight(s string) (weight string, ok bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	if whole != "0" && whole != "1" || len(fraction) > 3 {
		return "", false
	}
	fraction = strings.TrimRight(fraction, "0")
	for i := 0; i < len(fraction); i++ {
		if fraction[i] < '0' || '9' < fraction[i] || whole == "1" {
			return "", false
		}
	}
	if fraction == "" {
		return whole, true
	}
	return whole + "." + fraction, true
}
