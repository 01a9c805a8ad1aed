package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/peerproxy/peerproxy/internal/wholefile"
)

func TestKeptPortStays(t *testing.T) {
	dir := t.TempDir()
	first, err := keptPort(dir)
	if err != nil {
		t.Fatal(err)
	}
	if first < firstPort || first > lastPort {
		t.Errorf("port %d is outside %d–%d", first, firstPort, lastPort)
	}
	for range 3 {
		if again, err := keptPort(dir); err != nil || again != first {
			t.Fatalf("port %d (%v), want the first one, %d", again, err, first)
		}
	}
}

func TestKeptPortRefusesAndKeepsDamage(t *testing.T) {
	for _, text := range []string{"", "port", "0", "65536", "-1", "80 81"} {
		path := filepath.Join(t.TempDir(), "port")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if port, err := keptPort(filepath.Dir(path)); err == nil {
			t.Errorf("%q: port %d, want an error", text, port)
		}
		if left, err := os.ReadFile(path); err != nil || string(left) != text {
			t.Errorf("%q: file is now %q (%v)", text, left, err)
		}
	}
}

func TestWriteFileReplacesWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, text := range []string{"first", "second, and longer", ""} {
		if err := wholefile.Replace(path, wholefile.Private, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Fatalf("%q (%v), want %q", got, err, text)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files are left, want one (%v)", len(entries), err)
	}
}

func TestConfigRefusals(t *testing.T) {
	good := Config{DataDir: "d"}
	for _, test := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no data directory", func(c *Config) { c.DataDir = "" }, "data directory"},
		{"open proxy", func(c *Config) { c.Proxy = "0.0.0.0:3128" }, "proxy-auth"},
		{"open proxy on all addresses", func(c *Config) { c.Proxy = ":3128" }, "proxy-auth"},
		{"open proxy by name", func(c *Config) { c.Proxy = "example.org:3128" }, "proxy-auth"},
		{"proxy without port", func(c *Config) { c.Proxy = "127.0.0.1" }, "proxy address"},
		{"proxy with a port too high", func(c *Config) { c.Proxy = "127.0.0.1:99999" }, "proxy address"},
		{"no listening address", func(c *Config) { c.Listen = "foo" }, "listen address"},
		{"no DHT address", func(c *Config) { c.DHT = "127.0.0.1:-1" }, "dht address"},
		{"no bootstrap address", func(c *Config) { c.Bootstrap = []string{"router.example"} }, "bootstrap"},
		{"tiny quota", func(c *Config) { c.Quota = 12 }, "quota"},
		{"unknown share mode", func(c *Config) { c.Share = "some" }, "share"},
		{"negative quota", func(c *Config) { c.Quota = -1 }, "quota"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := good
			test.change(&cfg)
			_, err := cfg.withDefaults()
			if err == nil || !IsConfigError(err) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one about %q", err, test.want)
			}
		})
	}
	for _, proxy := range []string{"", "127.0.0.1:0", "[::1]:3128", "localhost:3128", "127.9.9.9:1"} {
		cfg := good
		cfg.Proxy = proxy
		if _, err := cfg.withDefaults(); err != nil {
			t.Errorf("proxy on %q: %v", proxy, err)
		}
	}
}

func TestListensOnSpecial(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:0": true, "[::1]:4000": true, "localhost:1": true, "192.168.1.4:4000": true, "10.0.0.1:1": true,
		"": false, ":4000": false, "0.0.0.0:4000": false, "[::]:4000": false, "9.9.9.9:4000": false, "example.org:1": false,
	} {
		if got := listensOnSpecial(address); got != want {
			t.Errorf("%q: %v, want %v", address, got, want)
		}
	}
}
