package node

import (
	"strings"
	"testing"
)

func TestUpstreamSettings(t *testing.T) {
	for name, c := range map[string]Config{
		"no scheme":   {Upstream: "127.0.0.1:1080"},
		"bad port":    {Upstream: "http://u:topsecret@x:y"},
		"plain DNS":   {DoH: "http://dns.example/"},
		"both of two": {Upstream: "socks5://127.0.0.1:1080", DoH: "https://dns.example/dns-query"},
	} {
		if _, err := c.dialer(nil); !IsConfigError(err) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	d, err := Config{Upstream: "socks5h://u:topsecret@127.0.0.1:1080"}.dialer(nil)
	if err != nil || d.Upstream.String() != "socks5://127.0.0.1:1080" || d.DoH != nil {
		t.Error(d, err)
	}
	d, err = Config{DoH: "https://dns.example/dns-query"}.dialer(nil)
	if err != nil || d.DoH == nil || d.Upstream != nil {
		t.Error(d, err)
	}
	if d != nil && d.DoH != nil {
		_ = d.DoH.Close()
	}
}
