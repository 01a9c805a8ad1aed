package document

// stepScript is for the text of a script (HTML standard, sections 13.2.5.4 and
// 13.2.5.15 to 31): within "<!--" a "<script>" hides the next "</script>".
func (l *lexer) stepScript(c byte) (event, bool) {
	switch l.state {
	case script:
		if c == '<' {
			l.home, l.state = script, rawLess
		}
	case scriptEscapeStart, scriptEscapeStartDash:
		if c != '-' {
			l.state = script
			return nothing, true
		}
		if l.state == scriptEscapeStart {
			l.state = scriptEscapeStartDash
		} else {
			l.state = escapedDashDash
		}
	case escaped, escapedDash, escapedDashDash:
		l.stepEscaped(c)
	case doubleEscaped, doubleEscapedDash, doubleEscapedDashDash:
		l.stepDoubleEscaped(c)
	case doubleEscapeStart:
		return nothing, l.stepDouble(c, doubleEscaped, escaped)
	case doubleEscapedLess:
		if c != '/' {
			l.state = doubleEscaped
			return nothing, true
		}
		l.tag, l.state = name{}, doubleEscapeEnd
	case doubleEscapeEnd:
		return nothing, l.stepDouble(c, escaped, doubleEscaped)
	}
	return nothing, false
}

func (l *lexer) stepEscaped(c byte) {
	switch {
	case c == '<':
		l.home, l.state = escaped, rawLess
	case c == '>' && l.state == escapedDashDash:
		l.state = script
	case c != '-':
		l.state = escaped
	case l.state == escaped:
		l.state = escapedDash
	default:
		l.state = escapedDashDash
	}
}

func (l *lexer) stepDoubleEscaped(c byte) {
	switch {
	case c == '<':
		l.state = doubleEscapedLess
	case c == '>' && l.state == doubleEscapedDashDash:
		l.state = script
	case c != '-':
		l.state = doubleEscaped
	case l.state == doubleEscaped:
		l.state = doubleEscapedDash
	default:
		l.state = doubleEscapedDashDash
	}
}

// stepDouble reads the name of a tag within an escaped script; is it "script", the
// state is yes, else no.
func (l *lexer) stepDouble(c byte, yes, no state) (again bool) {
	switch {
	case letter(c):
		l.tag.add(c)
		return false
	case space(c) || c == '/' || c == '>':
		if l.state = no; l.tag.is("script") {
			l.state = yes
		}
		return false
	}
	l.state = no
	return true
}
