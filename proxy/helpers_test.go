package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"
	"go.uber.org/goleak"

	"github.com/peerproxy/peerproxy/resource"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is the public name of the origin in all tests with sockets.
const site = "http://www.example.com"

// memStore is a Store in memory.
type memStore struct {
	mu      sync.Mutex
	byID    map[resource.ID][]*resource.Stored
	bodies  map[resource.Root]chunks
	open    int   // Writers and Bodies
	aborted int   // Writers that were given up
	limit   int64 // of a body; 0 = none
	created int   // Writers
	commit  func(*resource.Stored) error
	stalls  bool                   // Commit and Freshen take until their context ends
	lost    map[resource.Root]bool // bodies that can't be opened
	lookups int
}

var (
	errTooLarge = errors.New("fake store: too large")
	errWeaker   = fmt.Errorf("fake store: %w", ErrWeaker)
	errDone     = errors.New("fake store: writer is done")
)

func newMemStore() *memStore {
	return &memStore{byID: map[resource.ID][]*resource.Stored{}, bodies: map[resource.Root]chunks{}, lost: map[resource.Root]bool{}}
}

func (s *memStore) Lookup(id resource.ID) ([]*resource.Stored, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lookups++
	return s.byID[id], nil
}

func (s *memStore) OpenBody(st *resource.Stored) (Body, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.bodies[st.Exchange.Body.Root]
	if !ok || s.lost[st.Exchange.Body.Root] {
		return nil, errors.New("fake store: body not readable")
	}
	s.open++
	return &memBody{data, s}, nil
}

func (s *memStore) Create() (Writer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open++
	s.created++
	return &memWriter{store: s, hash: resource.NewHasher()}, nil
}

func (s *memStore) Freshen(ctx context.Context, st *resource.Stored) error {
	if s.stalls {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.put(st)
}

func (s *memStore) Delete(_ context.Context, id resource.ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byID, id)
	return nil
}

// put replaces the variant of st unless what is there is stronger, or more than a part.
func (s *memStore) put(st *resource.Stored) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := st.Exchange.ID()
	list := slices.Clone(s.byID[id])
	list = slices.DeleteFunc(list, func(old *resource.Stored) bool {
		partOfWhole := old.Exchange.Status == http.StatusOK && st.Exchange.Status == http.StatusPartialContent
		return sameVariant(old, st) && old.Tier <= st.Tier && !partOfWhole
	})
	if slices.ContainsFunc(list, func(old *resource.Stored) bool { return sameVariant(old, st) }) {
		return errWeaker
	}
	s.byID[id] = slices.Insert(list, 0, st)
	return nil
}

func sameVariant(a, b *resource.Stored) bool {
	var x, y strings.Builder
	_ = a.Exchange.Selecting.Write(&x)
	_ = b.Exchange.Selecting.Write(&y)
	return x.String() == y.String()
}

func (s *memStore) all() (list []*resource.Stored) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, variants := range s.byID {
		list = append(list, variants...)
	}
	return list
}

// lose makes all bodies unreadable until they are stored again.
func (s *memStore) lose() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for root := range s.bodies {
		s.lost[root] = true
	}
}

func (s *memStore) closed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
}

// chunks is a body in pieces, so that it can grow without being copied.
type chunks struct {
	list [][]byte
	size int64
}

const chunkSize = 256 << 10

func (c *chunks) add(p []byte) {
	for c.size += int64(len(p)); len(p) > 0; {
		if n := len(c.list); n == 0 || len(c.list[n-1]) == chunkSize {
			c.list = append(c.list, make([]byte, 0, chunkSize))
		}
		last := &c.list[len(c.list)-1]
		n := min(len(p), chunkSize-len(*last))
		*last = append(*last, p[:n]...)
		p = p[n:]
	}
}

func (c chunks) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) && off < c.size {
		m := copy(p[n:], c.list[off/chunkSize][off%chunkSize:])
		n, off = n+m, off+int64(m)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

type memBody struct {
	chunks
	store *memStore
}

func (b *memBody) Size() int64  { return b.size }
func (b *memBody) Close() error { b.store.closed(); return nil }

type memWriter struct {
	store *memStore
	hash  *resource.Hasher

	mu              sync.Mutex
	data            chunks
	committed, done bool
}

func (w *memWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.store.limit > 0 && w.data.size+int64(len(p)) > w.store.limit {
		return 0, errTooLarge
	}
	w.data.add(p)
	return w.hash.Write(p)
}

func (w *memWriter) ReadAt(p []byte, off int64) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done {
		return 0, errDone
	}
	return w.data.ReadAt(p, off)
}

func (w *memWriter) Body() resource.Body { return w.hash.Body() }

func (w *memWriter) Commit(ctx context.Context, st *resource.Stored) error {
	if w.store.stalls {
		<-ctx.Done()
		return ctx.Err()
	}
	if w.store.commit != nil {
		if err := w.store.commit(st); err != nil {
			return err
		}
	}
	if err := w.store.put(st); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.committed = true
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	w.store.bodies[st.Exchange.Body.Root] = w.data
	delete(w.store.lost, st.Exchange.Body.Root)
	return nil
}

func (w *memWriter) Abort() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.done {
		w.done = true
		w.store.closed()
		w.store.mu.Lock()
		if !w.committed {
			w.store.aborted++
		}
		w.store.mu.Unlock()
	}
	return nil
}

// fakePeers is Peers as a function.
type fakePeers func(ctx context.Context, q resource.Query) (*resource.Copy, error)

func (f fakePeers) Fetch(ctx context.Context, q resource.Query) (*resource.Copy, error) {
	return f(ctx, q)
}

// copyOf is a copy as a peer gives it.
func copyOf(u, text string, h http.Header, received time.Time) *resource.Copy {
	parsed, err := resource.ParseURL(u)
	if err != nil {
		panic(err)
	}
	hash := resource.NewHasher()
	_, _ = hash.Write([]byte(text))
	if h == nil {
		h = http.Header{}
	}
	if h["Date"] == nil {
		h.Set("Date", received.UTC().Format(http.TimeFormat))
	}
	ex := &resource.Exchange{
		Method: "GET", URL: parsed, Status: 200, Header: h, Body: hash.Body(),
		Requested: received, Received: received, Signatures: []resource.Signature{{Input: "()", Value: []byte("x")}},
	}
	return &resource.Copy{Exchange: ex, Body: io.NopCloser(strings.NewReader(text)), Tier: resource.Unproven, Signer: "friend", Peer: "someone"}
}

// lab is an origin, a proxy in front of it, and a client of the proxy.
type lab struct {
	t      *testing.T
	store  *memStore
	origin *httptest.Server
	server *httptest.Server
	proxy  *Proxy
	client *http.Client
}

// newLab starts a lab. The origin is www.example.com by a resolve rule.
func newLab(t *testing.T, origin http.HandlerFunc, change func(*Config)) *lab {
	t.Helper()
	l := &lab{t: t, store: newMemStore(), origin: httptest.NewServer(origin)}
	t.Cleanup(l.origin.Close)
	cfg := Config{Store: l.store, Sites: unasked, Dialer: &Dialer{Resolve: []Resolve{{Host: "www.example.com", Port: 80, Addr: addrOf(l.origin.Listener)}}}}
	if change != nil {
		change(&cfg)
	}
	l.proxy = newProxy(t, cfg)
	l.server = httptest.NewUnstartedServer(nil)
	l.server.Config = l.proxy.Server()
	l.server.Start()
	t.Cleanup(l.server.Close)
	l.client = l.newClient()
	return l
}

func newProxy(t testing.TB, cfg Config) *Proxy {
	t.Helper()
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func (l *lab) newClient() *http.Client {
	proxyURL, _ := url.Parse(l.server.URL)
	tr := &http.Transport{Proxy: http.ProxyURL(proxyURL), DisableCompression: true, MaxIdleConnsPerHost: 200}
	l.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func addrOf(l net.Listener) netip.AddrPort { return netip.MustParseAddrPort(l.Addr().String()) }

// answered is a response that has been read.
type answered struct {
	*http.Response
	text string
}

// do sends a request with the given fields ("Name: value") and reads the answer.
func (l *lab) do(method, u string, fields ...string) answered {
	l.t.Helper()
	a, err := l.try(method, u, fields...)
	if err != nil {
		l.t.Fatalf("%s %s: %v", method, u, err)
	}
	return a
}

func (l *lab) get(u string, fields ...string) answered {
	l.t.Helper()
	return l.do("GET", u, fields...)
}

func (l *lab) try(method, u string, fields ...string) (answered, error) {
	r, err := http.NewRequest(method, u, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Add(name, value)
	}
	res, err := l.client.Do(r)
	if err != nil {
		return answered{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return answered{res, string(text)}, err
}

// settle waits until no fetch is under way, the commits included.
func (l *lab) settle() { settle(l.proxy) }

func settle(p *Proxy) { p.flights.wg.Wait() }

// cacheStatusOf reads the last member of Cache-Status, which is the proxy's own.
func (a answered) cacheStatus() httpsfv.Item { return lastMember(a.Header["Cache-Status"]) }

func (a answered) proxyStatus() httpsfv.Item { return lastMember(a.Header["Proxy-Status"]) }

func lastMember(lines []string) httpsfv.Item {
	list, err := httpsfv.UnmarshalList(lines)
	if err != nil || len(list) == 0 {
		return httpsfv.NewItem("none")
	}
	item, _ := list[len(list)-1].(httpsfv.Item)
	return item
}

func has(item httpsfv.Item, name string, want any) bool {
	if item.Params == nil {
		return want == nil
	}
	got, there := item.Params.Get(name)
	if want == nil {
		return !there
	}
	if token, ok := want.(string); ok {
		if got == any(httpsfv.Token(token)) {
			return true
		}
	}
	if number, ok := want.(int); ok {
		return got == any(int64(number))
	}
	return got == want
}

// want checks status, text and parameters of the status fields: "cache:hit",
// "cache:fwd=stale", "proxy:error=dns_error".
func (a answered) want(t *testing.T, status int, text string, params ...string) {
	t.Helper()
	if a.StatusCode != status || text != "*" && a.text != text {
		t.Fatalf("got %d %.200q, want %d %.200q; %v", a.StatusCode, a.text, status, text, a.Header)
	}
	if a.Header.Get("Cache-Status") == "" || a.Header.Get("Proxy-Status") == "" {
		t.Fatalf("status fields are missing: %v", a.Header)
	}
	for _, p := range params {
		field, rest, _ := strings.Cut(p, ":")
		name, value, valued := strings.Cut(rest, "=")
		item := a.cacheStatus()
		if field == "proxy" {
			item = a.proxyStatus()
		}
		got, there := item.Params.Get(name)
		absent := strings.HasPrefix(name, "!")
		if absent {
			_, there = item.Params.Get(name[1:])
			there = !there
		}
		if !there || valued && !absent && value != text2(got) {
			t.Fatalf("want %s; got Cache-Status %q, Proxy-Status %q", p, a.Header["Cache-Status"], a.Header["Proxy-Status"])
		}
	}
}

func text2(v any) string {
	item := httpsfv.NewItem(v)
	s, _ := httpsfv.Marshal(item)
	return strings.Trim(s, `"`)
}

// forget drops everything.
func (s *memStore) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.byID)
	clear(s.bodies)
}

// unasked has copies of the sites that most tests use shown without a question.
var unasked = SitePolicies{"example.com": {Accept: resource.Unproven}, "example.org": {Accept: resource.Unproven}}
