package trust

import (
	"slices"
	"testing"

	"github.com/peerproxy/peerproxy/resource"
)

// FuzzParseInput: what is understood is written in one way, and understood the same
// again.
func FuzzParseInput(f *testing.F) {
	f.Add(signedSample(f).Signatures[0].Input)
	f.Add(`("@status" "content-digest";req;bs);created=1618884479;keyid="test-key-ecc-p256"`)
	f.Add(`();created=-1;keyid=:AAAA:;nonce=tok;x=?0;y=1.5;z=@1659578233;d=%"f%c3%bc"`)
	f.Add(`("a" "a";bs=?1  "b")`)
	f.Add(`("\"\\");`)
	f.Fuzz(func(t *testing.T, input string) {
		covered, params, err := parseInput(input)
		if err != nil {
			return
		}
		text, err := formatInput(covered, params)
		if err != nil {
			t.Fatalf("%q can't be written: %v", input, err)
		}
		again, params, err := parseInput(text)
		if err != nil || !slices.Equal(again, covered) {
			t.Fatalf("%q is written as %q and read as %v, %v", input, text, again, err)
		}
		if twice, err := formatInput(again, params); err != nil || twice != text {
			t.Fatalf("%q is written as %q and then as %q, %v", input, text, twice, err)
		}
	})
}

// FuzzVerify: whatever comes from a peer, nothing passes as a friend's but what the
// friend signed.
func FuzzVerify(f *testing.F) {
	for _, change := range []func(*resource.Exchange){
		func(*resource.Exchange) {},
		func(ex *resource.Exchange) { ex.Header, ex.Selecting = nil, nil },
		func(ex *resource.Exchange) { ex.Signatures = append(signedBy(f, 2).Signatures, ex.Signatures...) },
		func(ex *resource.Exchange) { ex.Status = 404 },
		func(ex *resource.Exchange) { ex.Header.Set("Repr-Digest", "sha-256=:AAAA:") },
		func(ex *resource.Exchange) { ex.Signatures[0].Input = `("@status");created=1` },
	} {
		ex := signedSample(f)
		change(ex)
		encoded, err := ex.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	genuine, err := newStatement(sampleExchange(f))
	if err != nil {
		f.Fatal(err)
	}
	friend := seeded(1)
	f.Fuzz(func(t *testing.T, encoded []byte) {
		var ex resource.Exchange
		if ex.UnmarshalBinary(encoded) != nil {
			return
		}
		tier, key, err := trusting(friend).Verify(&ex, queryFor(&ex))
		if err != nil {
			return
		}
		s, err := newStatement(&ex)
		if err != nil || tier != resource.Signer || key != friend.Key() || s.lines != genuine.lines {
			t.Fatalf("accepted as %v of %v (%v):\n%+v", tier, key, err, ex)
		}
	})
}

func signedBy(t testing.TB, n byte) *resource.Exchange {
	ex := sampleExchange(t)
	if err := seeded(n).Sign(ex); err != nil {
		t.Fatal(err)
	}
	return ex
}
