package proxy

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/dunglas/httpsfv"

	"github.com/peerproxy/peerproxy/internal/conformance"
)

// TestConformance tells all stories to a proxy, over sockets. Each has a proxy and an origin of
// its own, so that none knows of another.
func TestConformance(t *testing.T) {
	identity := newIdentity(t)
	for _, group := range conformance.Groups() {
		t.Run(group.Name, func(t *testing.T) {
			for _, s := range group.Stories {
				t.Run(s.Title(), func(t *testing.T) {
					t.Parallel()
					newStage(t, &s, identity).tell()
				})
			}
		})
	}
}

// tell takes the proxy through the story.
func (st *stage) tell() {
	for i, step := range st.story.Steps {
		st.clock.advance(step.After)
		o, status := st.step(&step)
		complaints := step.Check(o)
		for _, complaint := range complaints {
			st.t.Errorf("step %d: %s", i, complaint)
		}
		if len(complaints) > 0 {
			st.t.Logf("Cache-Status: %s", status)
		}
	}
	st.close()
	if all := len(st.origin.take()); all > 0 {
		st.t.Errorf("the origin was asked %d times after the last answer", all)
	}
}

// step asks what a step asks, and waits until all that it causes has been done.
func (st *stage) step(s *conformance.Step) (o conformance.Outcome, cacheStatus string) {
	st.origin.script(append([]conformance.Reply{s.Reply}, s.Again...))
	a := st.ask(s)
	status := lastMember(a.header["Cache-Status"])
	if s.How == conformance.Meanwhile && has(status, "hit", true) {
		st.origin.await(st.t)
	}
	settle(st.proxy)
	seen := st.origin.take()
	a.header["Content-Security-Policy"] = slices.DeleteFunc(a.header["Content-Security-Policy"], func(line string) bool { return line == publicPolicy }) // the proxy's own
	o = conformance.Outcome{How: howOf(&a, status, seen), Status: a.status, Header: a.header, Body: a.body, Broken: a.broken}
	for _, x := range seen {
		o.Sent = append(o.Sent, x.fields)
	}
	return o, fmt.Sprint(a.header["Cache-Status"])
}

// howOf tells from the answer and from what the origin was asked where the answer comes from.
func howOf(a *clientAnswer, status httpsfv.Item, seen []asked) conformance.How {
	hit := has(status, "hit", true)
	switch {
	case hit && len(seen) == 0:
		return conformance.Cached
	case hit:
		return conformance.Meanwhile
	case len(seen) == 0 && a.status == http.StatusGatewayTimeout:
		return conformance.Timeout
	case len(seen) == 0:
		return "from nowhere"
	}
	last := seen[len(seen)-1].reply
	switch {
	case has(status, "fwd-status", http.StatusNotModified):
		return conformance.Validated
	case last.Status == http.StatusPartialContent && (a.status != last.Status || a.body != last.Body) && a.status < 400:
		return conformance.Completed
	case (last.Status == 0 || last.Status >= 500) && a.status < 500 && !a.broken:
		return conformance.Stale
	}
	return conformance.Forwarded
}
