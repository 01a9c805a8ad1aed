package peer

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/peerproxy/peerproxy/resource"
)

// contentType is the media type of a head and a slice.
const contentType = "application/peerproxy-exchange"

// headPrefix is the size of the length in front of an encoded exchange.
const headPrefix = 4

// encodeHead is what stands before the slice of a whole body: the length of the
// encoded exchange, 4 bytes, big-endian, and the encoded exchange.
func encodeHead(ex *resource.Exchange) ([]byte, error) {
	encoded, err := ex.MarshalBinary()
	if err != nil {
		return nil, err
	}
	head := binary.BigEndian.AppendUint32(make([]byte, 0, headPrefix+len(encoded)), uint32(len(encoded)))
	return append(head, encoded...), nil
}

// readHead reads a head of an answer that is length bytes long in all, and checks
// that the length is exactly that of the head and the slice of the whole body.
func readHead(r io.Reader, length int64) (*resource.Exchange, error) {
	ex, size, err := readExchange(r, length)
	if err != nil {
		return nil, err
	}
	slice := resource.SliceSize(ex.Body.Length, 0, ex.Body.Length)
	if want := size + slice; want != length {
		return nil, fmt.Errorf("%w: %w: %d bytes announced where the exchange needs %d", errLie, ErrMalformed, length, want)
	}
	return ex, nil
}

// readHeadOnly reads an answer of length bytes that is nothing but a head.
func readHeadOnly(r io.Reader, length int64) (*resource.Exchange, error) {
	ex, size, err := readExchange(r, length)
	if err == nil && size != length {
		return nil, fmt.Errorf("%w: %w: more than a head", errLie, ErrMalformed)
	}
	return ex, err
}

// readExchange reads an exchange and the length in front of it, from an answer that is
// limit bytes long in all. It returns how many bytes that was.
func readExchange(r io.Reader, limit int64) (*resource.Exchange, int64, error) {
	if limit < headPrefix {
		return nil, 0, fmt.Errorf("%w: %w: no head", errLie, ErrMalformed)
	}
	var prefix [headPrefix]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return nil, 0, headError(err)
	}
	size := int64(binary.BigEndian.Uint32(prefix[:]))
	if size > resource.MaxEncodedExchange {
		return nil, 0, fmt.Errorf("%w: %w: head of %d bytes", errLie, ErrOversized, size)
	}
	if size > limit-headPrefix {
		return nil, 0, fmt.Errorf("%w: %w: head of %d bytes", errLie, ErrMalformed, size)
	}
	encoded := make([]byte, size)
	if _, err := io.ReadFull(r, encoded); err != nil {
		return nil, 0, headError(err)
	}
	ex := new(resource.Exchange)
	if err := ex.UnmarshalBinary(encoded); err != nil {
		return nil, 0, fmt.Errorf("%w: %w: %w", errLie, ErrMalformed, err)
	}
	return ex, headPrefix + size, nil
}

// headError tells an answer that ended from a connection that failed.
func headError(err error) error {
	if errIs(err, io.EOF, io.ErrUnexpectedEOF) {
		return fmt.Errorf("read head: %w: %w", ErrTruncated, err)
	}
	return fmt.Errorf("read head: %w", err)
}
