package resource

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func mustMarshal(t testing.TB, ex *Exchange) []byte {
	t.Helper()
	b, err := ex.MarshalBinary()
	if err != nil {
		t.Fatalf("MarshalBinary: %v", err)
	}
	return b
}

func TestExchangeRoundTrip(t *testing.T) {
	change := func(f func(*Exchange)) *Exchange {
		ex := testExchange()
		f(ex)
		return ex
	}
	for name, ex := range map[string]*Exchange{
		"usual":              testExchange(),
		"no fields":          change(func(ex *Exchange) { ex.Header = http.Header{} }),
		"no selecting":       change(func(ex *Exchange) { ex.Selecting = nil }),
		"unsigned":           change(func(ex *Exchange) { ex.Signatures = nil }),
		"empty value":        change(func(ex *Exchange) { ex.Header.Set("X-Empty", "") }),
		"tab and obs-text":   change(func(ex *Exchange) { ex.Header.Set("X-Odd", "a\tb\x80\xff") }), // RFC 9110 section 5.5
		"odd token":          change(func(ex *Exchange) { ex.Header["!#$%&'*+.^_`|~9-A"] = []string{"x"} }),
		"order of lines":     change(func(ex *Exchange) { ex.Header["Link"] = []string{"c", "a", "b", "a"} }),
		"smallest":           change(func(ex *Exchange) { ex.Status, ex.Body, ex.InitialAge = 100, Body{}, 0 }),
		"1970":               change(func(ex *Exchange) { ex.Requested, ex.Received = time.Unix(0, 0).UTC(), time.Unix(0, 1).UTC() }),
		"largest":            change(func(ex *Exchange) { ex.Status, ex.Body.Length, ex.InitialAge = 599, MaxLength, maxInitialAge }),
		"most field lines":   change(func(ex *Exchange) { ex.Selecting, ex.Header = nil, manyLines(MaxFieldLines) }),
		"most signatures":    change(func(ex *Exchange) { ex.Signatures = manySignatures(MaxSignatures) }),
		"largest of all":     change(func(ex *Exchange) { fillTo(ex, MaxEncodedExchange) }),
		"received before it": change(func(ex *Exchange) { ex.Received = ex.Requested.Add(-time.Hour) }), // a clock was set back
	} {
		data := mustMarshal(t, ex)
		var got Exchange
		if err := got.UnmarshalBinary(data); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !reflect.DeepEqual(&got, ex) {
			t.Errorf("%s: got %+v\nwant %+v", name, got, *ex)
		}
		if !bytes.Equal(mustMarshal(t, &got), data) {
			t.Errorf("%s: the second encoding differs", name)
		}
	}
}

func manyLines(n int) http.Header {
	h := http.Header{"Link": nil}
	for i := range n / 2 {
		h["Link"] = append(h["Link"], "x")
		h[fmt.Sprintf("X-%d", i)] = []string{"y"}
	}
	return h
}

func manySignatures(n int) []Signature {
	list := make([]Signature, n)
	for i := range list {
		list[i] = Signature{Input: fmt.Sprint(i), Value: []byte{byte(i)}}
	}
	return list
}

// fillTo gives ex a field that makes its encoding n bytes long.
func fillTo(ex *Exchange, n int) {
	ex.Header["X-Fill"] = []string{strings.Repeat("x", n/2)}
	b, _ := ex.MarshalBinary()
	ex.Header["X-Fill"] = []string{strings.Repeat("x", n/2+n-len(b))}
}

func TestMarshalIsDeterministic(t *testing.T) {
	want := mustMarshal(t, testExchange())
	other := testExchange()
	other.Header = http.Header{"X-Nothing": nil} // a name without a line is no field
	for _, name := range []string{"X-Content-Type-Options", "Vary", "Strict-Transport-Security", "Server", "Last-Modified", "Etag", "Date", "Content-Type", "Content-Encoding", "Cache-Control"} {
		other.Header[name] = testExchange().Header[name]
	}
	other.Requested = other.Requested.In(time.FixedZone("elsewhere", 3600))
	for range 20 {
		if !bytes.Equal(mustMarshal(t, other), want) {
			t.Fatal("equal exchanges have different encodings")
		}
	}
}

func TestMarshalRefuses(t *testing.T) {
	for name, change := range map[string]func(*Exchange){
		"no method":            func(ex *Exchange) { ex.Method = "" },
		"method is no token":   func(ex *Exchange) { ex.Method = "GET /" },
		"no URL":               func(ex *Exchange) { ex.URL = URL{} },
		"status 99":            func(ex *Exchange) { ex.Status = 99 },
		"status 600":           func(ex *Exchange) { ex.Status = 600 },
		"negative status":      func(ex *Exchange) { ex.Status = -200 },
		"empty name":           func(ex *Exchange) { ex.Header[""] = []string{"x"} },
		"name not canonical":   func(ex *Exchange) { ex.Header["content-type"] = []string{"x"} },
		"capital in a name":    func(ex *Exchange) { ex.Header["COntent-Type"] = []string{"x"} },
		"blank in a name":      func(ex *Exchange) { ex.Header["Content Type"] = []string{"x"} },
		"colon in a name":      func(ex *Exchange) { ex.Header["Content:Type"] = []string{"x"} },
		"byte above ASCII":     func(ex *Exchange) { ex.Header["X-\u00e9"] = []string{"x"} },
		"line feed in a value": func(ex *Exchange) { ex.Header.Set("X-A", "a\nSet-Cookie: b") },
		"CR in a value":        func(ex *Exchange) { ex.Header.Set("X-A", "a\rb") },
		"NUL in a value":       func(ex *Exchange) { ex.Header.Set("X-A", "a\x00b") },
		"DEL in a value":       func(ex *Exchange) { ex.Header.Set("X-A", "a\x7fb") },
		"control, selecting":   func(ex *Exchange) { ex.Selecting.Set("Accept", "\x1b") },
		"negative length":      func(ex *Exchange) { ex.Body.Length = -1 },
		"length too large":     func(ex *Exchange) { ex.Body.Length = MaxLength + 1 },
		"no time":              func(ex *Exchange) { ex.Requested = time.Time{} },
		"before 1970":          func(ex *Exchange) { ex.Received = time.Unix(0, -1) },
		"far future":           func(ex *Exchange) { ex.Received = time.Date(2300, 1, 1, 0, 0, 0, 0, time.UTC) },
		"beyond all numbers":   func(ex *Exchange) { ex.Received = time.Unix(1<<62, 0) },
		"negative age":         func(ex *Exchange) { ex.InitialAge = -1 },
		"age too large":        func(ex *Exchange) { ex.InitialAge = maxInitialAge + 1 },
		"too many lines":       func(ex *Exchange) { ex.Header = manyLines(MaxFieldLines) }, // and one is selecting
		"too many signatures":  func(ex *Exchange) { ex.Signatures = manySignatures(MaxSignatures + 1) },
		"control in an input":  func(ex *Exchange) { ex.Signatures[0].Input = "a\nb" },
	} {
		ex := testExchange()
		change(ex)
		if b, err := ex.MarshalBinary(); !errors.Is(err, ErrBadExchange) || b != nil {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
	ex := testExchange()
	fillTo(ex, MaxEncodedExchange+1)
	if _, err := ex.MarshalBinary(); !errors.Is(err, ErrTooLargeExchange) {
		t.Errorf("too large: %v", err)
	}
}

// What can't come from MarshalBinary is refused, and leaves the receiver alone.
func TestUnmarshalRefuses(t *testing.T) {
	good := mustMarshal(t, testExchange())
	replace := func(old, new string) []byte {
		if len(old) != len(new) || bytes.Count(good, []byte(old)) != 1 {
			t.Fatalf("bad test: %q for %q", new, old)
		}
		return bytes.Replace(good, []byte(old), []byte(new), 1)
	}
	cases := map[string][]byte{
		"nothing":             nil,
		"version 0":           append([]byte{0}, good[1:]...),
		"version 2":           append([]byte{2}, good[1:]...),
		"byte after the end":  append(bytes.Clone(good), 0),
		"method not a token":  replace("GET", "G T"),
		"other scheme":        replace("https://", "httpx://"),
		"URL not canonical":   replace("www.example", "wWw.example"),
		"dot segment in URL":  replace("/assets/css/", "/assets/../."),
		"names out of order":  replace("Server", "Aerver"),
		"name twice":          replace("Etag", "Date"),
		"name not canonical":  replace("Vary", "vary"),
		"blank in a name":     replace("Vary", "Va y"),
		"control in a value":  replace("nosniff", "nosni\rf"),
		"no value":            replace("Vary\x01", "Vary\x00"),
		"length beyond data":  replace("Vary\x01\x0f", "Vary\x01\x7f"),
		"too many values":     replace("Vary\x01\x0f", "Vary\x7f\x0f"),
		"number not shortest": bytes.Replace(good, []byte("\x03GET"), []byte("\x83\x00GET"), 1),
		"number too long":     append([]byte{1}, bytes.Repeat([]byte{0xff}, 20)...),
		"huge length":         append([]byte{1}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
	}
	for name, data := range cases {
		ex := Exchange{Method: "KEPT"}
		if err := ex.UnmarshalBinary(data); !errors.Is(err, ErrBadExchange) || ex.Method != "KEPT" || ex.Header != nil {
			t.Errorf("%s: %v; %+v", name, err, ex)
		}
	}
	for cut := range good {
		if err := new(Exchange).UnmarshalBinary(good[:cut]); !errors.Is(err, ErrBadExchange) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
	if err := new(Exchange).UnmarshalBinary(make([]byte, MaxEncodedExchange+1)); !errors.Is(err, ErrTooLargeExchange) {
		t.Errorf("too large: %v", err)
	}
}

// Nothing of the data is kept: a store may give out memory that it maps.
func TestUnmarshalCopies(t *testing.T) {
	data := mustMarshal(t, testExchange())
	var got Exchange
	if err := got.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	clear(data)
	if !reflect.DeepEqual(&got, testExchange()) {
		t.Error("the exchange changed with the data")
	}
	// Lines of one field don't run into those of the next.
	got.Header.Add("Cache-Control", "added")
	if got.Header.Get("Content-Encoding") != "br" {
		t.Error("adding a line overwrote another field")
	}
}

func TestExchangeClone(t *testing.T) {
	ex := testExchange()
	c := ex.Clone()
	c.Header.Set("Server", "other")
	c.Selecting.Set("Accept-Encoding", "other")
	c.Signatures[0].Input = "other"
	c.Signatures[0].Value[0]++
	if !reflect.DeepEqual(ex, testExchange()) {
		t.Error("changing the clone changed the original")
	}
}

func TestExchangeProperty(t *testing.T) {
	value := rapid.StringOf(rapid.RuneFrom([]rune("abc ,;=\"\t\u00e9")))
	name := rapid.Map(rapid.StringMatching(`[a-zA-Z0-9!_-]{1,12}`), http.CanonicalHeaderKey)
	header := rapid.MapOfN(name, rapid.SliceOfN(value, 1, 4), 0, 12)
	when := rapid.Int64Range(0, maxUnixNano)
	rapid.Check(t, func(rt *rapid.T) {
		ex := testExchange()
		ex.Header = header.Draw(rt, "header")
		ex.Selecting = header.Draw(rt, "selecting")
		if len(ex.Selecting) == 0 {
			ex.Selecting = nil
		}
		ex.Status = rapid.IntRange(100, 599).Draw(rt, "status")
		ex.Body.Length = rapid.Int64Range(0, MaxLength).Draw(rt, "length")
		ex.Requested = time.Unix(0, when.Draw(rt, "requested")).UTC()
		ex.Received = time.Unix(0, when.Draw(rt, "received")).UTC()
		var got Exchange
		if err := got.UnmarshalBinary(mustMarshal(t, ex)); err != nil || !reflect.DeepEqual(&got, ex) {
			rt.Fatalf("%v\ngot  %+v\nwant %+v", err, got, *ex)
		}
	})
}

// FuzzUnmarshalExchange: whatever is accepted is the one encoding of what it means.
func FuzzUnmarshalExchange(f *testing.F) {
	seed := testExchange()
	f.Add(mustMarshal(f, seed))
	seed.Selecting, seed.Header, seed.Signatures = nil, http.Header{}, nil
	f.Add(mustMarshal(f, seed))
	seed.Header, seed.Signatures = manyLines(10), manySignatures(3)
	f.Add(mustMarshal(f, seed))
	f.Fuzz(func(t *testing.T, data []byte) {
		var ex Exchange
		if err := ex.UnmarshalBinary(data); err != nil {
			if !errors.Is(err, ErrBadExchange) && !errors.Is(err, ErrTooLargeExchange) {
				t.Fatalf("unnamed error %v", err)
			}
			return
		}
		again, err := ex.MarshalBinary()
		if err != nil || !bytes.Equal(again, data) {
			t.Fatalf("encodes to something else: %v", err)
		}
		for name, values := range ex.Header {
			if http.CanonicalHeaderKey(name) != name || len(values) == 0 {
				t.Fatalf("field name %q", name)
			}
		}
	})
}
