package proxy

import (
	"math"
	"net/url"
	"strings"

	"github.com/peerproxy/peerproxy/resource"
)

// shareableURL reports whether a URL can be spoken of: nothing in its path and query
// looks like a secret. Peers are not even asked for one that fails.
func shareableURL(u resource.URL) (bool, Reason) { return ruleHolds(urlRule, &ShareQuestion{URL: u}) }

func pathOf(u resource.URL) string {
	path, _, _ := strings.Cut(u.RequestURI(), "?")
	return path
}

func secretQuery(query string) bool {
	pairs := strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' })
	for _, pair := range pairs {
		name, value, named := strings.Cut(pair, "=")
		name, value = strings.ToLower(unescaped(name)), unescaped(value)
		if secretName(name) {
			return true
		}
		if !named {
			name, value = "", name
		}
		if secretValue(name, value) {
			return true
		}
	}
	return false
}

func unescaped(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// secretParts betray a parameter wherever they stand in its name, secretWords only
// as one of the words that the name consists of ("api_key", but not "keyboard").
var (
	secretParts = []string{"token", "secret", "session", "sessid", "passw", "passphrase", "signature", "credential", "oauth", "apikey", "jwt", "csrf", "xsrf", "jsessionid", "phpsessid", "nonce"}
	secretWords = map[string]bool{
		"key": true, "sig": true, "sign": true, "auth": true, "authorization": true, "sid": true, "pwd": true, "pass": true, "pw": true,
		"hmac": true, "mac": true, "otp": true, "pin": true, "ticket": true, "access": true, "code": true, "email": true, "mail": true,
		"user": true, "username": true, "userid": true, "login": true, "invite": true, "reset": true, "verify": true, "saml": true, "samlresponse": true,
	}
)

func secretName(name string) bool {
	for _, part := range secretParts {
		if strings.Contains(name, part) {
			return true
		}
	}
	words := strings.FieldsFunc(name, func(r rune) bool { return (r < 'a' || 'z' < r) && (r < '0' || '9' < r) })
	for _, word := range words {
		if secretWords[word] {
			return true
		}
	}
	return false
}

// versionNames carry hashes of public files in the query, to get around caches.
var versionNames = map[string]bool{"": true, "v": true, "ver": true, "version": true, "rev": true, "hash": true, "h": true, "build": true, "cb": true}

func secretValue(name, value string) bool {
	switch {
	case strings.HasPrefix(value, "eyJ") && strings.Count(value, ".") == 2: // JWT, RFC 7519
		return true
	case strings.Contains(value, "@") && strings.Contains(value, "."): // an e-mail address
		return true
	case versionNames[name] && len(value) <= 64 && strings.Trim(value, "0123456789abcdefABCDEF") == "":
		return false
	}
	words := strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" /,:.+|&?=", r) })
	for _, word := range words {
		if looksRandom(word) {
			return true
		}
	}
	return false
}

// looksRandom reports whether a word has the length and the disorder of a key: 20
// bytes or more, letters and digits, at least 3 bits of entropy in each byte. Words
// of a language with digits in between fall in as well; that costs only sharing.
func looksRandom(word string) bool {
	if len(word) < 20 {
		return false
	}
	var count [256]int
	letters, digits := false, false
	for i := 0; i < len(word); i++ {
		c := word[i]
		count[c]++
		letters = letters || 'a' <= c|0x20 && c|0x20 <= 'z'
		digits = digits || '0' <= c && c <= '9'
	}
	entropy := 0.0
	for _, n := range count {
		if n > 0 {
			share := float64(n) / float64(len(word))
			entropy -= share * math.Log2(share)
		}
	}
	mixedCase := strings.ToLower(word) != word && strings.ToUpper(word) != word
	return entropy >= 3 && letters && (digits || mixedCase)
}
