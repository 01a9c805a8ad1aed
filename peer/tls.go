package peer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"time"

	"github.com/gorilla/websocket"
)

// exporterLabel separates our use of the TLS exporter from all others (RFC 8446
// section 7.5, RFC 5705).
const exporterLabel = "EXPORTER-peerproxy-channel-1"

const exporterSize = 32

// TLSConfig is the server side's TLS configuration: TLS 1.3 with a new certificate
// that this process made for itself. The certificate proves nothing and is made to
// look like that of any small web server; who is at the other end is proven after
// the WebSocket handshake, by the node keys.
func TLSConfig() (*tls.Config, error) {
	cert, err := selfMade(time.Now())
	if err != nil {
		return nil, fmt.Errorf("peer: certificate: %w", err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{cert},
		MinVersion:   tls.VersionTLS13,
		NextProtos:   []string{"http/1.1"},
		// Nobody resumes: a new connection proves its keys anew.
		SessionTicketsDisabled:      true,
		DynamicRecordSizingDisabled: true,
	}, nil
}

// clientTLS does not verify the certificate. Its chain would prove nothing: there
// is no name that a peer must have. The key proof over the TLS exporter finds out
// any machine in the middle, since each of its two channels has another exporter.
func clientTLS() *tls.Config {
	return &tls.Config{
		InsecureSkipVerify:          true,
		MinVersion:                  tls.VersionTLS13,
		NextProtos:                  []string{"http/1.1"},
		DynamicRecordSizingDisabled: true,
	}
}

func selfMade(now time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return tls.Certificate{}, err
	}
	name := hostName()
	from := now.Add(-time.Duration(1+mathrand.IntN(60*24)) * time.Hour).Truncate(time.Second)
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name},
		DNSNames:              []string{name, "www." + name},
		NotBefore:             from,
		NotAfter:              from.AddDate(2, 0, 0),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// hostName makes up a name that is no pattern to filter for.
func hostName() string {
	const vowels, consonants = "aeiou", "bcdfghklmnprstvz"
	var name []byte
	for range 3 + mathrand.IntN(3) {
		name = append(name, consonants[mathrand.IntN(len(consonants))], vowels[mathrand.IntN(len(vowels))])
	}
	ends := []string{".com", ".net", ".org", ".info", ".eu"}
	return string(name) + ends[mathrand.IntN(len(ends))]
}

// exporter returns the secret that only the two ends of this TLS channel know.
func exporter(ws *websocket.Conn) ([]byte, error) {
	state, err := connectionState(ws.NetConn())
	if err != nil {
		return nil, err
	}
	if !state.HandshakeComplete || state.Version < tls.VersionTLS13 {
		return nil, errors.New("not TLS 1.3")
	}
	return state.ExportKeyingMaterial(exporterLabel, nil, exporterSize)
}

// connectionState looks through wrappers that name what they wrap.
func connectionState(c net.Conn) (tls.ConnectionState, error) {
	for c != nil {
		if t, ok := c.(interface{ ConnectionState() tls.ConnectionState }); ok {
			return t.ConnectionState(), nil
		}
		w, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		c = w.NetConn()
	}
	return tls.ConnectionState{}, errors.New("connection without TLS")
}
