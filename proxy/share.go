package proxy

import (
	"net/http"
	"slices"
	"strings"

	"github.com/peerproxy/peerproxy/resource"
)

// ShareQuestion is what [ShareDecision] needs to know of an exchange.
type ShareQuestion struct {
	Method   string
	URL      resource.URL // zero for a URL with user information
	Request  http.Header  // as it went to the origin
	Status   int
	Response http.Header // as it came
	// PublicHost says that the host is public by name ([Dialer.Public]) and, where
	// that is known, by the address that answered.
	PublicHost bool
	// PrivateSite says that the user keeps the site to himself ([SitePolicy]).
	PrivateSite bool
	// EndUncertain is that of resource.Stored: the body may have been cut off.
	EndUncertain bool
}

// Reason says in plain words why something may or may not be shared.
type Reason string

// What a [Clause] is about, and so what has to be known to judge it.
const (
	AboutURL      = "url"
	AboutRequest  = "request" // as it went to the origin
	AboutResponse = "response"
)

// Clause is one condition of the rule of what may be shared, judged.
type Clause struct {
	Name  string // short, the same in every version
	About string // AboutURL, AboutRequest or AboutResponse
	OK    bool
	Why   Reason
}

// condition is a clause that has not been judged yet. The words are for both cases.
type condition struct {
	name    string
	about   string
	holds   func(*ShareQuestion) bool
	yes, no Reason
}

// urlRule is what can be said of a URL without its host. Peers are not even asked for one that fails.
var urlRule = []condition{
	{"user-information", AboutURL, func(q *ShareQuestion) bool { return !q.URL.IsZero() },
		"the URL has no user information in it", "the URL has user information in it"},
	{"query", AboutURL, func(q *ShareQuestion) bool { return q.URL.IsZero() || !secretQuery(q.URL.Query()) },
		"nothing in the query looks like a secret", "the query looks as if it held a secret"},
	{"path", AboutURL, func(q *ShareQuestion) bool { return q.URL.IsZero() || !secretPath(pathOf(q.URL)) },
		"nothing in the path looks like a secret", "the path looks as if it held a secret"},
}

// shareRule is the whole rule. Who adds to it adds to TestShareClauses and to docs/sharing.md.
var shareRule = slices.Concat([]condition{
	{"method", AboutRequest, func(q *ShareQuestion) bool { return q.Method == http.MethodGet },
		"it answers GET", "only answers to GET are shared"},
	{"status", AboutResponse, func(q *ShareQuestion) bool { return shareableStatus(q.Status) },
		"answers with this status may be shared", "answers with this status are not shared"},
	{"public-host", AboutURL, func(q *ShareQuestion) bool { return q.PublicHost },
		"the host is public", "the host is not public"},
	{"private-site", AboutURL, func(q *ShareQuestion) bool { return !q.PrivateSite },
		"the site is not on your list of private sites", "the site is on your list of private sites"},
}, urlRule, []condition{
	{"cookie", AboutRequest, func(q *ShareQuestion) bool { return q.Request["Cookie"] == nil },
		"it was fetched without a cookie", "it was fetched with a cookie"},
	{"authorization", AboutRequest, func(q *ShareQuestion) bool { return q.Request["Authorization"] == nil },
		"it was fetched without Authorization", "it was fetched with Authorization"},
	{"other-fields", AboutRequest, func(q *ShareQuestion) bool { return commonRequest(q.Request) },
		"it was fetched with fields only that every browser sends", "it was fetched with a field that may tell who asked"},
	{"asking-site", AboutResponse, func(q *ShareQuestion) bool { return q.Request["Origin"] == nil || !namesOrigin(q.Response) },
		"it is not meant for one site that asked", "it is meant for the site that asked"},
	{"set-cookie", AboutResponse, func(q *ShareQuestion) bool { return q.Response["Set-Cookie"] == nil },
		"it sets no cookie", "it sets a cookie"},
	{"cache-control", AboutResponse, func(q *ShareQuestion) bool { return !saysPrivate(q.Response) },
		"its Cache-Control does not say that it is private", "its Cache-Control says that it is private"},
	{"vary", AboutResponse, func(q *ShareQuestion) bool { return shareableVary(q.Response["Vary"]) },
		"it does not vary by who asks", "it varies by who asks"},
	{"whole", AboutResponse, func(q *ShareQuestion) bool { return !q.EndUncertain },
		"all of it is known to have come", "it may have been cut off: nothing but the end of the connection said where it ends"},
})

// ShareClauses judges every clause of the rule, in an order that does not change. It is a pure
// function.
func ShareClauses(q ShareQuestion) []Clause { return judge(shareRule, &q) }

// ShareDecision reports whether an exchange is provably public, so that it may be
// given to peers: every clause must hold, and in doubt it is private. The reason is that
// of the first clause that fails. It is a pure function.
func ShareDecision(q ShareQuestion) (bool, Reason) { return ruleHolds(shareRule, &q) }

func judge(rule []condition, q *ShareQuestion) []Clause {
	clauses := make([]Clause, len(rule))
	for i, c := range rule {
		clauses[i] = Clause{c.name, c.about, true, c.yes}
		if !c.holds(q) {
			clauses[i].OK, clauses[i].Why = false, c.no
		}
	}
	return clauses
}

func ruleHolds(rule []condition, q *ShareQuestion) (bool, Reason) {
	for _, c := range rule {
		if !c.holds(q) {
			return false, c.no
		}
	}
	return true, "it is public"
}

// commonFields are request fields that every browser sends and that say nothing of
// who asks: what a client is and can do (RFC 9110 section 12.5, client hints), how
// it came here (Referer, Origin, Fetch Metadata), what it knows already (conditions,
// ranges) and how it wants to be served. Their values are not shared: those go
// nowhere unless Vary names them, see shareableVary.
var commonFields = map[string]bool{
	"Accept": true, "Accept-Charset": true, "Accept-Datetime": true, "Accept-Encoding": true, "Accept-Language": true,
	"User-Agent": true, "Referer": true, "Origin": true, "Dnt": true, "Sec-Gpc": true, "Sec-Purpose": true, "Purpose": true,
	"Cache-Control": true, "Pragma": true, "Range": true, "If-Range": true, "If-None-Match": true, "If-Modified-Since": true,
	"Via": true, "Te": true, "Priority": true, "Save-Data": true, "Upgrade-Insecure-Requests": true,
}

// commonRequest reports whether a request has, besides Cookie and Authorization, which have
// clauses of their own, only fields that carry nothing that an origin may tell its users apart by.
// Whatever is not known to be harmless may be an API key.
func commonRequest(h http.Header) bool {
	for name := range h {
		if !commonField(name) && name != "Cookie" && name != "Authorization" {
			return false
		}
	}
	return true
}

func commonField(name string) bool {
	return commonFields[name] || strings.HasPrefix(name, "Sec-Fetch-") || strings.HasPrefix(name, "Sec-Ch-")
}

// namesOrigin reports whether a response is open to certain sites only (Fetch
// standard, section 3.3.3).
func namesOrigin(h http.Header) bool {
	return slices.ContainsFunc(h["Access-Control-Allow-Origin"], func(line string) bool { return strings.TrimSpace(line) != "*" })
}

func shareableStatus(status int) bool {
	switch status {
	case 200, 203, 301, 308, 404, 410:
		return true
	}
	return false
}

// saysPrivate reads generously: what only looks like "private" is private.
func saysPrivate(h http.Header) bool {
	return slices.ContainsFunc(h["Cache-Control"], func(line string) bool {
		line = strings.ToLower(line)
		return strings.Contains(line, "private") || strings.Contains(line, "no-store")
	})
}

// shareableVary reports whether a response depends on no other request fields than
// those that peers may learn. The values of all that Vary names become part of the
// exchange, signed and sent with it, so that any other name would give away what
// this node's user sent: Referer, User-Agent, keys.
func shareableVary(lines []string) bool {
	for _, line := range lines {
		for name := range strings.SplitSeq(line, ",") {
			name = http.CanonicalHeaderKey(strings.TrimSpace(name))
			if name != "" && !slices.Contains(resource.SelectingFields, name) {
				return false
			}
		}
	}
	return true
}
