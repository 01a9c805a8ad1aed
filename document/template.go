package document

// templates follows the template elements that are open in a head. What they contain
// is in no document, so that nothing may be put there.
type templates struct {
	depth int
}

func (t *templates) open() bool { return t.depth > 0 }

// next takes an event within. It reports whether the parser of a browser may see
// tags and text there otherwise than the lexer does: within foreign elements, select and
// parts of tables some start tags are ignored, and what follows them is no text then.
func (t *templates) next(l *lexer, e event) (doubtful bool) {
	switch e {
	case startTag:
		return t.startTag(l)
	case endTag:
		if l.tag.is("template") {
			t.depth--
		}
	}
	return false
}

func (t *templates) startTag(l *lexer) (doubtful bool) {
	switch tag := l.tag.String(); tag {
	case "template":
		t.depth++
	case "svg", "math", "select", "plaintext", "frameset",
		"table", "caption", "col", "colgroup", "tbody", "tfoot", "thead", "tr", "td", "th":
		return true
	default:
		if isText(tag) {
			l.enter(tag)
		}
	}
	return false
}

// isText reports whether the content of an HTML element is text, where scripts run.
func isText(tag string) bool {
	switch tag {
	case "title", "textarea", "style", "xmp", "iframe", "noembed", "noframes", "noscript", "script":
		return true
	}
	return false
}
