package resource

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"time"
)

// UnmarshalBinary implements encoding.BinaryUnmarshaler. It takes only what
// [Exchange.MarshalBinary] can give, byte for byte, and checks every part of it: the
// method and the field names are tokens, the names canonical and in order, values and
// signature inputs without controls, the URL canonical, status, length, times and numbers
// within their limits. On an error, which wraps [ErrBadExchange] or
// [ErrTooLargeExchange], e is left as it was. Data is not retained.
//
// Whether the signatures are right, and whether anything of it is true, is not its concern.
func (e *Exchange) UnmarshalBinary(data []byte) error {
	if len(data) > MaxEncodedExchange {
		return ErrTooLargeExchange
	}
	d := decoder{data: data, all: string(data), linesLeft: MaxFieldLines}
	decoded := d.exchange()
	if d.err == nil && d.pos < len(data) {
		d.fail("bytes after the end")
	}
	if d.err != nil {
		return d.err
	}
	*e = decoded
	return nil
}

// decoder reads from data. After the first error it reads nothing more, and all its
// methods return zero values.
type decoder struct {
	data      []byte
	all       string // data as a string, which every text is a part of: one allocation for all
	pos       int
	linesLeft int // field lines that may still come
	err       error
}

func (d *decoder) exchange() (e Exchange) {
	if v := d.bytes(1); v != nil && v[0] != codecVersion {
		d.fail("unknown version")
	}
	e.Method = d.method()
	e.URL = d.url()
	e.Selecting = d.fields()
	e.Status = int(d.number(599))
	if e.Status < 100 {
		d.fail("status out of range")
	}
	e.Header = d.fields()
	if e.Header == nil {
		e.Header = http.Header{}
	}
	copy(e.Body.Root[:], d.bytes(len(e.Body.Root)))
	copy(e.Body.SHA256[:], d.bytes(len(e.Body.SHA256)))
	e.Body.Length = int64(d.number(MaxLength))
	e.Requested = time.Unix(0, int64(d.number(maxUnixNano))).UTC()
	e.Received = time.Unix(0, int64(d.number(maxUnixNano))).UTC()
	e.InitialAge = time.Duration(d.number(uint64(maxInitialAge)))
	e.Signatures = d.signatures()
	return e
}

func (d *decoder) method() string {
	method := d.text()
	if !isToken(method) {
		d.fail("method is no token")
	}
	return method
}

func (d *decoder) url() URL {
	text := d.text()
	if d.err != nil {
		return URL{}
	}
	u, err := ParseURL(text)
	if err != nil || u.text != text {
		d.fail("URL is not canonical")
	}
	return u
}

// minFieldSize is the size of a field with a name of one letter and one empty value.
const minFieldSize = 4

// fields returns nil if there are none.
func (d *decoder) fields() http.Header {
	names := d.number(uint64(d.linesLeft))
	if names == 0 || d.err != nil {
		return nil
	}
	if left := len(d.data) - d.pos; names > uint64(left)/minFieldSize {
		d.fail("too short") // before memory is taken for them
		return nil
	}
	h := make(http.Header, names)
	values := make([]string, 0, names) // grows if some field has several lines
	last := ""
	for range names {
		name := d.text()
		if name <= last || !isFieldName(name) {
			d.fail("field name not canonical, or out of order")
			return nil
		}
		last = name
		start := len(values)
		if values = d.appendValues(values); d.err != nil {
			return nil
		}
		h[name] = values[start:len(values):len(values)]
	}
	return h
}

// appendValues reads the values of one field.
func (d *decoder) appendValues(values []string) []string {
	n := d.number(uint64(d.linesLeft))
	if n == 0 {
		d.fail("field without a value")
	}
	d.linesLeft -= int(n)
	for range n {
		value := d.text()
		if !isFieldValue(value) {
			d.fail("control in a field value")
		}
		values = append(values, value)
	}
	return values
}

func (d *decoder) signatures() []Signature {
	n := d.number(MaxSignatures)
	if n == 0 {
		return nil
	}
	list := make([]Signature, n)
	for i := range list {
		list[i].Input = d.text()
		if !isPrintable(list[i].Input) {
			d.fail("signature input is not printable ASCII")
		}
		list[i].Value = bytes.Clone(d.bytes(d.length()))
	}
	return list
}

func (d *decoder) text() string {
	n := d.length()
	d.pos += n
	return d.all[d.pos-n : d.pos]
}

// bytes returns the next n bytes, or nil on an error. They are part of data.
func (d *decoder) bytes(n int) []byte {
	if n > len(d.data)-d.pos {
		d.fail("too short")
	}
	if d.err != nil {
		return nil
	}
	d.pos += n
	return d.data[d.pos-n : d.pos]
}

// length reads the length of something that must still be there.
func (d *decoder) length() int {
	n := d.number(MaxEncodedExchange)
	if n > uint64(len(d.data)-d.pos) {
		d.fail("too short")
	}
	if d.err != nil {
		return 0
	}
	return int(n)
}

// number reads a number up to limit.
func (d *decoder) number(limit uint64) uint64 {
	if d.err != nil {
		return 0
	}
	n, size := binary.Uvarint(d.data[d.pos:])
	switch {
	case size <= 0:
		d.fail("no number")
	case size > 1 && d.data[d.pos+size-1] == 0:
		d.fail("number not in its shortest form")
	case n > limit:
		d.fail("number out of range")
	default:
		d.pos += size
		return n
	}
	return 0
}

// fail notes the first error.
func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = badExchange(what)
	}
}
