package resource

import (
	"bytes"
	"net/http"
	"testing"
	"time"
)

// slice returns what WriteSlice writes.
func (tree testTree) slice(t testing.TB, offset, n int64) []byte {
	t.Helper()
	var b bytes.Buffer
	b.Grow(int(SliceSize(int64(len(tree.data)), offset, n)))
	err := WriteSlice(&b, bytes.NewReader(tree.data), bytes.NewReader(tree.outboard), int64(len(tree.data)), offset, n)
	if err != nil {
		t.Fatalf("WriteSlice(%d bytes, %d, %d): %v", len(tree.data), offset, n, err)
	}
	return b.Bytes()
}

func mustURL(t testing.TB, text string) URL {
	t.Helper()
	u, err := ParseURL(text)
	if err != nil {
		t.Fatalf("ParseURL(%q): %v", text, err)
	}
	return u
}

// testExchange is an exchange as a web server of today gives it.
func testExchange() *Exchange {
	u, err := ParseURL("https://www.example.org/assets/css/main.min.css?v=20260110")
	if err != nil {
		panic(err)
	}
	return &Exchange{
		Method:    "GET",
		URL:       u,
		Selecting: http.Header{"Accept-Encoding": {"gzip, br"}},
		Status:    200,
		Header: http.Header{
			"Cache-Control":             {"public, max-age=31536000", "immutable"},
			"Content-Encoding":          {"br"},
			"Content-Type":              {"text/css; charset=utf-8"},
			"Date":                      {"Sat, 10 Jan 2026 12:00:00 GMT"},
			"Etag":                      {`"5f3c-18c2a7b0e40"`},
			"Last-Modified":             {"Fri, 09 Jan 2026 08:00:00 GMT"},
			"Server":                    {"nginx"},
			"Strict-Transport-Security": {"max-age=63072000; includeSubDomains; preload"},
			"Vary":                      {"Accept-Encoding"},
			"X-Content-Type-Options":    {"nosniff"},
		},
		Body:       Body{Root: Root{1, 2, 3}, SHA256: [32]byte{4, 5, 6}, Length: 24380},
		Requested:  time.Date(2026, 1, 10, 12, 0, 0, 123456789, time.UTC),
		Received:   time.Date(2026, 1, 10, 12, 0, 0, 987654321, time.UTC),
		InitialAge: 17 * time.Second,
		Signatures: []Signature{{
			Input: `("@method";req "@target-uri";req "@status" "content-type");created=1768046400;keyid="abc";alg="ed25519"`,
			Value: bytes.Repeat([]byte{7}, 64),
		}},
	}
}
