package conformance

import (
	"net/http"
	"time"
)

// Base is the URL that a step asks for; its Path is relative to it.
const Base = "http://example.com/dir/page"

// Epoch is when every story begins. Nothing in a story takes time but [Step.After].
var Epoch = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// Date is the time d after Epoch as a field has it.
func Date(d time.Duration) string { return Epoch.Add(d).Format(http.TimeFormat) }

// Story is a sequence of steps with one cache, which is empty in the beginning.
type Story struct {
	Name    string
	Section string   // the RFC and section that the story is about
	Targets []string // targeted fields that the cache goes by (RFC 9213); none by default
	Steps   []Step
}

// Title is the story's name with its section, for the name of a test.
func (s *Story) Title() string { return "RFC " + s.Section + " " + s.Name }

// Step is one request of a story and what has to come of it.
type Step struct {
	After  time.Duration // since the step before
	Method string        // "" = GET
	Path   string        // reference relative to Base
	Ask    http.Header   // fields of the request
	Body   string        // content of the request
	Reply  Reply         // what the origin answers if it is asked
	Again  []Reply       // what it answers when it is asked once more in the same step

	How       How
	Status    int               // 0 = that of the answer forwarded, or any
	WantBody  string            // "" = that of the answer forwarded, or any
	WantParts []Part            // of a multipart answer
	Want      map[string]string // fields of the answer, lines joined by "|"; "" = absent
	Sent      map[string]string // the same of the first request to the origin
}

// Reply is what an origin answers. The zero Reply is one that hangs up. Without Content-Length or
// Transfer-Encoding in it, the framing is the teller's; no other field is added. One whose body is
// shorter than its Content-Length breaks off there.
type Reply struct {
	Status int
	Header http.Header
	Body   string
}

// How is where an answer comes from.
type How string

// The ways to an answer.
const (
	Cached    How = "cached"    // the store, without asking the origin
	Validated How = "validated" // the store, after a 304
	Meanwhile How = "meanwhile" // the store, and the origin is asked in the background
	Forwarded How = "forwarded" // the origin
	Completed How = "completed" // the store, with what the origin added
	Stale     How = "stale"     // the store, since the origin failed
	Timeout   How = "504"       // nobody: the client did not want the origin asked
)

// Group is a number of stories about one thing.
type Group struct {
	Name    string
	Stories []Story
}

// Groups are all stories there are.
func Groups() []Group {
	return []Group{
		{"Freshness", Freshness()},
		{"Dates", Dates()},
		{"Age", Age()},
		{"Heuristics", Heuristics()},
		{"Status", Status()},
		{"Storing", Storing()},
		{"Methods", Methods()},
		{"Request", Request()},
		{"Stale", Stales()},
		{"StaleIfError", StaleIfError()},
		{"StaleWhileRevalidate", StaleWhileRevalidate()},
		{"Vary", Vary()},
		{"Conditions", Conditions()},
		{"Validation", Validation()},
		{"Variants", Variants()},
		{"Update", Update()},
		{"Head", Head()},
		{"Invalidation", Invalidation()},
		{"Post", Post()},
		{"Ranges", Ranges()},
		{"Parts", Parts()},
		{"Completion", Completion()},
		{"Targeted", Targeted()},
	}
}
