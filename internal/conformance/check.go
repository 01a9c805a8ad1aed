package conformance

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Outcome is what came of a step.
type Outcome struct {
	How    How
	Status int
	Header http.Header // without the framing of the answer
	Body   string
	Broken bool          // the answer broke off
	Sent   []http.Header // of every request to the origin
}

// Check says in words what is not as the step wants it; nothing if all is.
func (s *Step) Check(o Outcome) (complaints []string) {
	complain := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }
	if s.How == Forwarded && s.Method != http.MethodHead && s.last().Truncated() {
		if o.How != Forwarded || !o.Broken || !strings.HasPrefix(s.last().Body, o.Body) {
			complain("%s, %q, broken off: %t; want %s, a part of %q, broken off", o.How, o.Body, o.Broken, s.How, s.last().Body)
		}
		return complaints
	}
	status, body := s.expected()
	if o.How != s.How || status != 0 && o.Status != status || body != "" && o.Body != body {
		complain("%s, status %d, %.80q; want %s, %d, %.80q", o.How, o.Status, o.Body, s.How, status, body)
		return complaints
	}
	if o.Broken {
		complain("the answer broke off")
	}
	if least, exact := s.asked(); len(o.Sent) < least || exact && len(o.Sent) != least {
		complain("the origin was asked %d times, want %d", len(o.Sent), least)
	}
	complaints = append(complaints, different("answer", o.Header, s.Want)...)
	if len(o.Sent) > 0 {
		complaints = append(complaints, different("request to the origin", o.Sent[0], s.Sent)...)
	}
	if s.WantParts != nil {
		if parts, err := ReadParts(o.Header.Get("Content-Type"), o.Body); err != nil || !slices.Equal(parts, s.WantParts) {
			complain("parts %v (%v), want %v", parts, err, s.WantParts)
		}
	}
	return complaints
}

// expected is what the client gets: a status, 0 = any, and a body, "" = any.
func (s *Step) expected() (status int, body string) {
	status, body = s.Status, s.WantBody
	switch {
	case status != 0:
	case s.How == Timeout:
		status = http.StatusGatewayTimeout
	case s.How == Forwarded && s.last().Status == 0:
		status = http.StatusBadGateway
	case s.How == Forwarded:
		status = s.last().Status
		if body == "" && s.Method != http.MethodHead {
			body = s.last().Body
		}
	}
	return status, body
}

// last is what the origin answers in the end.
func (s *Step) last() Reply {
	if n := len(s.Again); n > 0 {
		return s.Again[n-1]
	}
	return s.Reply
}

// asked is how often the origin is asked. To ask one that hangs up once more is no fault.
func (s *Step) asked() (times int, exact bool) {
	if s.How == Cached || s.How == Timeout {
		return 0, true
	}
	return 1 + len(s.Again), s.last().Status != 0
}

// Truncated reports whether the reply breaks off before the end that it has announced.
func (r Reply) Truncated() bool {
	length, err := strconv.Atoi(r.Header.Get("Content-Length"))
	return err == nil && r.Status == http.StatusOK && len(r.Body) > 0 && len(r.Body) < length
}

func different(what string, h http.Header, want map[string]string) (complaints []string) {
	for name, value := range want {
		if got := strings.Join(h.Values(name), "|"); got != value {
			complaints = append(complaints, fmt.Sprintf("%s has %s %q, want %q", what, name, got, value))
		}
	}
	return complaints
}

// Part is one part of a multipart answer: its Content-Range and its bytes.
type Part struct{ Range, Body string }

// ReadParts takes a multipart/byteranges answer apart (RFC 9110 section 14.6).
func ReadParts(contentType, body string) (parts []Part, err error) {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "multipart/byteranges" {
		return nil, fmt.Errorf("no multipart answer: %q", contentType)
	}
	for r := multipart.NewReader(strings.NewReader(body), params["boundary"]); ; {
		p, err := r.NextRawPart()
		if err == io.EOF { //nolint:errorlint // a wrapped one came too early
			return parts, nil
		}
		if err != nil {
			return parts, fmt.Errorf("read a part: %w", err)
		}
		text, err := io.ReadAll(p)
		if err != nil {
			return parts, fmt.Errorf("read a part: %w", err)
		}
		parts = append(parts, Part{p.Header.Get("Content-Range"), string(text)})
	}
}
