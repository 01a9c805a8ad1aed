package trust

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"
	"golang.org/x/net/http/httpguts"

	"github.com/peerproxy/peerproxy/resource"
)

const (
	algorithm = "ed25519"     // RFC 9421 section 3.3.6
	tag       = "peerproxy.1" // this profile; another profile gets another tag

	digestField   = "Repr-Digest"        // RFC 9530
	exchangeField = "Peerproxy-Exchange" // what has no field in HTTP

	// maxHeader bounds all field names and values of an exchange together, in bytes.
	// It is more than an encoded exchange may have.
	maxHeader = 256 << 10
)

// statement is what a signature over an exchange says: everything in the exchange.
// It depends on nothing else, so that signer and verifier get the same.
type statement struct {
	covered []component
	lines   string // of the signature base
	head    string // of the input, up to the key
}

// inputTail follows the key in every input.
const inputTail = `";alg="` + algorithm + `";tag="` + tag + `"`

// newStatement fails with [ErrUnsignable] if the exchange has no unambiguous
// signature base.
func newStatement(ex *resource.Exchange) (*statement, error) {
	s, err := toStatement(ex)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsignable, err)
	}
	return s, nil
}

func toStatement(ex *resource.Exchange) (*statement, error) {
	m, err := toMessage(ex)
	if err != nil {
		return nil, err
	}
	s := &statement{covered: covered(m)}
	if s.lines, err = m.baseLines(s.covered); err != nil {
		return nil, err
	}
	params := httpsfv.NewParams()
	params.Add("created", ex.Received.Unix())
	list, err := formatInput(s.covered, params)
	if err != nil {
		return nil, err
	}
	s.head = list + `;keyid="`
	if len(s.input(Key{})) > maxInput {
		return nil, fmt.Errorf("field names longer than %d bytes", maxInput)
	}
	return s, nil
}

// input is the Input of the signature that key makes on s.
func (s *statement) input(key Key) string { return s.head + key.String() + inputTail }

// toMessage is the response that is signed: the stored one and our two field lines.
func toMessage(ex *resource.Exchange) (*message, error) {
	if err := checkExchange(ex); err != nil {
		return nil, err
	}
	digest, err := reprDigest(ex.Body)
	if err != nil {
		return nil, err
	}
	facts, err := exchangeFacts(ex)
	if err != nil {
		return nil, err
	}
	response := make(http.Header, len(ex.Header)+2)
	maps.Copy(response, ex.Header)
	response[digestField] = append(slices.Clip(response[digestField]), digest)
	response[exchangeField] = append(slices.Clip(response[exchangeField]), facts)
	return &message{
		method: ex.Method, url: ex.URL, request: ex.Selecting,
		status: ex.Status, response: response,
	}, nil
}

func reprDigest(body resource.Body) (string, error) {
	d := httpsfv.NewDictionary()
	d.Add("sha-256", httpsfv.NewItem(body.SHA256[:]))
	return httpsfv.Marshal(d)
}

func exchangeFacts(ex *resource.Exchange) (string, error) {
	d := httpsfv.NewDictionary()
	d.Add("root", httpsfv.NewItem(ex.Body.Root[:]))
	d.Add("length", httpsfv.NewItem(ex.Body.Length))
	d.Add("requested", httpsfv.NewItem(ex.Requested.UnixMilli()))
	d.Add("received", httpsfv.NewItem(ex.Received.UnixMilli()))
	d.Add("age", httpsfv.NewItem(ex.InitialAge.Milliseconds()))
	return httpsfv.Marshal(d)
}

// covered lists the components that a signature over m must cover, in order.
func covered(m *message) []component {
	list := []component{{name: "@method", req: true}, {name: "@target-uri", req: true}, {name: "@status"}}
	list = append(list, fields(m.request, true)...)
	return append(list, fields(m.response, false)...)
}

func fields(h http.Header, req bool) []component {
	list := make([]component, 0, len(h))
	for name, lines := range h {
		if len(lines) == 0 {
			continue // no field line, so no field
		}
		// Whether bs is needed must follow from the lines alone: a choice would let
		// two exchanges share a signature base.
		bs := len(lines) > 1 || !plainText(lines[0])
		list = append(list, component{name: strings.ToLower(name), req: req, bs: bs})
	}
	slices.SortFunc(list, func(a, b component) int { return strings.Compare(a.name, b.name) })
	return list
}

// checkExchange refuses what has no unambiguous signature base.
func checkExchange(ex *resource.Exchange) error {
	switch {
	case !httpguts.ValidHeaderFieldName(ex.Method): // a token too
		return fmt.Errorf("method is no token")
	case ex.URL.IsZero():
		return fmt.Errorf("no URL")
	case ex.Status < 100 || ex.Status > 599:
		return fmt.Errorf("status %d", ex.Status)
	case ex.Body.Length < 0:
		return fmt.Errorf("body length is negative")
	case ex.InitialAge < 0:
		return fmt.Errorf("initial age is negative")
	case !representable(ex.Requested) || !representable(ex.Received):
		return fmt.Errorf("time before 1970 or after 9999")
	}
	if err := checkHeader(ex.Selecting); err != nil {
		return fmt.Errorf("selecting fields: %w", err)
	}
	if err := checkHeader(ex.Header); err != nil {
		return fmt.Errorf("response fields: %w", err)
	}
	return nil
}

// representable reports whether t fits a structured field's integer of milliseconds.
func representable(t time.Time) bool {
	year := t.UTC().Year()
	return year >= 1970 && year <= 9999
}

// checkHeader demands what every parser of HTTP gives: one canonical name per field,
// values without white space around and controls within. Bytes beyond ASCII are fine.
func checkHeader(h http.Header) error {
	size := 0
	for name, lines := range h {
		if !httpguts.ValidHeaderFieldName(name) || http.CanonicalHeaderKey(name) != name {
			return fmt.Errorf("name %.40q is not canonical", name)
		}
		for _, line := range lines {
			if !httpguts.ValidHeaderFieldValue(line) {
				return fmt.Errorf("%.40s has a control character", name)
			}
			if strings.Trim(line, " \t") != line {
				return fmt.Errorf("%.40s has white space around its value", name)
			}
			size += len(line)
		}
		if size += len(name); size > maxHeader {
			return fmt.Errorf("more than %d bytes", maxHeader)
		}
	}
	return nil
}
