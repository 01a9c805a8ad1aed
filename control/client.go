package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
)

// ErrNotFound means that nothing is stored under a URL.
var ErrNotFound = errors.New("not in the cache")

// Client asks a node. Its methods may be called by several goroutines.
type Client struct {
	http *http.Client
}

func newClient(dial func(context.Context) (net.Conn, error)) *Client {
	t := &http.Transport{
		// Neither a proxy from the environment (it may be this node itself) nor a recoding of bodies.
		Proxy:              nil,
		DisableCompression: true,
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
	}
	// A redirect is an answer to show, not to follow.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{http: &http.Client{Transport: t, CheckRedirect: stay}}
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Status asks how the node is doing.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	return s, c.value(ctx, http.MethodGet, "/status", nil, &s)
}

// Stats asks what the store holds.
func (c *Client) Stats(ctx context.Context) (CacheStats, error) {
	var s CacheStats
	return s, c.value(ctx, http.MethodGet, "/stats", nil, &s)
}

// List yields all stored responses, in no particular order.
func (c *Client) List(ctx context.Context) iter.Seq2[Response, error] {
	return lines[Response](ctx, c, http.MethodGet, "/responses", nil)
}

// Show returns the stored variants of a URL, newest first, or [ErrNotFound].
func (c *Client) Show(ctx context.Context, rawURL string) ([]Response, error) {
	var found []Response
	for r, err := range lines[Response](ctx, c, http.MethodGet, "/responses", url.Values{"url": {rawURL}}) {
		if err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	return found, nil
}

// Cat writes the content of a URL's newest variant to w.
func (c *Client) Cat(ctx context.Context, rawURL string, w io.Writer) error {
	resp, err := c.do(ctx, http.MethodGet, "/body", url.Values{"url": {rawURL}})
	if err != nil {
		return err
	}
	_, err = io.Copy(w, resp.Body)
	return errors.Join(err, resp.Body.Close())
}

// Remove deletes all variants of a URL and returns how many there were.
func (c *Client) Remove(ctx context.Context, rawURL string) (int, error) {
	var r Removed
	err := c.value(ctx, http.MethodDelete, "/responses", url.Values{"url": {rawURL}}, &r)
	return r.Responses, err
}

// Verify checks everything stored, and calls problem for each fault.
func (c *Client) Verify(ctx context.Context, problem func(string)) (VerifyReport, error) {
	for line, err := range lines[VerifyLine](ctx, c, http.MethodPost, "/verify", nil) {
		switch {
		case err != nil:
			return VerifyReport{}, err
		case line.Report != nil:
			return *line.Report, nil
		default:
			problem(line.Problem)
		}
	}
	return VerifyReport{}, fmt.Errorf("control: verify: %w", io.ErrUnexpectedEOF)
}

// Get fetches a URL through the node. from is any, cache, peers or origin. The answer is
// what the proxy would give a browser, its status and Proxy-Status tell of failures.
func (c *Client) Get(ctx context.Context, rawURL, from string) (*http.Response, error) {
	return c.send(ctx, http.MethodGet, "/get", url.Values{"url": {rawURL}, "from": {from}})
}

// GetExplained is Get together with the decisions that led to the answer, in their order.
func (c *Client) GetExplained(ctx context.Context, rawURL, from string) (*http.Response, []Finding, error) {
	resp, err := c.send(ctx, http.MethodGet, "/get", url.Values{"url": {rawURL}, "from": {from}, "explain": {"1"}})
	if err != nil {
		return nil, nil, err
	}
	return resp, takeFindings(resp.Header), nil
}

func (c *Client) value(ctx context.Context, method, path string, query url.Values, into any) error {
	resp, err := c.do(ctx, method, path, query)
	if err != nil {
		return err
	}
	err = json.NewDecoder(resp.Body).Decode(into)
	return errors.Join(err, resp.Body.Close())
}

func lines[T any](ctx context.Context, c *Client, method, path string, query url.Values) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		resp, err := c.do(ctx, method, path, query)
		if err != nil {
			yield(zero, err)
			return
		}
		defer func() { _ = resp.Body.Close() }() // what it could say, the decoder has said
		decoder := json.NewDecoder(resp.Body)
		for {
			var v T
			err := decoder.Decode(&v)
			if errors.Is(err, io.EOF) || !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// do is send for the API's own answers: a failure status is an error.
func (c *Client) do(ctx context.Context, method, path string, query url.Values) (*http.Response, error) {
	resp, err := c.send(ctx, method, path, query)
	if err != nil || resp.StatusCode == http.StatusOK {
		return resp, err
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	_ = resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return nil, ErrNotFound
	}
	return nil, fmt.Errorf("control: %s", bytes.TrimSpace(text))
}

func (c *Client) send(ctx context.Context, method, path string, query url.Values) (*http.Response, error) {
	target := url.URL{Scheme: "http", Host: "peerproxy", Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, target.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("control: request: %w", err)
	}
	resp, err := c.http.Do(req)
	var inner *url.Error
	switch {
	case errors.As(err, &inner) && errors.Is(err, io.EOF):
		return nil, fmt.Errorf("the answer broke off before it had begun: %w", inner.Err)
	case errors.As(err, &inner): // its URL means nothing to the user
		return nil, fmt.Errorf("control: ask the node: %w", inner.Err)
	case err != nil:
		return nil, fmt.Errorf("control: ask the node: %w", err)
	}
	return resp, nil
}
