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
	if length < headPrefix {
		return nil, fmt.Errorf("%w: no head", errLie)
	}
	var prefix [headPrefix]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return nil, fmt.Errorf("read head: %w", err)
	}
	size := int64(binary.BigEndian.Uint32(prefix[:]))
	if size > resource.MaxEncodedExchange || size > length-headPrefix {
		return nil, fmt.Errorf("%w: head of %d bytes", errLie, size)
	}
	encoded := make([]byte, size)
	if _, err := io.ReadFull(r, encoded); err != nil {
		return nil, fmt.Errorf("read head: %w", err)
	}
	ex := new(resource.Exchange)
	if err := ex.UnmarshalBinary(encoded); err != nil {
		return nil, fmt.Errorf("%w: %w", errLie, err)
	}
	slice := resource.SliceSize(ex.Body.Length, 0, ex.Body.Length)
	if want := headPrefix + size + slice; want != length {
		return nil, fmt.Errorf("%w: %d bytes announced where the exchange needs %d", errLie, length, want)
	}
	return ex, nil
}
