package control

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Sharing says what may be shared of a URL, and why or why not.
type Sharing struct {
	URL     string `json:"url"`
	Running bool   `json:"running"` // a node told it. Else only its file was looked into, and its settings are not known
	Share   string `json:"share"`   // who may have what may be shared: off, group or public; "" if no node is running
	Offered bool   `json:"offered"` // peers get it now
	// Site is what something is announced of in the DHT, and Level of which kinds the names are (bucket10, site);
	// "" if nothing is offered.
	Site  string `json:"site"`
	Level string `json:"level"`
	// FromURL are the clauses that the URL alone answers.
	FromURL  []Clause         `json:"from_url"`
	Variants []SharingVariant `json:"variants"` // that are stored
}

// SharingVariant is one stored response.
type SharingVariant struct {
	Selecting http.Header `json:"selecting,omitempty"` // request fields that select it
	Received  time.Time   `json:"received"`            // from the origin
	Tier      string      `json:"tier"`
	Shareable bool        `json:"shareable"` // as decided when it was stored, and the site is not private now
	Offered   bool        `json:"offered"`
	Why       string      `json:"why"` // the decision, in words
	Clauses   []Clause    `json:"clauses"`
}

// Clause is one condition of the rule of what may be shared.
type Clause struct {
	Name  string `json:"name"`
	State string `json:"state"`
	Why   string `json:"why"`
}

// The states of a [Clause].
const (
	ClauseHolds   = "holds"
	ClauseFails   = "fails"
	ClauseUnknown = "unknown" // what is needed to judge it was not kept
)

// WhyShared asks what may be shared of a URL. That nothing is stored is no error.
func (c *Client) WhyShared(ctx context.Context, rawURL string) (Sharing, error) {
	var s Sharing
	return s, c.value(ctx, http.MethodGet, "/why-shared", url.Values{"url": {rawURL}}, &s)
}

func (s server) whyShared(w http.ResponseWriter, r *http.Request) {
	u, ok := wantedURL(w, r)
	if !ok {
		return
	}
	sharing, err := s.WhyShared(u)
	if err != nil {
		s.fail(w, "look up", err)
		return
	}
	writeJSON(w, sharing)
}
