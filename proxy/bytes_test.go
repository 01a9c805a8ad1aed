package proxy

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/httpcache"
)

// moody is an origin whose resource changes, and that deals with ranges in one of several ways.
type moody struct {
	clock         *clock
	version, mood atomic.Int32
}

const moodySize = 3000

// bytesOfVersion tell which version they are of, and where they are in it.
func bytesOfVersion(v int) []byte {
	b := make([]byte, moodySize+v*7)
	for i := range b {
		b[i] = byte((i*31 + v*101 + i/251) % 251)
	}
	return b
}

func (m *moody) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.clock.stamp(w)
	v, mood := int(m.version.Load()), m.mood.Load()
	w.Header().Set("Etag", fmt.Sprintf(`"%d"`, v))
	w.Header().Set("Cache-Control", []string{"max-age=60", "max-age=60, stale-while-revalidate=100", "no-cache", ""}[mood%4])
	switch mood / 4 {
	case 1:
		r.Header.Del("Range")
	case 2:
		w = &breaking{w, 500}
	case 3:
		w = &unmeasured{ResponseWriter: w}
	case 4:
		shorten(r.Header)
	}
	http.ServeContent(w, r, "x.bin", time.Time{}, bytes.NewReader(bytesOfVersion(v)))
}

// shorten makes the origin send less than is asked for (RFC 9110 section 15.3.7).
func shorten(h http.Header) {
	specs, ok := httpcache.ParseRange(h["Range"])
	if ok && len(specs) == 1 && specs[0].First >= 0 && specs[0].Last > specs[0].First+99 {
		h.Set("Range", fmt.Sprintf("bytes=%d-%d", specs[0].First, specs[0].First+99))
	}
}

// breaking breaks off after some bytes.
type breaking struct {
	http.ResponseWriter
	left int
}

func (b *breaking) Write(p []byte) (int, error) {
	if len(p) > b.left {
		_, _ = b.ResponseWriter.Write(p[:b.left])
		_ = http.NewResponseController(b.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	b.left -= len(p)
	return b.ResponseWriter.Write(p)
}

// unmeasured does not say how long its content is.
type unmeasured struct{ http.ResponseWriter }

func (u *unmeasured) WriteHeader(status int) {
	u.Header().Del("Content-Length")
	u.ResponseWriter.WriteHeader(status)
	_ = http.NewResponseController(u.ResponseWriter).Flush()
}

// anyRequest is one of the requests that browsers, players and downloaders make.
func anyRequest(rnd *rand.Rand, version int32) (method string, fields []string) {
	one := func() string {
		first := rnd.IntN(moodySize)
		return []string{fmt.Sprint(first, "-"), fmt.Sprint("-", first+1), fmt.Sprint("0-", first), fmt.Sprint(first, "-", first+rnd.IntN(800))}[rnd.IntN(4)]
	}
	if rnd.IntN(3) > 0 {
		fields = append(fields, "Range: bytes="+one())
		if rnd.IntN(6) == 0 {
			fields = append(fields, fmt.Sprintf(`If-Range: "%d"`, version))
		}
	}
	if n := rnd.IntN(40); n < 3 {
		fields = append(fields, []string{"Cache-Control: no-cache", "Cache-Control: no-store", "Authorization: Basic eA=="}[n])
	}
	if rnd.IntN(15) == 0 {
		return http.MethodHead, fields
	}
	return http.MethodGet, fields
}

// wantOneVersion checks that an answer has the bytes that it says it has, of one version of the resource.
func (a answered) wantOneVersion(t *testing.T) {
	t.Helper()
	tag, _ := strconv.Unquote(a.Header.Get("Etag"))
	version, err := strconv.Atoi(tag)
	want := bytesOfVersion(version)
	if held, ok := httpcache.ParseContentRange(a.Header); ok && a.StatusCode == 206 && held.Span.End() <= int64(len(want)) {
		want = want[held.Span.Offset:held.Span.End()]
	} else if a.StatusCode != 200 {
		t.Errorf("got %d, %v", a.StatusCode, a.Header)
		return
	}
	if err != nil || a.text != string(want) {
		t.Errorf("got %d bytes that are not what they should be: %d, %v", len(a.text), a.StatusCode, a.Header)
	}
}

// Whatever is asked for, and however the origin answers: what comes has the bytes that it says it has,
// all of one version (RFC 9110 section 14.4, RFC 9111 sections 3.3 and 3.4), and nothing is left open.
func TestBytesAreWhatTheyShouldBe(t *testing.T) {
	m := &moody{clock: &clock{}}
	l := newLab(t, m.ServeHTTP, func(c *Config) {
		c.Now = m.clock.now
	})
	var clients sync.WaitGroup
	for n := range 4 {
		clients.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(n)))
			for range 700 {
				l.askMoody(m, rnd)
			}
		})
	}
	clients.Wait()
	l.settle()
	if l.store.open != 0 {
		t.Errorf("%d open", l.store.open)
	}
}

func (l *lab) askMoody(m *moody, rnd *rand.Rand) {
	switch rnd.IntN(40) {
	case 0:
		m.version.Add(1)
	case 1, 2, 3, 4:
		m.mood.Store(rnd.Int32N(20))
	case 5, 6:
		m.clock.advance(time.Duration(rnd.IntN(100)) * time.Second)
	case 7:
		l.store.lose()
	}
	method, fields := anyRequest(rnd, m.version.Load())
	a, err := l.try(method, fmt.Sprint(site, "/", rnd.IntN(3)), fields...)
	if err == nil && method == http.MethodGet { // what has broken off has not pretended to be whole
		a.wantOneVersion(l.t)
	}
}
