package httpcache

import (
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// RFC 9111 section 3.2: which fields of a 304 replace the stored ones.
func TestFreshenFields(t *testing.T) {
	for name, replaced := range map[string]bool{
		"Test-Header": true, "Cache-Control": true, "Content-Location": true, "Content-Security-Policy": true,
		"Content-Type": true, "Etag": true, "Expires": true, "Last-Modified": true, "Set-Cookie": true,
		"X-Frame-Options": true, "Strict-Transport-Security": true, "Date": true, "Link": true,

		"Content-Length": false, "Content-Encoding": false, "Content-Range": false, "Content-Md5": false,
		"Content-Digest": false, "Repr-Digest": false,

		"Connection": false, "Keep-Alive": false, "Transfer-Encoding": false, "Te": false, "Trailer": false, "Upgrade": false,
		"Proxy-Authenticate": false, "Proxy-Authentication-Info": false, "Proxy-Connection": false,
	} {
		stored := exchange(200, http.Header{name: {"old", "older"}, "Untouched": {"x"}})
		fresh := Freshen(stored, fields("Date", httpDate(0), name, "new"), epoch, epoch)
		want := []string{"old", "older"}
		switch {
		case name == "Date":
			want = []string{httpDate(0)} // two lines that differ are no date: the time of reception
		case replaced:
			want = []string{"new"}
		}
		if got := fresh.Header[name]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		if fresh.Header.Get("Untouched") != "x" {
			t.Errorf("%s: a field that the 304 lacks is gone", name)
		}
	}
}

func TestFreshen(t *testing.T) {
	stored := exchange(200, fields("Date", httpDate(0), "Cache-Control", "max-age=60", "ETag", `"a"`, "X-Old", "1"))
	stored.InitialAge = 30 * second
	stored.Body = resource.Body{Length: 5, Root: resource.Root{1}}
	stored.Signatures = []resource.Signature{{Input: "sig"}}
	before := stored.Clone()
	answer := fields("Date", httpDate(time.Hour), "Cache-Control", "max-age=120", "Age", "7",
		"Connection", "X-Hop, close", "X-Hop", "1", "X-New", "2")
	answerBefore := answer.Clone()
	requested, received := epoch.Add(time.Hour-second), epoch.Add(time.Hour)

	fresh := Freshen(stored, answer, requested, received)
	want := fields("Date", httpDate(time.Hour), "Cache-Control", "max-age=120", "ETag", `"a"`, "X-Old", "1", "X-New", "2")
	if !reflect.DeepEqual(fresh.Header, want) {
		t.Errorf("fields: got %v, want %v", fresh.Header, want)
	}
	if fresh.InitialAge != 7*second || !fresh.Requested.Equal(requested) || !fresh.Received.Equal(received) {
		t.Errorf("times: %+v", fresh)
	}
	if fresh.Signatures != nil || fresh.Body != stored.Body || fresh.Status != 200 {
		t.Errorf("rest: %+v", fresh)
	}
	if !reflect.DeepEqual(stored, before) || !reflect.DeepEqual(answer, answerBefore) {
		t.Error("an argument was changed")
	}
	if got := Age(fresh, received); got != 8*second {
		t.Errorf("age is %v", got)
	}
	answer["X-New"][0] = "changed later"
	if fresh.Header.Get("X-New") != "2" {
		t.Error("the result shares memory with the 304")
	}
}

// A 304 without a date must not leave the response as old as before, or it would be
// validated again with every request (RFC 9110 section 6.6.1).
func TestFreshenWithoutDate(t *testing.T) {
	stored := exchange(200, fields("Date", httpDate(0), "Cache-Control", "max-age=60"))
	later := epoch.Add(24 * time.Hour)
	for _, answer := range []http.Header{nil, fields("Date", "yesterday")} {
		fresh := Freshen(stored, answer, later, later)
		if e := Evaluate(get(), fresh, later); e.Verdict != Fresh || e.Age != 0 {
			t.Errorf("%v: %+v", answer, e)
		}
	}
	if fresh := Freshen(exchange(200, nil), nil, later, later); fresh.Header.Get("Date") == "" {
		t.Error("no fields stored: no date")
	}
}

func TestFreshenVary(t *testing.T) {
	stored := exchange(200, fields("Vary", "Foo, Bar"))
	stored.Selecting = fields("Foo", "1", "Bar", "2")
	fresh := Freshen(stored, fields("Vary", "foo, Baz"), epoch, epoch)
	if want := fields("Foo", "1"); !reflect.DeepEqual(fresh.Selecting, want) {
		t.Errorf("got %v, want %v", fresh.Selecting, want)
	}
	if len(stored.Selecting) != 2 {
		t.Error("the stored response was changed")
	}
	if fresh := Freshen(stored, nil, epoch, epoch); !reflect.DeepEqual(fresh.Selecting, stored.Selecting) {
		t.Errorf("got %v without a new Vary", fresh.Selecting)
	}
}

// RFC 9110 section 7.6.1 and RFC 9111 section 3.1.
func TestRemoveHopByHop(t *testing.T) {
	h := fields("Connection", "close, A", "Connection", " b ,,keep-alive, cache-control, bad name",
		"A", "1", "b", "2", "c", "3", "Cache-Control", "private", "Keep-Alive", "timeout=5",
		"Proxy-Connection", "close", "TE", "trailers", "Transfer-Encoding", "chunked", "Upgrade", "h2c", "Trailer", "x",
		"Proxy-Authenticate", "Basic", "Proxy-Authentication-Info", "x", "Proxy-Authorization", "Basic eA==", "Via", "1.1 x")
	RemoveHopByHop(h)
	// Cache-Control is never a connection option: without it a private response would be public.
	if want := fields("c", "3", "Cache-Control", "private", "Via", "1.1 x"); !reflect.DeepEqual(h, want) {
		t.Errorf("got %v, want %v", h, want)
	}
	RemoveHopByHop(nil)
}
