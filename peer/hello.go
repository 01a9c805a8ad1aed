package peer

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/peerproxy/peerproxy/trust"
)

// The roles in a connection. The role is signed, so that a hello that is sent back
// to its sender proves nothing.
const (
	roleDialler  = trust.RoleClient
	roleAcceptor = trust.RoleServer
)

func otherRole(r trust.Role) trust.Role {
	if r == roleDialler {
		return roleAcceptor
	}
	return roleDialler
}

// helloVersion is the highest version that this side speaks. A receiver treats a
// higher one as its own: what must not be ignored is sent as a critical field.
const helloVersion = 1

const maxHello = 1024

// The fields of a hello. Unknown fields are ignored, but from criticalField on they
// make the hello unusable.
const (
	fieldRole      = 1
	fieldKey       = 2
	fieldSignature = 3
	criticalField  = 128
)

var errHello = errors.New("bad hello")

// hello is the first message in each direction: who speaks, and the proof.
//
//	hello = version(1) *( type(1) length(2, big-endian) value )
//
// The fields stand in ascending order of their types, each at most once.
type hello struct {
	version   byte
	role      trust.Role
	key       trust.Key
	signature []byte
}

func (h hello) encode() []byte {
	b := []byte{h.version}
	b = appendField(b, fieldRole, []byte{byte(h.role)})
	b = appendField(b, fieldKey, h.key[:])
	return appendField(b, fieldSignature, h.signature)
}

func appendField(b []byte, kind byte, value []byte) []byte {
	b = append(b, kind)
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	return append(b, value...)
}

// parseHello reads what a stranger sent. It verifies the form only.
func parseHello(b []byte) (hello, error) {
	if len(b) == 0 || len(b) > maxHello {
		return hello{}, fmt.Errorf("%w: %d bytes long", errHello, len(b))
	}
	h := hello{version: b[0]}
	if h.version == 0 {
		return hello{}, fmt.Errorf("%w: version 0", errHello)
	}
	last, rest := -1, b[1:]
	for len(rest) > 0 {
		if len(rest) < 3 {
			return hello{}, fmt.Errorf("%w: field cut off", errHello)
		}
		kind, length := rest[0], int(binary.BigEndian.Uint16(rest[1:]))
		rest = rest[3:]
		if length > len(rest) {
			return hello{}, fmt.Errorf("%w: field cut off", errHello)
		}
		if int(kind) <= last {
			return hello{}, fmt.Errorf("%w: field %d out of order", errHello, kind)
		}
		if err := h.setField(kind, rest[:length]); err != nil {
			return hello{}, err
		}
		last, rest = int(kind), rest[length:]
	}
	if h.role == 0 || h.key == (trust.Key{}) || h.signature == nil {
		return hello{}, fmt.Errorf("%w: field missing", errHello)
	}
	return h, nil
}

func (h *hello) setField(kind byte, value []byte) error {
	var ok bool
	switch kind {
	case fieldRole:
		if ok = len(value) == 1 && (value[0] == byte(roleDialler) || value[0] == byte(roleAcceptor)); ok {
			h.role = trust.Role(value[0])
		}
	case fieldKey:
		if ok = len(value) == len(h.key); ok {
			h.key = trust.Key(value)
		}
	case fieldSignature:
		if ok = len(value) == signatureSize; ok {
			h.signature = append([]byte(nil), value...)
		}
	default:
		ok = kind < criticalField
	}
	if !ok {
		return fmt.Errorf("%w: field %d not understood", errHello, kind)
	}
	return nil
}

const signatureSize = 64 // Ed25519, RFC 8032
