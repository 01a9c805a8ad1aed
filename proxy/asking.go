package proxy

import (
	"math"
	"net/http"

	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/resource"
)

// fetch is what is asked of the origin and of peers.
type fetch struct {
	*request

	fields http.Header        // as sent to the origin
	known  *resource.Stored   // what is stored of the variant, nil = nothing
	asked  []*resource.Stored // whose validators are among the fields

	fresh   bool // known is fresh, but of a tier that an origin's answer is preferred to
	usable  bool // known may be served if the origin can't be reached
	instead bool // and also if it answers with an error
	ranged  bool // Range is among the fields
	fills   bool // it is the Range that completes known, a part

	hint func(status int, h http.Header)
}

// conditions are those preconditions that the proxy answers itself.
var conditions = []string{"If-None-Match", "If-Modified-Since"}

// newFetch prepares what is sent upstream. The client's own conditions are left
// out, since the answer is for others and for the store, too; they are judged when
// it comes. In their place stand the validators of what is stored.
func (p *Proxy) newFetch(r *request, f found) *fetch {
	x := &fetch{request: r, fields: p.fields(r.in)}
	deleteAll(x.fields, conditions)
	if r.in.Method != http.MethodGet {
		deleteAll(x.fields, []string{"Range", "If-Range"}) // they mean nothing (RFC 9110 section 14.2)
	}
	if r.source == SourceAny {
		p.askAbout(x, f)
	}
	x.ranged = x.fields["Range"] != nil
	return x
}

// askAbout adds what asks the origin about stored responses (RFC 9111 sections 4.3.1 and 3.4).
// Only for what came from the origin itself: a peer may have made its validators up.
func (p *Proxy) askAbout(x *fetch, f found) {
	switch {
	case f.stored == nil:
		x.askWhich(f.variants)
		return
	case f.missing && f.stored.Tier == resource.Origin:
		x.askForRest(f.stored)
		return
	case f.missing:
		return
	case badStatus(f.stored.Exchange.Status, false) != nil && p.mayAskPeers(x.request):
		return // peers may have something better than a failure
	}
	x.known, x.fresh = f.stored, f.ev.Verdict.Reusable()
	x.usable = x.fresh || f.ev.StaleIfError
	x.instead = x.fresh || f.ev.StaleIfServerError
	if f.stored.Tier == resource.Origin && !f.stored.EndUncertain && !x.mayBeAnothers(f.stored) {
		x.ask([]*resource.Stored{f.stored}, httpcache.ConditionalHeaders(f.stored.Exchange))
	}
}

// mayBeAnothers reports whether a stored response may be a page for somebody whom the origin knew, while
// nobody that it knows asks now: a date alone would have it confirmed for him, too.
func (x *fetch) mayBeAnothers(st *resource.Stored) bool {
	return st.WithCookie && x.fields["Cookie"] == nil && st.Exchange.Header["Etag"] == nil
}

// askWhich asks which of several variants is the right one, if any. One that the client could
// not decode is not among them.
func (x *fetch) askWhich(variants []*resource.Stored) {
	var fit []*resource.Stored
	for _, st := range variants {
		if st.Tier == resource.Origin && !st.EndUncertain && st.Exchange.Status == http.StatusOK && httpcache.CodingAccepted(x.in.Header, st.Exchange) {
			fit = append(fit, st)
		}
	}
	x.ask(fit, httpcache.ConditionsAmong(exchangesOf(fit)))
}

func (x *fetch) ask(about []*resource.Stored, conditions http.Header) {
	if len(conditions) == 0 {
		return
	}
	x.asked = about
	setAll(x.fields, conditions)
}

// askForRest asks for what a stored part lacks.
func (x *fetch) askForRest(part *resource.Stored) {
	x.known = part
	if x.in.Method != http.MethodGet {
		return
	}
	fields, ok, _ := httpcache.Completion(x.in.Header, part.Exchange)
	if !ok || !worthJoining(x.in.Header, part.Exchange, fields) {
		return
	}
	x.fills = true
	setAll(x.fields, fields)
}

// copiedAlong bounds what is copied of a stored part that is completed for a range beyond it: the
// client waits for that.
const copiedAlong = 64 << 20

// worthJoining reports whether a stored part is to be completed by a range that a client asks for. All
// of it is copied then: who reads a film range by range would have it copied each time, the more
// the further he is.
func worthJoining(asked http.Header, part *resource.Exchange, fields http.Header) bool {
	if asked["Range"] == nil {
		return true // the client wants all of it
	}
	held, _ := httpcache.PartOf(part)
	size := held.Complete
	if size < 0 {
		size = math.MaxInt64
	}
	missing := spanOf(fields, size).Length
	along := held.Span.Length - (spanOf(asked, size).Length - missing)
	return along <= max(runAhead, min(missing, copiedAlong))
}

// spanOf is the one range that a request asks for.
func spanOf(h http.Header, size int64) httpcache.Span {
	specs, ok := httpcache.ParseRange(h["Range"])
	if !ok {
		return httpcache.Span{Length: size}
	}
	span, _ := specs[0].Of(size)
	return span
}

// unconditional is the same fetch as if nothing were stored: with the client's own range.
func (x *fetch) unconditional() *fetch {
	y := *x
	y.known, y.asked, y.fresh, y.usable, y.instead, y.fills = nil, nil, false, false, false, false
	y.fields = x.plainFields()
	y.ranged = y.fields["Range"] != nil
	return &y
}

// plainFields are the fields without anything that is about stored responses.
func (x *fetch) plainFields() http.Header {
	h := x.fields.Clone()
	deleteAll(h, conditions)
	if x.fills {
		for _, name := range []string{"Range", "If-Range"} {
			delete(h, name)
			if lines := x.in.Header[name]; lines != nil {
				h[name] = lines
			}
		}
	}
	return h
}

func exchangesOf(list []*resource.Stored) []*resource.Exchange {
	exchanges := make([]*resource.Exchange, len(list))
	for i, st := range list {
		exchanges[i] = st.Exchange
	}
	return exchanges
}

func deleteAll(h http.Header, names []string) {
	for _, name := range names {
		delete(h, name)
	}
}

func setAll(h, from http.Header) {
	for name, lines := range from {
		h[name] = lines
	}
}
