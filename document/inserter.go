package document

import "io"

// maxHeld bounds what an [Inserter] or a [Scanner] keeps of one tag, in bytes. Icons and style
// sheets are found in attributes, as data URLs.
const maxHeld = 128 << 10

// Delivery is how a document is given to a browser.
type Delivery uint8

const (
	// Live: scripts run. The head stays as it is.
	Live Delivery = iota
	// Sandboxed: no scripts run, and nothing of the page is to be believed.
	Sandboxed
)

// mode is an insertion mode of the HTML standard (section 13.2.6.4).
type mode uint8

const (
	beforeHead mode = iota // and all before it
	inHead
	afterHead
	settled // the fragment is in its place, or has none
)

// Inserter writes an HTML document through and puts a fragment where the visible
// part begins: behind the start tag of the body, or before what makes a parser open
// the body without one. For [Sandboxed] it is as early as can be: before the first tag
// other than html. A document that ends without a body has the fragment at its end.
//
// Two kinds of live documents get no fragment: one that has frames instead of a body,
// and one that ends within a script of its head, because the script would run if it
// were ended.
type Inserter struct {
	w        io.Writer
	fragment []byte
	delivery Delivery

	lex      lexer
	mode     mode
	inserted bool
	encoding encoding
	template templates // the template elements of the head that are open
	held     []byte    // a tag, or what may become one, or a template with all in it
	out      []byte    // what may go on
	err      error
}

// NewInserter returns an Inserter that writes to w. The document's Content-Type field says
// whether it is in UTF-16, if it has no byte order mark; all other encodings have ASCII in
// them. The fragment is ASCII, is not copied, and should have text in it, so that no
// frameset takes the place of the body after it.
func NewInserter(w io.Writer, fragment []byte, delivery Delivery, contentType string) *Inserter {
	return &Inserter{w: w, fragment: fragment, delivery: delivery, encoding: labelled(contentType)}
}

// Inserted reports whether the fragment has been put into the document so far.
func (in *Inserter) Inserted() bool { return in.inserted }

// Write passes on what of p is decided. Its error is that of the writer beneath, and stays.
func (in *Inserter) Write(p []byte) (int, error) {
	if in.err != nil {
		return 0, in.err
	}
	for i, c := range p {
		if in.mode == settled {
			in.flush()
			in.write(p[i:])
			return in.written(len(p))
		}
		in.next(c)
	}
	in.flush()
	return in.written(len(p))
}

func (in *Inserter) written(n int) (int, error) {
	if in.err != nil {
		return 0, in.err
	}
	return n, nil
}

// Close writes what was held back, and the fragment if it has no place yet. It does not
// close the writer beneath.
func (in *Inserter) Close() error {
	if in.err == nil && in.mode != settled {
		in.end()
		in.flush()
	}
	return in.err
}

func (in *Inserter) flush() {
	in.write(in.out)
	in.out = in.out[:0]
}

func (in *Inserter) write(p []byte) {
	if in.err == nil && len(p) > 0 {
		_, in.err = in.w.Write(p)
	}
}

// next takes one byte of the document up to the body.
func (in *Inserter) next(c byte) {
	in.held = append(in.held, c)
	marked := in.encoding.marked
	c, ok := in.encoding.next(c)
	if !ok {
		if in.encoding.marked && !marked { // the mark stays the first
			in.out = append(in.out, in.held...)
			in.held = in.held[:0]
		}
		return
	}
	event := in.lex.next(c)
	switch {
	case in.template.open():
		if in.template.next(&in.lex, event) {
			in.insert()
		}
	case event == text:
		in.insert()
	case event == startTag:
		in.startTag(in.lex.tag.String())
	case event == endTag:
		in.endTag(in.lex.tag.String())
	}
	in.release(c)
}

// release lets go what can't be behind the fragment any more.
func (in *Inserter) release(c byte) {
	switch {
	case in.mode == settled:
	case in.undecided():
		// ISO-2022-JP: to a browser that believes the page to be in that encoding,
		// what follows an escape may be letters, and no ">" or "-->".
		if len(in.held) >= maxHeld || c == 0x1b && in.lex.state != inData {
			in.end() // what is held may be the end tag of text, which the fragment must not be in
		}
	default:
		in.out = append(in.out, in.held...)
		in.held = in.held[:0]
	}
}

// undecided reports whether the fragment may still have to be before what is held.
func (in *Inserter) undecided() bool {
	return in.template.open() || in.lex.held() || in.delivery == Sandboxed && in.lex.state != inData
}

// startTag is what a start tag means in the head or before it (HTML standard, sections
// 13.2.6.4.1 to 6).
func (in *Inserter) startTag(tag string) {
	if in.delivery == Sandboxed && tag != "html" {
		in.insert()
		return
	}
	switch tag {
	case "html":
	case "head":
		in.mode = max(in.mode, inHead)
	case "body":
		in.out = append(in.out, in.held...)
		in.held = in.held[:0]
		in.insert()
	case "frameset":
		in.giveUp()
	case "base", "basefont", "bgsound", "link", "meta":
		in.mode = max(in.mode, inHead)
	case "title", "style", "script", "noframes":
		in.mode = max(in.mode, inHead)
		in.lex.enter(tag)
	case "noscript":
		if in.mode == afterHead {
			in.insert()
			return
		}
		in.mode = inHead
		in.lex.enter(tag)
	case "template":
		in.mode = max(in.mode, inHead)
		in.template.depth = 1
	default:
		in.insert()
	}
}

// endTag: all other end tags are ignored there.
func (in *Inserter) endTag(tag string) {
	switch tag {
	case "head":
		in.mode = afterHead
	case "body", "html", "br":
		in.insert()
	}
}

// insert puts the fragment before what is held.
func (in *Inserter) insert() {
	in.out = in.encoding.append(in.out, in.fragment)
	in.inserted = true
	in.giveUp()
}

// giveUp lets everything else pass as it is.
func (in *Inserter) giveUp() {
	in.out = append(in.out, in.held...)
	in.held, in.mode = nil, settled
}

// end puts the fragment before what is held of a document that has no body, or whose head can't be
// followed any further.
func (in *Inserter) end() {
	if in.template.open() || in.delivery == Sandboxed {
		in.insert()
		return
	}
	closing, ok := in.lex.closing()
	if !ok {
		in.giveUp()
		return
	}
	in.out = in.encoding.append(in.out, []byte(closing))
	in.insert()
}

// closing ends what is open: a comment, or an element whose content is text. It is not ok
// to end a script.
func (l *lexer) closing() (text string, ok bool) {
	switch {
	case l.raw == "script":
		return "", false
	case l.raw != "":
		return "</" + l.raw + ">", true
	case l.state >= commentStart:
		return "-->", true
	case l.state >= markupOpen:
		return ">", true
	}
	return "", true
}
