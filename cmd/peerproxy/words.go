package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/peerproxy/peerproxy/control"
)

func choose[T any](condition bool, yes, no T) T {
	if condition {
		return yes
	}
	return no
}

// age writes seconds in the largest unit that leaves at least one.
func age(seconds int64) string {
	d := time.Duration(seconds) * time.Second
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", seconds)
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours())/24)
	}
}

// mediaType is a Content-Type without its parameters.
func mediaType(contentType string) string {
	plain, _, _ := strings.Cut(contentType, ";")
	return cmp.Or(strings.TrimSpace(plain), "-")
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

// count writes a number of things.
func count(n int, thing string) string {
	return fmt.Sprintf("%d %s", n, thing+choose(n == 1, "", "s"))
}

// reason is a finding's text with the section that says so.
func reason(f control.Finding) string {
	text := f.Text
	if f.Section != "" {
		text += " (" + f.Section + ")"
	}
	return plain(text)
}

// plain is a text of others that can't steer a terminal.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, text)
}

// state says whether a response is fresh, and why.
func state(r control.Response) string {
	word := choose(r.Fresh, "fresh", "stale")
	if strings.HasPrefix(r.Why, word) {
		return r.Why
	}
	return word + ": " + r.Why
}
