package proxy

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

func mustQuestion(host string, kind dnsmessage.Type) dnsmessage.Question {
	q, err := dnsQuestion(host, kind)
	if err != nil {
		panic(err)
	}
	return q
}

var questionA = mustQuestion("www.example.com", dnsmessage.TypeA)

// message is an answer to questionA.
func message(change func(*dnsmessage.Message), records ...dnsmessage.Resource) []byte {
	m := dnsmessage.Message{Header: dnsmessage.Header{Response: true, RecursionAvailable: true}, Questions: []dnsmessage.Question{questionA}, Answers: records}
	if change != nil {
		change(&m)
	}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

func soa(ttl, minimum uint32) func(*dnsmessage.Message) {
	return func(m *dnsmessage.Message) {
		name := dnsmessage.MustNewName("example.com.")
		m.RCode = dnsmessage.RCodeNameError
		m.Authorities = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: ttl},
			Body:   &dnsmessage.SOAResource{NS: name, MBox: name, MinTTL: minimum},
		}}
	}
}

func TestParseAnswer(t *testing.T) {
	const www = "www.example.com."
	for name, c := range map[string]struct {
		message []byte
		addrs   string
		ttl     time.Duration
		missing bool
	}{
		"address":       {message(nil, recordOf(www, 60, "9.9.9.9")), "9.9.9.9", time.Minute, false},
		"case, RFC4343": {message(func(m *dnsmessage.Message) { m.Questions[0].Name = dnsmessage.MustNewName("WWW.example.COM.") }, recordOf("wWw.eXample.com.", 60, "9.9.9.9")), "9.9.9.9", time.Minute, false},
		"several":       {message(nil, recordOf(www, 60, "9.9.9.9"), recordOf(www, 30, "8.8.8.8")), "9.9.9.9 8.8.8.8", 30 * time.Second, false},
		"aliases": {message(nil, recordOf("b.example.", 9, "9.9.9.9"), recordOf(www, 60, "a.example."), recordOf("A.example.", 5, "B.example.")),
			"9.9.9.9", 5 * time.Second, false},
		"special":          {message(nil, recordOf(www, 60, "127.0.0.1")), "127.0.0.1", time.Minute, false}, // for the dialler to refuse
		"of another name":  {message(nil, recordOf("evil.example.", 60, "9.9.9.9")), "", 0, false},
		"of another type":  {message(nil, recordOf(www, 60, "2606:4700::1111")), "", 0, false},
		"long-lived":       {message(nil, recordOf(www, 1<<31-1, "9.9.9.9")), "9.9.9.9", maxTTL, false},
		"TTL, RFC2181":     {message(nil, recordOf(www, 1<<31, "9.9.9.9")), "9.9.9.9", 0, false},
		"none":             {message(nil), "", 0, false},
		"no name, RFC2308": {message(soa(40, 20)), "", 20 * time.Second, true},
		"no name for long": {message(soa(4000, 2000)), "", maxNegativeTTL, true},
		"alias of nothing": {message(soa(40, 50), recordOf(www, 60, "a.example.")), "", 40 * time.Second, true},
	} {
		a, err := parseAnswer(c.message, questionA)
		var got []string
		for _, ip := range a.addrs {
			got = append(got, ip.String())
		}
		if err != nil || strings.Join(got, " ") != c.addrs || a.ttl != c.ttl || a.missing != c.missing {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

// hostileAnswers are messages that must give nothing but an error.
func hostileAnswers() map[string][]byte {
	const www = "www.example.com."
	good := recordOf(www, 60, "9.9.9.9")
	many := slices.Repeat([]dnsmessage.Resource{good}, maxRecords+1)
	chain := []dnsmessage.Resource{recordOf(www, 60, "a0.example.")}
	for i := range 20 {
		chain = append(chain, recordOf(fmt.Sprintf("a%d.example.", i), 60, fmt.Sprintf("a%d.example.", i+1)))
	}
	whole := message(nil, good)
	loop, _ := hex.DecodeString("000080000001000000000000" + "c00c" + "00010001") // the name points at itself
	return map[string][]byte{
		"empty":               {},
		"short":               whole[:11],
		"cut in the question": whole[:20],
		"cut in the answer":   whole[:len(whole)-2],
		"query":               message(func(m *dnsmessage.Message) { m.Response = false }, good),
		"wrong ID":            message(func(m *dnsmessage.Message) { m.ID = 7 }, good),
		"other operation":     message(func(m *dnsmessage.Message) { m.OpCode = 4 }, good),
		"truncated":           message(func(m *dnsmessage.Message) { m.Truncated = true }, good),
		"server failure":      message(func(m *dnsmessage.Message) { m.RCode = dnsmessage.RCodeServerFailure }, good),
		"refused":             message(func(m *dnsmessage.Message) { m.RCode = dnsmessage.RCodeRefused }),
		"no question":         message(func(m *dnsmessage.Message) { m.Questions = nil }, good),
		"two questions":       message(func(m *dnsmessage.Message) { m.Questions = append(m.Questions, questionA) }, good),
		"other name":          message(func(m *dnsmessage.Message) { m.Questions[0].Name = dnsmessage.MustNewName("evil.example.") }, good),
		"other type":          message(func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeAAAA }, good),
		"other class":         message(func(m *dnsmessage.Message) { m.Questions[0].Class = dnsmessage.ClassCHAOS }, good),
		"too many records":    message(nil, many...),
		"alias of itself":     message(nil, recordOf(www, 60, www)),
		"aliases in a circle": message(nil, recordOf(www, 60, "a.example."), recordOf("a.example.", 60, www)),
		"aliases without end": message(nil, chain...),
		"two aliases":         message(nil, recordOf(www, 60, "a.example."), recordOf(www, 60, "b.example."), recordOf("a.example.", 60, "9.9.9.9")),
		"compression loop":    loop,
	}
}

func TestParseAnswerHostile(t *testing.T) {
	for name, b := range hostileAnswers() {
		if a, err := parseAnswer(b, questionA); err == nil || !errors.Is(err, errDNSMessage) && !errors.Is(err, errDNSServer) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
}

// However the message looks: bounded, of the right family, and no panic.
func FuzzParseAnswer(f *testing.F) {
	for _, b := range hostileAnswers() {
		f.Add(b, false)
	}
	f.Add(message(nil, recordOf("www.example.com.", 60, "a.example."), recordOf("a.example.", 60, "9.9.9.9")), false)
	f.Add(message(soa(1, 2)), false)
	f.Add(message(func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeAAAA }, recordOf("www.example.com.", 60, "2606:4700::1111")), true)
	f.Fuzz(func(t *testing.T, b []byte, six bool) {
		q := questionA
		if six {
			q.Type = dnsmessage.TypeAAAA
		}
		a, err := parseAnswer(b, q)
		if err != nil {
			return
		}
		wrong := slices.ContainsFunc(a.addrs, func(ip netip.Addr) bool { return !ip.IsValid() || !six && !ip.Is4() })
		if wrong || len(a.addrs) > maxAddrs || a.ttl < 0 || a.ttl > maxTTL || a.missing && len(a.addrs) > 0 {
			t.Errorf("%+v", a)
		}
	})
}

// The length of a query does not tell the name (RFC 8467), whatever that is.
func TestQueryIsPadded(t *testing.T) {
	for _, host := range []string{"a.example", "www.example.com", strings.Repeat("abcdefghi.", 20) + "example"} {
		b, err := dnsQuery(mustQuestion(host, dnsmessage.TypeA))
		if err != nil || len(b)%queryBlock != 0 || len(b) > 3*queryBlock {
			t.Errorf("%s: %d bytes, %v", host, len(b), err)
		}
	}
	if _, err := dnsQuestion(strings.Repeat("a", 300), dnsmessage.TypeA); err == nil {
		t.Error("a name of 300 bytes was taken")
	}
}
