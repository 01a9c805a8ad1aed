package control

import (
	"encoding/json"
	"net/http"
	"sync"

	"github.com/peerproxy/peerproxy/httpcache"
)

// findingField bears an explanation from the server to the client, one [Finding] a line. What
// an origin sends under that name goes no further.
const findingField = "Peerproxy-Finding"

// maxFindings bounds how many are told of one request.
const maxFindings = 64

// explaining is an answer whose header says how it came about.
type explaining struct {
	http.ResponseWriter

	mu       sync.Mutex
	findings []string
	begun    bool // the header has been written
}

// tell adds a line. What is told after the header was written comes too late.
func (e *explaining) tell(f httpcache.Finding) {
	line, err := json.Marshal(Finding{Topic: f.Topic, Text: f.Text, Section: f.Section})
	if err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.begun && len(e.findings) < maxFindings {
		e.findings = append(e.findings, string(line))
	}
}

// WriteHeader implements http.ResponseWriter.
func (e *explaining) WriteHeader(status int) {
	e.mu.Lock()
	delete(e.Header(), findingField)
	if status >= http.StatusOK && !e.begun {
		e.begun = true
		if e.findings != nil {
			e.Header()[findingField] = e.findings
		}
	}
	e.mu.Unlock()
	e.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (e *explaining) Write(p []byte) (int, error) {
	e.mu.Lock()
	begun := e.begun
	e.mu.Unlock()
	if !begun {
		e.WriteHeader(http.StatusOK)
	}
	return e.ResponseWriter.Write(p)
}

// Unwrap gives http.ResponseController what is behind.
func (e *explaining) Unwrap() http.ResponseWriter { return e.ResponseWriter }

// takeFindings reads the explanation of an answer, and takes it out of the header.
func takeFindings(h http.Header) (findings []Finding) {
	for _, line := range h[findingField] {
		var f Finding
		if json.Unmarshal([]byte(line), &f) == nil {
			findings = append(findings, f)
		}
	}
	delete(h, findingField)
	return findings
}
