package proxy

import (
	"context"
	"net/http"
	"strings"

	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/resource"
)

type tellKey struct{}

// WithExplanation returns a context for requests whose decisions are told to f as they are
// made: what was found, whether it is used and why, and what became of the origin's answer. It is
// called from several goroutines. What is said after the header of the answer was written is
// about an origin that was too slow.
func WithExplanation(ctx context.Context, f func(httpcache.Finding)) context.Context {
	return context.WithValue(ctx, tellKey{}, f)
}

// tell explains one decision to whoever wants to know.
func (p *Proxy) tell(r *request, topic string, why httpcache.Reason) {
	if f, ok := r.in.Context().Value(tellKey{}).(func(httpcache.Finding)); ok {
		f(httpcache.Finding{Topic: topic, Reason: why})
	}
}

func (r *request) told() bool {
	_, ok := r.in.Context().Value(tellKey{}).(func(httpcache.Finding))
	return ok
}

// tellFound explains what the store has for a request.
func (p *Proxy) tellFound(r *request, f found) {
	if !r.told() || r.source == SourceOrigin || r.source == SourcePeers {
		return
	}
	switch {
	case f.stored != nil:
		for _, finding := range p.cfg.Policy.For(f.stored).Explain(r.in, f.stored.Exchange, p.cfg.Now()) {
			p.tell(r, finding.Topic, finding.Reason)
		}
	case len(f.variants) > 0:
		p.tell(r, "found", httpcache.Reason{Text: "only what answers other requests", Section: "RFC 9111 section 4.1"})
	default:
		p.tell(r, "found", httpcache.Reason{Text: "nothing is stored", Section: "RFC 9111 section 4"})
	}
}

// tellAsked explains what the origin is asked.
func (p *Proxy) tellAsked(x *fetch) {
	if !x.told() || x.source == SourcePeers {
		return
	}
	why := httpcache.Reason{Text: "the origin"}
	for _, name := range []string{"If-None-Match", "If-Modified-Since", "Range", "If-Range"} {
		if lines := x.fields[name]; lines != nil {
			why.Text += ", " + name + ": " + lines[0]
			why.Section = "RFC 9111 section 4.3.1"
		}
	}
	if x.fills {
		why.Section = "RFC 9111 section 3.4"
	}
	p.tell(x.request, "asked", why)
}

// tellTried explains who else was asked, and what that came to.
func (p *Proxy) tellTried(x *fetch, tried []string) {
	for _, text := range tried {
		p.tell(x.request, "tried", httpcache.Reason{Text: text})
	}
}

// tellReceived explains what becomes of an origin's response.
func (p *Proxy) tellReceived(f *fetch, a *answer, storable bool, why httpcache.Reason) {
	if !f.told() {
		return
	}
	p.tell(f.request, "answer", httpcache.Reason{Text: strings.TrimSpace(a.response.Proto + " " + a.response.Status)})
	why.Text = strings.TrimPrefix(why.Text, "stored: ")
	p.tell(f.request, "stored", why)
	if storable && f.in.Method == http.MethodGet {
		p.tellFresh(f, &resource.Stored{Exchange: exchangeOf(f, a), WithCookie: hasCookie(f)})
	}
}

// tellFresh explains how long a response will be used as it is.
func (p *Proxy) tellFresh(f *fetch, st *resource.Stored) {
	_, _, lifetime := p.cfg.Policy.For(st).Lifetime(st.Exchange)
	p.tell(f.request, "fresh", lifetime)
}
