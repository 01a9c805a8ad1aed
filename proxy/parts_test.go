package proxy

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// A client that gives up a range before its first byte leaves nothing behind that could pass for
// an answer (RFC 9111 section 3.3).
func TestRangeGivenUpBeforeItsFirstByte(t *testing.T) {
	asked := 0
	gone := make(chan struct{})
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Etag", `"1"`)
		w.Header().Set("Content-Range", "bytes 2-4/10")
		w.Header().Set("Content-Length", "3")
		w.WriteHeader(206)
		if asked++; asked == 1 {
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
			close(gone)
			return
		}
		fmt.Fprint(w, "234")
	}, nil)
	ctx, leave := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, "GET", site+"/v", nil)
	r.Header.Set("Range", "bytes=2-4")
	res, err := l.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	leave()
	res.Body.Close()
	<-gone
	l.settle()
	if n := len(l.store.all()); n != 0 {
		t.Errorf("%d stored", n)
	}
	l.get(site+"/v", "Range: bytes=2-4").want(t, 206, "234", "cache:fwd=uri-miss")
}

// A part whose content is not as long as its Content-Range says is not taken for something else: of a
// longer one nobody knows what it is (RFC 9110 section 14.4), a shorter one is not the whole.
func TestPartsOfAnotherLength(t *testing.T) {
	for name, c := range map[string]struct{ text, held string }{
		"longer":             {"01234567", "bytes 0-3/10"},
		"longer, all of it":  {"0123456789ab", "bytes 0-9/10"},
		"shorter, all of it": {"0123", "bytes 0-9/10"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Cache-Control", "max-age=60")
				w.Header().Set("Etag", `"1"`)
				if r.Header.Get("Range") != "bytes=0-" {
					fmt.Fprint(w, "0123456789")
					return
				}
				w.Header().Set("Content-Range", c.held)
				w.WriteHeader(206)
				_ = http.NewResponseController(w).Flush() // so that no Content-Length tells
				fmt.Fprint(w, c.text)
			}, nil)
			_, _ = l.try("GET", site+"/v", "Range: bytes=0-")
			l.settle()
			l.get(site+"/v").want(t, 200, "0123456789", "cache:!hit")
		})
	}
}

// An origin that is asked for the rest of a part, and does not send it as it said, adds nothing.
func TestRestOfAnotherLength(t *testing.T) {
	for name, rest := range map[string]string{"longer": "456789ab", "shorter": "45"} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Cache-Control", "max-age=60")
				w.Header().Set("Etag", `"1"`)
				switch r.Header.Get("Range") {
				case "":
					fmt.Fprint(w, "0123456789")
				case "bytes=0-3":
					w.Header().Set("Content-Range", "bytes 0-3/10")
					w.WriteHeader(206)
					fmt.Fprint(w, "0123")
				default:
					w.Header().Set("Content-Range", "bytes 4-9/10")
					w.Header().Set("Content-Length", fmt.Sprint(len(rest)))
					w.WriteHeader(206)
					fmt.Fprint(w, rest)
				}
			}, nil)
			l.get(site+"/v", "Range: bytes=0-3").want(t, 206, "0123")
			l.settle()
			l.get(site+"/v").want(t, 200, "0123456789")
			l.settle()
			l.get(site+"/v").want(t, 200, "0123456789", "cache:hit")
		})
	}
}

// A part that is not fetched for its own sake replaces the stored one of another representation,
// however long that is: a client that seeks must not get bytes of both.
func TestPartOfANewVersion(t *testing.T) {
	version := "1"
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Etag", `"`+version+`"`)
		held, text := "bytes 0-3/10", "0123"
		if r.Header.Get("Range") == "bytes=8-9" {
			held, text = "bytes 8-9/10", "89"
		}
		w.Header().Set("Content-Range", held)
		w.WriteHeader(206)
		fmt.Fprint(w, text)
	}, nil)
	l.get(site+"/v", "Range: bytes=0-3").want(t, 206, "0123")
	l.settle()
	version = "2"
	l.get(site+"/v", "Range: bytes=8-9").want(t, 206, "89")
	l.settle()
	a := l.get(site+"/v", "Range: bytes=0-3")
	if got := a.Header.Get("Etag"); got != `"2"` {
		t.Errorf("got bytes of %s beside those of \"2\"", got)
	}
}

// Who reads a film range by range does not have all that came before copied each time (RFC 9111
// section 3.4 lets a cache join parts, and asks for nothing).
func TestRangeByRangeIsNotCopiedOverAndOver(t *testing.T) {
	const size, step = 24 << 20, 1 << 20
	film := pattern(0, size)
	store := &countingStore{memStore: newMemStore()}
	l := newLab(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=3600")
		w.Header().Set("Etag", `"1"`)
		http.ServeContent(w, r, "film.mp4", time.Time{}, bytes.NewReader(film))
	}, func(c *Config) { c.Store = store })
	for at := 0; at < size; at += step {
		l.get(site+"/film.mp4", fmt.Sprintf("Range: bytes=%d-%d", at, at+step-1)).want(t, 206, string(film[at:at+step]))
		l.settle()
	}
	if got := store.written.Load(); got > 3*size {
		t.Errorf("%d MiB written for a film of %d MiB", got>>20, size>>20)
	}
	// All that is missing is asked for at once where all is wanted.
	l.get(site+"/film.mp4").want(t, 200, string(film), "cache:fwd=partial")
	l.settle()
	l.get(site+"/film.mp4", "Range: bytes=-3").want(t, 206, string(film[size-3:]), "cache:hit")
}

// countingStore counts what is written.
type countingStore struct {
	*memStore
	written atomic.Int64
}

func (s *countingStore) Create() (Writer, error) {
	w, err := s.memStore.Create()
	return &countingWriter{w, s}, err
}

type countingWriter struct {
	Writer
	store *countingStore
}

func (w *countingWriter) Write(p []byte) (int, error) {
	w.store.written.Add(int64(len(p)))
	return w.Writer.Write(p)
}
