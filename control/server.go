package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net/http"

	"github.com/peerproxy/peerproxy/cache"
	"github.com/peerproxy/peerproxy/httpcache"
	"github.com/peerproxy/peerproxy/resource"
)

// Config is what the API gives access to.
type Config struct {
	Store *cache.Store
	// Status describes the node. nil: there is none, only its file.
	Status func() Status
	// Bypassed lists the hosts whose tunnels are not looked into, and Unbypass takes one off
	// that list if it can. nil: there is no node.
	Bypassed func() []Bypassed
	Unbypass func(host string) bool
	// Policy is the one that the node decides by.
	Policy httpcache.Policy
	// Fetch answers r, a request for an absolute URL, from the given source, and explains its
	// decisions unless tell is nil. nil: no node to fetch with.
	Fetch func(w http.ResponseWriter, r *http.Request, from string, tell func(httpcache.Finding))
	// ReloadTrust reads the user's keyring again. nil: there is no node that uses it.
	ReloadTrust func() (TrustReloaded, error)
	// WhyShared explains what may be shared of a URL, or why not. nil: there is nobody who knows.
	WhyShared func(resource.URL) (Sharing, error)
	// Logger gets the faults of this interface. nil discards them.
	Logger *slog.Logger
}

type server struct {
	Config
}

// Handler serves the API.
func Handler(cfg Config) http.Handler {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := server{cfg}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /responses", s.responses)
	mux.HandleFunc("DELETE /responses", s.remove)
	mux.HandleFunc("GET /body", s.body)
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.stats()) })
	mux.HandleFunc("POST /verify", s.verify)
	if cfg.Status != nil {
		mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.status()) })
	}
	if cfg.Bypassed != nil && cfg.Unbypass != nil {
		mux.HandleFunc("GET /bypass", s.bypassed)
		mux.HandleFunc("DELETE /bypass", s.unbypass)
	}
	if cfg.WhyShared != nil {
		mux.HandleFunc("GET /why-shared", s.whyShared)
	}
	if cfg.Fetch != nil {
		mux.HandleFunc("GET /get", s.get)
	}
	if cfg.ReloadTrust != nil {
		mux.HandleFunc("POST /trust/reload", s.reloadTrust)
	}
	return mux
}

func (s server) status() Status {
	status := s.Status()
	status.Cache = s.stats()
	return status
}

func (s server) stats() CacheStats {
	st := s.Store.Stats()
	stats := CacheStats{
		Responses: st.Responses, Bodies: st.Bodies, BodyBytes: st.BodyBytes,
		FileBytes: st.FileBytes, UsedBytes: st.UsedBytes, QuotaBytes: st.Quota, Evicted: st.Evicted,
	}
	if st.Damage != nil {
		stats.Damage = st.Damage.Error()
	}
	return stats
}

func (s server) responses(w http.ResponseWriter, r *http.Request) {
	if !r.URL.Query().Has("url") {
		s.stream(w, s.Store.All(), s.describe)
		return
	}
	if found, ok := s.lookup(w, r); ok {
		s.stream(w, each(found), s.describeFully)
	}
}

// stream writes a line for each stored response. An error in the middle can't become a
// status any more: the connection is broken off, so that no one takes a part for the whole.
func (s server) stream(w http.ResponseWriter, all iter.Seq2[*resource.Stored, error], describe func(*resource.Stored) Response) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	encoder := json.NewEncoder(w)
	for st, err := range all {
		if err != nil {
			s.Logger.Error("control: list the cache", "error", err)
			panic(http.ErrAbortHandler)
		}
		if err := encoder.Encode(describe(st)); err != nil {
			return // the client has gone
		}
	}
}

func (s server) body(w http.ResponseWriter, r *http.Request) {
	found, ok := s.lookup(w, r)
	if !ok {
		return
	}
	body, err := s.Store.OpenBody(found[0])
	if err != nil {
		s.fail(w, "open a body", err)
		return
	}
	defer func() { _ = body.Close() }()
	w.Header().Set("Content-Type", "application/octet-stream")
	if _, err := io.Copy(w, io.NewSectionReader(body, 0, body.Size())); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func (s server) remove(w http.ResponseWriter, r *http.Request) {
	found, ok := s.lookup(w, r)
	if !ok {
		return
	}
	if err := s.Store.Delete(r.Context(), found[0].Exchange.ID()); err != nil {
		s.fail(w, "remove", err)
		return
	}
	writeJSON(w, Removed{Responses: len(found)})
}

func (s server) verify(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	encoder := json.NewEncoder(w)
	report, err := s.Store.Verify(r.Context(), func(p cache.Problem) {
		_ = encoder.Encode(VerifyLine{Problem: p.String()})
	})
	if err != nil {
		s.Logger.Error("control: verify", "error", err)
		panic(http.ErrAbortHandler)
	}
	_ = encoder.Encode(VerifyLine{Report: &VerifyReport{
		Responses: report.Responses, Bodies: report.Bodies, Bytes: report.Bytes, Problems: report.Problems,
	}})
}

func (s server) get(w http.ResponseWriter, r *http.Request) {
	u, ok := wantedURL(w, r)
	if !ok {
		return
	}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, u.String(), nil)
	if err != nil {
		http.Error(w, "the URL can't be asked for", http.StatusBadRequest)
		return
	}
	req.RequestURI = u.String()
	req.RemoteAddr = "control"
	explained := &explaining{ResponseWriter: w}
	var tell func(httpcache.Finding)
	if r.URL.Query().Has("explain") {
		tell = explained.tell
	}
	s.Fetch(explained, req, r.URL.Query().Get("from"), tell)
}

// lookup finds what is stored under the request's URL, or answers why not.
func (s server) lookup(w http.ResponseWriter, r *http.Request) ([]*resource.Stored, bool) {
	u, ok := wantedURL(w, r)
	if !ok {
		return nil, false
	}
	found, err := s.Store.Lookup(resource.NewID(http.MethodGet, u))
	if err != nil {
		s.fail(w, "look up", err)
		return nil, false
	}
	if len(found) == 0 {
		http.Error(w, ErrNotFound.Error(), http.StatusNotFound)
		return nil, false
	}
	return found, true
}

func (s server) fail(w http.ResponseWriter, step string, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	s.Logger.Error("control: a request failed", "step", step, "error", err)
	http.Error(w, step+": "+err.Error(), http.StatusInternalServerError)
}

func wantedURL(w http.ResponseWriter, r *http.Request) (resource.URL, bool) {
	u, err := resource.ParseURL(r.URL.Query().Get("url"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return resource.URL{}, false
	}
	return u, true
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // fails only when the client has gone
}

func each(list []*resource.Stored) iter.Seq2[*resource.Stored, error] {
	return func(yield func(*resource.Stored, error) bool) {
		for _, st := range list {
			if !yield(st, nil) {
				return
			}
		}
	}
}
