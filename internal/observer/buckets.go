package observer

import (
	"math"
	"math/rand/v2"

	"github.com/peerproxy/peerproxy/dht"
)

// buckets numbers the bucket of each name.
func buckets(names []string, bits int) ([]int, error) {
	number := make(map[dht.Topic]int)
	out := make([]int, len(names))
	for i, name := range names {
		topic, err := dht.Bucket(name, bits)
		if err != nil {
			return nil, err
		}
		n, known := number[topic]
		if !known {
			n = len(number)
			number[topic] = n
		}
		out[i] = n
	}
	return out, nil
}

// Size is what a number of bits gives and costs.
type Size struct {
	Bits     int
	Min      int     // names of the dictionary in a bucket, at least; buckets without any count, too
	Mean     float64 // and on average
	Neighbor float64 // part of all nodes that announce a bucket, if each shares the given number of sites
}

// SizeOf counts names in buckets.
func SizeOf(names []string, bits, sitesPerNode int) (Size, error) {
	of, err := buckets(names, bits)
	if err != nil {
		return Size{}, err
	}
	count := make([]int, 1<<bits)
	for _, b := range of {
		count[b]++
	}
	s := Size{Bits: bits, Min: len(names), Mean: float64(len(names)) / float64(len(count))}
	for _, n := range count {
		s.Min = min(s.Min, n)
	}
	s.Neighbor = 1 - math.Pow(1-1/float64(len(count)), float64(sitesPerNode))
	return s, nil
}

// Found is the probability that among the nodes dialled, which a bucket gave at random, there is one that
// has a site, if the given part of all nodes has it.
func (s Size) Found(holders float64, dials int) float64 {
	return 1 - math.Pow(1-min(1, holders/s.Neighbor), float64(dials))
}

// ByPopularity is the part of the visited sites that are recovered if people browse by Zipf's law, and the
// most popular site of each bucket seen is guessed.
func ByPopularity(names []string, bits, visited int) (float64, error) {
	of, err := buckets(names, bits)
	if err != nil {
		return 0, err
	}
	first := make(map[int]int) // the most popular of each bucket
	for site, b := range of {
		if _, there := first[b]; !there {
			first[b] = site
		}
	}
	const people = 200
	hits := 0
	for person := range uint64(people) {
		for _, site := range newBrowser(person, len(names)).visits(nil, visited) {
			if first[of[site]] == site {
				hits++
			}
		}
	}
	return float64(hits) / float64(people*visited), nil
}

// Again is the part of the people who are recognised a week later, with another address, by the set of
// their buckets alone: the one most alike of all sets of the week before. Each keeps the given part of the
// sites and visits others in place of the rest.
func Again(names []string, bits, people, visited int, keeps float64) (float64, error) {
	of, err := buckets(names, bits)
	if err != nil {
		return 0, err
	}
	before, after := make([]map[int]bool, people), make([]map[int]bool, people)
	for i := range before {
		b := newBrowser(uint64(i), len(names))
		sites := b.visits(nil, visited)
		before[i] = setOf(of, sites)
		b.random.Shuffle(visited, func(i, j int) { sites[i], sites[j] = sites[j], sites[i] })
		after[i] = setOf(of, b.visits(sites[:int(keeps*float64(visited))], visited))
	}
	right := 0
	for i, set := range after {
		best, most := -1, -1.0
		for j, other := range before {
			if like := alike(set, other); like > most {
				best, most = j, like
			}
		}
		if best == i {
			right++
		}
	}
	return float64(right) / float64(people), nil
}

func setOf(of, sites []int) map[int]bool {
	set := make(map[int]bool, len(sites))
	for _, site := range sites {
		set[of[site]] = true
	}
	return set
}

// alike is the Jaccard index of two sets.
func alike(a, b map[int]bool) float64 {
	both := 0
	for x := range a {
		if b[x] {
			both++
		}
	}
	return float64(both) / float64(len(a)+len(b)-both)
}

// Pages is what an observer finds who knows what the pages of each site load from other sites.
type Pages struct {
	Apart    float64 // candidates for one page, if the buckets of its parts are seen together
	Together float64 // candidates for the visited sites, if only all buckets of the week are seen
	Buckets  float64 // of these, how many were seen
}

// ByPages has people visit sites of which each loads from a few others, which are among the
// thousand most popular. All figures are averages.
func ByPages(names []string, bits, visited, loads int) (Pages, error) {
	of, err := buckets(names, bits)
	if err != nil {
		return Pages{}, err
	}
	const services, people = 1000, 10
	parts := make([]map[int]bool, len(names)) // the buckets of each site's page
	for site := range names {
		b := newBrowser(uint64(site), services)
		parts[site] = setOf(of, append(b.visits(nil, loads), site))
	}
	var p Pages
	for person := range uint64(people) {
		sites := newBrowser(person, len(names)).visits(nil, visited)
		week := make(map[int]bool)
		for _, site := range sites {
			for b := range parts[site] {
				week[b] = true
			}
		}
		page := parts[sites[rand.New(rand.NewPCG(person, 4)).IntN(visited)]] //nolint:gosec // no secret
		for _, other := range parts {
			if within(other, week) {
				p.Together++
			}
			if len(other) == len(page) && within(other, page) {
				p.Apart++
			}
		}
		p.Buckets += float64(len(week))
	}
	return Pages{p.Apart / people, p.Together / people, p.Buckets / people}, nil
}

func within(a, b map[int]bool) bool {
	for x := range a {
		if !b[x] {
			return false
		}
	}
	return true
}
