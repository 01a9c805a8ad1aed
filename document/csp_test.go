package document

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"testing"
)

const sampleStyle = "p{color:red}"

var sampleHash = func() string {
	sum := sha256.Sum256([]byte(sampleStyle))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()

// In "want", @ is the hash; "" says that the policy stays as it is.
var policyCases = []struct{ name, policy, want string }{
	{"none", "", ""},
	{"no fetch directive", "frame-ancestors 'none'; sandbox", ""},
	{"scripts only", "script-src 'self'; img-src *", ""},
	{"attributes only", "style-src-attr 'none'", ""},
	{"default-src", "default-src 'self'", "default-src 'self'; style-src 'self' @"},
	{"default-src 'none'", "default-src 'none'", "default-src 'none'; style-src @"},
	{"default-src of nothing", "default-src", "default-src; style-src @"},
	{"default-src among others", "script-src a.example;default-src  b.example ;img-src *", "script-src a.example;default-src  b.example ; style-src b.example @;img-src *"},
	{"default-src for attributes, too", "default-src 'self'; style-src-attr 'none'", "default-src 'self'; style-src 'self' @; style-src-attr 'none'"},
	{"style-src", "default-src 'none'; style-src 'self' https://a.example", "default-src 'none'; style-src 'self' https://a.example @"},
	{"style-src 'none'", "style-src 'none'; img-src *", "style-src @; img-src *"},
	{"style-src 'NONE'", "style-src\t'NONE' ", "style-src @"},
	{"style-src of nothing", "style-src", "style-src @"},
	{"'none' that counts for nothing", "style-src 'none' 'self'", "style-src 'none' 'self' @"},
	{"upper case", "STYLE-SRC 'self'", "STYLE-SRC 'self' @"},
	{"style-src-elem", "style-src 'self'; style-src-elem a.example", "style-src 'self'; style-src-elem a.example @"},
	{"style-src-elem before all", "style-src-elem 'none'; default-src *; style-src 'unsafe-inline'", "style-src-elem @; default-src *; style-src 'unsafe-inline'"},
	{"the first of two counts", "style-src 'self'; style-src *", "style-src 'self' @; style-src *"},
	{"all but inline", "style-src * data: blob:", "style-src * data: blob: @"},
	{"'unsafe-inline'", "style-src 'self' 'unsafe-inline'", ""},
	{"'Unsafe-Inline'", "default-src 'Unsafe-Inline'", ""},
	{"'unsafe-inline' in style-src-elem", "style-src 'none'; style-src-elem 'unsafe-inline'", ""},
	{"'unsafe-inline' in default-src, but not in style-src", "default-src 'unsafe-inline'; style-src 'self'", "default-src 'unsafe-inline'; style-src 'self' @"},
	{"'unsafe-inline' and a nonce", "style-src 'unsafe-inline' 'nonce-YQ=='", "style-src 'unsafe-inline' 'nonce-YQ==' @"},
	{"'unsafe-inline' and a hash", "style-src 'unsafe-inline' 'SHA384-ab_-'", "style-src 'unsafe-inline' 'SHA384-ab_-' @"},
	{"'unsafe-inline' and no nonce", "style-src 'unsafe-inline' 'nonce-' 'nonce-a b' 'sha256-a'b'", ""},
	{"'unsafe-hashes'", "style-src 'unsafe-hashes' 'self'", "style-src 'unsafe-hashes' 'self' @"},
	{"there already", "style-src @", ""},
	{"several policies", "default-src 'self', style-src 'none',script-src a", "default-src 'self'; style-src 'self' @, style-src @,script-src a"},
	{"empty parts", ";;, ,; default-src a;", ";;, ,; default-src a; style-src a @;"},
}

func TestAllowStyle(t *testing.T) {
	var lines, wants []string
	for _, tt := range policyCases {
		policy, want := strings.ReplaceAll(tt.policy, "@", sampleHash), strings.ReplaceAll(tt.want, "@", sampleHash)
		if tt.want == "" {
			want = policy
		}
		if got := AllowStyle([]string{policy}, sampleStyle); len(got) != 1 || got[0] != want {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, want)
		}
		lines, wants = append(lines, policy), append(wants, want)
	}
	given := slices.Clone(lines)
	if got := AllowStyle(lines, sampleStyle); !slices.Equal(got, wants) {
		t.Errorf("all lines together: %q", got)
	}
	if !slices.Equal(lines, given) {
		t.Error("the argument was changed")
	}
}

// FuzzAllowStyle: doing it twice is doing it once, and every directive that was there is
// there, with all its values but a lone 'none'.
func FuzzAllowStyle(f *testing.F) {
	for _, tt := range policyCases {
		f.Add(strings.ReplaceAll(tt.policy, "@", sampleHash))
	}
	f.Fuzz(func(t *testing.T, policy string) {
		once := AllowStyle([]string{policy}, sampleStyle)
		if twice := AllowStyle(once, sampleStyle); !slices.Equal(once, twice) {
			t.Fatalf("once %q, twice %q", once, twice)
		}
		before, after := strings.Split(policy, ","), strings.Split(once[0], ",")
		if len(before) != len(after) {
			t.Fatalf("%q became %q", policy, once)
		}
		for i := range before {
			kept(t, strings.Split(before[i], ";"), strings.Split(after[i], ";"))
		}
	})
}

// kept compares the directives of a policy with those that it had.
func kept(t *testing.T, before, after []string) {
	t.Helper()
	added := 0
	for i, text := range before {
		name, values := directive(text)
		if i+added < len(after) && after[i+added] != text {
			if n, _ := directive(after[i+added]); n == "style-src" && name != n {
				added++
			}
		}
		if i+added >= len(after) {
			t.Fatalf("%q became %q", before, after)
		}
		n, v := directive(after[i+added])
		if none(values) && len(v) > 0 && v[0] != values[0] {
			values = nil
		}
		if n != name || len(v) < len(values) || !slices.Equal(v[:len(values)], values) || len(v) > len(values)+1 {
			t.Fatalf("%q became %q", text, after[i+added])
		}
		if len(v) > len(values) && v[len(values)] != sampleHash {
			t.Fatalf("%q was added", v[len(values)])
		}
	}
	if extra := len(after) - len(before); extra > 1 {
		t.Fatalf("%q became %q", before, after)
	}
}
