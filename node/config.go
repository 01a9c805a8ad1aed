package node

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/peerproxy/peerproxy/cache"
)

// Share says who may have the shareable part of the cache.
type Share string

// The share modes. The zero value counts as ShareOff.
const (
	ShareOff    Share = "off"    // nobody: nothing is served or announced
	ShareGroup  Share = "group"  // those who know the group secret
	SharePublic Share = "public" // everybody
)

// StopTime is within what a node stops after its context has ended.
const StopTime = 5 * time.Second

// Config says what a node shall be. The zero value of every field but DataDir is usable.
type Config struct {
	DataDir string // made if it is not there

	Proxy     string // address of the proxy; "" is 127.0.0.1:3128
	ProxyAuth string // USER:PASSWORD-FILE demanded of clients; "" demands nothing

	Listen string // TCP address for peers; "" is all addresses and the port kept in DataDir
	DHT    string // UDP address of the DHT node; "" is that of Listen

	Bootstrap         []string // HOST:PORT of DHT nodes to join by, besides the public ones
	NoPublicBootstrap bool     // leave the public ones out

	Share      Share
	Level      Level // what the DHT is told; "" is LevelSite in a group, else LevelBucket
	BucketBits int   // bits of a bucket, 4 to 20, the same for all of a swarm; 0 is DefaultBucketBits
	ExactFrom  int64 // at LevelExact: bytes from which a resource is announced by itself; 0 is DefaultExactFrom
	Recheck    Recheck
	Metered    Metered

	NoMapping bool  // do not ask a gateway for port mappings
	Quota     int64 // bytes of the cache file; 0 is what it was the last time, at first the store's default

	AllowPrivate bool     // destinations and peers may be special addresses
	Resolve      []string // HOST:PORT:ADDR:PORT overrides

	Upstream string // URL of a proxy that origins are reached through; "" is none
	DoH      string // URL of the DNS-over-HTTPS server that origins' names are looked up with; "" asks the system

	UpstreamCA []string // PEM files of authorities that count beside the system's, for origins, Upstream and DoH

	Intercept Intercept
	Bypass    []string // hosts whose HTTPS is not looked into: HOST, *.DOMAIN, either with :PORT

	Targeted []string // fields like CDN-Cache-Control that count before Cache-Control, strongest first (RFC 9213)

	Trust []string // node keys whose copies are taken everywhere, or "any"; besides those of the keyring

	// Witnesses is how many independent nodes make a copy witnessed; 0 is 3.
	Witnesses int

	Sites   []SitePolicy // what is set for sites
	Private []string     // sites that peers never hear of: SitePolicy.Private for each

	ReadyFile string // is written when all is up; "" writes none

	Version string
	Logger  *slog.Logger // nil discards
}

// configError is a fault that the user puts right by other settings.
type configError struct{ err error }

func (e configError) Error() string { return e.err.Error() }
func (e configError) Unwrap() error { return e.err }

func badConfig(format string, args ...any) error {
	return configError{fmt.Errorf(format, args...)}
}

// IsConfigError reports whether err comes from a setting that can't be followed.
func IsConfigError(err error) bool {
	var c configError
	return errors.As(err, &c)
}

// withDefaults returns the configuration with its zero values filled in, checked as
// far as that can be done without opening anything.
func (c Config) withDefaults() (Config, error) {
	if c.DataDir == "" {
		return c, badConfig("no data directory is given")
	}
	if c.Proxy == "" {
		c.Proxy = "127.0.0.1:3128"
	}
	if c.Share == "" {
		c.Share = ShareOff
	}
	if !slices.Contains([]Share{ShareOff, ShareGroup, SharePublic}, c.Share) {
		return c, badConfig("share %q is none of off, group, public", string(c.Share))
	}
	var err error
	if c, err = c.withLevels(); err != nil {
		return c, err
	}
	if c.Quota != 0 && c.Quota < cache.MinQuota {
		return c, badConfig("a quota of %d bytes is too little: %d at least", c.Quota, cache.MinQuota)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c, errors.Join(c.checkAddresses(), c.checkTargeted(), c.checkIntercept(), c.checkRecheck())
}

// checkAddresses finds what is misspelt before anything is opened.
func (c Config) checkAddresses() error {
	given := map[string]string{"proxy": c.Proxy, "listen": c.Listen, "dht": c.DHT}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if err := checkAddress(given[name]); given[name] != "" && err != nil {
			return badConfig("%s address %q: %w", name, given[name], err)
		}
	}
	for _, address := range c.Bootstrap {
		if err := checkAddress(address); err != nil {
			return badConfig("bootstrap node %q: %w", address, err)
		}
	}
	return c.checkProxyAddress()
}

// checkTargeted refuses what can't be the name of a targeted field.
func (c Config) checkTargeted() error {
	for _, name := range c.Targeted {
		if !httpguts.ValidHeaderFieldName(name) || !strings.HasSuffix(strings.ToLower(name), "-cache-control") {
			return badConfig("targeted field %q: the name of a field for caches is wanted, such as CDN-Cache-Control", name)
		}
	}
	return nil
}

func checkAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return errors.New("not HOST:PORT")
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return errors.New("the port is no number from 0 to 65535")
	}
	return nil
}

// checkProxyAddress refuses a proxy that strangers on the network could use.
func (c Config) checkProxyAddress() error {
	host, _, err := net.SplitHostPort(c.Proxy)
	if err != nil {
		return badConfig("proxy address %q: %w", c.Proxy, err)
	}
	if c.ProxyAuth == "" && !isLoopback(host) {
		return badConfig("proxy address %q is not loopback: anyone who reaches it could use the proxy; set --proxy-auth USER:PASSWORD-FILE, or 127.0.0.1", c.Proxy)
	}
	return nil
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
