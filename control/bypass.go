package control

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// HTTPS says whether tunnels of HTTPS are looked into.
type HTTPS struct {
	On       bool      `json:"on"`
	Why      string    `json:"why,omitempty"`     // it is not on, in words
	NoCA     bool      `json:"no_ca,omitempty"`   // that is since there is no certificate authority
	Expired  bool      `json:"expired,omitempty"` // that is since the certificate of the authority is not valid now
	Until    time.Time `json:"until,omitzero"`    // the certificate authority is valid
	Only     []string  `json:"only,omitempty"`    // names that the authority is limited to, with all below them
	Bypassed int       `json:"bypassed"`          // hosts and patterns that are not looked into all the same
}

// Bypassed is a host whose tunnels are not looked into.
type Bypassed struct {
	Host    string    `json:"host"` // or a pattern that the user has set
	Reason  string    `json:"reason"`
	Since   time.Time `json:"since,omitzero"`   // zero if the user has set it
	Expires time.Time `json:"expires,omitzero"` // zero if the user has set it
}

// Unbypassed is the answer to the removal of a host from the list.
type Unbypassed struct {
	Removed bool `json:"removed"`
}

// Bypassed lists the hosts whose tunnels are not looked into.
func (c *Client) Bypassed(ctx context.Context) ([]Bypassed, error) {
	var list []Bypassed
	return list, c.value(ctx, http.MethodGet, "/bypass", nil, &list)
}

// Unbypass takes a host off that list; false = it is not there, or the user has set it.
func (c *Client) Unbypass(ctx context.Context, host string) (bool, error) {
	var u Unbypassed
	err := c.value(ctx, http.MethodDelete, "/bypass", url.Values{"host": {host}}, &u)
	return u.Removed, err
}

func (s server) bypassed(w http.ResponseWriter, _ *http.Request) {
	list := s.Bypassed()
	if list == nil {
		list = []Bypassed{}
	}
	writeJSON(w, list)
}

func (s server) unbypass(w http.ResponseWriter, r *http.Request) {
	host := r.URL.Query().Get("host")
	if host == "" {
		http.Error(w, "no host is given", http.StatusBadRequest)
		return
	}
	writeJSON(w, Unbypassed{Removed: s.Unbypass(host)})
}
