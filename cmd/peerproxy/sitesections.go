package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/peerproxy/peerproxy/node"
)

// siteSections collects what configuration files set for sites:
//
//	[site."example.org"]
//	trust = ["alice"]     # nobody else counts as a signer for it; names or keys
//	accept = "witnessed"  # weakest tier that is delivered without asking
//	sandbox = false       # witnessed copies are shown as they are
//	private = true        # never shared, never asked for
//
// Of two files, the later one counts for a site that both have.
type siteSections struct{ sections map[string]node.SitePolicy }

// take moves the sections from a file's values into s.
func (s *siteSections) take(values tomlFile) error {
	value, ok := values["site"]
	if !ok {
		return nil
	}
	delete(values, "site")
	sites, ok := value.(map[string]any)
	if !ok {
		return fmt.Errorf(`site is not a table: [site."example.org"] is wanted`)
	}
	for _, site := range sortedKeys(sites) {
		section, ok := sites[site].(map[string]any)
		if !ok {
			return fmt.Errorf(`site.%s is not a table: [site."example.org"] is wanted`, site)
		}
		policy, err := readSection(site, section)
		if err != nil {
			return fmt.Errorf(`[site.%q]: %w`, site, err)
		}
		if s.sections == nil {
			s.sections = map[string]node.SitePolicy{}
		}
		s.sections[site] = policy
	}
	return nil
}

func readSection(site string, section map[string]any) (node.SitePolicy, error) {
	p := node.SitePolicy{Site: site}
	for _, key := range sortedKeys(section) {
		ok := false
		switch value := section[key]; key {
		case "trust":
			p.Trust, ok = stringList(value)
		case "accept":
			p.Accept, ok = value.(string)
			ok = ok && p.Accept != ""
		case "sandbox":
			var sandbox bool
			sandbox, ok = value.(bool)
			p.Plain = !sandbox
		case "private":
			p.Private, ok = value.(bool)
		default:
			if inner, table := value.(map[string]any); table { // [site.example.org]
				return p, fmt.Errorf("unknown key %s with %d keys in it: a name with dots needs quotes, as in [site.%q]", key, len(inner), site+"."+key)
			}
			return p, fmt.Errorf("unknown key %s: trust, accept, sandbox and private are known", key)
		}
		if !ok {
			return p, fmt.Errorf("%s can't be %v", key, section[key])
		}
	}
	return p, nil
}

// stringList is never nil where it is a list: an empty one says something, too.
func stringList(value any) ([]string, bool) {
	list, ok := value.([]any)
	texts := make([]string, 0, len(list))
	for _, v := range list {
		text, isText := v.(string)
		if !isText {
			return nil, false
		}
		texts = append(texts, strings.TrimSpace(text))
	}
	return texts, ok
}

// list has all sections, by site.
func (s *siteSections) list() []node.SitePolicy {
	var list []node.SitePolicy
	for _, site := range slices.Sorted(maps.Keys(s.sections)) {
		list = append(list, s.sections[site])
	}
	return list
}
