package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/textproto"
	"sync"
	"time"

	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/resource"
)

// answer is what an upstream gave: a response, a copy or an error; a response comes
// with an error if its status says that the origin failed.
type answer struct {
	from      contender
	response  *http.Response
	joined    *joint // response and what is stored make one
	copy      *resource.Copy
	err       error
	requested time.Time
	received  time.Time
	remote    netip.Addr // who answered, if known
}

func (a *answer) discard() {
	if a.response != nil {
		_ = a.response.Body.Close()
	}
	if a.copy != nil {
		_ = a.copy.Body.Close()
	}
}

// askOrigin sends the request to the origin. If the origin confirms another response
// than the stored one, or gives a part that does not fit the stored part, it is asked again as if
// nothing were stored (RFC 9111 sections 4.3.4 and 3.4).
func (p *Proxy) askOrigin(ctx context.Context, f *fetch) answer {
	a := p.roundTrip(ctx, f, f.fields, len(f.asked) > 0)
	if a.response == nil || p.join(f, &a) {
		return a
	}
	a.discard()
	return p.roundTrip(ctx, f, f.plainFields(), false)
}

func (p *Proxy) roundTrip(ctx context.Context, f *fetch, fields http.Header, conditional bool) answer {
	a := answer{from: origin, requested: p.cfg.Now()}
	remote := &remoteAddr{}
	ctx = remote.trace(ctx, f.hint)
	response, err := p.transport.RoundTrip(outgoing(ctx, f.in, fields)) //nolint:bodyclose // the flight that gets it closes it
	a.received, a.remote = p.cfg.Now(), remote.get()
	if err != nil {
		a.err = fmt.Errorf("proxy: origin: %w", causeOf(ctx, err))
		return a
	}
	a.response, a.err = response, badStatus(response.StatusCode, conditional)
	if errors.Is(a.err, errProtocol) {
		a.discard()
		a.response = nil
	}
	return a
}

// remoteAddr learns from the transport who answered. The trace may be called late,
// by goroutines of the transport.
type remoteAddr struct {
	mu   sync.Mutex
	addr netip.Addr
}

func (r *remoteAddr) trace(ctx context.Context, interim func(int, http.Header)) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			if tcp, ok := info.Conn.RemoteAddr().(*net.TCPAddr); ok {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.addr = tcp.AddrPort().Addr().Unmap()
			}
		},
		Got1xxResponse: func(status int, h textproto.MIMEHeader) error {
			if interim != nil && status != http.StatusContinue && status != http.StatusSwitchingProtocols {
				interim(status, http.Header(h))
			}
			return nil
		},
	})
}

func (r *remoteAddr) get() netip.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.addr
}

// badStatus judges a status: what says that the origin failed (451 and 5xx),
// and what may not come at all. A captive portal's 511 is meant for the user (RFC
// 6585 section 6).
func badStatus(status int, conditional bool) error {
	switch {
	case status == http.StatusNetworkAuthenticationRequired:
		return nil
	case status >= 500, status == http.StatusUnavailableForLegalReasons:
		return badStatusError(status)
	case status == http.StatusNotModified && !conditional:
		return fmt.Errorf("%w: unasked 304", errProtocol)
	}
	return impossibleStatus(status)
}

// impossibleStatus refuses what no origin may answer: interim responses at the end,
// and a demand for credentials that are for the proxy.
func impossibleStatus(status int) error {
	if status < 200 || status == http.StatusProxyAuthRequired {
		return fmt.Errorf("%w: unexpected status %d", errProtocol, status)
	}
	return nil
}

// causeOf prefers the reason of a cancellation to the words of whoever noticed it.
func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// mayAskPeers keeps to itself whatever is nobody's business (ARCHITECTURE.md, "What
// may be shared"). A cookie, which most requests have, is no reason not to ask for
// what others may have got without; nor are other fields, which peers do not learn.
func (p *Proxy) mayAskPeers(r *request) bool {
	if !p.asksFor(r.url) || r.source == SourceOrigin || r.in.Header["Authorization"] != nil || p.private(r.url) {
		return false
	}
	shareable, _ := shareableURL(r.url)
	return shareable && p.dialer.Public(r.url.Host())
}

// asksFor reports whether there are peers to ask for a URL, and any sense in it.
func (p *Proxy) asksFor(u resource.URL) bool {
	return p.cfg.Peers != nil && (p.cfg.AskFor == nil || p.cfg.AskFor(u))
}

// notAsked is why peers may not be asked, nil if they may.
func (p *Proxy) notAsked(r *request) error {
	switch {
	case p.mayAskPeers(r):
		return nil
	case p.asksFor(r.url):
		return fmt.Errorf("%w: %w", errNoPeer, errPrivate)
	case p.cfg.Peers != nil:
		return fmt.Errorf("%w: %w", errNoPeer, errNotAsked)
	}
	return errNoPeer
}

// askPeers asks for a copy. Only the selecting fields leave this node. A request
// that names peers as its only source comes here even if they may not be asked.
func (p *Proxy) askPeers(ctx context.Context, f *fetch) answer {
	a := answer{from: peers, requested: p.cfg.Now()}
	if err := p.notAsked(f.request); err != nil {
		a.received, a.err = a.requested, err
		return a
	}
	q := resource.Query{Method: http.MethodGet, URL: f.url, Header: http.Header{}}
	for _, name := range resource.SelectingFields {
		if lines := f.fields[name]; lines != nil {
			q.Header[name] = append([]string(nil), lines...)
		}
	}
	c, err := p.cfg.Peers.Fetch(ctx, q)
	a.received = p.cfg.Now()
	if err == nil && c == nil {
		err = errors.New("no copy given")
	}
	if err != nil {
		a.err = fmt.Errorf("%w: %w", errNoPeer, causeOf(ctx, err))
		return a
	}
	if err := p.fits(ctx, f, c); err != nil {
		_ = c.Body.Close()
		a.err = err
		return a
	}
	a.copy = c
	return a
}

// fits checks that a copy is an answer to the request: nothing a peer says is taken
// for granted here, although the fetcher should have checked it.
func (p *Proxy) fits(ctx context.Context, f *fetch, c *resource.Copy) error {
	ex := c.Exchange
	if ex == nil || ex.URL != f.url || ex.Method != http.MethodGet || !c.Tier.Valid() || c.Tier >= resource.Origin {
		return &unfitError{"not what was asked for"}
	}
	if !clean(ex.Header) {
		return &unfitError{"fields that nothing stored has"}
	}
	if !httpcache.Matches(f.in.Header, ex) {
		return &unfitError{"another variant"}
	}
	if ok, why := p.shareableCopy(ex); !ok {
		return &unfitError{string(why)}
	}
	if err := p.proven(ctx, f.request, c); err != nil {
		return err
	}
	if f.source == SourcePeers {
		return nil
	}
	ev := p.cfg.Policy.Evaluate(f.in, copyAsSeen(c), p.cfg.Now())
	if !ev.Verdict.Reusable() && !ev.StaleIfError {
		return &unfitError{"too old, and must not be used unconfirmed"}
	}
	return p.supersedes(f, c)
}

// supersedes checks that a copy is worth being shown where one is stored: it is newer or better proven,
// and if what is stored may be shown, either as well proven or wanted all the same.
func (p *Proxy) supersedes(f *fetch, c *resource.Copy) error {
	if f.known == nil {
		return nil
	}
	known, received := p.storedAsSeen(f.known), copyAsSeen(c).Received
	tier := p.tierOf(f.known)
	// Also in place of what must not be shown unconfirmed: else whoever replays an old exchange brings back
	// what its site has replaced (RFC 9111 section 4). An error or a part, though, is not what is asked for.
	good := known.Status < 400 && !f.lacks(known)
	only := (f.usable || good) && c.Tier <= tier // what is newer
	switch {
	case only && received.Before(known.Received):
		return &unfitError{"older than the stored copy"}
	case only && received.Equal(known.Received):
		return errNoNewer
	case f.usable && good && c.Exchange.Status >= 400:
		return &unfitError{"an error, where a good copy is stored"}
	case f.usable && weak(c.Tier) && c.Tier < tier && !p.accepts(f.url, c.Tier):
		return &newerError{received}
	}
	return nil
}

// unfitError says why a peer's copy is of no use. It is an errUnfit.
type unfitError struct{ why string }

// Error implements error.
func (e *unfitError) Error() string { return errUnfit.Error() + ": " + e.why }

// Unwrap implements the convention of package errors.
func (e *unfitError) Unwrap() error { return errUnfit }

// errNoNewer is about a copy that would do, were there no other.
var errNoNewer error = &unfitError{"no newer than the stored copy"}

// newerError is about a copy that is newer than the stored one, but less proven.
type newerError struct{ received time.Time }

// Error implements error.
func (e *newerError) Error() string {
	return "proxy: the copy is newer than the stored one, but less proven"
}

// Unwrap makes it a kind of errUnfit.
func (e *newerError) Unwrap() error { return errUnfit }

// shareableCopy judges a copy by what is known of its making: of the request, that
// is the fields that selected it.
func (p *Proxy) shareableCopy(ex *resource.Exchange) (bool, Reason) {
	return ShareDecision(ShareQuestion{
		Method: ex.Method, URL: ex.URL, Request: ex.Selecting, Status: ex.Status, Response: ex.Header,
		PublicHost: p.dialer.Public(ex.URL.Host()), PrivateSite: p.private(ex.URL),
	})
}

// clean reports whether a header is one of a stored response: without fields for a
// hop, which would take effect on the client's connection, and without Age.
func clean(h http.Header) bool {
	stripped := h.Clone()
	endToEnd(stripped)
	return len(stripped) == len(h)
}

// watched is an upstream body that is given up if nothing comes for too long. Time
// in which nobody reads does not count.
type watched struct {
	io.ReadCloser
	idle  time.Duration
	timer *time.Timer
}

// watch makes stalled be called when a Read takes longer than idle.
func watch(body io.ReadCloser, idle time.Duration, stalled func()) *watched {
	timer := time.AfterFunc(idle, stalled)
	timer.Stop()
	return &watched{ReadCloser: body, idle: idle, timer: timer}
}

func (w *watched) Read(p []byte) (int, error) {
	w.timer.Reset(w.idle)
	defer w.timer.Stop()
	return w.ReadCloser.Read(p)
}
