package main

import (
	"net/http"

	"github.com/dunglas/httpsfv"
)

// localFailure says in words why the proxy itself answered, or "" if the answer is the
// resource's own. Proxy-Status tells of what failed (RFC 9209 section 2.1.1). That
// only a stored copy was wanted and none is there is no failure in its terms; then
// Cache-Status has neither a hit nor the status of anything received (RFC 9211 section 2).
func localFailure(resp *http.Response) string {
	if resp.StatusCode < http.StatusBadRequest {
		return ""
	}
	cache := parameters(resp.Header.Values("Cache-Status"))
	if cache["ttl"] != nil {
		return "" // what is stored stands in for a site that failed
	}
	proxy := parameters(resp.Header.Values("Proxy-Status"))
	if kind, failed := proxy["error"]; failed {
		if details, ok := proxy["details"].(string); ok {
			return details
		}
		if token, ok := kind.(httpsfv.Token); ok {
			return string(token)
		}
		return "failed"
	}
	if resp.StatusCode == http.StatusGatewayTimeout && cache["hit"] == nil && cache["fwd-status"] == nil {
		return "nothing stored that may be used"
	}
	return ""
}

// parameters are those of a list's last member: what the proxy nearest to us says.
func parameters(lines []string) map[string]any {
	all := map[string]any{}
	list, err := httpsfv.UnmarshalList(lines)
	if err != nil || len(list) == 0 {
		return all
	}
	if item, ok := list[len(list)-1].(httpsfv.Item); ok {
		for _, name := range item.Params.Names() {
			all[name], _ = item.Params.Get(name)
		}
	}
	return all
}
