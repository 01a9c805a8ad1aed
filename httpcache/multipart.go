package httpcache

import "strings"

// Multipart is the layout of a multipart/byteranges response (RFC 9110 section 14.6): what has
// to be written around the bytes of each part, and how long it gets.
type Multipart struct {
	ContentType string // of the whole response
	Length      int64  // of the whole content, for Content-Length
	Parts       []MultipartPart
	End         string // to be written after the last part
}

// MultipartPart is one part of a [Multipart]: Head is to be written, then the bytes of Span.
type MultipartPart struct {
	Head string
	Span Span
}

// NewMultipart lays out a response of several spans, in their order, of a representation with
// the given length (-1 = not known) and Content-Type ("" = none). The boundary must not occur in
// any part: the caller takes some 30 random characters. It is not ok if boundary is not
// of 1 to 70 letters and digits, or if contentType would break the frame.
func NewMultipart(spans []Span, complete int64, contentType, boundary string) (m Multipart, ok bool) {
	if !isBoundary(boundary) || strings.ContainsAny(contentType, "\r\n\x00") || len(spans) == 0 {
		return m, false
	}
	m.ContentType = "multipart/byteranges; boundary=" + boundary
	m.End = "\r\n--" + boundary + "--\r\n"
	m.Length = int64(len(m.End))
	for i, s := range spans {
		var b strings.Builder
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString("--" + boundary + "\r\n")
		if contentType != "" {
			b.WriteString("Content-Type: " + contentType + "\r\n")
		}
		b.WriteString("Content-Range: " + ContentRange{s, complete}.String() + "\r\n\r\n")
		m.Parts = append(m.Parts, MultipartPart{b.String(), s})
		m.Length += int64(b.Len()) + s.Length
	}
	return m, true
}

// isBoundary is stricter than RFC 2046 section 5.1.1, so that no quotes are needed.
func isBoundary(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i] | 0x20
		if (s[i] < '0' || '9' < s[i]) && (c < 'a' || 'z' < c) {
			return false
		}
	}
	return 0 < len(s) && len(s) <= 70
}
