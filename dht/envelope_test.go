package dht

import (
	"bytes"
	"strings"
	"testing"

	"github.com/anacrolix/dht/v2/krpc"
	"github.com/anacrolix/torrent/bencode"
	"pgregory.net/rapid"
)

func TestOpenEnvelope(t *testing.T) {
	deep := func(n int) string { return "d1:v" + strings.Repeat("l", n) + strings.Repeat("e", n) + "1:t1:x1:y1:qe" }
	tests := []struct {
		name, in string
		ok       bool
	}{
		{"query", "d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q4:ping1:t2:xy1:y1:qe", true},
		{"unsorted keys", "d1:y1:q1:t2:xy1:q4:pinge", true},
		{"trailing bytes", "d1:q4:ping1:t2:xy1:y1:qe\x00\x00", true},
		{"empty transaction ID", "d1:t0:1:y1:qe", true},
		{"no transaction ID", "d1:y1:qe", false},
		{"empty", "", false},
		{"not a dictionary", "le", false},
		{"unfinished", "d1:t2:xy1:y1:q", false},
		{"unfinished string", "d1:t5:xye", false},
		{"string of 128 MiB", "d1:t134217726:e", false},
		{"string of 2^64 and more", "d1:t99999999999999999999999:e", false},
		{"length with leading zero", "d1:t02:xye", false},
		{"length with a sign", "d1:t-1:xe", false},
		{"no length", "d1:t:xe", false},
		{"key that is no string", "di1e1:xe", false},
		{"key without value", "d1:t2:xy1:ye", false},
		{"t is a number", "d1:ti5e1:y1:qe", false},
		{"y is a list", "d1:t1:x1:yl1:qee", false},
		{"t twice", "d1:t1:x1:t1:y1:y1:qe", false},
		{"empty integer", "d1:tie1:v1:xe", false},
		{"integer beyond int64", "d1:t1:x1:vi99999999999999999999ee", false},
		{"integer with letters", "d1:t1:x1:vi1x2ee", false},
		{"nested as deep as allowed", deep(maxDepth), true},
		{"nested too deep", deep(maxDepth + 1), false},
		{"17 fields", "d" + manyKeys(17) + "1:t1:xe", false},
	}
	for _, tt := range tests {
		env, err := openEnvelope([]byte(tt.in))
		if (err == nil) != tt.ok {
			t.Errorf("%s: error %v", tt.name, err)
		}
		if err == nil && env.end > len(tt.in) {
			t.Errorf("%s: ends at %d of %d", tt.name, env.end, len(tt.in))
		}
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("2:k" + string(rune('a'+i)) + "i1e")
	}
	return b.String()
}

// Whatever the library encodes, the envelope is read as the library means it, and an exchanged
// transaction ID is all that differs.
func TestEnvelopeAgreesWithDecoder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMessage(t)
		b, err := bencode.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		env, err := openEnvelope(append(b, "junk"...))
		if err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if env.end != len(b) || env.kind != m.Y || env.name != m.Q || string(env.id) != m.T {
			t.Fatalf("%q read as %+v", b, env)
		}
		m.T = rapid.StringN(0, 20, 40).Draw(t, "other ID")
		want, err := bencode.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if got := env.withID(b, []byte(m.T)); !bytes.Equal(got, want) {
			t.Fatalf("with another ID %q, want %q", got, want)
		}
	})
}

func drawMessage(t *rapid.T) krpc.Msg {
	m := krpc.Msg{
		T: rapid.StringN(0, 10, 20).Draw(t, "t"),
		Y: rapid.SampledFrom([]string{"q", "r"}).Draw(t, "y"),
	}
	if m.Y == "r" {
		m.R = &krpc.Return{ID: krpc.RandomNodeID()}
		for range rapid.IntRange(0, 9).Draw(t, "nodes") {
			m.R.Nodes = append(m.R.Nodes, krpc.RandomNodeInfo(4))
		}
		return m
	}
	m.Q = rapid.SampledFrom(knownQueries).Draw(t, "q")
	m.A = &krpc.MsgArgs{ID: krpc.RandomNodeID(), V: rapid.String().Draw(t, "v"), ImpliedPort: true}
	return m
}
