package intercept

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"time"
)

// Config says how an [Interceptor] works. Issue is needed.
type Config struct {
	// Issue makes a certificate with a new key for a name or an IP address. It may be
	// called by several goroutines.
	Issue func(name string) (*tls.Certificate, error)
	// Permits reports whether Issue would make one for a name, without trying;
	// nil = for all names.
	Permits func(name string) bool
	// Bypass lists hosts that are never looked into; see [ParsePattern].
	Bypass []Pattern

	MaxLeaves  int           // certificates that are kept; 0 = 512
	MaxBypass  int           // hosts that are bypassed by themselves at a time; 0 = 1024
	BypassFor  time.Duration // how long they are; 0 = 1 h
	Silence    time.Duration // of a client until its tunnel is blind; 0 = 1 s
	WebSilence time.Duration // the same for port 443; 0 = 30 s
	Handshake  time.Duration // for a hello, and for a handshake; 0 = 10 s

	Now    func() time.Time // nil = time.Now
	Logger *slog.Logger     // nil = no log. Hosts at debug level only
}

func (c Config) withDefaults() Config {
	c.MaxLeaves = cmp.Or(c.MaxLeaves, 512)
	c.MaxBypass = cmp.Or(c.MaxBypass, 1024)
	c.BypassFor = cmp.Or(c.BypassFor, time.Hour)
	c.Silence = cmp.Or(c.Silence, time.Second)
	c.WebSilence = cmp.Or(c.WebSilence, 30*time.Second)
	c.Handshake = cmp.Or(c.Handshake, 10*time.Second)
	if c.Permits == nil {
		c.Permits = func(string) bool { return true }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// protocols are those that are opened (RFC 7301 section 6), the best first.
var protocols = []string{"h2", "http/1.1", "http/1.0"}

// Interceptor looks into tunnels. It is safe for concurrent use.
type Interceptor struct {
	cfg    Config
	leaves *leaves
	bypass *bypass
	tls    *tls.Config // of all handshakes, so that sessions can be resumed
}

// New makes an interceptor.
func New(cfg Config) *Interceptor {
	cfg = cfg.withDefaults()
	return &Interceptor{
		cfg: cfg, leaves: newLeaves(cfg.Issue, cfg.MaxLeaves, cfg.Now), bypass: newBypass(cfg),
		tls: &tls.Config{
			MinVersion: tls.VersionTLS12,
			NextProtos: protocols,
			GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
				return hello.Conn.(*helloConn).shown()
			},
		},
	}
}

// Wants reports whether a tunnel to a host and port may be looked into: not if the host is
// bypassed, or there would be no certificate for it.
func (i *Interceptor) Wants(authority string) bool {
	host, port, err := net.SplitHostPort(authority)
	return err == nil && i.permitted(normal(host), port)
}

func (i *Interceptor) permitted(name, port string) bool {
	return validName(name) && !i.bypass.has(name, port) && i.cfg.Permits(name)
}

// Intercept looks at what the client of a tunnel sends first. It returns a connection of TLS, with
// the method ConnectionState of [tls.Conn], if the tunnel is opened; or a connection for
// a blind tunnel, that yields all that the client has sent. With an error it returns nil: the
// client has gone, stalled, or refused the handshake.
func (i *Interceptor) Intercept(ctx context.Context, client net.Conn, authority string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(authority)
	if err != nil {
		return nil, fmt.Errorf("intercept: authority: %w", err)
	}
	conn := &helloConn{Conn: client}
	found, err := conn.peek(ctx, i.silence(port), i.cfg.Handshake)
	if err != nil {
		return nil, fmt.Errorf("intercept: first bytes: %w", err)
	}
	if found == nil || !speaksHTTP(found.SupportedProtos, port) || !upToDate(found.SupportedVersions) {
		return conn, nil
	}
	name := normal(cmp.Or(found.ServerName, host))
	if !i.permitted(name, port) || i.bypass.has(normal(host), port) {
		return conn, nil
	}
	ctx, cancel := context.WithTimeout(ctx, i.cfg.Handshake)
	defer cancel()
	conn.leaf, err = i.leaves.get(ctx, name)
	if err != nil { // the site can be reached all the same
		i.cfg.Logger.Debug("no certificate for a host: its tunnel is blind", "err", err, "host", name)
		return conn, nil
	}
	return i.handshake(ctx, conn, name)
}

func (i *Interceptor) silence(port string) time.Duration {
	if port == "443" {
		return i.cfg.WebSilence
	}
	return i.cfg.Silence
}

// speaksHTTP tells by what a client offers (RFC 7301), or else by the port, whether HTTP
// is to be expected.
func speaksHTTP(offered []string, port string) bool {
	if len(offered) == 0 {
		return port == "443" || port == "8443"
	}
	return slices.ContainsFunc(offered, func(p string) bool { return slices.Contains(protocols, p) })
}

func upToDate(versions []uint16) bool {
	return slices.Contains(versions, tls.VersionTLS13) || slices.Contains(versions, tls.VersionTLS12)
}

// handshake brings about TLS with the client.
func (i *Interceptor) handshake(ctx context.Context, conn *helloConn, name string) (net.Conn, error) {
	secure := tls.Server(conn, i.tls)
	err := secure.HandshakeContext(ctx)
	if err == nil {
		return &watched{Conn: secure, name: name, bypass: i.bypass, since: i.cfg.Now()}, nil
	}
	switch {
	case refusal(err), refusedInPlain(conn.reply):
		i.bypass.refused(name)
	case conn.told && hungUp(err):
		i.bypass.left(name)
	}
	_ = conn.Close()
	return nil, fmt.Errorf("intercept: handshake with the client: %w", err)
}
