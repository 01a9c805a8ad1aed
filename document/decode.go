package document

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// ErrCoding says that a content coding is not known, or that there are too many.
var ErrCoding = errors.New("content coding not supported")

const (
	// maxCodings is more than anybody applies to one body.
	maxCodings = 4
	// maxWindow is what every decoder has to support, and no more (RFC 9659).
	maxWindow = 8 << 20
)

// Decode takes off the content codings that the lines of a Content-Encoding field name
// (RFC 9110 section 8.4): gzip, deflate, br, zstd and identity. It reads nothing
// before its reader is read. Memory is bounded (of a zstd frame 8 MiB, RFC 9659; of
// brotli 16 MiB); what comes out is not: the caller bounds what it reads. A body of no
// bytes is empty in any coding.
//
// The error wraps [ErrCoding]. Close releases what the decoders hold; r is not closed.
func Decode(lines []string, r io.Reader) (io.ReadCloser, error) {
	codings, err := codings(lines)
	if err != nil {
		return nil, fmt.Errorf("document: decode: %w", err)
	}
	d := &decoder{Reader: r}
	for i := len(codings) - 1; i >= 0; i-- { // the last was applied last
		layer := &layer{source: bufio.NewReader(d.Reader), open: codings[i]}
		d.Reader, d.layers = layer, append(d.layers, layer)
	}
	return d, nil
}

type decoder struct {
	io.Reader
	layers []*layer
}

// Close may be called more than once.
func (d *decoder) Close() error {
	for _, l := range d.layers {
		l.close()
	}
	return nil
}

// opener begins to decode.
type opener func(*bufio.Reader) (io.Reader, error)

func codings(lines []string) ([]opener, error) {
	var list []opener
	for name := range strings.SplitSeq(strings.ToLower(strings.Join(lines, ",")), ",") {
		var open opener
		switch name = strings.Trim(name, " \t"); name {
		case "", "identity":
			continue
		case "gzip", "x-gzip":
			open = func(r *bufio.Reader) (io.Reader, error) { return gzip.NewReader(r) }
		case "deflate":
			open = openDeflate
		case "br":
			open = func(r *bufio.Reader) (io.Reader, error) { return brotli.NewReader(r), nil }
		case "zstd":
			open = openZstd
		default:
			return nil, fmt.Errorf("%w: %.40q", ErrCoding, name)
		}
		if list = append(list, open); len(list) > maxCodings {
			return nil, fmt.Errorf("%w: more than %d", ErrCoding, maxCodings)
		}
	}
	return list, nil
}

// openDeflate takes the zlib format, which the name stands for, and the bare deflate
// that some servers send (RFC 9110 section 8.4.1.2).
func openDeflate(r *bufio.Reader) (io.Reader, error) {
	head, err := r.Peek(2)
	if err == nil && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
		return zlib.NewReader(r)
	}
	return flate.NewReader(r), nil
}

func openZstd(r *bufio.Reader) (io.Reader, error) {
	// One at a time: no goroutines, and one window.
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow))
}

// layer is one coding. It is opened by the first Read.
type layer struct {
	source *bufio.Reader
	open   opener
	r      io.Reader
	err    error
}

func (l *layer) Read(p []byte) (int, error) {
	if l.r == nil && l.err == nil {
		if _, l.err = l.source.Peek(1); l.err == nil { // io.EOF: empty
			l.r, l.err = l.open(l.source)
		}
	}
	if l.err != nil {
		return 0, l.err
	}
	return l.r.Read(p)
}

func (l *layer) close() {
	if z, ok := l.r.(*zstd.Decoder); ok {
		z.Close()
	}
	l.r, l.err = nil, io.ErrClosedPipe
}
