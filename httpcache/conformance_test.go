package httpcache

import (
	"net/http"
	"testing"

	"github.com/peerproxy/peerproxy/internal/conformance"
)

// TestConformance tells all stories to the model.
func TestConformance(t *testing.T) {
	for _, group := range conformance.Groups() {
		t.Run(group.Name, func(t *testing.T) {
			for _, s := range group.Stories {
				t.Run(s.Title(), func(t *testing.T) {
					m := &model{policy: Policy{Targets: s.Targets}, now: conformance.Epoch}
					for i, step := range s.Steps {
						m.now = m.now.Add(step.After)
						for _, complaint := range step.Check(m.tell(&step)) {
							t.Errorf("step %d: %s", i, complaint)
						}
					}
				})
			}
		})
	}
}

// tell takes the cache through one step.
func (m *model) tell(s *conformance.Step) conformance.Outcome {
	u := modelURL
	if s.Path != "" {
		u, _ = resolve(modelURL, s.Path)
	}
	r := &http.Request{Method: s.Method, Header: s.Ask, ContentLength: int64(len(s.Body))}
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	return m.ask(u, r, append([]conformance.Reply{s.Reply}, s.Again...))
}
