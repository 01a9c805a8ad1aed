package document

import "strings"

// CanInsert reports whether documents of this media type (a Content-Type field) are HTML,
// and not XML or something else, so that an [Inserter] and a [Scanner] understand them.
func CanInsert(contentType string) bool {
	essence, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.Trim(essence, " \t\r\n"), "text/html")
}

// encoding makes characters of ASCII out of a document's bytes. All encodings that browsers
// support have ASCII as it is, but for UTF-16, and for ISO-2022-JP behind its escapes.
type encoding struct {
	unit   unit
	begun  bool
	marked bool    // there was a byte order mark
	marks  [3]byte // the first bytes, up to a byte order mark
	n      int
	high   byte // first byte of a code unit
	second bool
}

// unit is the size and order of the code units.
type unit uint8

const (
	bytewise unit = iota
	littleEndian
	bigEndian
)

// labelled is the encoding that a Content-Type field names. What matters is UTF-16
// (Encoding standard, section 4.2).
func labelled(contentType string) encoding {
	for i, parameter := range strings.Split(contentType, ";") {
		name, value, _ := strings.Cut(parameter, "=")
		if i == 0 || !strings.EqualFold(strings.Trim(name, " \t\r\n"), "charset") {
			continue
		}
		switch strings.ToLower(strings.Trim(value, " \t\r\n\"")) {
		case "utf-16", "utf-16le", "unicode", "ucs-2", "iso-10646-ucs-2", "csunicode", "unicodefeff":
			return encoding{unit: littleEndian}
		case "utf-16be", "unicodefffe":
			return encoding{unit: bigEndian}
		}
		break
	}
	return encoding{}
}

// other stands for all characters beyond ASCII: no markup has them.
const other = 0x80

// next takes a byte. It is not ok while the character is not complete, or is a byte order
// mark (Encoding standard, section 6).
func (e *encoding) next(c byte) (char byte, ok bool) {
	if !e.begun {
		if e.mark(c) {
			return 0, false
		}
		e.begun = true
		if e.n > 1 { // what looked like a mark is text
			return other, true
		}
	}
	if e.unit == bytewise {
		return c, true
	}
	if e.second = !e.second; e.second {
		e.high = c
		return 0, false
	}
	low, high := c, e.high
	if e.unit == littleEndian {
		low, high = high, low
	}
	if high != 0 || low >= other {
		return other, true
	}
	return low, true
}

// mark reports whether c belongs to a byte order mark, or may do so.
func (e *encoding) mark(c byte) bool {
	e.marks[e.n] = c
	e.n++
	switch string(e.marks[:e.n]) {
	case "\xef", "\xef\xbb", "\xfe", "\xff":
		return true
	case "\xef\xbb\xbf":
		e.unit, e.begun, e.marked = bytewise, true, true
		return true
	case "\xff\xfe":
		e.unit, e.begun, e.marked = littleEndian, true, true
		return true
	case "\xfe\xff":
		e.unit, e.begun, e.marked = bigEndian, true, true
		return true
	}
	return false
}

// append adds text, which is ASCII, in the encoding.
func (e *encoding) append(to, ascii []byte) []byte {
	for _, c := range ascii {
		switch e.unit {
		case littleEndian:
			to = append(to, c, 0)
		case bigEndian:
			to = append(to, 0, c)
		default:
			to = append(to, c)
		}
	}
	return to
}
