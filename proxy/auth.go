package proxy

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"strings"
)

// Users returns a check for Config.Auth that knows the given passwords by user
// name. How long it takes does not depend on how much of a guess is right.
func Users(passwords map[string]string) func(user, password string) bool {
	known := make([][2][sha256.Size]byte, 0, len(passwords))
	for user, password := range passwords {
		known = append(known, [2][sha256.Size]byte{sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))})
	}
	return func(user, password string) bool {
		u, pw := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))
		found := 0
		for i := range known {
			found |= subtle.ConstantTimeCompare(u[:], known[i][0][:]) & subtle.ConstantTimeCompare(pw[:], known[i][1][:])
		}
		return found == 1
	}
}

// authorized checks the credentials of a request to the proxy (RFC 9110 section
// 11.7.2, RFC 7617).
func (p *Proxy) authorized(r *http.Request) bool {
	if p.cfg.Auth == nil {
		return true
	}
	user, password, ok := basicCredentials(r.Header.Get("Proxy-Authorization"))
	return ok && p.cfg.Auth(user, password)
}

func basicCredentials(field string) (user, password string, ok bool) {
	scheme, encoded, _ := strings.Cut(field, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(plain), ":")
}
