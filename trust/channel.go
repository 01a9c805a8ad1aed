package trust

import "fmt"

// ExporterSize is the length of the keying material that a channel proof is over.
const ExporterSize = 32

// Role is the side of a connection on which a key proves itself.
type Role byte

// The roles in the TLS handshake.
const (
	RoleClient Role = 'c'
	RoleServer Role = 's'
)

// channelContext can't begin the signature base of an exchange, which begins with
// a quotation mark.
const channelContext = "peerproxy channel 1\x00"

// SignChannel proves that the holder of this key is the given side of one TLS
// channel. The exporter is keying material of that channel, [ExporterSize] bytes
// long (RFC 8446 section 7.5, RFC 9266): it is the same on both sides and on no other
// channel, so the proof is worth nothing to someone in the middle or later. The role
// is signed too, so a proof can't be reflected to who made it. An exporter of
// another length or an unknown role gives nil, which never verifies.
func (id *Identity) SignChannel(role Role, exporter []byte) []byte {
	message, ok := channelMessage(role, exporter)
	if !ok {
		return nil
	}
	return id.sign(message)
}

// VerifyChannel checks a proof made by [Identity.SignChannel]: role is the other
// side's, exporter this side's own. Its error is [ErrBadSignature].
func VerifyChannel(key Key, role Role, exporter, signature []byte) error {
	message, ok := channelMessage(role, exporter)
	if !ok || !key.verify(message, signature) {
		return fmt.Errorf("trust: verify channel: %w", ErrBadSignature)
	}
	return nil
}

func channelMessage(role Role, exporter []byte) ([]byte, bool) {
	if len(exporter) != ExporterSize || role != RoleClient && role != RoleServer {
		return nil, false
	}
	message := append([]byte(channelContext), byte(role))
	return append(message, exporter...), true
}
