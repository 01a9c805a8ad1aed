package trust

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/peerproxy/peerproxy/resource"
)

const (
	witnessTag = "peerproxy.witness.1" // the profile of witness signatures
	bodyField  = "Peerproxy-Body"      // the body's root and length
)

// witnessTail follows the key in every input of a witness.
const witnessTail = `";alg="` + algorithm + `";tag="` + witnessTag + `"`

// witnessedFields are the response fields that witnesses vouch for, in order. On the list is what
// changes what a browser does with the bytes, or what it does to the site later, so that
// whoever adds, drops or changes one loses all witnesses. Not on the list are the fields
// that differ from fetch to fetch or from server to server, since no two nodes would be
// witnesses of the same: dates, validators and freshness, and what reports to servers
// (Report-To, NEL, Reporting-Endpoints, Content-Security-Policy-Report-Only).
var witnessedFields = []string{
	"Accept-Ch",
	"Access-Control-Allow-Credentials",
	"Access-Control-Allow-Headers",
	"Access-Control-Allow-Methods",
	"Access-Control-Allow-Origin",
	"Access-Control-Expose-Headers",
	"Alt-Svc",
	"Clear-Site-Data",
	"Content-Disposition",
	"Content-Encoding",
	"Content-Language",
	"Content-Location",
	"Content-Range",
	"Content-Security-Policy",
	"Content-Type",
	"Critical-Ch",
	"Cross-Origin-Embedder-Policy",
	"Cross-Origin-Opener-Policy",
	"Cross-Origin-Resource-Policy",
	"Document-Policy",
	"Feature-Policy",
	"Link",
	"Location",
	"No-Vary-Search",
	"Origin-Agent-Cluster",
	"Permissions-Policy",
	"Referrer-Policy",
	"Refresh",
	"Service-Worker-Allowed",
	"Set-Cookie",
	"Sourcemap",
	"Speculation-Rules",
	"Strict-Transport-Security",
	"Supports-Loading-Mode",
	"Timing-Allow-Origin",
	"Use-As-Dictionary",
	"Vary",
	"X-Content-Type-Options",
	"X-Dns-Prefetch-Control",
	"X-Frame-Options",
	"X-Permitted-Cross-Domain-Policies",
	"X-Sourcemap",
	"X-Ua-Compatible",
	"X-Xss-Protection",
}

// witnessStatement is what a witness signature says: that its key got these bytes with
// these fields for this URL from the origin. It is a projection of the exchange onto what does
// not differ from fetch to fetch, so that the signatures of independent nodes are
// valid on each other's exchanges.
type witnessStatement struct {
	covered []component
	lines   string // of the signature base
	head    string // of the input, up to the time
}

// newWitnessStatement fails with [ErrUnsignable] if the exchange has no unambiguous
// signature base.
func newWitnessStatement(ex *resource.Exchange) (*witnessStatement, error) {
	s, err := toWitnessStatement(ex)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsignable, err)
	}
	return s, nil
}

func toWitnessStatement(ex *resource.Exchange) (*witnessStatement, error) {
	m, err := toWitnessMessage(ex)
	if err != nil {
		return nil, err
	}
	s := &witnessStatement{covered: covered(m)}
	if s.lines, err = m.baseLines(s.covered); err != nil {
		return nil, err
	}
	list, err := formatInput(s.covered, httpsfv.NewParams())
	if err != nil {
		return nil, err
	}
	s.head = list + ";created="
	if len(s.input(Key{}, time.Unix(maxCreated, 0))) > maxInput {
		return nil, fmt.Errorf("field names longer than %d bytes", maxInput)
	}
	return s, nil
}

// toWitnessMessage is the part of the response that witnesses sign, and our two field
// lines. An origin's fields of these names are left out: they would say the same, or
// something about bytes that nobody has.
func toWitnessMessage(ex *resource.Exchange) (*message, error) {
	if err := checkExchange(ex); err != nil {
		return nil, err
	}
	digest, err := reprDigest(ex.Body)
	if err != nil {
		return nil, err
	}
	body, err := bodyFacts(ex.Body)
	if err != nil {
		return nil, err
	}
	response := http.Header{digestField: {digest}, bodyField: {body}}
	for _, name := range witnessedFields {
		if lines := ex.Header[name]; len(lines) > 0 {
			response[name] = lines
		}
	}
	return &message{
		method: ex.Method, url: ex.URL, request: ex.Selecting,
		status: ex.Status, response: response,
	}, nil
}

func bodyFacts(body resource.Body) (string, error) {
	d := httpsfv.NewDictionary()
	d.Add("root", httpsfv.NewItem(body.Root[:]))
	d.Add("length", httpsfv.NewItem(body.Length))
	return httpsfv.Marshal(d)
}

// same reports whether what is signed about two exchanges is the same. Every line names
// its component, so that the lines are all of it.
func (s *witnessStatement) same(other *witnessStatement) bool { return s.lines == other.lines }

// maxCreated is the last second of the year 9999.
const maxCreated = 253402300799

// input is the Input of the signature that key makes on s about what it got at a time.
func (s *witnessStatement) input(key Key, created time.Time) string {
	return s.head + strconv.FormatInt(created.Unix(), 10) + `;keyid="` + key.String() + witnessTail
}

func (s *witnessStatement) sign(id *Identity, created time.Time) resource.Signature {
	input := s.input(id.Key(), created)
	return resource.Signature{Input: input, Value: id.sign(signatureBase(s.lines, input))}
}

// isWitness reports whether a signature claims to be one of a witness.
func isWitness(sig resource.Signature) bool { return strings.HasSuffix(sig.Input, witnessTail) }

// read takes key and time from an input, which otherwise is known. Nothing is verified.
func (s *witnessStatement) read(sig resource.Signature) (Key, time.Time, error) {
	text, ok := strings.CutPrefix(sig.Input, s.head)
	if ok {
		text, ok = strings.CutSuffix(text, witnessTail)
	}
	seconds, keyid, found := strings.Cut(text, `;keyid="`)
	if !ok || !found {
		return Key{}, time.Time{}, mismatch(s.covered, sig.Input, witnessTag)
	}
	created, err := parseCreated(seconds)
	if err != nil {
		return Key{}, time.Time{}, err
	}
	key, err := ParseKey(keyid)
	if err != nil {
		return Key{}, time.Time{}, fmt.Errorf("%w: keyid: %w", ErrBadSignature, err)
	}
	return key, created, nil
}

// verify checks one signature of a witness on s. It returns the key that made it, and when
// that says that it got the bytes.
func (s *witnessStatement) verify(sig resource.Signature) (Key, time.Time, error) {
	key, created, err := s.read(sig)
	if err != nil {
		return Key{}, time.Time{}, err
	}
	if !key.verify(signatureBase(s.lines, sig.Input), sig.Value) {
		return Key{}, time.Time{}, fmt.Errorf("%w: value does not verify", ErrBadSignature)
	}
	return key, created, nil
}

// parseCreated reads seconds since 1970 in their one spelling.
func parseCreated(text string) (time.Time, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > maxCreated || strconv.FormatInt(n, 10) != text {
		return time.Time{}, fmt.Errorf("%w: creation time", ErrBadSignature)
	}
	return time.Unix(n, 0).UTC(), nil
}
