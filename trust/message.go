package trust

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/dunglas/httpsfv"

	"github.com/peerproxy/peerproxy/resource"
)

// errNoValue is returned for a component that a message has not, or that has no
// place in a signature base.
var errNoValue = errors.New("component has no value")

// component identifies one covered component (RFC 9421 section 2): a field by its
// name in lower case, or a derived component, whose name begins with "@".
type component struct {
	name string
	req  bool // of the request that a response answers (section 2.4)
	bs   bool // each field line as a byte sequence (section 2.1.3)
	sf   bool // a dictionary, serialised anew (section 2.1.1)
}

// item is the component identifier as a structured field.
func (c component) item() httpsfv.Item {
	item := httpsfv.NewItem(c.name)
	if c.req {
		item.Params.Add("req", true)
	}
	if c.bs {
		item.Params.Add("bs", true)
	}
	if c.sf {
		item.Params.Add("sf", true)
	}
	return item
}

// String is the serialised component identifier.
func (c component) String() string {
	text, err := httpsfv.Marshal(c.item())
	if err != nil {
		return strconv.Quote(c.name) // not in ASCII, so in no signature base either
	}
	return text
}

// parseComponent is the inverse of [component.item]. Parameters other than req, bs and
// sf are not supported.
func parseComponent(item httpsfv.Item) (component, error) {
	name, ok := item.Value.(string)
	if !ok {
		return component{}, errors.New("component name is no string")
	}
	c := component{name: name}
	for _, param := range item.Params.Names() {
		value, _ := item.Params.Get(param)
		switch {
		case param == "req" && value == true:
			c.req = true
		case param == "bs" && value == true:
			c.bs = true
		case param == "sf" && value == true:
			c.sf = true
		default:
			return component{}, errors.New("component parameter not supported")
		}
	}
	return c, nil
}

// message is what components are taken from: a request, or a response together with
// the request that it answers.
type message struct {
	method   string
	url      resource.URL
	request  http.Header
	status   int // 0: the message is the request itself
	response http.Header
}

// value is the component value of c (RFC 9421 section 2.5, step 2.5).
func (m *message) value(c component) (string, error) {
	if c.req && m.status == 0 {
		return "", fmt.Errorf("%w: %.60v: a request answers no request", errNoValue, c)
	}
	ofRequest := c.req || m.status == 0
	if !strings.HasPrefix(c.name, "@") {
		header := m.response
		if ofRequest {
			header = m.request
		}
		return fieldValue(header[http.CanonicalHeaderKey(c.name)], c)
	}
	switch {
	case c.bs:
		return "", fmt.Errorf("%w: %.60v: bs is for fields", errNoValue, c)
	case ofRequest:
		return m.requestValue(c)
	case c.name == "@status":
		return strconv.Itoa(m.status), nil
	}
	return "", fmt.Errorf("%w: %.60v", errNoValue, c)
}

// requestValue derives a component from the request line (RFC 9421 section 2.2).
func (m *message) requestValue(c component) (string, error) {
	path, query, _ := strings.Cut(m.url.RequestURI(), "?")
	switch c.name {
	case "@method":
		return m.method, nil
	case "@target-uri":
		return m.url.String(), nil
	case "@authority":
		return m.url.Authority(), nil
	case "@scheme":
		return m.url.Scheme(), nil
	case "@request-target":
		return m.url.RequestURI(), nil
	case "@path":
		return path, nil
	case "@query":
		return "?" + query, nil
	}
	return "", fmt.Errorf("%w: %.60v", errNoValue, c)
}

// fieldValue is the value of a field with the given lines (RFC 9421 section 2.1, and
// 2.1.3 with bs).
func fieldValue(lines []string, c component) (string, error) {
	if len(lines) == 0 {
		return "", fmt.Errorf("%w: %.60v", errNoValue, c)
	}
	if c.sf {
		return strictValue(lines, c)
	}
	values := make([]string, len(lines))
	for i, line := range lines {
		value := unfold(line)
		if c.bs {
			value = ":" + base64.StdEncoding.EncodeToString([]byte(value)) + ":"
		}
		values[i] = value
	}
	return strings.Join(values, ", "), nil
}

// strictValue is the value of a field that is a dictionary (RFC 9421 section 2.1.1). Which fields
// are of another type this package does not know: of these it makes nothing.
func strictValue(lines []string, c component) (string, error) {
	if c.bs {
		return "", fmt.Errorf("%w: %.60v: bs and sf together", errNoValue, c)
	}
	dictionary, err := httpsfv.UnmarshalDictionary(lines)
	if err != nil {
		return "", fmt.Errorf("%w: %.60v: no dictionary", errNoValue, c)
	}
	return httpsfv.Marshal(dictionary)
}

// unfold strips white space at both ends and puts one blank for each obsolete line
// folding. A line break that isn't folding stays, and fails later.
func unfold(line string) string {
	line = strings.Trim(line, " \t\r\n")
	if !strings.Contains(line, "\n") {
		return line
	}
	parts := strings.Split(line, "\n")
	folded := strings.TrimRight(parts[0], " \t\r")
	for _, part := range parts[1:] {
		text := strings.TrimLeft(part, " \t")
		if text == part {
			return line
		}
		folded += " " + strings.TrimRight(text, " \t\r")
	}
	return folded
}

// baseLines are the lines of the signature base for the covered components, each
// with its line feed (RFC 9421 section 2.5).
func (m *message) baseLines(covered []component) (string, error) {
	var b strings.Builder
	seen := make(map[component]bool, len(covered))
	for _, c := range covered {
		if seen[c] {
			return "", fmt.Errorf("component %.60v occurs twice", c)
		}
		seen[c] = true
		identifier, err := httpsfv.Marshal(c.item())
		if err != nil {
			return "", fmt.Errorf("component name: %w", err)
		}
		value, err := m.value(c)
		if err != nil {
			return "", err
		}
		if !plainText(value) {
			return "", fmt.Errorf("%w: %.60v: not plain ASCII", errNoValue, c)
		}
		b.WriteString(identifier + ": " + value + "\n")
	}
	return b.String(), nil
}

// signatureBase is the text to be signed: lines as of [message.baseLines], input as
// of [formatInput].
func signatureBase(lines, input string) []byte {
	return []byte(lines + `"@signature-params": ` + input)
}

// plainText reports whether s may stand in a signature base: field-content without
// obs-text (RFC 9421 section 2.5).
func plainText(s string) bool {
	for i := 0; i < len(s); i++ {
		if (s[i] < ' ' || s[i] > '~') && s[i] != '\t' {
			return false
		}
	}
	return true
}
