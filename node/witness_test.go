package node_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/peerproxy/peerproxy/node"
)

// Three nodes that know nothing of one another fetched a page, each a little differently. When
// the origin is gone, one that trusts no key gets it on the word of the three; of two it does not.
func TestPageIsWitnessed(t *testing.T) {
	body := strings.Repeat("a page that many have seen. ", 4_000)
	served := 0
	origin, resolve := serve(t, "www.example.org", func(w http.ResponseWriter, r *http.Request) {
		served++
		w.Header().Set("Cache-Control", fmt.Sprintf("max-age=%d", 600+served))
		w.Header().Set("X-Request-Id", fmt.Sprint(served))
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, body)
	})
	join := hub(t)
	for n := 1; n <= 3; n++ {
		address := fmt.Sprintf("127.0.%d.1:0", n)
		witness := start(t, func(c *node.Config) {
			c.Listen, c.DHT, c.AllowPrivate = address, address, true
			c.Share, c.Resolve, c.Bootstrap = node.SharePublic, []string{resolve}, join
		})
		paths := []string{"/page"}
		if n < 3 {
			paths = append(paths, "/seen-by-two")
		}
		for _, path := range paths {
			if _, text := get(t, client(t, witness), "http://www.example.org"+path); text != body {
				t.Fatal("the witness got something else")
			}
		}
		eventually(t, "the announcement", func() bool { return witness.Status().Announced == 1 })
	}
	origin.Close()
	reader := start(t, func(c *node.Config) {
		c.Resolve, c.Bootstrap, c.Trust, c.AllowPrivate = []string{resolve}, join, []string{"witnessed"}, true
	})
	resp, text := get(t, client(t, reader), "http://www.example.org/page")
	if text != body || !strings.Contains(fmt.Sprint(resp.Header), "witnessed") {
		t.Errorf("%s, %d bytes, %v", resp.Status, len(text), resp.Header)
	}
	if resp, _ := get(t, client(t, reader), "http://www.example.org/seen-by-two"); resp.StatusCode < 500 {
		t.Errorf("on the word of two: %s", resp.Status)
	}
	easy := start(t, func(c *node.Config) {
		c.Resolve, c.Bootstrap, c.Trust, c.AllowPrivate, c.Witnesses = []string{resolve}, join, []string{"witnessed"}, true, 2
	})
	if resp, _ := get(t, client(t, easy), "http://www.example.org/seen-by-two"); resp.StatusCode != http.StatusOK {
		t.Errorf("on the word of two, which are enough: %s", resp.Status)
	}
}

func TestBadNumbersOfWitnesses(t *testing.T) {
	for _, number := range []int{-1, 1, 17} {
		n, err := node.New(node.Config{DataDir: t.TempDir(), Witnesses: number})
		if n != nil || !node.IsConfigError(err) {
			t.Errorf("%d: %v", number, err)
		}
	}
}
