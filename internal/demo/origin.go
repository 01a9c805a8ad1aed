package demo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/peerproxy/peerproxy/testdata"
)

const (
	siteHost  = "almanac.example"
	siteURL   = "http://" + siteHost + "/"
	largeFile = "media/soundings.bin" // made on the fly, the same each time
)

// origin is the web server that is going to fail.
type origin struct {
	listener net.Listener
	server   *http.Server
	served   chan error
}

func startOrigin(large int64) (*origin, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start the origin: %w", err)
	}
	o := &origin{
		listener: l,
		server:   &http.Server{Handler: siteHandler(large), ReadHeaderTimeout: 10 * time.Second},
		served:   make(chan error, 1),
	}
	go func() { o.served <- o.server.Serve(l) }()
	return o, nil
}

// resolve is the --resolve option by which a node finds the origin.
func (o *origin) resolve() string {
	return siteHost + ":80:" + o.listener.Addr().String()
}

func (o *origin) stop() error {
	err := o.server.Close()
	if served := <-o.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// siteHandler serves the site as an ordinary web server does: entity tags, and a
// lifetime that is short for pages and long for their parts.
func siteHandler(large int64) http.Handler {
	site := testdata.Site()
	files := http.FileServerFS(site)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /"+largeFile, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Cache-Control", "max-age=86400")
		w.Header().Set("Content-Length", strconv.FormatInt(large, 10))
		_, _ = io.Copy(w, largeContent(large)) // fails only if the client goes
	})
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		if strings.HasPrefix(r.URL.Path, "/assets/") {
			w.Header().Set("Cache-Control", "max-age=86400")
		}
		name := strings.TrimPrefix(r.URL.Path, "/")
		if name == "" || strings.HasSuffix(name, "/") {
			name += "index.html"
		}
		if text, err := fs.ReadFile(site, name); err == nil {
			sum := sha256.Sum256(text)
			w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
		}
		files.ServeHTTP(w, r)
	})
	return mux
}

func largeContent(n int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte([]byte("depths of the creeks, in hands.."))), n)
}

// contents returns the SHA-256 of every file of the site, under the URL that shows it.
func contents(ctx context.Context, large int64) (map[string][32]byte, error) {
	sums := map[string][32]byte{}
	h := sha256.New()
	if _, err := io.Copy(h, largeContent(large)); err != nil {
		return nil, err
	}
	sums[siteURL+largeFile] = [32]byte(h.Sum(nil))
	site := testdata.Site()
	err := fs.WalkDir(site, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		text, err := fs.ReadFile(site, path)
		// The server shows index pages under their directory, and redirects there.
		sums[siteURL+strings.TrimSuffix(path, "index.html")] = sha256.Sum256(text)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the site: %w", err)
	}
	return sums, nil
}
