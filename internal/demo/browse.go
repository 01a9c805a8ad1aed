package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/sync/errgroup"
)

const (
	tabs       = 6       // requests at a time, as browsers do for a host
	maxParsed  = 4 << 20 // what a page may be to be looked through for links
	maxVisited = 1000
)

// visit is one file as a browser got it.
type visit struct {
	URL    string
	Status int
	Length int64
	SHA256 [32]byte
	Took   time.Duration // until the last byte
	Header http.Header
}

// browser loads a site through a proxy: pages, their parts, and whatever these name.
type browser struct {
	client *http.Client

	mu     sync.Mutex
	seen   map[string]bool
	visits []visit
}

func newBrowser(proxy string) *browser {
	t := &http.Transport{
		Proxy:               http.ProxyURL(&url.URL{Scheme: "http", Host: proxy}),
		DisableCompression:  true,
		MaxIdleConnsPerHost: tabs,
	}
	return &browser{client: &http.Client{Transport: t}, seen: map[string]bool{}}
}

// browse loads start and everything of the same host that can be reached from it.
func (b *browser) browse(ctx context.Context, start string) ([]visit, error) {
	defer b.client.CloseIdleConnections()
	for wave := b.unseen([]string{start}); len(wave) > 0; {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(tabs)
		var found []string
		var mu sync.Mutex
		for _, address := range wave {
			group.Go(func() error {
				links, err := b.load(ctx, address)
				mu.Lock()
				defer mu.Unlock()
				found = append(found, links...)
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return b.visits, err
		}
		wave = b.unseen(found)
	}
	return b.visits, nil
}

// unseen keeps the addresses of the site that have not been loaded yet.
func (b *browser) unseen(addresses []string) []string {
	var fresh []string
	for _, a := range addresses {
		if strings.HasPrefix(a, siteURL) && !b.seen[a] && len(b.seen) < maxVisited {
			b.seen[a] = true
			fresh = append(fresh, a)
		}
	}
	return fresh
}

func (b *browser) load(ctx context.Context, address string) (links []string, err error) {
	began := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", address, err)
	}
	defer func() { _ = resp.Body.Close() }()
	sum, head := sha256.New(), &limited{limit: maxParsed}
	n, err := io.Copy(io.MultiWriter(sum, head), resp.Body)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", address, err)
	}
	final := resp.Request.URL // after redirects
	b.mu.Lock()
	b.visits = append(b.visits, visit{
		URL: final.String(), Status: resp.StatusCode, Length: n, SHA256: [32]byte(sum.Sum(nil)),
		Took: time.Since(began), Header: resp.Header,
	})
	b.mu.Unlock()
	return absolute(final, linksIn(resp.Header.Get("Content-Type"), head.Bytes())), nil
}

var cssLink = regexp.MustCompile(`(?:url\(\s*["']?|@import\s+["'])([^"')\s]+)`)

// linksIn finds what a document names, by its type.
func linksIn(contentType string, text []byte) []string {
	switch {
	case strings.HasPrefix(contentType, "text/html"):
		return htmlLinks(text)
	case strings.HasPrefix(contentType, "text/css"):
		var links []string
		for _, m := range cssLink.FindAllSubmatch(text, -1) {
			links = append(links, string(m[1]))
		}
		return links
	case bytes.Contains(text, []byte(`"icons"`)): // a web app manifest, under whatever type
		var manifest struct{ Icons []struct{ Src string } }
		if json.Unmarshal(text, &manifest) != nil {
			return nil
		}
		var links []string
		for _, icon := range manifest.Icons {
			links = append(links, icon.Src)
		}
		return links
	}
	return nil
}

// htmlLinks collects the attributes by which the site's pages name their parts;
// data-source is what its scripts fetch.
func htmlLinks(text []byte) []string {
	var links []string
	tokens := html.NewTokenizer(bytes.NewReader(text))
	for kind := tokens.Next(); kind != html.ErrorToken; kind = tokens.Next() {
		for _, attribute := range tokens.Token().Attr {
			switch attribute.Key {
			case "href", "src", "data-source":
				links = append(links, attribute.Val)
			}
		}
	}
	return links
}

func absolute(base *url.URL, links []string) []string {
	var list []string
	for _, link := range links {
		u, err := base.Parse(link)
		if err != nil {
			continue
		}
		u.Fragment = ""
		list = append(list, u.String())
	}
	return list
}

// limited keeps the first bytes of what is written to it.
type limited struct {
	bytes.Buffer
	limit int
}

func (l *limited) Write(p []byte) (int, error) {
	l.Buffer.Write(p[:min(len(p), l.limit-l.Len())])
	return len(p), nil
}
