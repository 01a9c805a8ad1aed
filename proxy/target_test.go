package proxy

import (
	"fmt"
	"net/http"
	"testing"
)

// A proxy changes nothing in the path and query of a target (RFC 9110 section 7.7), also where
// browsers and net/http do not agree on what has to be encoded.
func TestTargetStaysAsItIs(t *testing.T) {
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.RequestURI) }, nil)
	for _, path := range []string{"/", "/a|b", "/a^b`{c}", "/%7C%7c|", "/a%2fb|", "/[1]|", "/a//b|", "/x|?q=a|b&c=%7C", "/ä", "/|?", "/a;b=c,d"} {
		client := l.connect()
		client.send("GET http://www.example.com" + path + " HTTP/1.1\r\nHost: x\r\n\r\n")
		client.answer("GET").want(t, 200, path)
	}
	l.settle()
	// Both spellings are one resource (RFC 3986 section 6.2.2), which is stored once.
	client := l.connect()
	client.send("POST http://www.example.com/a|b HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
	client.answer("POST").want(t, 200, "/a|b")
}
