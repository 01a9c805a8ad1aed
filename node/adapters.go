package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/peerproxy/peerproxy/cache"
	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/peer"
	"github.com/peerproxy/peerproxy/proxy"
	"github.com/peerproxy/peerproxy/resource"
)

// proxyStore is the store as the proxy wants it.
type proxyStore struct{ *cache.Store }

func (s proxyStore) OpenBody(st *resource.Stored) (proxy.Body, error) {
	body, err := s.Store.OpenBody(st)
	if err != nil {
		return nil, err // not a nil *cache.Body in the interface
	}
	return body, nil
}

func (s proxyStore) Create() (proxy.Writer, error) {
	w, err := s.Store.Create()
	if err != nil {
		return nil, err
	}
	return proxyWriter{w}, nil
}

func (s proxyStore) Freshen(ctx context.Context, st *resource.Stored) error {
	return inProxyTerms(s.Store.Freshen(ctx, st))
}

func (s proxyStore) Delete(ctx context.Context, id resource.ID) error {
	if err := s.Store.Delete(ctx, id); !errors.Is(err, cache.ErrNotFound) {
		return err
	}
	return nil
}

type proxyWriter struct{ *cache.Writer }

func (w proxyWriter) Commit(ctx context.Context, st *resource.Stored) error {
	return inProxyTerms(w.Writer.Commit(ctx, st))
}

// inProxyTerms translates the one refusal that is no trouble.
func inProxyTerms(err error) error {
	if errors.Is(err, cache.ErrWeaker) {
		return fmt.Errorf("%w: %w", proxy.ErrWeaker, err)
	}
	return err
}

// peerSource gives peers the shareable part of the store, and nothing else of it.
type peerSource struct {
	store *cache.Store
	sites proxy.SitePolicies // what was stored before a site became private is not given any more either
	// vouched reports whether somebody who counts still vouches for a stored copy; nil = that is not known.
	vouched func(*resource.Stored) bool
}

func (n *Node) source() peerSource { return peerSource{n.store, n.sites, n.vouched} }

func (s peerSource) Open(_ context.Context, id resource.ID, fields http.Header) (*peer.Shared, error) {
	found, err := s.store.Lookup(id)
	if err != nil {
		return nil, err
	}
	for _, st := range found { // newest first
		if !s.mayGive(st) || !httpcache.Matches(fields, st.Exchange) {
			continue
		}
		body, err := s.store.OpenBody(st)
		if errors.Is(err, cache.ErrNotFound) {
			continue // evicted in between
		}
		if err != nil {
			return nil, err
		}
		return &peer.Shared{Exchange: st.Exchange, Data: body, Outboard: body.Outboard(), Close: body.Close}, nil
	}
	return nil, peer.ErrNotHeld
}

// shareable reports whether there is anything of a resource to give, and the length of
// the longest body that is.
func (s peerSource) shareable(id resource.ID) (length int64, ok bool) {
	found, err := s.store.Lookup(id)
	if err != nil {
		return 0, false
	}
	for _, st := range found {
		if s.mayGive(st) {
			length, ok = max(length, st.Exchange.Body.Length), true
		}
	}
	return length, ok
}

// mayGive looks at what was stored as shareable once more: an exchange carries the
// request fields that select it, and of these only the harmless ones may leave.
func (s peerSource) mayGive(st *resource.Stored) bool {
	if !st.Shareable || s.sites.For(st.Exchange.URL).Private || s.vouched != nil && !s.vouched(st) {
		return false
	}
	for name := range st.Exchange.Selecting {
		if !slices.Contains(resource.SelectingFields, name) {
			return false
		}
	}
	return true
}
