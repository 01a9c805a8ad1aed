package http1

// Classes of octets.
const (
	tokenChar  = 1 << iota // tchar, RFC 9110 section 5.6.2
	valueChar              // field-vchar, SP and HTAB, RFC 9110 section 5.5
	targetChar             // visible. RFC 3986 has only ASCII, but clients send UTF-8
	hostChar               // of a reg-name, RFC 3986 section 3.2.2
	quotedChar             // qdtext, RFC 9110 section 5.6.4
)

var classes = classify()

func classify() (table [256]uint8) {
	set := func(class uint8, chars string) {
		for i := range len(chars) {
			table[chars[i]] |= class
		}
	}
	for c := '0'; c <= 'z'; c++ {
		if c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c {
			set(tokenChar|hostChar, string(c))
		}
	}
	set(tokenChar, "!#$%&'*+-.^_`|~")
	set(hostChar, "-._~%!$&'()*+,;=")
	for c := 0x20; c <= 0xff; c++ {
		if c == 0x7f {
			continue
		}
		table[c] |= valueChar
		if c > ' ' {
			table[c] |= targetChar
		}
		if c != '"' && c != '\\' {
			table[c] |= quotedChar
		}
	}
	set(valueChar|quotedChar, "\t")
	return table
}

// run is the number of bytes at the front of p that are of a class.
func run(p []byte, class uint8) int {
	for i, c := range p {
		if classes[c]&class == 0 {
			return i
		}
	}
	return len(p)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// hexDigit is the value of a hexadecimal digit, -1 = it is none.
func hexDigit(c byte) int64 {
	switch {
	case isDigit(c):
		return int64(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return int64(c|0x20-'a') + 10
	}
	return -1
}
