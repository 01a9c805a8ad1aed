package node_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// What must never leave a node but towards the origin that it is for.
const (
	secretUser     = "annabel.quartz"
	secretPassword = "correct-horse-31337"
	secretSession  = "sess-7f3a9c51be20d8"
	secretTracker  = "trk-55aa00ff19c3e7"
	secretBalance  = "balance is 48151.62"
	secretMessage  = "your biopsy results are in"
	secretReset    = "rst-0b1c2d3e4f5a6b7c"
	secretLink     = "q7Wm3ZxK9vRt2LpY8nBc5HdF"
	secretKey      = "sk-live-90210beefcafe42"
	secretTag      = "etag-user-66102"
	secretPost     = "transfer 900 to my landlord"
	secretAgent    = "BrowserOfAnnabel/7"
	secretQuery    = "where-to-hide-a-body"
)

var secrets = []string{
	secretUser, secretPassword, secretSession, secretTracker, secretBalance, secretMessage, secretReset, secretLink,
	secretKey, secretTag, secretPost, secretAgent, secretQuery,
}

// loginSite is what the hosts of the test serve: pages behind a login, made with more and less care,
// and things for everybody. It notes who asked without a cookie.
type loginSite struct {
	mu        sync.Mutex
	anonymous map[string]int // by host and path
}

const (
	publicStyle  = "body { color: teal } /* for everybody */"
	publicLogo   = "\x89PNG a public logo"
	publicHome   = "<p>Welcome to the bank. Please log in."
	publicScript = "export const everybody = 'gets this script'"
	publicNews   = "news that everybody may read"
)

func (s *loginSite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie("session")
	known := err == nil && cookie.Value == secretSession
	if r.Header["Cookie"] == nil {
		s.mu.Lock()
		s.anonymous[r.Host+r.URL.Path]++
		s.mu.Unlock()
	}
	w.Header().Set("Content-Type", "text/html")
	switch r.URL.Path {
	case "/style.css", "/logo.png", "/home", "/last", "/lib.js", "/news":
		s.public(w, r, known)
		return
	case "/login":
		s.login(w, r)
		return
	case "/visit", "/visit-fresh":
		http.SetCookie(w, &http.Cookie{Name: "tracker", Value: secretTracker})
		if r.URL.Path == "/visit-fresh" {
			w.Header().Set("Cache-Control", "max-age=600")
		}
		_, _ = io.WriteString(w, "you are visitor "+secretTracker)
		return
	case "/api/me":
		if r.Header.Get("Authorization") == "Bearer "+secretKey {
			w.Header().Set("Cache-Control", "public, max-age=600")
			_, _ = fmt.Fprintf(w, `{"user":%q,"key":%q}`, secretUser, secretKey)
			return
		}
	case "/api/key":
		if r.Header.Get("X-Api-Key") == secretKey {
			w.Header().Set("Cache-Control", "max-age=600")
			_, _ = fmt.Fprintf(w, `{"user":%q}`, secretUser)
			return
		}
	case "/known-by-address": // as libraries and companies have them
		w.Header().Set("Cache-Control", "private, max-age=600")
		_, _ = io.WriteString(w, "hello "+secretUser)
		return
	case "/agent":
		w.Header().Set("Vary", "User-Agent")
		w.Header().Set("Cache-Control", "max-age=600")
		_, _ = io.WriteString(w, "for "+r.Header.Get("User-Agent"))
		return
	case "/reset", "/s/" + secretLink, "/find":
		w.Header().Set("Cache-Control", "max-age=600") // who has the link may see it
		_, _ = io.WriteString(w, "for whoever has the link: "+secretMessage)
		return
	}
	if !known {
		w.Header().Set("Cache-Control", "max-age=600")
		_, _ = io.WriteString(w, "please log in")
		return
	}
	s.personal(w, r)
}

// public is for everybody, though some servers can't help to mark it for those they know.
func (s *loginSite) public(w http.ResponseWriter, r *http.Request, known bool) {
	w.Header().Set("Content-Type", "text/plain") // to which no node adds anything
	w.Header().Set("Cache-Control", "max-age=600")
	if known {
		w.Header().Set("Etag", `"`+secretTag+`"`)
		w.Header().Set("X-Served-For", secretUser)
	}
	_, _ = io.WriteString(w, map[string]string{
		"/style.css": publicStyle, "/logo.png": publicLogo, "/home": publicHome, "/lib.js": publicScript, "/news": publicNews, "/last": "the last page",
	}[r.URL.Path])
}

func (s *loginSite) login(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("user") != secretUser || r.PostFormValue("password") != secretPassword {
		http.Error(w, "wrong password", http.StatusForbidden)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "session", Value: secretSession, Path: "/"})
	http.Redirect(w, r, "/account", http.StatusSeeOther)
}

// personal is what somebody sees who is logged in. Only the first says of itself that it is private.
func (s *loginSite) personal(w http.ResponseWriter, r *http.Request) {
	page := "hello " + secretUser + ", " + secretBalance + ", " + secretMessage
	switch {
	case r.URL.Path == "/account":
		w.Header().Set("Cache-Control", "private, max-age=600")
	case r.URL.Path == "/vary":
		w.Header().Set("Vary", "Cookie")
		w.Header().Set("Cache-Control", "max-age=600")
	case r.URL.Path == "/dashboard": // nothing is said: fresh by heuristics, where those are used
		w.Header().Set("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")
	case r.Method == http.MethodPost:
		text, _ := io.ReadAll(io.LimitReader(r.Body, 1<<10))
		page = "done: " + string(text)
		// It may be stored for GET (RFC 9110 section 9.3.3).
		w.Header().Set("Content-Location", r.URL.Path)
		w.Header().Set("Cache-Control", "max-age=600")
	default:
		w.Header().Set("Cache-Control", "max-age=600")
	}
	if strings.HasSuffix(r.URL.Path, ".json") {
		w.Header().Set("Content-Type", "application/json")
		page = fmt.Sprintf(`{"user":%q,"text":%q}`, secretUser, secretMessage)
	}
	_, _ = io.WriteString(w, page)
}

// askedAnonymously counts requests without a cookie.
func (s *loginSite) askedAnonymously(hostAndPath string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.anonymous[hostAndPath]
}
