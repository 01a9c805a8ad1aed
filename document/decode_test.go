package document

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// encode applies one coding.
func encode(t testing.TB, coding string, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "bare deflate":
		w, _ = flate.NewWriter(&b, 6)
	case "br":
		w = brotli.NewWriter(&b)
	case "zstd":
		w, _ = zstd.NewWriter(&b)
	default:
		t.Fatalf("coding %q", coding)
	}
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestDecode(t *testing.T) {
	body := []byte(strings.Repeat("<p>once more</p>\n", 5000))
	tests := []struct {
		name    string
		lines   []string
		applied []string
	}{
		{"no field", nil, nil},
		{"identity", []string{"identity", ""}, nil},
		{"gzip", []string{"gzip"}, []string{"gzip"}},
		{"x-gzip (RFC 9110 section 8.4.1.3)", []string{" X-GZIP "}, []string{"gzip"}},
		{"deflate", []string{"deflate"}, []string{"deflate"}},
		{"deflate without zlib (RFC 9110 section 8.4.1.2)", []string{"deflate"}, []string{"bare deflate"}},
		{"br", []string{"br"}, []string{"br"}},
		{"zstd", []string{"zstd"}, []string{"zstd"}},
		{"in the order they were applied", []string{"gzip, br", "zstd"}, []string{"gzip", "br", "zstd"}},
	}
	for _, tt := range tests {
		encoded := body
		for _, coding := range tt.applied {
			encoded = encode(t, coding, encoded)
		}
		for name, r := range map[string]io.Reader{"at once": bytes.NewReader(encoded), "by bytes": iotest.OneByteReader(bytes.NewReader(encoded))} {
			d, err := Decode(tt.lines, r)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			got, err := io.ReadAll(d)
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("%s, %s: %d bytes, %v", tt.name, name, len(got), err)
			}
			if err := d.Close(); err != nil {
				t.Errorf("%s: close: %v", tt.name, err)
			}
		}
	}
}

func TestDecodeUnknown(t *testing.T) {
	for _, lines := range [][]string{{"compress"}, {"gzip, dcb"}, {"gzip;q=1"}, {"gzip gzip"}, {"gzip,gzip", "gzip,gzip,gzip"}, {"aes128gcm"}} {
		if _, err := Decode(lines, strings.NewReader("")); !errors.Is(err, ErrCoding) {
			t.Errorf("%q: %v", lines, err)
		}
	}
}

// TestDecodeBroken: a body that is cut off or damaged is an error and never a shorter body.
func TestDecodeBroken(t *testing.T) {
	body := make([]byte, 100_000)
	rng := rand.NewChaCha8([32]byte{1})
	rng.Read(body)
	for _, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		encoded := encode(t, coding, body)
		for _, n := range []int{1, 2, 5, 1000, len(encoded) - 1} {
			d, err := Decode([]string{coding}, bytes.NewReader(encoded[:n]))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(d); err == nil {
				t.Errorf("%s: the first %d bytes give %d without an error", coding, n, len(got))
			}
			d.Close()
		}
		d, _ := Decode([]string{coding}, strings.NewReader(strings.Repeat("no coding", 10)))
		if _, err := io.ReadAll(d); err == nil {
			t.Errorf("%s: text decodes", coding)
		}
		empty, _ := Decode([]string{coding}, strings.NewReader(""))
		if got, err := io.ReadAll(empty); len(got) != 0 || err != nil {
			t.Errorf("%s: nothing gives %q, %v", coding, got, err)
		}
	}
}

// TestDecodeWindow: RFC 9659: 8 MiB, and no more.
func TestDecodeWindow(t *testing.T) {
	for window, ok := range map[int]bool{maxWindow: true, 2 * maxWindow: false} {
		var b bytes.Buffer
		w, err := zstd.NewWriter(&b, zstd.WithWindowSize(window), zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		chunk := make([]byte, 1<<20)
		for range window>>20 + 1 {
			w.Write(chunk)
		}
		w.Close()
		d, err := Decode([]string{"zstd"}, &b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, d); (err == nil) != ok {
			t.Errorf("window of %d MiB: %v", window>>20, err)
		}
		d.Close()
	}
}

// TestDecodeBomb: what is small and becomes large comes in the pieces that are read.
func TestDecodeBomb(t *testing.T) {
	for _, coding := range []string{"gzip", "deflate", "br", "zstd"} {
		encoded := encode(t, coding, make([]byte, 2<<20))
		d, err := Decode([]string{coding}, bytes.NewReader(encoded))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.CopyN(io.Discard, d, 1<<20); n != 1<<20 || err != nil {
			t.Errorf("%s: %d bytes, %v", coding, n, err)
		}
		d.Close()
		if _, err := d.Read(make([]byte, 1)); err == nil {
			t.Errorf("%s: read after Close", coding)
		}
	}
}
