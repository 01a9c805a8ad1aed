package proxy

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// Values of hopsLeft besides how often a request may still be forwarded.
const (
	endsHere = 0
	noLimit  = -1
)

// maxHops is the largest Max-Forwards that is sent on (RFC 9110 section 7.6.2).
const maxHops = math.MaxInt32

// ownMethods are those that the proxy knows more of than how to pass them on.
const ownMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, TRACE, CONNECT"

// hopsLeft says how often OPTIONS and TRACE may still be forwarded; other methods have
// no limit. A question to the server as a whole is one to the proxy (RFC 9110 section 9.3.7).
func hopsLeft(r *http.Request) (int, error) {
	switch {
	case r.Method != http.MethodOptions && r.Method != http.MethodTrace:
		return noLimit, nil
	case r.Method == http.MethodTrace && r.ContentLength != 0:
		return endsHere, errTraceContent
	case r.URL.Path == "*" && !r.URL.IsAbs():
		return endsHere, nil
	}
	return maxForwards(r.Header["Max-Forwards"])
}

// maxForwards reads Max-Forwards, which is one number. What can't be counted down must
// not be sent on.
func maxForwards(lines []string) (int, error) {
	if len(lines) == 0 {
		return noLimit, nil
	}
	digits := strings.Trim(lines[0], " \t")
	if len(lines) > 1 || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return endsHere, errMaxForwards
	}
	n, err := strconv.Atoi(digits)
	if err != nil || n > maxHops {
		return maxHops + 1, nil // the largest that is supported
	}
	return n, nil
}

// countDown updates Max-Forwards in fields that are to be forwarded.
func countDown(r *http.Request, fields http.Header) {
	if hops, err := hopsLeft(r); err == nil && hops > 0 {
		fields["Max-Forwards"] = []string{strconv.Itoa(hops - 1)}
	}
}

// answerItself answers OPTIONS and TRACE as their final recipient.
func (p *Proxy) answerItself(w http.ResponseWriter, r *http.Request) {
	answerNow(w, r)
	h := w.Header()
	h["Cache-Status"] = []string{p.names.cacheStatus(cacheStatus{fwd: fwdBypass})}
	h["Proxy-Status"] = []string{p.names.proxyStatus(proxyStatus{kind: "proxy_internal_response", details: "The proxy itself was asked"})}
	h.Set("Cache-Control", "no-store")
	if r.Method == http.MethodOptions {
		h.Set("Allow", ownMethods)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	text := reflection(r)
	h.Set("Content-Type", "message/http")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(text) // the client is gone if this fails
}

// reflection is a request as it was received, without what is secret: a script that may
// send TRACE must not learn more than it knows (RFC 9110 section 9.3.8).
func reflection(r *http.Request) []byte {
	target := r.RequestURI
	if u := *r.URL; u.User != nil || target == "" {
		u.User = nil
		target = u.String()
	}
	shown := r.Header.Clone()
	for name := range shown {
		if name == "Cookie" || name == "Authorization" || strings.HasPrefix(name, "Proxy-") {
			delete(shown, name)
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s %s\r\nHost: %s\r\n", r.Method, target, r.Proto, r.Host)
	_ = shown.Write(&b) // never fails
	b.WriteString("\r\n")
	return b.Bytes()
}
