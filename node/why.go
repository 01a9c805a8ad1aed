package node

import (
	"net/http"
	"strings"

	"github.com/peerproxy/peerproxy/cache"
	"github.com/peerproxy/peerproxy/control"
	"github.com/peerproxy/peerproxy/proxy"
	"github.com/peerproxy/peerproxy/resource"
)

// sharer is what has to be known of a node, running or not, to say why something is shared.
type sharer struct {
	store *cache.Store
	share Share                               // "" = nothing is running
	names func(site string) (levels []string) // of what is announced of a site; nil = nothing is running
	site  func(resource.URL) proxy.ShareQuestion
	// vouched is that of [peerSource].
	vouched func(*resource.Stored) bool
}

// WhyShared explains what a stopped node's file holds. Its settings are not known: no host is
// public by them, and no site private.
func WhyShared(store *cache.Store) func(resource.URL) (control.Sharing, error) {
	return sharer{store: store, site: func(u resource.URL) proxy.ShareQuestion {
		return proxy.ShareQuestion{PublicHost: new(proxy.Dialer).Public(u.Host())}
	}}.explain
}

// announcedLevels are the levels of the names that [sharing] has announced of a site.
func (n *Node) announcedLevels(site string) (list []string) {
	for _, topic := range n.cfg.levels().sites(site) {
		list = append(list, topic.Level)
	}
	return list
}

// whyShared explains what this node holds.
func (n *Node) whyShared(u resource.URL) (control.Sharing, error) {
	return sharer{store: n.store, share: n.cfg.Share, names: n.announcedLevels, site: n.proxy.SiteQuestion, vouched: n.vouched}.explain(u)
}

func (s sharer) explain(u resource.URL) (control.Sharing, error) {
	stored, err := s.store.Lookup(resource.NewID(http.MethodGet, u))
	if err != nil {
		return control.Sharing{}, err
	}
	sharing := control.Sharing{URL: u.String(), Running: s.share != "", Share: string(s.share), Variants: []control.SharingVariant{}}
	sharing.FromURL = s.fromURL(u)
	for _, st := range stored {
		v := s.variant(st)
		sharing.Variants = append(sharing.Variants, v)
		sharing.Offered = sharing.Offered || v.Offered
	}
	if sharing.Offered { // sharing follows the store: see there
		sharing.Site, sharing.Level = u.Site(), strings.Join(s.names(u.Site()), ", ")
	}
	return sharing, nil
}

// fromURL judges the clauses that a URL alone answers.
func (s sharer) fromURL(u resource.URL) (clauses []control.Clause) {
	q := s.site(u)
	q.URL = u
	for _, c := range proxy.ShareClauses(q) {
		if c.About == proxy.AboutURL {
			clauses = append(clauses, clauseOf(c))
		}
	}
	return clauses
}

func clauseOf(c proxy.Clause) control.Clause {
	state := control.ClauseHolds
	if !c.OK {
		state = control.ClauseFails
	}
	return control.Clause{Name: c.Name, State: state, Why: string(c.Why)}
}

// variant judges what is stored. Of the request nothing is kept but whether it had a cookie, and
// the fields that select the variant.
func (s sharer) variant(st *resource.Stored) control.SharingVariant {
	ex := st.Exchange
	q := s.site(ex.URL)
	q.Method, q.URL, q.Status, q.Response, q.EndUncertain = ex.Method, ex.URL, ex.Status, ex.Header, st.EndUncertain
	q.Request = ex.Selecting.Clone()
	if q.Request == nil {
		q.Request = http.Header{}
	}
	if st.Shareable { // the host was public then, perhaps by settings that are not known now
		q.PublicHost = true
	}
	if st.WithCookie {
		q.Request["Cookie"] = []string{""}
	}
	v := control.SharingVariant{
		Selecting: ex.Selecting, Received: ex.Received, Tier: st.Tier.String(),
		Shareable: peerSource{store: s.store, vouched: s.vouched}.mayGive(st) && !q.PrivateSite, // a list of private sites may be younger than what is stored
	}
	v.Offered = v.Shareable && s.share != "" && s.share != ShareOff
	for _, c := range proxy.ShareClauses(q) {
		v.Clauses = append(v.Clauses, clauseOf(c))
	}
	if !st.Shareable {
		doubt(&v, ex)
	}
	v.Why = decision(v)
	if st.Tier == resource.Unproven || st.Shareable && s.vouched != nil && !s.vouched(st) {
		v.Why = "it is a peer's copy, and nobody who counts vouches for it"
	}
	return v
}

// unkept are clauses about what the store does not keep, with what is to be said of them where the
// decision was no.
var unkept = map[string]string{
	"authorization": "whether it was fetched with Authorization is not kept",
	"other-fields":  "whether it was fetched with a field that may tell who asked is not kept",
	"public-host":   "the name is public; whether the address that answered was, and was reached without another proxy, is not kept",
	"cookie":        "whether it was confirmed or joined with a cookie is not kept; the body was fetched without",
	"asking-site":   "which site asked is not kept",
}

// doubt takes the certainty from clauses that hold only as far as is known: one of them may have
// been the reason not to share.
func doubt(v *control.SharingVariant, ex *resource.Exchange) {
	for i, c := range v.Clauses {
		if c.Name == "asking-site" && ex.Header["Access-Control-Allow-Origin"] == nil {
			continue
		}
		if words, some := unkept[c.Name]; some && c.State == control.ClauseHolds {
			v.Clauses[i] = control.Clause{Name: c.Name, State: control.ClauseUnknown, Why: words}
		}
	}
}

// decision is the reason of what was decided when the response was stored.
func decision(v control.SharingVariant) string {
	if v.Shareable {
		return "it is public: every clause held when it was stored"
	}
	for _, c := range v.Clauses {
		if c.State == control.ClauseFails {
			return c.Why
		}
	}
	return "one of the clauses that are not certain did not hold when it was stored: most often, it was fetched with a field that may tell who asked"
}
