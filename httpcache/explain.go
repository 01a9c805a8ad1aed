package httpcache

import (
	"net/http"
	"strings"
	"time"

	"github.com/peerproxy/peerproxy/resource"
)

// Finding is one line of an explanation: what it is about, in a word or two, and what was
// decided and why.
type Finding struct {
	// Topic is one of "stored", "variants", "fresh", "age", "now", "validation", "origin fails",
	// "conditions" and "ranges".
	Topic string
	Reason
}

// String is the line for a user.
func (f Finding) String() string { return f.Topic + ": " + f.Reason.String() }

// Explain tells all that is decided about a stored response for a request, in the order in which
// a cache asks: why it is stored, for which requests, how long it is fresh and how old it is,
// whether this request gets it as it is, how it is validated, whether it may be used when
// the origin fails, and which bytes of it the request gets. The request may be a plain GET.
func Explain(req *http.Request, ex *resource.Exchange, now time.Time) []Finding {
	return Policy{}.Explain(req, ex, now)
}

// Explain is the function [Explain] under a policy.
func (p Policy) Explain(req *http.Request, ex *resource.Exchange, now time.Time) []Finding {
	e := p.Evaluate(req, ex, now)
	_, _, lifetime := p.Lifetime(ex)
	findings := []Finding{
		{"stored", p.whyStored(ex)},
		{"variants", explainVary(req.Header, ex)},
		{"fresh", lifetime},
		{"age", Reason{sentence("", e.Age, " old"), "RFC 9111 section 4.2.3"}},
		{"now", explainUse(&e)},
	}
	if e.Verdict != Fresh || e.Age >= e.Lifetime {
		findings = append(findings, Finding{"validation", explainValidation(ex)})
	}
	findings = append(findings, Finding{"origin fails", explainFailing(&e)})
	if outcome, why := Preconditions(req.Header, ex); outcome != Proceed {
		findings = append(findings, Finding{"conditions", why})
	}
	if len(req.Header["Range"]) > 0 || ex.Status == http.StatusPartialContent {
		findings = append(findings, Finding{"ranges", ChooseRanges(req.Header, ex).Why})
	}
	return findings
}

// whyStored judges the response by its own fields, since the request that it came for is not
// known any more.
func (p Policy) whyStored(ex *resource.Exchange) Reason {
	_, why := p.storable(&http.Request{Method: ex.Method}, ex.Status, ex.Header)
	why.Text = strings.TrimPrefix(why.Text, "stored: ")
	return why
}

func explainVary(reqHeader http.Header, ex *resource.Exchange) Reason {
	const section = "RFC 9111 section 4.1"
	names, ok := varyNames(ex.Header)
	switch {
	case !ok:
		return Reason{"answers no other request, by its Vary field", section}
	case len(names) == 0:
		return Reason{"answers every request for the URL: it has no Vary field", section}
	case Matches(reqHeader, ex):
		return Reason{"answers requests with " + selected(ex, names) + ", such as this one", section}
	}
	return Reason{"answers requests with " + selected(ex, names) + ", unlike this one", section}
}

// maxShown bounds how much of a field an explanation repeats, in bytes.
const maxShown = 60

// selected are the request fields that a stored response is for.
func selected(ex *resource.Exchange, names []string) string {
	parts := make([]string, len(names))
	for i, name := range names {
		value := strings.Join(ex.Selecting[name], ", ")
		switch {
		case len(ex.Selecting[name]) == 0:
			parts[i] = "no " + name
		case len(value) > maxShown:
			parts[i] = name + ": " + value[:maxShown] + "…"
		default:
			parts[i] = name + ": " + value
		}
	}
	return strings.Join(parts, " and ")
}

func explainUse(e *Evaluation) Reason {
	text := "used as it is: "
	switch {
	case e.StaleWhileRevalidate:
		return Reason{"used as it is and validated meanwhile, by stale-while-revalidate: " + e.Why.Text, "RFC 5861 section 3"}
	case e.Verdict == MustRevalidate && e.OnlyIfCached:
		text = "not used, and the request forbids to ask the origin: "
	case e.Verdict == MustRevalidate:
		text = "not used without asking the origin: "
	}
	return Reason{text + e.Why.Text, e.Why.Section}
}

func explainValidation(ex *resource.Exchange) Reason {
	const section = "RFC 9111 section 4.3.1"
	h := ConditionalHeaders(ex)
	tag, date := h.Get("If-None-Match"), h.Get("If-Modified-Since")
	switch {
	case tag != "" && date != "":
		return Reason{"asks the origin by entity tag " + tag + " and date " + date, section}
	case tag != "":
		return Reason{"asks the origin by entity tag " + tag, section}
	case date != "":
		return Reason{"asks the origin by date " + date, section}
	}
	return Reason{"has no validator: the origin is asked for all of it", section}
}

func explainFailing(e *Evaluation) Reason {
	switch {
	case !e.StaleIfError:
		return Reason{"not used then: " + e.Failing.Text, e.Failing.Section}
	case !e.StaleIfServerError:
		return Reason{"used if it can't be reached, but not in place of its errors: stale-if-error has run out", "RFC 5861 section 4"}
	}
	return Reason{"used then: " + e.Failing.Text, e.Failing.Section}
}
