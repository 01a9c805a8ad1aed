package proxy

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/resource"
)

// Source says where an answer may come from.
type Source string

// The sources. The zero Source is SourceAny.
const (
	SourceAny    Source = "any"    // the ordinary way
	SourceCache  Source = "cache"  // only what is stored, however old
	SourcePeers  Source = "peers"  // only peers
	SourceOrigin Source = "origin" // only the origin, in full
)

// ErrBadSource is returned for a text that names no source.
var ErrBadSource = errors.New("proxy: source is none of any, cache, peers, origin")

// ParseSource reads the name of a source; the empty text is SourceAny.
func ParseSource(text string) (Source, error) {
	switch s := Source(text); s {
	case "":
		return SourceAny, nil
	case SourceAny, SourceCache, SourcePeers, SourceOrigin:
		return s, nil
	}
	return "", fmt.Errorf("%w: %q", ErrBadSource, text)
}

type sourceKey struct{}

// WithSource returns a context for requests that are to be answered from one source
// only. It has effect on requests whose URL could be cached.
func WithSource(ctx context.Context, s Source) context.Context {
	return context.WithValue(ctx, sourceKey{}, s)
}

func sourceOf(ctx context.Context) Source {
	if s, ok := ctx.Value(sourceKey{}).(Source); ok && s != "" {
		return s
	}
	return SourceAny
}

// request is a client's request that the cache may have a say in.
type request struct {
	in     *http.Request
	url    resource.URL
	id     resource.ID
	source Source

	setCookie []string  // what the origin sets now that it was asked for this request
	newer     time.Time // when a copy was received that nobody vouches for, but that is newer than what is shown
	tried     []string  // what was tried before this answer, for people
}

// cacheable returns the request in canonical terms, or false if the cache has no
// say in it: other methods, requests with content, preconditions that only the
// origin can judge (RFC 9111 section 4.3.2), event streams, and URLs that are not
// certain to mean what their canonical form means.
func (p *Proxy) cacheable(r *http.Request) (*request, bool) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil, false
	}
	h := r.Header
	if r.ContentLength != 0 || h["If-Match"] != nil || h["If-Unmodified-Since"] != nil || h.Get("Accept") == "text/event-stream" {
		return nil, false
	}
	u, err := resource.FromURL(r.URL)
	if err != nil || hasDotSegment(r.URL.Path) || strings.Contains(r.RequestURI, "#") {
		return nil, false
	}
	return &request{in: r, url: u, id: resource.NewID(http.MethodGet, u), source: sourceOf(r.Context())}, true
}

// hasDotSegment finds "." and ".." in a decoded path. Clients resolve them before
// they ask (RFC 3986 section 5.2.4), so who sends them wants one resource to pass
// for another: an origin may treat them in its own way.
func hasDotSegment(path string) bool {
	if !strings.Contains(path, "/.") {
		return false
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// wantsNews reports whether the client wants the answer to be validated now.
func wantsNews(h http.Header) bool {
	if len(h["Cache-Control"]) == 0 && len(h["Pragma"]) == 0 {
		return false
	}
	asked := httpcache.ParseCacheControl(h)
	return asked.NoCache || asked.MaxAge.Set && asked.MaxAge.Value == 0 ||
		len(h["Cache-Control"]) == 0 && strings.Contains(strings.ToLower(h.Get("Pragma")), "no-cache")
}

// fields returns the request fields to be forwarded: without those for this hop,
// those that Connection names, and all that concern the proxy (RFC 9110 section
// 7.6.1), and with Via.
func (p *Proxy) fields(r *http.Request) http.Header {
	h := r.Header.Clone()
	trailers := acceptsTrailers(h)
	httpcache.RemoveHopByHop(h)
	for name := range h { // the others too: no origin needs to know of proxies
		if strings.HasPrefix(name, "Proxy-") {
			delete(h, name)
		}
	}
	if r.ContentLength == 0 || !r.ProtoAtLeast(1, 1) {
		delete(h, "Expect") // nothing to wait for, or to be ignored: RFC 9110 section 10.1.1
	}
	countDown(r, h)
	if trailers {
		h.Set("Te", "trailers") // it is for this hop, too: the next answer comes back through us
	}
	if _, set := h["User-Agent"]; !set {
		h["User-Agent"] = []string{""} // keeps net/http from sending its own
	}
	h["Via"] = append(h["Via"], version(r.ProtoMajor, r.ProtoMinor)+" "+p.viaName(r.URL.Host))
	return h
}

func acceptsTrailers(h http.Header) bool {
	for _, line := range h["Te"] {
		for part := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(part), "trailers") {
				return true
			}
		}
	}
	return false
}

func version(major, minor int) string {
	switch {
	case major == 1 && minor == 0:
		return "1.0"
	case major == 1:
		return "1.1"
	}
	return fmt.Sprint(major)
}

// viaName is what this proxy calls itself in the Via of requests to a host. It has
// to be told from all other proxies to find a loop (RFC 9110 section 7.6.3), but
// must not let two sites recognise one user: so it differs from host to host.
func (p *Proxy) viaName(host string) string {
	mac := hmac.New(sha256.New, p.secret[:])
	mac.Write([]byte(strings.ToLower(host)))
	return p.names.pseudonym + "-" + hex.EncodeToString(mac.Sum(nil)[:4])
}

// loops reports whether the request has been here before.
func (p *Proxy) loops(r *http.Request) bool {
	if len(r.Header["Via"]) == 0 {
		return false
	}
	host := r.URL.Host
	if host == "" {
		host = r.Host
	}
	own := p.viaName(host)
	for _, line := range r.Header["Via"] {
		for hop := range strings.SplitSeq(line, ",") {
			if words := strings.Fields(hop); len(words) >= 2 && strings.EqualFold(words[1], own) {
				return true
			}
		}
	}
	return false
}

// rawPath is the path of a request's target as the client wrote it, or "" if net/http will write it
// like that itself. A proxy changes nothing in it (RFC 9110 section 7.7).
func rawPath(r *http.Request) string {
	_, rest, ok := strings.Cut(r.RequestURI, "://")
	slash := strings.IndexAny(rest, "/?")
	if !ok || slash < 0 || rest[slash] != '/' {
		return ""
	}
	path, _, _ := strings.Cut(rest[slash:], "?")
	if path == r.URL.EscapedPath() || strings.HasPrefix(path, "//") {
		return ""
	}
	return path
}

// outgoing is the request to the origin: the target as the client gave it, since a
// proxy must not rewrite it (RFC 9110 section 7.7), and no content. OPTIONS without a
// path is for the server as a whole (RFC 9112 section 3.2.4).
func outgoing(ctx context.Context, r *http.Request, fields http.Header) *http.Request {
	u := *r.URL
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	if r.Method == http.MethodOptions && u.Path == "" && u.RawQuery == "" && !u.ForceQuery {
		u.Path = "*"
	}
	if path := rawPath(r); path != "" {
		u.Opaque = path // net/http would write some of it in another way
	}
	out := &http.Request{
		Method: r.Method, URL: &u, Host: u.Host, Header: fields,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	return out.WithContext(ctx)
}
