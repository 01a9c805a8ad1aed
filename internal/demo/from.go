package demo

import "strings"

// from says in a word or two where a file came from, by what the proxy wrote into
// Cache-Status (RFC 9211).
func from(v visit) string {
	status := strings.Join(v.Header.Values("Cache-Status"), ", ")
	switch {
	case v.Status == 0:
		return "-"
	case strings.Contains(status, "detail=peer"):
		return "peer"
	case strings.Contains(status, ";hit"):
		return "cache"
	case strings.Contains(status, "fwd="):
		return "origin"
	default:
		return "unknown"
	}
}
