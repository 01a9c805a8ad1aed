package proxy

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/peerproxy/peerproxy/document"
	"github.com/peerproxy/peerproxy/resource"
)

// provenance is where an answer comes from, and how far it is proven.
type provenance struct {
	exchange  *resource.Exchange
	tier      resource.Tier
	witnesses int // of a witnessed copy, 0 = not known
	witnessed time.Time
	kept      bool // out of the store
	stale     bool // and shown in place of what the origin would say now
	newer     time.Time
}

// since is when the site had said what is delivered, as far as that is known. Of a copy that nobody
// vouches for it is what that says itself.
func (s provenance) since() time.Time {
	if s.tier == resource.Witnessed && !s.witnessed.IsZero() {
		return s.witnessed
	}
	return s.exchange.Received
}

// contentType is the Content-Type that the answer has.
func (s provenance) contentType() string {
	text := contentTypeOf(s.exchange.Header)
	if bareFields(s.tier) {
		return plainType(text)
	}
	return text
}

// seen is the exchange as those who vouch for it got it.
func (s provenance) seen() *resource.Exchange {
	if s.tier != resource.Witnessed {
		return s.exchange
	}
	return asSeen(s.exchange, s.witnessed)
}

// manner is how an answer is delivered.
type manner int

const (
	asItIs     manner = iota
	sandboxed         // so that it can't act in the origin's name
	askedFirst        // after a page in between: the user decides
	withheld          // not at all
)

// delivery is the decision about one answer. The zero delivery is what the origin's own
// answer gets.
type delivery struct {
	manner manner
	to     destination
	banner bool   // for people: a document that is not what the site says now
	why    string // of what is not delivered, in plain words
}

// weak reports whether a copy may be a lie that somebody made to act in the origin's name.
func weak(tier resource.Tier) bool { return tier < resource.Signer }

// bareFields reports whether only the bytes of a copy are proven, or not even those: whoever
// made the fields up is not to be obeyed.
func bareFields(tier resource.Tier) bool { return weak(tier) || tier == resource.Content }

// decide applies the delivery policy (docs/trust.md): what is proven by a hash, a signature or
// by this node itself is delivered as it is. What strangers have sent is only shown, and what
// nobody else vouches for only after the user was asked.
func decide(src provenance, to destination, site SitePolicy, consented, inSandbox bool) delivery {
	d := delivery{to: to, banner: to == toDocument && (src.tier != resource.Origin || src.stale)}
	if !weak(src.tier) || src.tier == resource.Witnessed && site.Plain {
		return d
	}
	d.manner = sandboxed
	accepted := consented || src.tier >= acceptedTier(site)
	switch to {
	case toDocument:
		if !accepted {
			d.manner, d.banner, d.why = askedFirst, false, "the user is asked first"
		}
	case toScript:
		d.manner, d.why = withheld, "scripts are taken only from copies that the site or somebody trusted vouches for"
	case toData:
		d.manner, d.why = withheld, "what scripts read is taken only from copies that the site or somebody trusted vouches for"
	case toStyle:
		if !inSandbox {
			d.manner, d.why = withheld, "styles that are not proven are only for pages that are shown as copies"
		}
	case toFrame, toMedia, toProgram:
	}
	if !accepted && d.manner == sandboxed {
		d.manner, d.why = withheld, "the user has not agreed to see copies of this site that are not proven"
	}
	return d
}

// accepts reports whether the user wants to see copies of a tier without being asked, or has agreed to.
func (p *Proxy) accepts(u resource.URL, tier resource.Tier) bool {
	return tier >= acceptedTier(p.cfg.Sites.For(u)) || p.consented(u)
}

// acceptedTier is the weakest tier that the user need not be asked about.
func acceptedTier(site SitePolicy) resource.Tier {
	if site.Accept.Valid() {
		return site.Accept
	}
	return DefaultAccept
}

// delivery decides how a client gets an answer.
func (p *Proxy) delivery(r *request, src provenance) delivery {
	to := destinationOf(r.in, contentTypeOf(src.exchange.Header))
	if src.tier == resource.Origin && !src.stale {
		return delivery{to: to}
	}
	if agreed(r.in.Context()) {
		return delivery{to: toProgram}
	}
	site := p.cfg.Sites.For(r.url)
	d := decide(src, to, site, p.consented(r.url), p.shown.copies(r))
	if d.manner != sandboxed {
		return d
	}
	switch media := contentTypeOf(src.exchange.Header); {
	case leadsAway(src.exchange):
		d.manner, d.banner, d.why = withheld, false, "the copy leads to another site"
	case to == toDocument && isMarkup(mediaType(media)) && !document.CanInsert(media):
		// Else whoever makes a copy up would choose a type that does without.
		d.manner, d.banner, d.why = withheld, false, "pages of this type have no place for the notice that they are copies"
	}
	return d
}

// leadsAway reports whether a redirect goes to another site, where nothing of a copy's is sandboxed
// any more, or from https to http, where others listen.
func leadsAway(ex *resource.Exchange) bool {
	lines := ex.Header["Location"]
	if len(lines) == 0 {
		return false
	}
	location := lines[0]
	if len(lines) > 1 || strings.ContainsFunc(location, oddInReference) {
		return true
	}
	base, err := http.NewRequest(http.MethodGet, ex.URL.String(), nil)
	if err != nil {
		return true
	}
	u, err := base.URL.Parse(location)
	if err != nil {
		return true
	}
	target, err := resource.FromURL(u)
	return err != nil || target.Site() != ex.URL.Site() || ex.URL.Scheme() == "https" && target.Scheme() != "https"
}

// oddInReference finds what browsers drop from a reference, or take for a slash (URL standard, section 4.4).
func oddInReference(r rune) bool { return r <= ' ' || r == '\\' || r >= 0x7f }

// tierOf is what a stored response is worth now: those who signed it may have lost the user's trust.
func (p *Proxy) tierOf(st *resource.Stored) resource.Tier {
	if _, ok := p.witnessedAt(st); !ok && st.Tier == resource.Witnessed {
		return resource.Unproven
	}
	if st.Tier == resource.Signer && p.cfg.SignerCounts != nil && !p.cfg.SignerCounts(st.Signer, st.Exchange.URL) {
		return resource.Unproven
	}
	return st.Tier
}

// isRefused reports whether a stored copy is as if it were not there, for its signer's sake.
func (p *Proxy) isRefused(st *resource.Stored) bool {
	return st.Tier != resource.Origin && st.Tier != resource.Content && p.cfg.SignerRefused != nil && p.cfg.SignerRefused(st.Signer)
}

type agreedKey struct{}

// WithConsent returns a context for requests whose maker wants copies that are not proven as they
// are, with their labels: programs that know what they do, on the command line.
func WithConsent(ctx context.Context) context.Context {
	return context.WithValue(ctx, agreedKey{}, true)
}

func agreed(ctx context.Context) bool { return ctx.Value(agreedKey{}) != nil }
