package resource

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// Limits of an encoded exchange.
const (
	MaxEncodedExchange = 128 << 10 // bytes
	MaxFieldLines      = 256       // of Header and Selecting together
	MaxSignatures      = 16
)

// Errors of [Exchange.MarshalBinary] and [Exchange.UnmarshalBinary].
var (
	// ErrBadExchange says that something in an exchange or its encoding is not allowed.
	ErrBadExchange = errors.New("bad exchange")
	// ErrTooLargeExchange says that an exchange needs more than MaxEncodedExchange bytes.
	ErrTooLargeExchange = errors.New("exchange too large")
)

// codecVersion is the first byte of the encoding.
const codecVersion = 1

// The latest time that can be encoded, and the largest initial age: RFC 9111
// section 1.2.2 lets a recipient take more than 2^31 seconds for 2^31.
const (
	maxUnixNano   = 1 << 62 // in the year 2116
	maxInitialAge = (1 << 31) * time.Second
)

// MarshalBinary implements encoding.BinaryMarshaler. Equal exchanges have equal
// encodings; times keep their nanoseconds, but not their location. What
// UnmarshalBinary would refuse is an error here too.
//
// Version 1 is, in this order and with nothing after it: the version (one byte);
// method; URL; selecting fields; status; header fields; root and SHA-256 (32 bytes
// each); length; time of request and of response (nanoseconds since 1970); initial
// age (nanoseconds); the number of signatures, each one's input and value. Numbers
// are unsigned varints of minimal length. Text is its length and its bytes. Fields
// are the number of names and, sorted, each name with its number of values (at
// least 1) and these.
func (e *Exchange) MarshalBinary() ([]byte, error) {
	w := encoder{b: make([]byte, 0, 1024)} // few need more
	w.b = append(w.b, codecVersion)
	w.text(e.Method)
	w.text(e.URL.text)
	w.fields(e.Selecting)
	w.number(int64(e.Status))
	w.fields(e.Header)
	w.b = append(w.b, e.Body.Root[:]...)
	w.b = append(w.b, e.Body.SHA256[:]...)
	w.number(e.Body.Length)
	w.time(e.Requested)
	w.time(e.Received)
	w.number(int64(e.InitialAge))
	w.number(int64(len(e.Signatures)))
	for _, s := range e.Signatures {
		w.text(s.Input)
		w.text(string(s.Value))
	}
	if w.err != nil {
		return nil, w.err
	}
	// What was written is checked by reading it: one set of rules for both directions.
	if err := new(Exchange).UnmarshalBinary(w.b); err != nil {
		return nil, err
	}
	return w.b, nil
}

type encoder struct {
	b   []byte
	err error
}

func (w *encoder) number(n int64) {
	if n < 0 {
		w.err = badExchange("negative number")
	}
	w.b = binary.AppendUvarint(w.b, uint64(n))
}

func (w *encoder) text(s string) {
	w.number(int64(len(s)))
	w.b = append(w.b, s...)
}

func (w *encoder) time(t time.Time) {
	if t.Before(time.Unix(0, 0)) || t.After(time.Unix(0, maxUnixNano)) {
		w.err = badExchange("time out of range")
	}
	w.number(max(t.UnixNano(), 0))
}

// fields leaves out names without values: they are no field lines.
func (w *encoder) fields(h http.Header) {
	names := slices.Sorted(maps.Keys(h))
	names = slices.DeleteFunc(names, func(name string) bool { return len(h[name]) == 0 })
	w.number(int64(len(names)))
	for _, name := range names {
		w.text(name)
		w.number(int64(len(h[name])))
		for _, value := range h[name] {
			w.text(value)
		}
	}
}

func badExchange(what string) error { return fmt.Errorf("%w: %s", ErrBadExchange, what) }
