package trust

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"testing"

	"github.com/peerproxy/peerproxy/resource"
)

func TestChannelProof(t *testing.T) {
	id, exporter := seeded(1), bytes.Repeat([]byte{7}, ExporterSize)
	for _, role := range []Role{RoleClient, RoleServer} {
		if err := VerifyChannel(id.Key(), role, exporter, id.SignChannel(role, exporter)); err != nil {
			t.Errorf("role %c: %v", role, err)
		}
	}
}

func TestChannelProofAttacks(t *testing.T) {
	id, exporter := seeded(1), bytes.Repeat([]byte{7}, ExporterSize)
	proof := id.SignChannel(RoleServer, exporter)
	other := bytes.Clone(exporter)
	other[31] ^= 1
	flipped := bytes.Clone(proof)
	flipped[40] ^= 1
	ex := signedSample(t)
	// Weak key and the signature that it lets anybody make.
	neutral, forged := Key{1}, append([]byte{1}, make([]byte, 63)...)
	tests := []struct {
		name            string
		key             Key
		role            Role
		exporter, proof []byte
	}{
		{"reflected to its maker", id.Key(), RoleClient, exporter, proof},
		{"on another channel", id.Key(), RoleServer, other, proof},
		{"of another key", seeded(2).Key(), RoleServer, exporter, proof},
		{"one bit changed", id.Key(), RoleServer, exporter, flipped},
		{"cut off", id.Key(), RoleServer, exporter, proof[:63]},
		{"too long", id.Key(), RoleServer, exporter, append(bytes.Clone(proof), 0)},
		{"none", id.Key(), RoleServer, exporter, nil},
		{"no exporter", id.Key(), RoleServer, nil, proof},
		{"unknown role", id.Key(), 0, exporter, proof},
		{"exporter that takes over the role's byte", id.Key(), RoleServer, exporter[:31], id.SignChannel(RoleServer, exporter)},
		{"zero key", Key{}, RoleServer, exporter, proof},
		{"weak key", neutral, RoleServer, exporter, forged},
		{"signature of an exchange", id.Key(), RoleServer, exporter, ex.Signatures[0].Value},
	}
	for _, tt := range tests {
		if err := VerifyChannel(tt.key, tt.role, tt.exporter, tt.proof); !errors.Is(err, ErrBadSignature) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestSignChannelRefusesMisuse(t *testing.T) {
	id := seeded(1)
	for _, n := range []int{0, 31, 33, 64} {
		if proof := id.SignChannel(RoleServer, make([]byte, n)); proof != nil {
			t.Errorf("signed an exporter of %d bytes", n)
		}
	}
	for _, role := range []Role{0, 1, 'x', '"'} {
		if proof := id.SignChannel(role, make([]byte, ExporterSize)); proof != nil {
			t.Errorf("signed for role %q", role)
		}
	}
}

// TestDomainsAreSeparate shows that the two texts can't be equal: they differ in
// their first byte, which no part of an exchange and no exporter decides.
func TestDomainsAreSeparate(t *testing.T) {
	message, _ := channelMessage(RoleClient, bytes.Repeat([]byte{'"'}, ExporterSize))
	s, err := newStatement(sampleExchange(t))
	if err != nil {
		t.Fatal(err)
	}
	if message[0] != 'p' || s.lines[0] != '"' {
		t.Errorf("texts begin with %q and %q", message[0], s.lines[0])
	}
}

// TestChannelProofAsExchangeSignature is the other direction of cross-protocol reuse.
func TestChannelProofAsExchangeSignature(t *testing.T) {
	id, ex := seeded(1), signedSample(t)
	ex.Signatures = []resource.Signature{{
		Input: ex.Signatures[0].Input,
		Value: id.SignChannel(RoleServer, make([]byte, ExporterSize)),
	}}
	if _, _, err := trusting(id).Verify(ex, queryFor(ex)); !errors.Is(err, ErrBadSignature) {
		t.Errorf("got %v", err)
	}
}

// TestProofOverTLS relays between two real TLS channels: the proof is valid end to
// end on one channel, and worth nothing through someone in the middle.
func TestProofOverTLS(t *testing.T) {
	server, client := exporters(t)
	id := seeded(1)
	if err := VerifyChannel(id.Key(), RoleServer, client, id.SignChannel(RoleServer, server)); err != nil {
		t.Errorf("on the channel itself: %v", err)
	}
	_, victim := exporters(t)
	if err := VerifyChannel(id.Key(), RoleServer, victim, id.SignChannel(RoleServer, server)); !errors.Is(err, ErrBadSignature) {
		t.Errorf("relayed to another channel: %v", err)
	}
}

// exporters makes a TLS channel and returns the keying material of its two sides.
func exporters(t *testing.T) (server, client []byte) {
	t.Helper()
	a, b := net.Pipe()
	config := &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{certificate(t)},
		InsecureSkipVerify:     true,
		SessionTicketsDisabled: true, // nobody reads them here
	}
	s, c := tls.Server(a, config), tls.Client(b, config)
	failed := make(chan error, 1)
	go func() { failed <- s.Handshake() }()
	if err := errors.Join(c.Handshake(), <-failed); err != nil {
		t.Fatal(err)
	}
	export := func(conn *tls.Conn) []byte {
		state := conn.ConnectionState()
		material, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, ExporterSize) // RFC 9266
		if err != nil {
			t.Fatal(err)
		}
		return material
	}
	server, client = export(s), export(c)
	a.Close()
	b.Close()
	return server, client
}

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	id := seeded(9)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(nil, template, template, id.private.Public(), id.private)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: id.private}
}
