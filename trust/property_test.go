package trust

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/peerproxy/peerproxy/resource"
)

// TestAnyMutationBreaksVerification signs random exchanges, checks that they verify
// before and after the wire, changes one thing, and demands that it shows.
func TestAnyMutationBreaksVerification(t *testing.T) {
	id := seeded(1)
	rapid.Check(t, func(t *rapid.T) {
		ex := drawExchange(t)
		if err := id.Sign(ex); err != nil {
			t.Fatalf("sign: %v", err)
		}
		policy := Policy{Any: true, Now: func() time.Time { return ex.Received }}
		encoded, err := ex.MarshalBinary()
		if err != nil {
			t.Fatalf("encode: %v", err)
		}
		if err := ex.UnmarshalBinary(encoded); err != nil {
			t.Fatalf("decode: %v", err)
		}
		if _, _, err := policy.Verify(ex, queryFor(ex)); err != nil {
			t.Fatalf("unchanged, but: %v", err)
		}
		mutated := ex.Clone()
		mutated.Signatures[0].Value = slices.Clone(mutated.Signatures[0].Value)
		what := mutate(t, mutated)
		policy.Now = func() time.Time { return mutated.Received }
		if tier, _, err := policy.Verify(mutated, queryFor(mutated)); err == nil {
			t.Fatalf("%s: accepted as %v\n%+v\n%+v", what, tier, ex, mutated)
		}
	})
}

// TestBaseIsInjective is the same thing without cryptography: of two random
// exchanges only equal ones have equal signed texts.
func TestBaseIsInjective(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawTinyExchange(t), drawTinyExchange(t)
		sa, err := newStatement(a)
		if err != nil {
			t.Fatal(err)
		}
		sb, err := newStatement(b)
		if err != nil {
			t.Fatal(err)
		}
		equal := fmt.Sprint(sortedFields(a.Header)) == fmt.Sprint(sortedFields(b.Header)) &&
			fmt.Sprint(sortedFields(a.Selecting)) == fmt.Sprint(sortedFields(b.Selecting))
		same := sa.lines == sb.lines && slices.Equal(sa.covered, sb.covered)
		if equal != same {
			t.Fatalf("exchanges equal: %v, texts equal: %v\n%q %q\n%q %q", equal, same, a.Header, a.Selecting, b.Header, b.Selecting)
		}
	})
}

// drawTinyExchange draws from so few values that collisions are frequent.
func drawTinyExchange(t *rapid.T) *resource.Exchange {
	value := rapid.SampledFrom([]string{"", "a", "b", "a, b", ":YQ==:", ":YQ==:, :Yg==:", "\xe9", ":6Q==:"})
	name := rapid.SampledFrom([]string{"A", "B", "Repr-Digest"})
	header := func(label string) http.Header {
		return rapid.MapOfN(name, rapid.SliceOfN(value, 1, 2), 0, 2).Draw(t, label)
	}
	u, _ := resource.ParseURL("http://a.example/")
	return &resource.Exchange{
		Method: "GET", URL: u, Status: 200, Requested: sampleTime, Received: sampleTime,
		Header: header("header"), Selecting: header("selecting"),
	}
}

func sortedFields(h http.Header) []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(h)) {
		list = append(list, fmt.Sprintf("%q: %q", name, h[name]))
	}
	return list
}

func drawExchange(t *rapid.T) *resource.Exchange {
	path := rapid.StringMatching(`[a-z0-9/]{0,12}(\?[a-z=&]{0,8})?`).Draw(t, "path")
	u, err := resource.ParseURL("https://" + rapid.StringMatching(`[a-z]{1,8}\.example`).Draw(t, "host") + "/" + path)
	if err != nil {
		t.Fatalf("URL: %v", err)
	}
	ex := &resource.Exchange{
		Method:     "GET",
		URL:        u,
		Selecting:  drawHeader(t, "selecting", 3),
		Status:     rapid.IntRange(100, 599).Draw(t, "status"),
		Header:     drawHeader(t, "header", 12),
		Requested:  time.Unix(0, rapid.Int64Range(0, 1<<61).Draw(t, "requested")),
		Received:   time.Unix(0, rapid.Int64Range(0, 1<<61).Draw(t, "received")),
		InitialAge: time.Duration(rapid.Int64Range(0, 1<<31).Draw(t, "age")) * time.Second,
	}
	ex.Body.Length = rapid.Int64Range(0, 1<<40).Draw(t, "length")
	copy(ex.Body.Root[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "root"))
	copy(ex.Body.SHA256[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "sha256"))
	return ex
}

func drawHeader(t *rapid.T, label string, most int) http.Header {
	name := rapid.OneOf(
		rapid.Map(rapid.StringMatching("[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,20}"), http.CanonicalHeaderKey),
		rapid.SampledFrom([]string{"Etag", "Vary", "Repr-Digest", "Peerproxy-Exchange", "Signature", "Set-Cookie"}),
	)
	return rapid.MapOfN(name, rapid.SliceOfN(drawValue(), 1, 3), 0, most).Draw(t, label)
}

func drawValue() *rapid.Generator[string] {
	return rapid.Map(rapid.OneOf(
		rapid.StringMatching(`[ -~\t]{0,40}`),
		rapid.StringMatching(`[a-c](, ?[a-c]){0,3}`),
		rapid.Map(rapid.SliceOfN(rapid.ByteRange(0x80, 0xff), 0, 8), func(b []byte) string { return "x" + string(b) }),
	), func(s string) string { return strings.Trim(s, " \t") })
}

// mutate changes one thing in ex and tells what.
func mutate(t *rapid.T, ex *resource.Exchange) string {
	mutations := []string{
		"method", "url", "status", "root", "sha256", "length", "requested", "received", "age",
		"header", "selecting", "move", "value bit", "input byte",
	}
	what := rapid.SampledFrom(mutations).Draw(t, "mutation")
	bit := byte(1) << rapid.IntRange(0, 7).Draw(t, "bit")
	at := rapid.IntRange(0, 31).Draw(t, "at")
	step := rapid.Int64Range(1, 1<<30).Draw(t, "step")
	switch what {
	case "method":
		ex.Method = rapid.SampledFrom([]string{"HEAD", "get", "GET2", "G", ""}).Draw(t, "method")
	case "url":
		ex.URL, _ = resource.ParseURL(ex.URL.String() + "x")
	case "status":
		ex.Status = 100 + (ex.Status-100+int(step%499)+1)%500
	case "root":
		ex.Body.Root[at] ^= bit
	case "sha256":
		ex.Body.SHA256[at] ^= bit
	case "length":
		ex.Body.Length += step
	case "requested":
		ex.Requested = ex.Requested.Add(time.Duration(step) * time.Millisecond)
	case "received":
		ex.Received = ex.Received.Add(-time.Duration(step) * time.Millisecond)
	case "age":
		ex.InitialAge += time.Duration(step) * time.Millisecond
	case "header":
		return "header: " + mutateHeader(t, ex.Header)
	case "selecting":
		if ex.Selecting == nil {
			ex.Selecting = http.Header{}
		}
		return "selecting: " + mutateHeader(t, ex.Selecting)
	case "move":
		move(t, ex)
	case "value bit":
		ex.Signatures[0].Value[at*2] ^= bit
	case "input byte":
		b := []byte(ex.Signatures[0].Input)
		b[int(step)%len(b)] ^= bit
		ex.Signatures[0].Input = string(b)
	}
	return what
}

// mutateHeader changes h for certain, and only into what it was not.
func mutateHeader(t *rapid.T, h http.Header) string {
	if len(h) == 0 {
		h["X-New"] = []string{drawValue().Draw(t, "new value")}
		return "added to none"
	}
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(h))).Draw(t, "name")
	lines := h[name]
	before := slices.Clone(lines)
	i := rapid.IntRange(0, len(lines)-1).Draw(t, "line")
	what := rapid.SampledFrom([]string{"drop", "value", "add line", "drop line", "join", "split", "swap", "rename", "new"}).Draw(t, "change")
	switch what {
	case "drop":
		delete(h, name)
		return what
	case "value":
		h[name][i] = drawValue().Draw(t, "value")
	case "add line":
		h[name] = slices.Insert(slices.Clone(lines), i, drawValue().Draw(t, "line"))
	case "drop line":
		h[name] = slices.Delete(slices.Clone(lines), i, i+1)
	case "join":
		h[name] = []string{strings.Join(lines, ", ")}
	case "split":
		h[name] = strings.Split(lines[i], ", ")
	case "swap":
		slices.Reverse(lines)
	case "rename":
		other := http.CanonicalHeaderKey(name + "x")
		h[other] = append(lines, h[other]...)
		delete(h, name)
		return what
	}
	if what == "new" || slices.Equal(h[name], before) {
		h["New-"+name] = []string{drawValue().Draw(t, "new value")}
	}
	return what
}

// move makes a request field of a response field.
func move(t *rapid.T, ex *resource.Exchange) {
	if ex.Selecting == nil {
		ex.Selecting = http.Header{}
	}
	if len(ex.Header) == 0 {
		ex.Header["X"] = []string{""}
		return
	}
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(ex.Header))).Draw(t, "moved")
	ex.Selecting[name] = append(slices.Clone(ex.Selecting[name]), ex.Header[name]...)
	delete(ex.Header, name)
}
