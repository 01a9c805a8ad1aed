package portmap

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/huin/goupnp"
)

// parseLocation returns the URL of a description and the gateway's address in
// it. Only plain HTTP to a literal address is possible; names would have to be
// looked up, and could then point anywhere.
func parseLocation(text string) (*url.URL, netip.Addr, error) {
	const longest = 1024
	if len(text) > longest {
		return nil, netip.Addr{}, fmt.Errorf("%w: location is too long", ErrBadReply)
	}
	loc, err := url.Parse(text)
	if err != nil {
		return nil, netip.Addr{}, fmt.Errorf("%w: location is no URL", ErrBadReply)
	}
	if loc.Scheme != "http" || loc.User != nil {
		return nil, netip.Addr{}, fmt.Errorf("%w: location is no plain http URL", ErrBadReply)
	}
	host, err := netip.ParseAddr(loc.Hostname())
	if err != nil || host.IsUnspecified() || host.IsMulticast() {
		return nil, netip.Addr{}, fmt.Errorf("%w: location names no IP address", ErrBadReply)
	}
	return loc, host.Unmap(), nil
}

// fetchDescription reads the device description at loc (UPnP Device Architecture
// 1.1, section 2).
func fetchDescription(ctx context.Context, client *http.Client, loc *url.URL) (*goupnp.RootDevice, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, loc.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("description: %w", err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, exchangeError(ctx, "description", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("description: %w: HTTP status %d", ErrBadReply, resp.StatusCode)
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, exchangeError(ctx, "description", err)
	}
	return parseDescription(text, loc)
}

// parseDescription reads a device description that was found at loc. All its
// URLs are resolved, and none of them has been checked.
func parseDescription(text []byte, loc *url.URL) (*goupnp.RootDevice, error) {
	// Friendly names are often in another encoding than the one declared.
	decoder := xml.NewDecoder(bytes.NewReader(bytes.ToValidUTF8(text, []byte("?"))))
	decoder.DefaultSpace = goupnp.DeviceXMLNamespace
	decoder.CharsetReader = asciiOnly
	root := new(goupnp.RootDevice)
	if err := decoder.Decode(root); err != nil {
		return nil, fmt.Errorf("description: %w: %s", ErrBadReply, excerpt(err.Error()))
	}
	root.SetURLBase(base(root.URLBaseStr, loc))
	return root, nil
}

// base returns what relative URLs are relative to: URLBase if it is on the same
// host, else the location. Old firmware leaves an address in URLBase that was
// true in another network.
func base(urlBase string, loc *url.URL) *url.URL {
	if u, host, err := parseLocation(strings.TrimSpace(urlBase)); err == nil {
		if _, here, err := parseLocation(loc.String()); err == nil && host == here {
			return u
		}
	}
	return loc
}

// asciiOnly lets descriptions of any declared encoding be read whose telling
// parts are ASCII, as all names and URLs in them are; the text has been made
// valid before.
func asciiOnly(_ string, input io.Reader) (io.Reader, error) { return input, nil }
