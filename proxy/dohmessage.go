package proxy

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Limits on what one DNS answer may make this proxy do and keep.
const (
	maxDNSMessage = 65535 // bytes: RFC 1035 section 4.2.2, RFC 8484 section 6
	maxRecords    = 256   // looked at in each section
	maxAddrs      = 16    // kept
	maxAliases    = 16    // followed from name to name
)

// Values of the resource records that are used.
const (
	optionECS     = 8   // RFC 7871
	optionPadding = 12  // RFC 7830
	queryBlock    = 128 // bytes: RFC 8467 section 4.1
	edns0Size     = 1232
)

var (
	errDNSMessage = errors.New("answer breaks the rules of DNS")
	errDNSServer  = errors.New("name server failed")
)

// dnsAnswer is what an answer says about a name.
type dnsAnswer struct {
	addrs   []netip.Addr  // none = there are none
	ttl     time.Duration // how long that may be believed
	missing bool          // there is no such name at all
}

// dnsQuestion asks for the addresses of a host, as [wireHost] gives it.
func dnsQuestion(host string, kind dnsmessage.Type) (dnsmessage.Question, error) {
	name, err := dnsmessage.NewName(host + ".")
	if err != nil {
		return dnsmessage.Question{}, err
	}
	return dnsmessage.Question{Name: name, Type: kind, Class: dnsmessage.ClassINET}, nil
}

// dnsQuery is the message for a question, with ID 0 (RFC 8484 section 4.1), padded so
// that its length does not tell the name, and with the wish that the server tell
// nobody the address of this machine (RFC 7871 section 7.1.2).
func dnsQuery(q dnsmessage.Question) ([]byte, error) {
	options := []dnsmessage.Option{
		{Code: optionECS, Data: []byte{0, 1, 0, 0}}, // IPv4, not one bit of it
		{Code: optionPadding},
	}
	var header dnsmessage.ResourceHeader
	if err := header.SetEDNS0(edns0Size, dnsmessage.RCodeSuccess, false); err != nil {
		return nil, err
	}
	m := dnsmessage.Message{
		Header:      dnsmessage.Header{RecursionDesired: true},
		Questions:   []dnsmessage.Question{q},
		Additionals: []dnsmessage.Resource{{Header: header, Body: &dnsmessage.OPTResource{Options: options}}},
	}
	bare, err := m.Pack()
	if err != nil {
		return nil, err
	}
	options[1].Data = make([]byte, (queryBlock-len(bare)%queryBlock)%queryBlock)
	return m.Pack()
}

// parseAnswer reads the answer to a question. It takes nothing from it but the
// addresses that the chain of aliases leads to from the name that was asked for.
func parseAnswer(message []byte, asked dnsmessage.Question) (dnsAnswer, error) {
	var p dnsmessage.Parser
	h, err := p.Start(message)
	if err != nil {
		return dnsAnswer{}, fmt.Errorf("%w: %w", errDNSMessage, err)
	}
	if err := checkAnswer(&p, h, asked); err != nil {
		return dnsAnswer{}, err
	}
	records, err := readRecords(&p, asked.Type)
	if err != nil {
		return dnsAnswer{}, fmt.Errorf("%w: %w", errDNSMessage, err)
	}
	a, err := records.follow(nameKey(asked.Name))
	if err != nil {
		return dnsAnswer{}, err
	}
	if len(a.addrs) == 0 {
		a.missing = h.RCode == dnsmessage.RCodeNameError
		a.ttl = negativeTTL(&p)
	}
	return a, nil
}

// checkAnswer makes sure that the message answers the question and nothing else.
func checkAnswer(p *dnsmessage.Parser, h dnsmessage.Header, asked dnsmessage.Question) error {
	switch {
	case !h.Response, h.OpCode != 0, h.ID != 0:
		return fmt.Errorf("%w: not an answer to this query", errDNSMessage)
	case h.Truncated:
		return fmt.Errorf("%w: truncated", errDNSMessage)
	case h.RCode != dnsmessage.RCodeSuccess && h.RCode != dnsmessage.RCodeNameError:
		return fmt.Errorf("%w: code %d", errDNSServer, h.RCode)
	}
	q, err := p.Question()
	if err != nil {
		return fmt.Errorf("%w: %w", errDNSMessage, err)
	}
	if _, err := p.Question(); !errors.Is(err, dnsmessage.ErrSectionDone) {
		return fmt.Errorf("%w: several questions", errDNSMessage)
	}
	if nameKey(q.Name) != nameKey(asked.Name) || q.Type != asked.Type || q.Class != asked.Class {
		return fmt.Errorf("%w: answer to another question", errDNSMessage)
	}
	return nil
}

// nameKey is a name as names are compared: RFC 4343.
func nameKey(n dnsmessage.Name) string { return strings.ToLower(n.String()) }

type dnsAlias struct {
	to  string
	ttl time.Duration
}

// dnsRecords are the records of an answer that are of interest, by owner.
type dnsRecords struct {
	aliases map[string]dnsAlias
	addrs   map[string]dnsAnswer
}

func readRecords(p *dnsmessage.Parser, kind dnsmessage.Type) (dnsRecords, error) {
	r := dnsRecords{aliases: map[string]dnsAlias{}, addrs: map[string]dnsAnswer{}}
	for range maxRecords {
		h, err := p.AnswerHeader()
		if errors.Is(err, dnsmessage.ErrSectionDone) {
			return r, nil
		}
		if err != nil {
			return r, err
		}
		if err := r.read(p, h, kind); err != nil {
			return r, err
		}
	}
	return r, errors.New("too many records")
}

// read takes in the record whose header has been read.
func (r dnsRecords) read(p *dnsmessage.Parser, h dnsmessage.ResourceHeader, kind dnsmessage.Type) error {
	owner, ttl := nameKey(h.Name), recordTTL(h.TTL)
	switch {
	case h.Class != dnsmessage.ClassINET:
		return p.SkipAnswer()
	case h.Type == dnsmessage.TypeCNAME:
		alias, err := p.CNAMEResource()
		if old, known := r.aliases[owner]; err == nil && known && old.to != nameKey(alias.CNAME) {
			return errors.New("two aliases of one name")
		}
		r.aliases[owner] = dnsAlias{nameKey(alias.CNAME), ttl}
		return err
	case h.Type == dnsmessage.TypeA && kind == dnsmessage.TypeA && h.Length == 4:
		a, err := p.AResource()
		r.add(owner, netip.AddrFrom4(a.A), ttl)
		return err
	case h.Type == dnsmessage.TypeAAAA && kind == dnsmessage.TypeAAAA && h.Length == 16:
		a, err := p.AAAAResource()
		r.add(owner, netip.AddrFrom16(a.AAAA).Unmap(), ttl)
		return err
	}
	return p.SkipAnswer()
}

func (r dnsRecords) add(owner string, ip netip.Addr, ttl time.Duration) {
	a, known := r.addrs[owner]
	if !known || ttl < a.ttl {
		a.ttl = ttl
	}
	if len(a.addrs) < maxAddrs {
		a.addrs = append(a.addrs, ip)
	}
	r.addrs[owner] = a
}

// follow goes from alias to alias to the addresses. All that is on the way is to be
// believed no longer than its shortest-lived part.
func (r dnsRecords) follow(name string) (dnsAnswer, error) {
	ttl := maxTTL
	for range maxAliases {
		alias, aliased := r.aliases[name]
		if !aliased {
			a := r.addrs[name]
			a.ttl = min(a.ttl, ttl)
			return a, nil
		}
		name, ttl = alias.to, min(ttl, alias.ttl)
	}
	return dnsAnswer{}, fmt.Errorf("%w: aliases without end", errDNSMessage)
}

// recordTTL reads the time to live of a record; absurd ones are 0 (RFC 2181 section 8).
func recordTTL(seconds uint32) time.Duration {
	if seconds > 1<<31-1 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxTTL)
}

// negativeTTL is how long it may be believed that there is nothing (RFC 2308 section
// 5): as the zone's SOA record says, or not at all.
func negativeTTL(p *dnsmessage.Parser) time.Duration {
	for range maxRecords {
		h, err := p.AuthorityHeader()
		if err != nil {
			return 0
		}
		if h.Type == dnsmessage.TypeSOA {
			soa, err := p.SOAResource()
			if err != nil {
				return 0
			}
			return min(recordTTL(h.TTL), recordTTL(soa.MinTTL), maxNegativeTTL)
		}
		if p.SkipAuthority() != nil {
			return 0
		}
	}
	return 0
}
