package proxy

import (
	"bytes"
	"net/http"
	"slices"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// pathOverH2 sends a request with a :path as it is, and returns the status of the answer.
func pathOverH2(t *testing.T, l *lab, fields ...hpack.HeaderField) string {
	t.Helper()
	conn, in := l.openTunnel("example.com:443", "h2")
	defer conn.Close()
	var block bytes.Buffer
	encode := hpack.NewEncoder(&block)
	for _, f := range append([]hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "example.com"}}, fields...) {
		_ = encode.WriteField(f)
	}
	atOnceTo(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, in)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_ = framer.WriteSettings()
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true})
	for {
		f, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch f := f.(type) {
		case *http2.MetaHeadersFrame:
			return f.PseudoValue("status")
		case *http2.RSTStreamFrame:
			return f.ErrCode.String()
		}
	}
}

// A path that can't stand in a request line does not come from HTTP/2 into one of HTTP/1.1 (RFC 9113 section
// 10.3, RFC 9112 section 3.2).
func TestInsideH2Target(t *testing.T) {
	var mu sync.Mutex
	var got []string // targets that came through
	l := openedLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.RequestURI)
	}, nil)
	for path, want := range map[string]string{
		"/a?b=%20": "200", "/\"<>^`{|}\\": "200", "/\u00fc": "200", "//x": "200", "/a#b": "200",
		"/a b": "400", "/a HTTP/1.1": "400", "/a?b c": "400", "/a\tb": "PROTOCOL_ERROR", "/a\r\nX: y": "PROTOCOL_ERROR", "/\x7f": "PROTOCOL_ERROR",
	} {
		if status := pathOverH2(t, l, hpack.HeaderField{Name: ":path", Value: path}); status != want {
			t.Errorf("%q: %s, want %s", path, status, want)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(got)
	if want := []string{"/\"<>^`{|}\\", "//x", "/a#b", "/a?b=%20", "/ü"}; !slices.Equal(got, want) {
		t.Errorf("%q came through, want %q", got, want)
	}
	l.settle()
	for _, st := range l.store.all() {
		if st.Exchange.URL.RequestURI() == "/a%23b" { // what some origins take for "/a"
			t.Error("stored under another URL")
		}
	}
}
