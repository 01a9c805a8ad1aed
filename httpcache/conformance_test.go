package httpcache

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// step is one request of a story and what has to come of it.
type step struct {
	after  time.Duration // since the step before
	method string
	path   string // relative to modelURL
	ask    http.Header
	reply  reply

	how    how
	status int               // 0 = any
	body   string            // "" = any
	want   map[string]string // fields of the answer, "" = absent
	sent   map[string]string // fields of the request to the origin, "" = absent
}

// story is a sequence of steps with one cache.
type story struct {
	name    string
	section string
	policy  Policy
	steps   []step
}

func tell(t *testing.T, stories []story) {
	t.Helper()
	for _, s := range stories {
		t.Run("RFC "+s.section+" "+s.name, func(t *testing.T) {
			m := &model{policy: s.policy, now: epoch}
			for i, st := range s.steps {
				m.now = m.now.Add(st.after)
				st.check(t, i, m)
			}
		})
	}
}

func (st step) check(t *testing.T, i int, m *model) {
	t.Helper()
	u := modelURL
	if st.path != "" {
		u, _ = resolve(modelURL, st.path)
	}
	if st.ask == nil {
		st.ask = http.Header{}
	}
	if st.reply.header == nil {
		st.reply.header = http.Header{}
	}
	a := m.ask(u, &http.Request{Method: st.method, Header: st.ask}, st.reply)
	if a.how != st.how || st.status != 0 && a.status != st.status || st.body != "" && a.body != st.body {
		t.Fatalf("step %d: %s, status %d, %q; want %s, %d, %q", i, a.how, a.status, a.body, st.how, st.status, st.body)
	}
	compareFields(t, i, "answer", a.header, st.want)
	compareFields(t, i, "sent", a.sent, st.sent)
}

func compareFields(t *testing.T, i int, what string, h http.Header, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := strings.Join(h.Values(name), "|"); got != value {
			t.Errorf("step %d: %s has %s %q, want %q", i, what, name, got, value)
		}
	}
}

// ok is a 200 with a body that tells responses apart.
func ok(body string, namesAndValues ...string) reply {
	return reply{200, fields(append([]string{"Date", httpDate(0)}, namesAndValues...)...), body}
}

func status(code int, namesAndValues ...string) reply {
	return reply{code, fields(namesAndValues...), "body of " + strconv.Itoa(code)}
}

// reuse is the story of one response that a second request, some seconds later, gets or not.
func reuse(name, section string, want how, r reply) story {
	return story{name: name, section: section, steps: []step{
		{how: forwarded, reply: r},
		{after: 3 * time.Second, how: want, reply: ok("second")},
	}}
}
