package observer

import (
	"math/rand/v2"
	"strconv"
)

var (
	syllables = []string{"ba", "be", "co", "da", "el", "fa", "go", "in", "ka", "lo", "ma", "na", "or", "pa", "ra", "sol", "ta", "un", "ver", "zen"}
	endings   = []string{"news", "shop", "wiki", "media", "soft", "bank", "games", "press", "lab", ""}
	domains   = []string{".com", ".com", ".com", ".org", ".net", ".de", ".co.uk", ".ir", ".ru", ".com.br"}
)

// Dictionary makes n different names of sites, the most popular first, the same ones each time.
func Dictionary(n int) []string {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // no secret: it has to be the same each time
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	names, seen := make([]string, 0, n), make(map[string]bool, n)
	for len(names) < n {
		name := pick(syllables) + pick(syllables)
		if random.IntN(2) == 0 {
			name += pick(syllables)
		}
		name += pick(endings)
		if random.IntN(8) == 0 {
			name += strconv.Itoa(random.IntN(1000))
		}
		if name += pick(domains); !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}

// Spread picks n names evenly from the whole list: popular and rare ones alike.
func Spread(names []string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = names[(2*i+1)*len(names)/(2*n)]
	}
	return out
}

// browser draws sites as people visit them: by Zipf's law, the i-th most popular in
// proportion to 1/i^1.07.
type browser struct {
	random *rand.Rand
	zipf   *rand.Zipf
}

func newBrowser(seed uint64, sites int) *browser {
	random := rand.New(rand.NewPCG(seed, 3)) //nolint:gosec // as above
	return &browser{random, rand.NewZipf(random, 1.07, 1, uint64(sites-1))}
}

// visits adds different sites to those given until there are n.
func (b *browser) visits(kept []int, n int) []int {
	seen := make(map[int]bool, n)
	for _, site := range kept {
		seen[site] = true
	}
	for len(kept) < n {
		if site := int(b.zipf.Uint64()); !seen[site] {
			seen[site] = true
			kept = append(kept, site)
		}
	}
	return kept
}
