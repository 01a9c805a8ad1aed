package trust

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Errors of [ParseInvitation].
var (
	// ErrBadInvitation: no invitation, or a part of one, or one with a slip in it.
	ErrBadInvitation = errors.New("bad invitation")
	// ErrNewerInvitation: made by a version that says more than this one understands.
	ErrNewerInvitation = errors.New("invitation is of a newer version")
)

// Limits of an [Invitation].
const (
	MaxInvitation   = 8 << 10 // characters of its text
	MaxIntroduced   = 32      // keys beside the inviter's
	SwarmSecretSize = 32      // bytes
)

const (
	invitationName    = "PEERPROXY" // and a version and a colon begin the text
	invitationVersion = "1"
	checksumSize      = 4
)

// Kinds of records. Records of a kind below firstOptional must be understood; others
// may be passed over.
const (
	recordSecret     = 1
	recordInviter    = 2
	recordIntroduced = 3
	firstOptional    = 128
)

// base32 in capitals: a QR code packs them into five and a half bits (ISO/IEC 18004,
// alphanumeric mode), and they can be dictated.
var invitationEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// Invitation is what makes somebody a member of a group. Whoever has its text can find
// and read what the group shares.
type Invitation struct {
	Secret  [SwarmSecretSize]byte // of the group's swarm
	Inviter Entry                 // only Key and Name
	// Introduced are more keys that the inviter trusts; only Key, Name and Sites.
	Introduced []Entry
}

// Text writes the invitation: "PEERPROXY1:" and, in base32 (RFC 4648 section 6) without
// padding, records and a checksum. A record is its kind (1 byte), its length (uvarint) and its
// content: 1 the secret; 2 the inviter's key and name; 3 for each introduced key, key, length of the name
// (1 byte), name, and each site after its length (1 byte). The checksum is the first 4 bytes
// of the SHA-256 of all before it in the text. Errors wrap [ErrBadEntry].
func (v Invitation) Text() (string, error) {
	inviter, err := v.Inviter.canonical()
	if err != nil {
		return "", fmt.Errorf("trust: invitation: %w", err)
	}
	if len(v.Introduced) > MaxIntroduced {
		return "", fmt.Errorf("trust: invitation: %w: no more than %d keys can be introduced", ErrBadEntry, MaxIntroduced)
	}
	payload := appendRecord(nil, recordSecret, v.Secret[:])
	payload = appendRecord(payload, recordInviter, append(inviter.Key[:], inviter.Name...))
	for _, e := range v.Introduced {
		if e, err = e.canonical(); err != nil {
			return "", fmt.Errorf("trust: invitation: %w", err)
		}
		payload = appendRecord(payload, recordIntroduced, introduction(e))
	}
	prefix := invitationName + invitationVersion + ":"
	text := prefix + invitationEncoding.EncodeToString(append(payload, checksum(prefix, payload)...))
	if len(text) > MaxInvitation {
		return "", fmt.Errorf("trust: invitation: %w: longer than %d characters", ErrBadEntry, MaxInvitation)
	}
	return text, nil
}

func appendRecord(b []byte, kind byte, content []byte) []byte {
	b = binary.AppendUvarint(append(b, kind), uint64(len(content)))
	return append(b, content...)
}

func introduction(e Entry) []byte {
	b := append(slices.Clone(e.Key[:]), byte(len(e.Name)))
	b = append(b, e.Name...)
	for _, site := range e.Sites {
		b = append(append(b, byte(len(site))), site...)
	}
	return b
}

func checksum(prefix string, payload []byte) []byte {
	sum := sha256.Sum256(append([]byte(prefix), payload...))
	return sum[:checksumSize]
}

// ParseInvitation reads what [Invitation.Text] wrote. Small letters, blanks and line
// breaks do no harm. Errors wrap [ErrBadInvitation] or [ErrNewerInvitation] and say
// nothing of the secret.
func ParseInvitation(text string) (Invitation, error) {
	if len(text) > 2*MaxInvitation {
		return Invitation{}, fmt.Errorf("%w: too long", ErrBadInvitation)
	}
	text = strings.ToUpper(strings.Map(func(c rune) rune {
		if unicode.IsSpace(c) {
			return -1
		}
		return c
	}, text))
	head, encoded, ok := strings.Cut(text, ":")
	version, named := strings.CutPrefix(head, invitationName)
	switch {
	case !ok || !named:
		return Invitation{}, fmt.Errorf("%w: it does not begin with %q", ErrBadInvitation, invitationName+invitationVersion+":")
	case version != invitationVersion:
		return Invitation{}, fmt.Errorf("%w: %.10q", ErrNewerInvitation, version)
	case len(text) > MaxInvitation:
		return Invitation{}, fmt.Errorf("%w: too long", ErrBadInvitation)
	}
	raw, err := invitationEncoding.DecodeString(encoded)
	if err != nil || len(raw) < checksumSize || invitationEncoding.EncodeToString(raw) != encoded {
		return Invitation{}, fmt.Errorf("%w: a character is missing or wrong", ErrBadInvitation)
	}
	payload, sum := raw[:len(raw)-checksumSize], raw[len(raw)-checksumSize:]
	if subtle.ConstantTimeCompare(sum, checksum(head+":", payload)) != 1 {
		return Invitation{}, fmt.Errorf("%w: its checksum is wrong: a character is missing or wrong", ErrBadInvitation)
	}
	return readInvitation(payload)
}

func readInvitation(payload []byte) (v Invitation, err error) {
	last, inviters := byte(0), 0
	for len(payload) > 0 {
		kind := payload[0]
		length, n := binary.Uvarint(payload[1:])
		if n <= 0 || length > uint64(len(payload)-1-n) || kind < last || kind == last && kind < recordIntroduced {
			return Invitation{}, fmt.Errorf("%w: its records are in disorder", ErrBadInvitation)
		}
		content := payload[1+n:][:length]
		payload, last = payload[1+n+int(length):], kind
		switch {
		case kind == recordSecret && len(content) == SwarmSecretSize:
			v.Secret = [SwarmSecretSize]byte(content)
		case kind == recordInviter:
			inviters++
			v.Inviter, err = readInviter(content)
		case kind == recordIntroduced:
			err = v.introduce(content)
		case kind >= firstOptional:
		case kind > recordIntroduced:
			return Invitation{}, fmt.Errorf("%w: it has a record of kind %d", ErrNewerInvitation, kind)
		default:
			err = fmt.Errorf("%w: a record is no good", ErrBadInvitation)
		}
		if err != nil {
			return Invitation{}, err
		}
	}
	if v.Secret == [SwarmSecretSize]byte{} || inviters == 0 {
		return Invitation{}, fmt.Errorf("%w: its secret or its inviter is missing", ErrBadInvitation)
	}
	return v, nil
}

func readInviter(content []byte) (Entry, error) {
	if len(content) < len(Key{}) {
		return Entry{}, fmt.Errorf("%w: a record is no good", ErrBadInvitation)
	}
	return checkRead(Entry{Key: Key(content[:len(Key{})]), Name: string(content[len(Key{}):])})
}

func (v *Invitation) introduce(content []byte) error {
	bad := fmt.Errorf("%w: a record is no good", ErrBadInvitation)
	if len(v.Introduced) == MaxIntroduced || len(content) < len(Key{})+1 {
		return bad
	}
	e := Entry{Key: Key(content[:len(Key{})])}
	for i, rest := 0, content[len(Key{}):]; len(rest) > 0; i++ {
		length := int(rest[0])
		if length > len(rest)-1 {
			return bad
		}
		part := string(rest[1 : 1+length])
		if rest = rest[1+length:]; i == 0 {
			e.Name = part
		} else {
			e.Sites = append(e.Sites, part)
		}
	}
	e, err := checkRead(e)
	v.Introduced = append(v.Introduced, e)
	return err
}

func checkRead(e Entry) (Entry, error) {
	e, err := e.canonical()
	if err != nil {
		return Entry{}, fmt.Errorf("%w: %w", ErrBadInvitation, err)
	}
	return e, nil
}
