package dht

import (
	"bytes"
	"errors"
	"strconv"
)

const (
	maxDepth  = 32 // of nested lists and dictionaries; a KRPC message needs 4
	maxFields = 16 // of the outermost dictionary; KRPC knows 9
	maxDigits = 20 // of an integer: int64 with its sign
)

var errBencode = errors.New("dht: not a bencoded dictionary")

// envelope tells where the outermost fields of a KRPC message lie.
type envelope struct {
	end  int    // of the dictionary; what follows is not part of the message
	kind string // y: "q", "r" or "e"
	name string // q: the query's name
	id   []byte // t: the transaction ID, a part of the scanned bytes
	at   int    // where the encoding of t starts
}

// openEnvelope checks that b starts with one well-formed bencoded dictionary and finds its
// outermost fields. It allocates nothing in proportion to what b claims: a decoder that trusts
// the length of a string reserves up to 128 MiB for a datagram of 20 bytes.
func openEnvelope(b []byte) (envelope, error) {
	var env envelope
	if len(b) == 0 || b[0] != 'd' {
		return env, errBencode
	}
	keys := make([][]byte, 0, maxFields)
	pos := 1
	for pos < len(b) && b[pos] != 'e' {
		key, next, err := scanString(b, pos)
		if err != nil {
			return env, err
		}
		if len(keys) == maxFields || contains(keys, key) {
			return env, errBencode
		}
		keys = append(keys, key)
		if pos, err = scanValue(b, next, 1); err != nil {
			return env, err
		}
		if err := env.note(b, string(key), next); err != nil {
			return env, err
		}
	}
	if pos >= len(b) || env.at == 0 {
		return env, errBencode
	}
	env.end = pos + 1
	return env, nil
}

// note keeps the field if it is one of those that matter. They must be strings.
func (env *envelope) note(b []byte, key string, at int) error {
	if key != "t" && key != "y" && key != "q" {
		return nil
	}
	value, _, err := scanString(b, at)
	if err != nil {
		return err
	}
	switch key {
	case "t":
		env.id, env.at = value, at
	case "y":
		env.kind = string(value)
	case "q":
		env.name = string(value)
	}
	return nil
}

// withID returns the message of b with another transaction ID.
func (env envelope) withID(b, id []byte) []byte {
	_, after, _ := scanString(b, env.at)
	out := make([]byte, 0, env.end+len(id)+4)
	out = append(out, b[:env.at]...)
	out = strconv.AppendInt(out, int64(len(id)), 10)
	out = append(out, ':')
	out = append(out, id...)
	return append(out, b[after:env.end]...)
}

// scanValue returns the position behind the value at pos.
func scanValue(b []byte, pos, depth int) (int, error) {
	if pos >= len(b) || depth > maxDepth {
		return 0, errBencode
	}
	switch b[pos] {
	case 'i':
		return scanInt(b, pos)
	case 'l', 'd':
		return scanSequence(b, pos, depth)
	default:
		_, next, err := scanString(b, pos)
		return next, err
	}
}

func scanSequence(b []byte, pos, depth int) (int, error) {
	dict := b[pos] == 'd'
	pos++
	for pos < len(b) && b[pos] != 'e' {
		var err error
		if dict {
			if _, pos, err = scanString(b, pos); err != nil {
				return 0, err
			}
		}
		if pos, err = scanValue(b, pos, depth+1); err != nil {
			return 0, err
		}
	}
	if pos >= len(b) {
		return 0, errBencode
	}
	return pos + 1, nil
}

func scanInt(b []byte, pos int) (int, error) {
	size := bytes.IndexByte(b[pos+1:], 'e')
	if size < 1 || size > maxDigits {
		return 0, errBencode
	}
	if _, err := strconv.ParseInt(string(b[pos+1:pos+1+size]), 10, 64); err != nil {
		return 0, errBencode
	}
	return pos + size + 2, nil
}

// scanString returns the string at pos and the position behind it.
func scanString(b []byte, pos int) (value []byte, next int, err error) {
	size, start := 0, pos
	for ; pos < len(b) && b[pos] >= '0' && b[pos] <= '9'; pos++ {
		if size = size*10 + int(b[pos]-'0'); size > len(b) {
			return nil, 0, errBencode
		}
	}
	leadingZero := pos-start > 1 && b[start] == '0'
	if pos == start || leadingZero || pos >= len(b) || b[pos] != ':' || size > len(b)-pos-1 {
		return nil, 0, errBencode
	}
	return b[pos+1 : pos+1+size], pos + 1 + size, nil
}

func contains(keys [][]byte, key []byte) bool {
	for _, k := range keys {
		if bytes.Equal(k, key) {
			return true
		}
	}
	return false
}
