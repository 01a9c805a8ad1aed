package control

import (
	"context"
	"errors"
	"net/http"
)

// TrustReloaded is what the keyring has that is now in force.
type TrustReloaded struct {
	Trusted int `json:"trusted"` // keys
	Revoked int `json:"revoked"` // keys
}

// reloadTrust answers 409 if the keyring can't be used, and the old one stays in force.
func (s server) reloadTrust(w http.ResponseWriter, _ *http.Request) {
	reloaded, err := s.ReloadTrust()
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	writeJSON(w, reloaded)
}

// ReloadTrust has the node read its user's keyring again. On an error, the old one
// stays in force.
func (c *Client) ReloadTrust(ctx context.Context) (TrustReloaded, error) {
	var t TrustReloaded
	err := c.value(ctx, http.MethodPost, "/trust/reload", nil, &t)
	if errors.Is(err, ErrNotFound) {
		return t, errors.New("control: the running node can't reload its keyring: restart it")
	}
	return t, err
}
