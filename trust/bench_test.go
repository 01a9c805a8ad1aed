package trust

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/peerproxy/peerproxy/resource"
)

// typicalExchange has the fields of an average page of today.
func typicalExchange(b *testing.B) *resource.Exchange {
	ex := sampleExchange(b)
	ex.Header = http.Header{}
	for i := range 18 {
		ex.Header[fmt.Sprintf("X-Field-%d", i)] = []string{"max-age=3600, stale-while-revalidate=86400"}
	}
	ex.Header["Content-Security-Policy"] = []string{"default-src 'self'", "img-src *"}
	return ex
}

func BenchmarkSign(b *testing.B) {
	id, ex := seeded(1), typicalExchange(b)
	b.ReportAllocs()
	for b.Loop() {
		ex.Signatures = nil
		if err := id.Sign(ex); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, n := range []int{1, resource.MaxSignatures} {
		b.Run(fmt.Sprintf("signatures=%d", n), func(b *testing.B) {
			ex := typicalExchange(b)
			for i := range n {
				signFully(b, seeded(byte(i)), ex)
			}
			policy, asked := trusting(seeded(0)), queryFor(ex) // the friend's is the last
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := policy.Verify(ex, asked); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkVerifyHostile is the most work that a stranger can cause with one
// exchange that fits the wire: 16 wrong signatures over all of it.
func BenchmarkVerifyHostile(b *testing.B) {
	ex := sampleExchange(b)
	for i := range (resource.MaxFieldLines - 16) / 2 {
		ex.Header[fmt.Sprintf("X-%d", i)] = []string{strings.Repeat("\xff", 300)}
	}
	for i := range resource.MaxSignatures {
		signFully(b, seeded(byte(i)), ex)
		ex.Signatures[0].Value = make([]byte, 64)
	}
	encoded, err := ex.MarshalBinary()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(encoded)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := (Policy{Any: true}).Verify(ex, queryFor(ex)); err == nil {
			b.Fatal("accepted")
		}
	}
}

func BenchmarkChannelProof(b *testing.B) {
	id, exporter := seeded(1), make([]byte, ExporterSize)
	for b.Loop() {
		if err := VerifyChannel(id.Key(), RoleServer, exporter, id.SignChannel(RoleServer, exporter)); err != nil {
			b.Fatal(err)
		}
	}
}
