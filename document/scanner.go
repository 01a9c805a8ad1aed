package document

import (
	"bytes"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

const (
	maxDemands   = 1000    // of one document
	maxURL       = 8 << 10 // bytes
	maxIntegrity = 2 << 10 // bytes: some 20 digests
)

// Demand is what a document demands of a resource that it fetches: that the body has
// one of the digests (Subresource Integrity, section 3).
type Demand struct {
	// URL is absolute, of http or https and without a fragment.
	URL string
	// Integrity is the attribute as the document has it.
	Integrity string
	// Kind is what the resource is fetched as, as far as the document says it: "script",
	// "style", "font", …
	Kind string
}

// Scanner finds the demands of an HTML document that is written to it: the integrity
// attributes of scripts and of links to style sheets, preloads and module preloads. What is
// in comments, templates, noscript elements or text is none of the document's.
//
// URLs are resolved against the first base element, and before there is one against the
// document's. At most 1000 demands are found in one document; tags longer than
// 128 KiB and attributes longer than some KiB are ignored. A document in UTF-16 has to have a byte
// order mark to be understood.
type Scanner struct {
	base  *url.URL
	based bool
	found func(Demand)
	count int

	lex       lexer
	encoding  encoding
	templates int
	foreign   int    // svg and math elements that are open
	tag       []byte // the characters of one, if its attributes are of interest
}

// NewScanner returns a Scanner for the document at base. It calls found from Write, once for each demand.
func NewScanner(base *url.URL, found func(Demand)) *Scanner {
	return &Scanner{base: base, found: found}
}

// Write never fails.
func (s *Scanner) Write(p []byte) (int, error) {
	for _, c := range p {
		if s.count == maxDemands {
			break
		}
		if char, ok := s.encoding.next(c); ok {
			s.next(char, c)
		}
	}
	return len(p), nil
}

// Close has nothing to do: a tag that isn't ended is none.
func (s *Scanner) Close() error { return nil }

// next takes a character, and the last byte of it, which may be beyond ASCII.
func (s *Scanner) next(char, c byte) {
	s.lex.foreign = s.foreign > 0
	event := s.lex.next(char)
	switch {
	case !s.lex.held() && event == nothing:
		s.tag = s.tag[:0]
	case len(s.tag) < maxHeld:
		if s.encoding.unit == bytewise {
			char = c
		}
		s.tag = append(s.tag, char)
	}
	switch event {
	case startTag:
		s.startTag(s.lex.tag.String())
	case endTag:
		s.endTag(s.lex.tag.String())
	}
	if event != nothing {
		s.tag = s.tag[:0]
		if s.lex.held() { // "<" that was text, and another
			s.tag = append(s.tag, '<')
		}
	}
}

func (s *Scanner) startTag(tag string) {
	switch {
	case tag == "template":
		s.templates++
	case tag == "svg" || tag == "math":
		if !s.lex.closed {
			s.foreign++
		}
	case s.foreign > 0:
		return // SVG's own title, style and script
	case tag == "plaintext" || isText(tag):
		s.lex.enter(tag)
	}
	if s.templates > 0 {
		return
	}
	switch tag {
	case "base", "script", "link":
		s.element(tag)
	}
}

func (s *Scanner) endTag(tag string) {
	switch tag {
	case "template":
		s.templates = max(s.templates-1, 0)
	case "svg", "math":
		s.foreign = max(s.foreign-1, 0)
	}
}

func (s *Scanner) element(tag string) {
	if tag == "base" && s.based || tag != "base" && !mentions(s.tag, "integrity") {
		return // as nearly all: to read attributes takes a hundred times as long as to pass over them
	}
	attributes, ok := readAttributes(s.tag)
	if !ok {
		return
	}
	switch tag {
	case "base":
		s.setBase(attributes)
	case "script":
		if isScript(attributes) {
			s.demand(attributes, "src", "script")
		}
	case "link":
		if kind := linkKind(attributes); kind != "" {
			s.demand(attributes, "href", kind)
		}
	}
}

// mentions reports whether a word, in lower case, stands in a tag in whatever case. Names of attributes
// have no character references in them.
func mentions(tag []byte, word string) bool {
	for i := 0; i+len(word) <= len(tag); i++ {
		n := 0
		for n < len(word) && lower(tag[i+n]) == word[n] {
			n++
		}
		if n == len(word) {
			return true
		}
	}
	return false
}

// readAttributes reads a whole tag. It is not ok if the tag was too long, or if
// x/net/html thinks it to end elsewhere.
func readAttributes(tag []byte) (map[string]string, bool) {
	z := html.NewTokenizer(bytes.NewReader(tag))
	if kind := z.Next(); kind != html.StartTagToken && kind != html.SelfClosingTagToken || len(z.Raw()) != len(tag) {
		return nil, false
	}
	attributes := make(map[string]string)
	_, more := z.TagName()
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		switch string(key) {
		case "src", "href", "integrity", "rel", "type", "as":
			attributes[string(key)] = string(value)
		}
	}
	return attributes, true
}

// setBase takes the first base element that has an href (HTML standard, section 4.2.3).
func (s *Scanner) setBase(attributes map[string]string) {
	href, ok := attributes["href"]
	if !ok || s.based {
		return
	}
	s.based = true
	if u := resolve(s.base, href); u != nil {
		s.base = u
	}
}

// isScript reports whether a script element is one, and no block of data (HTML standard,
// section 4.12.1).
func isScript(attributes map[string]string) bool {
	kind, ok := attributes["type"]
	kind = strings.ToLower(strings.Trim(kind, " \t\n\f\r"))
	switch kind {
	case "module", "text/javascript", "application/javascript", "application/ecmascript",
		"application/x-javascript", "application/x-ecmascript", "text/ecmascript", "text/jscript",
		"text/livescript", "text/x-javascript", "text/x-ecmascript":
		return true
	}
	return !ok || kind == ""
}

// linkKind is what a link is fetched as, "" if its integrity means nothing.
func linkKind(attributes map[string]string) string {
	kind := ""
	for rel := range strings.FieldsSeq(strings.ToLower(attributes["rel"])) {
		switch rel {
		case "stylesheet":
			return "style"
		case "modulepreload":
			kind = "script"
		case "preload":
			kind = preloadKind(attributes["as"])
		}
	}
	return kind
}

func preloadKind(as string) string {
	as = strings.ToLower(as)
	switch as {
	case "script", "style", "font", "image", "fetch", "worker", "audio", "video", "track":
		return as
	}
	return ""
}

func (s *Scanner) demand(attributes map[string]string, source, kind string) {
	integrity := strings.Trim(attributes["integrity"], " \t\n\f\r")
	target := attributes[source]
	if integrity == "" || len(integrity) > maxIntegrity || target == "" {
		return
	}
	if u := resolve(s.base, target); u != nil {
		s.count++
		s.found(Demand{URL: u.String(), Integrity: integrity, Kind: kind})
	}
}

// resolve is a reference's absolute URL without its fragment, nil if it is none of http.
// White space is taken off as by the URL standard (section 4.4).
func resolve(base *url.URL, reference string) *url.URL {
	if len(reference) > maxURL {
		return nil
	}
	reference = strings.TrimFunc(reference, func(r rune) bool { return r <= ' ' })
	reference = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(reference)
	u, err := url.Parse(reference)
	if err != nil {
		return nil
	}
	u = base.ResolveReference(u)
	u.Fragment, u.RawFragment = "", ""
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil
	}
	return u
}
