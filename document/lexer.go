package document

// event is what a byte completes.
type event uint8

const (
	nothing  event = iota
	text           // a character that is not white space, outside of all markup
	startTag       // its name is in lexer.tag
	endTag         // the same
)

// state is a state of the tokenizer, HTML standard section 13.2.5. Those that differ
// only in parse errors or in what data they gather are one here.
type state uint8

const (
	inData state = iota
	tagOpen
	endTagOpen
	tagName
	beforeAttribute
	attributeName
	afterAttributeName
	beforeValue
	doubleQuoted
	singleQuoted
	unquoted
	afterQuoted
	selfClosing
	rawLess // "<" in raw text, or in a script
	rawEndOpen
	rawEndName
	// All above but inData are within a tag, or what may become one.
	rawText
	plainText
	markupOpen // "<!"
	markupDash // "<!-"
	bogus      // up to ">": bogus comments, DOCTYPE
	cdata
	commentStart
	commentStartDash
	comment
	commentEndDash
	commentEnd
	commentEndBang
	script
	scriptEscapeStart
	scriptEscapeStartDash
	escaped
	escapedDash
	escapedDashDash
	doubleEscapeStart
	doubleEscaped
	doubleEscapedDash
	doubleEscapedDashDash
	doubleEscapedLess
	doubleEscapeEnd
)

// maxName is longer than any name that matters. Of longer ones only the beginning is kept.
const maxName = 16

// lexer is the tokenizer as far as it must be known where tokens begin and end.
// The zero lexer is at the beginning of a document.
type lexer struct {
	state state
	// tag is the name of the last tag in lower case, ends whether it is an end tag,
	// closed whether it ends in "/>".
	tag    name
	ends   bool
	closed bool
	// raw is the element whose end tag alone ends the text, "" outside of such; home is the
	// state in which that text is.
	raw  string
	home state
	// foreign: the current element is of SVG or MathML, where CDATA sections are.
	foreign bool
	matched int // bytes of "[CDATA[" or "]]>"
}

// name is the beginning of a tag's name.
type name struct {
	bytes [maxName]byte
	n     int
}

func (n *name) add(c byte) {
	if n.n < maxName {
		n.bytes[n.n] = lower(c)
		n.n++
	}
}

func (n *name) String() string { return string(n.bytes[:n.n]) }

func (n *name) is(s string) bool { return n.n == len(s) && string(n.bytes[:n.n]) == s }

// held reports whether the bytes since the last "<" are a tag, or may become one.
func (l *lexer) held() bool { return l.state > inData && l.state < rawText }

// enter makes what follows the text of an element whose content is not markup.
func (l *lexer) enter(element string) {
	l.raw, l.state = element, rawText
	switch element {
	case "script":
		l.state = script
	case "plaintext":
		l.state = plainText
	}
}

// next takes one byte.
func (l *lexer) next(c byte) event {
	// A state may leave the byte to the next one. It never comes back to the first,
	// so that this ends.
	happened := nothing
	for {
		e, again := l.step(c)
		if e != nothing {
			happened = e
		}
		if !again {
			return happened
		}
	}
}

// step is one state's reaction to c; again: the new state has to see c, too.
func (l *lexer) step(c byte) (e event, again bool) {
	switch {
	case l.state >= script:
		return l.stepScript(c)
	case l.state >= markupOpen:
		return nothing, l.stepMarkup(c)
	case l.state >= rawText:
		if l.state == rawText && c == '<' {
			l.home, l.state = rawText, rawLess
		}
		return nothing, false
	case l.state >= rawLess:
		return l.stepRawEnd(c)
	case l.state >= beforeAttribute:
		return l.stepAttribute(c)
	}
	return l.stepTag(c)
}

// stepTag is for text and the names of tags.
func (l *lexer) stepTag(c byte) (event, bool) {
	switch l.state {
	case inData:
		switch {
		case c == '<':
			l.state = tagOpen
		case !space(c):
			return text, false
		}
	case tagOpen:
		switch {
		case letter(c):
			l.tag, l.ends, l.closed, l.state = name{}, false, false, tagName
			return nothing, true
		case c == '/':
			l.state = endTagOpen
		case c == '!':
			l.state = markupOpen
		case c == '?':
			l.state = bogus
		default: // the "<" was text
			l.state = inData
			return text, true
		}
	case endTagOpen:
		switch {
		case letter(c):
			l.tag, l.ends, l.closed, l.state = name{}, true, false, tagName
			return nothing, true
		case c == '>':
			l.state = inData
		default:
			l.state = bogus
		}
	case tagName:
		switch {
		case space(c):
			l.state = beforeAttribute
		case c == '/':
			l.state = selfClosing
		case c == '>':
			return l.emit(), false
		default:
			l.tag.add(c)
		}
	}
	return nothing, false
}

func (l *lexer) emit() event {
	l.state = inData
	if l.ends {
		l.raw = ""
		return endTag
	}
	return startTag
}

// stepAttribute is for what follows a tag's name.
func (l *lexer) stepAttribute(c byte) (event, bool) {
	switch l.state {
	case doubleQuoted, singleQuoted:
		if l.state == doubleQuoted && c == '"' || l.state == singleQuoted && c == '\'' {
			l.state = afterQuoted
		}
		return nothing, false
	case unquoted:
		switch {
		case space(c):
			l.state = beforeAttribute
		case c == '>':
			return l.emit(), false
		}
		return nothing, false
	case beforeValue:
		switch {
		case space(c):
		case c == '"':
			l.state = doubleQuoted
		case c == '\'':
			l.state = singleQuoted
		case c == '>':
			return l.emit(), false
		default:
			l.state = unquoted
		}
		return nothing, false
	case selfClosing:
		if c == '>' {
			l.closed = true
			return l.emit(), false
		}
		l.state = beforeAttribute
		return nothing, true
	}
	return l.stepAttributeName(c)
}

func (l *lexer) stepAttributeName(c byte) (event, bool) {
	switch {
	case space(c):
		if l.state == attributeName {
			l.state = afterAttributeName
		} else if l.state == afterQuoted {
			l.state = beforeAttribute
		}
	case c == '/':
		l.state = selfClosing
	case c == '>':
		return l.emit(), false
	case c == '=' && (l.state == attributeName || l.state == afterAttributeName):
		l.state = beforeValue
	default: // "=" begins a name, too
		l.state = attributeName
	}
	return nothing, false
}

// stepRawEnd looks for the end tag of the element that the text belongs to.
func (l *lexer) stepRawEnd(c byte) (event, bool) {
	switch l.state {
	case rawLess:
		switch {
		case c == '/':
			l.state = rawEndOpen
			return nothing, false
		case c == '!' && l.home == script:
			l.state = scriptEscapeStart
			return nothing, false
		case letter(c) && l.home == escaped:
			l.tag, l.state = name{}, doubleEscapeStart
			return nothing, true
		}
	case rawEndOpen:
		if letter(c) {
			l.tag, l.ends, l.closed, l.state = name{}, true, false, rawEndName
			return nothing, true
		}
	case rawEndName:
		switch {
		case letter(c):
			l.tag.add(c)
			return nothing, false
		case !l.tag.is(l.raw):
		case space(c):
			l.state = beforeAttribute
			return nothing, false
		case c == '/':
			l.state = selfClosing
			return nothing, false
		case c == '>':
			return l.emit(), false
		}
	}
	l.state = l.home
	return nothing, true
}

// stepMarkup is for comments, DOCTYPE and what is taken for a comment.
func (l *lexer) stepMarkup(c byte) (again bool) {
	switch l.state {
	case markupOpen:
		switch {
		case c == '-':
			l.state = markupDash
		case c == '[' && l.foreign:
			l.state, l.matched = cdata, 1
		default:
			l.state = bogus
			return true
		}
	case markupDash:
		if c == '-' {
			l.state = commentStart
			return false
		}
		l.state = bogus
		return true
	case bogus:
		if c == '>' {
			l.state = inData
		}
	case cdata:
		return l.stepCDATA(c)
	default:
		l.stepComment(c)
	}
	return false
}

// stepCDATA: matched counts the opening up to its length, and then what of the end is there.
func (l *lexer) stepCDATA(c byte) (again bool) {
	const opening = "[CDATA["
	switch {
	case l.matched < len(opening):
		if c != opening[l.matched] {
			l.state = bogus
			return true
		}
		l.matched++
	case c == ']':
		l.matched = min(l.matched+1, len(opening)+2)
	case c == '>' && l.matched == len(opening)+2:
		l.state = inData
	default:
		l.matched = len(opening)
	}
	return false
}

func (l *lexer) stepComment(c byte) {
	next := comment
	switch {
	case c == '-':
		switch l.state {
		case commentStart:
			next = commentStartDash
		case comment, commentEndBang:
			next = commentEndDash
		case commentStartDash, commentEndDash, commentEnd:
			next = commentEnd
		}
	case c == '>' && l.state != comment && l.state != commentEndDash:
		next = inData
	case c == '!' && l.state == commentEnd:
		next = commentEndBang
	}
	l.state = next
}

func letter(c byte) bool { return 'a' <= lower(c) && lower(c) <= 'z' }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// space reports whether c is ASCII white space as HTML has it.
func space(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' }
