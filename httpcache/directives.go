package httpcache

import (
	"net/http"
	"strings"
	"time"
)

// MaxDelta is the longest time that a number of seconds in a field stands for. Greater
// numbers count as this one (RFC 9111 section 1.2.2).
const MaxDelta = (1 << 31) * time.Second

// Delta is the argument of a directive that is a number of seconds.
type Delta struct {
	Value   time.Duration // between 0 and [MaxDelta]
	Set     bool          // whether the directive is there at all
	Invalid bool          // an argument is missing or no number; Value is then 0
}

// Directives are the directives of Cache-Control (RFC 9111 section 5.2), of a request or
// of a response. Of directives that are given several times the most restrictive value
// holds; unknown ones are ignored.
type Directives struct {
	MaxAge   Delta // request and response
	SMaxAge  Delta // response
	MinFresh Delta // request; never Invalid: what is no number is ignored
	MaxStale Delta // request; MaxDelta if it has no argument: any staleness will do

	StaleIfError         Delta // request and response (RFC 5861 section 4)
	StaleWhileRevalidate Delta // response (RFC 5861 section 3)

	NoStore         bool
	NoTransform     bool
	OnlyIfCached    bool
	MustRevalidate  bool
	ProxyRevalidate bool

	// Directives that loosen a rule count only in their exact form, without argument.
	Public         bool
	MustUnderstand bool
	Immutable      bool // RFC 8246

	// NoCache and Private are set by the plain and by the qualified form. The fields are
	// those of the qualified form, in lower case; nil if the plain form is there as well.
	NoCache       bool
	NoCacheFields []string
	Private       bool
	PrivateFields []string
}

// ParseCacheControl reads all Cache-Control lines of h. A malformed directive keeps what
// it forbids and loses what it allows: "no-store;" still forbids to store, while a max-age
// that is missing, negative, fractional or no number at all counts as 0
// (RFC 9111 section 4.2.1).
func ParseCacheControl(h http.Header) Directives {
	var d Directives
	for _, line := range h["Cache-Control"] {
		members := list{rest: line}
		for {
			member, ok := members.next()
			if !ok {
				break
			}
			d.add(parseDirective(member, members.broken))
		}
	}
	return d
}

// requestDirectives is [ParseCacheControl] for a request. Pragma: no-cache counts where
// there is no Cache-Control (RFC 9111 section 5.4); other values of Pragma mean nothing.
func requestDirectives(h http.Header) Directives {
	d := ParseCacheControl(h)
	if len(h["Cache-Control"]) > 0 {
		return d
	}
	for _, line := range h["Pragma"] {
		members := list{rest: line}
		for member, ok := members.next(); ok; member, ok = members.next() {
			d.NoCache = d.NoCache || strings.EqualFold(member, "no-cache")
		}
	}
	return d
}

// directive is one member of Cache-Control.
type directive struct {
	name      string
	arg       string
	hasArg    bool
	malformed bool // not of the form name, name=token or name="text"
}

func parseDirective(member string, malformed bool) directive {
	name, rest := cutToken(member)
	d := directive{name: name, malformed: malformed}
	switch {
	case rest == "":
	case rest[0] != '=':
		d.malformed = true
	case strings.HasPrefix(rest, `="`):
		arg, ok := unquote(rest[1:])
		d.arg, d.hasArg, d.malformed = arg, true, malformed || !ok
	default:
		d.arg, d.hasArg, d.malformed = rest[1:], true, malformed || !isToken(rest[1:])
	}
	return d
}

// plain reports whether the directive is its name and nothing else.
func (dir directive) plain() bool { return !dir.hasArg && !dir.malformed }

// seconds is the argument as a number of seconds.
func (dir directive) seconds() (d time.Duration, ok bool) {
	if !dir.hasArg || dir.malformed {
		return 0, false
	}
	return parseDelta(dir.arg)
}

func (d *Directives) add(dir directive) {
	var buf [len("stale-while-revalidate")]byte
	if len(dir.name) > len(buf) {
		return
	}
	switch string(asciiLower(buf[:0], dir.name)) {
	case "max-age":
		d.MaxAge.limit(dir)
	case "s-maxage":
		d.SMaxAge.limit(dir)
	case "stale-if-error":
		d.StaleIfError.limit(dir)
	case "stale-while-revalidate":
		d.StaleWhileRevalidate.limit(dir)
	case "max-stale":
		d.MaxStale.limitOrAny(dir)
	case "min-fresh":
		d.MinFresh.atLeast(dir)
	case "no-cache":
		d.NoCacheFields = qualify(d.NoCache, d.NoCacheFields, dir)
		d.NoCache = true
	case "private":
		d.PrivateFields = qualify(d.Private, d.PrivateFields, dir)
		d.Private = true
	case "no-store":
		d.NoStore = true
	case "no-transform":
		d.NoTransform = true
	case "must-revalidate":
		d.MustRevalidate = true
	case "proxy-revalidate":
		d.ProxyRevalidate = true
	case "only-if-cached":
		d.OnlyIfCached = d.OnlyIfCached || dir.plain()
	case "public":
		d.Public = d.Public || dir.plain()
	case "must-understand":
		d.MustUnderstand = d.MustUnderstand || dir.plain()
	case "immutable":
		d.Immutable = d.Immutable || dir.plain()
	}
}

// limit takes the smaller of the values so far and the directive's.
func (d *Delta) limit(dir directive) {
	v, ok := dir.seconds()
	if !d.Set || v < d.Value {
		d.Value = v
	}
	d.Set, d.Invalid = true, d.Invalid || !ok
}

// limitOrAny is limit for a directive that allows everything if it has no argument.
func (d *Delta) limitOrAny(dir directive) {
	if !dir.plain() {
		d.limit(dir)
	} else if !d.Set {
		d.Value, d.Set = MaxDelta, true
	}
}

// atLeast takes the greater of the values so far and the directive's.
func (d *Delta) atLeast(dir directive) {
	if v, ok := dir.seconds(); ok {
		d.Value, d.Set = max(d.Value, v), true
	}
}

// qualify adds the fields of one more no-cache or private directive to those before.
// The result is nil as soon as one of the directives covers the whole response.
func qualify(seen bool, before []string, dir directive) []string {
	if seen && before == nil || !dir.hasArg || dir.malformed {
		return nil
	}
	fields := before
	members := list{rest: dir.arg}
	for member, ok := members.next(); ok; member, ok = members.next() {
		if member == "" {
			continue
		}
		if !isToken(member) {
			return nil
		}
		fields = append(fields, string(asciiLower(nil, member)))
	}
	return fields
}

// parseDelta reads delta-seconds (RFC 9111 section 1.2.2): digits, and nothing else.
func parseDelta(s string) (d time.Duration, ok bool) {
	if s == "" {
		return 0, false
	}
	const most = int64(MaxDelta / time.Second)
	n := int64(0)
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || '9' < s[i] {
			return 0, false
		}
		n = min(n*10+int64(s[i]-'0'), most)
	}
	return time.Duration(n) * time.Second, true
}
