package proxy

import (
	"strings"
	"testing"
)

// What a site may answer, and what the client is told of it (RFC 9209 section 2.3).
func TestHostileAnswers(t *testing.T) {
	const rest = "Content-Length: 2\r\n\r\nok"
	for name, c := range map[string]struct {
		answer string
		status int
		kind   string // "" = the answer is passed on
	}{
		"status 0":                      {"HTTP/1.1 000 x\r\n" + rest, 502, "http_protocol_error"},
		"status 99":                     {"HTTP/1.1 099 x\r\n" + rest, 502, "http_protocol_error"},
		"status 600":                    {"HTTP/1.1 600 x\r\n" + rest, 600, ""},
		"status 999":                    {"HTTP/1.1 999 x\r\n" + rest, 999, ""},
		"status 1000":                   {"HTTP/1.1 1000 x\r\n" + rest, 502, "http_protocol_error"},
		"status -20":                    {"HTTP/1.1 -20 x\r\n" + rest, 502, "http_protocol_error"},
		"no status":                     {"HTTP/1.1\r\n" + rest, 502, "http_protocol_error"},
		"no reason":                     {"HTTP/1.1 200\r\n" + rest, 200, ""},
		"another version":               {"HTTP/2.0 200 OK\r\n" + rest, 502, "http_protocol_error"},
		"an old version":                {"HTTP/0.9 200 OK\r\n" + rest, 502, "http_protocol_error"},
		"a newer version":               {"HTTP/1.2 200 OK\r\n" + rest, 200, ""},
		"negative length":               {"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok", 502, "http_protocol_error"},
		"signed length":                 {"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", 502, "http_protocol_error"},
		"no number":                     {"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok", 502, "http_protocol_error"},
		"enormous length":               {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok", 502, "http_protocol_error"},
		"two lengths":                   {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n" + rest, 502, "http_protocol_error"},
		"a length twice":                {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + rest, 200, ""},
		"a list of lengths":             {"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nok", 502, "http_protocol_error"},
		"blank before the colon":        {"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok", 502, "http_protocol_error"},
		"blank before another colon":    {"HTTP/1.1 200 OK\r\nA : b\r\n" + rest, 200, ""},
		"blank in a name":               {"HTTP/1.1 200 OK\r\nA B: b\r\n" + rest, 200, ""},
		"tab before the colon":          {"HTTP/1.1 200 OK\r\nA\t: b\r\n" + rest, 502, "http_protocol_error"},
		"NUL in a value":                {"HTTP/1.1 200 OK\r\nA: b\x00\r\n" + rest, 502, "http_protocol_error"},
		"CR in a value":                 {"HTTP/1.1 200 OK\r\nA: b\rContent-Length: 3\r\n" + rest, 502, "http_protocol_error"},
		"blank before the first":        {"HTTP/1.1 200 OK\r\n A: b\r\n" + rest, 502, "http_protocol_error"},
		"no colon":                      {"HTTP/1.1 200 OK\r\nA b\r\n" + rest, 502, "http_protocol_error"},
		"no name":                       {"HTTP/1.1 200 OK\r\n: b\r\n" + rest, 502, "http_protocol_error"},
		"length and chunks":             {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, ""},
		"chunks in HTTP/1.0":            {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 502, "http_protocol_error"},
		"length and chunks in 1.0":      {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n" + rest, 502, "http_protocol_error"},
		"unknown coding":                {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok", 502, "http_response_transfer_coding"},
		"two codings":                   {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 502, "http_response_transfer_coding"},
		"chunked twice":                 {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 502, "http_response_transfer_coding"},
		"identity":                      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n" + rest, 200, ""}, // RFC 9112 section 6.3: it ends with its connection
		"no name of a coding":           {"HTTP/1.1 200 OK\r\ntransfer-encoding: some thing; a=b\r\n" + rest, 200, ""},
		"nearly a coding":               {"HTTP/1.1 200 OK\r\nTransfer-Encoding: \"chunked\"\r\n" + rest, 502, "http_response_transfer_coding"},
		"a coding and none":             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n" + rest, 502, "http_response_transfer_coding"},
		"length in the trailer":         {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n2\r\nok\r\n0\r\n\r\n", 502, "http_protocol_error"},
		"long field":                    {"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("a", 300<<10) + "\r\n" + rest, 502, "http_response_header_size"},
		"long status line":              {"HTTP/1.1 200 " + strings.Repeat("a", 300<<10) + "\r\n" + rest, 502, "http_response_header_size"},
		"many fields":                   {"HTTP/1.1 200 OK\r\n" + strings.Repeat("Abc: defghijklm\r\n", 20_000) + rest, 502, "http_response_header_section_size"},
		"a thousand fields":             {"HTTP/1.1 200 OK\r\n" + strings.Repeat("Abc: d\r\n", 1000) + rest, 200, ""},
		"interim without end":           {strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 100_000), 502, "http_protocol_error"},
		"interim as large as it may be": {strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: "+strings.Repeat("a", 20_000)+"\r\n\r\n", 30) + "HTTP/1.1 200 OK\r\n" + rest, 200, ""},
		"interim and the end":           {"HTTP/1.1 103 Early Hints\r\n\r\n", 502, "connection_terminated"},
		"half a head":                   {"HTTP/1.1 200 OK\r\nA: b", 502, "connection_terminated"},
		"half a line":                   {"HTTP/1.", 502, "http_protocol_error"},
		"an empty line first":           {"\r\nHTTP/1.1 200 OK\r\n" + rest, 502, "http_protocol_error"},
	} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(method+", "+name, func(t *testing.T) {
				l := newLab(t, nil, nil)
				l.acts(func(_ int, w *wire) {
					w.head()
					w.send(c.answer)
					_ = w.CloseWrite()
					_, _ = w.rest()
				})
				client := l.connect()
				client.send(method + " http://www.example.com/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
				a := client.last(method)
				if c.kind == "" {
					a.want(t, c.status, "ok", "proxy:!error")
				} else {
					a.want(t, c.status, "*", "proxy:error="+c.kind)
				}
			})
		}
	}
}

// last reads interim answers and then the last.
func (w *wire) last(method string) answered {
	w.t.Helper()
	for {
		a := w.answer(method)
		if a.StatusCode >= 200 {
			return a
		}
	}
}

// Folded values are unfolded, and names lose the blanks behind them (RFC 9112 sections
// 5.1 and 5.2).
func TestMendedFields(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		l := newLab(t, nil, nil)
		l.acts(func(_ int, w *wire) {
			w.head()
			w.send("HTTP/1.1 103 Early Hints\r\nX-A : h\r\n\r\n")
			w.send("HTTP/1.1 200 OK\r\nX-Fold: a\r\n\t b\r\nX-Blank : c\r\nKeep-Alive : d\r\nX Y: e\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n" +
				"2\r\nok\r\n0\r\nX-Sum: a\r\nX Z: f\r\n\r\n")
		})
		client := l.connect()
		client.send(method + " http://www.example.com/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
		if hint := client.head(); field(hint, "X-A") != "h" {
			t.Errorf("%q", hint)
		}
		head := client.head()
		for name, want := range map[string]string{"X-Fold": "a b", "X-Blank": "c", "Keep-Alive": "", "X Y": ""} {
			if got := field(head, name); got != want {
				t.Errorf("%s: %s is %q; %q", method, name, got, head)
			}
		}
		if content := client.take(7) + client.head(); content != "2\r\nok\r\n0\r\nX-Sum: a\r\n" {
			t.Errorf("%s: %q", method, content)
		}
	}
}
