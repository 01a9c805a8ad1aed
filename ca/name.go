package ca

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// ErrName is wrapped by errors about what is no name of a host.
var ErrName = errors.New("not a host name")

const (
	maxName  = 253 // of 255 octets on the wire, RFC 1035 section 2.3.4
	maxLabel = 63
)

// Name checks what a stranger calls a host and returns the one form of it that goes into
// certificates: an IP address as [netip.Addr] writes it, or a DNS name of
// letters, digits, hyphens and underscores in lower case without the dot at its end.
//
// International names must have come as A-labels (RFC 5890); what is within them is
// not looked at, since the browser that asks has made them. Wildcards, IPv6 zones,
// brackets, ports, and names that browsers take for an IPv4 address in another form
// ("127.1", "0x7f.1") are refused. The error wraps [ErrName] and does not repeat
// the name, which may be of any length and have any bytes.
func Name(name string) (string, error) {
	if len(name) > maxName+1 {
		return "", fmt.Errorf("%w: longer than %d bytes", ErrName, maxName)
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		if addr.Zone() != "" {
			return "", fmt.Errorf("%w: an IPv6 zone", ErrName)
		}
		return addr.Unmap().String(), nil
	}
	return dnsName(name)
}

func dnsName(name string) (string, error) {
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > maxName {
		return "", fmt.Errorf("%w: %d bytes long", ErrName, len(name))
	}
	last := ""
	for label := range strings.SplitSeq(name, ".") {
		if err := checkLabel(label); err != nil {
			return "", err
		}
		last = label
	}
	if numeric(strings.ToLower(last)) {
		return "", fmt.Errorf("%w: ends in a number, but is no IP address", ErrName)
	}
	return strings.ToLower(name), nil // all ASCII by now: nothing else may become a letter
}

// checkLabel wants LDH (RFC 5890 section 2.3.1) and lets underscores pass: there are
// sites with them, and browsers open these.
func checkLabel(label string) error {
	if label == "" || len(label) > maxLabel {
		return fmt.Errorf("%w: a label of %d bytes", ErrName, len(label))
	}
	for _, c := range []byte(label) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		digit := '0' <= c && c <= '9'
		if !letter && !digit && c != '-' && c != '_' {
			return fmt.Errorf("%w: has the byte %#02x", ErrName, c)
		}
	}
	if label[0] == '-' || label[len(label)-1] == '-' {
		return fmt.Errorf("%w: a label begins or ends with a hyphen", ErrName)
	}
	return nil
}

// numeric says whether a name with this last label is an IPv4 address to a browser
// (the "ends in a number" checker of the URL standard).
func numeric(last string) bool {
	if strings.Trim(last, "0123456789") == "" {
		return true
	}
	hex, ok := strings.CutPrefix(last, "0x")
	return ok && strings.Trim(hex, "0123456789abcdef") == ""
}

// within says whether name is base or below it, as in RFC 5280 section 4.2.1.10.
func within(name, base string) bool {
	return name == base || strings.HasSuffix(name, "."+base)
}
