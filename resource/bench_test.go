package resource

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func BenchmarkHasher(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10, 8 << 20} {
		b.Run(sizeName(size), func(b *testing.B) {
			data := testBytes(size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				h := NewHasher()
				h.Write(data)
				h.Body()
			}
		})
	}
}

// BenchmarkHasherOutboard hashes and writes the outboard, in pieces as a proxy gets them.
func BenchmarkHasherOutboard(b *testing.B) {
	data := testBytes(8 << 20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		h := NewHasher()
		for p := data; len(p) > 0; p = p[min(len(p), 32000):] {
			h.Write(p[:min(len(p), 32000)])
		}
		h.Body()
		h.WriteOutboard(io.Discard)
	}
}

func BenchmarkWriteSlice(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10, 64 << 20} {
		b.Run(sizeName(size), func(b *testing.B) {
			t := newTree(b, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				WriteSlice(io.Discard, bytes.NewReader(t.data), bytes.NewReader(t.outboard), int64(size), 0, int64(size))
			}
		})
	}
}

func BenchmarkSliceReader(b *testing.B) {
	for _, size := range []int{1 << 10, 100 << 10, 64 << 20} {
		t := newTree(b, size)
		slice := t.slice(b, 0, int64(size))
		run := func(name string, drain func(*SliceReader) error) {
			b.Run(name+"/"+sizeName(size), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					if err := drain(NewSliceReader(bytes.NewReader(slice), t.body, 0, int64(size))); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		run("WriteTo", func(r *SliceReader) error { _, err := r.WriteTo(io.Discard); return err })
		buf := make([]byte, 32<<10)
		run("Read", func(r *SliceReader) error {
			for {
				if _, err := r.Read(buf); errors.Is(err, io.EOF) {
					return nil
				} else if err != nil {
					return err
				}
			}
		})
	}
}

func BenchmarkParseURL(b *testing.B) {
	const text = "https://www.example.org/assets/css/main.min.css?v=20260110"
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseURL(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMarshalExchange(b *testing.B) {
	ex := testExchange()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ex.MarshalBinary(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnmarshalExchange(b *testing.B) {
	data, err := testExchange().MarshalBinary()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		var ex Exchange
		if err := ex.UnmarshalBinary(data); err != nil {
			b.Fatal(err)
		}
	}
}
