package observer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"golang.org/x/net/publicsuffix"
)

const (
	size = 100_000
	bits = 10 // node.DefaultBucketBits
)

func TestDictionary(t *testing.T) {
	names := Dictionary(size)
	if !slices.Equal(names[:100], Dictionary(size)[:100]) {
		t.Error("another dictionary each time")
	}
	seen := map[string]bool{}
	for _, name := range names {
		if site, err := publicsuffix.EffectiveTLDPlusOne(name); err != nil || site != name || seen[name] {
			t.Fatalf("%q is no site, or there twice: %q, %v", name, site, err)
		}
		seen[name] = true
	}
}

// What the number of bits is weighed by: how many sites a bucket hides, and how often one that has
// a site is found among those who announce its bucket.
func TestObserverWeighsBucketBits(t *testing.T) {
	const sites, dials = 300, 24 // that a node shares; peer.Limits.DialsPerFetch
	names := Dictionary(size)
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "\nbits\tsites in a bucket, mean\tmin\tnodes in a bucket\tfound if 1%% have it\tif 5%%\n")
	for b := 4; b <= 20; b += 2 {
		s, err := SizeOf(names, b, sites)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(table, "%d\t%.1f\t%d\t%.1f%%\t%.0f%%\t%.0f%%\n", b, s.Mean, s.Min, 100*s.Neighbor, 100*s.Found(0.01, dials), 100*s.Found(0.05, dials))
		if b == bits && (s.Min < 64 || s.Found(0.01, dials) < 0.5) {
			t.Errorf("the default: %+v", s)
		}
	}
	_ = table.Flush()
	t.Log(out.String())
}

// What a bucket does not hide. The figures are bounds of the promise, and not good ones.
func TestObserverLimitsOfBuckets(t *testing.T) {
	const visited, loads, people = 50, 5, 300
	names := Dictionary(size)
	popular, err := ByPopularity(names, bits, visited)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Again(names, bits, people, visited, 0.8)
	if err != nil {
		t.Fatal(err)
	}
	pages, err := ByPages(names, bits, visited, loads)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf(`
%d sites visited by Zipf's law, of %d, in %d buckets
visited sites that are the most popular of their bucket: %.0f%%
of %d people, recognised a week later by their buckets, 4 sites of 5 the same: %.0f%%
pages load from %d other sites, and the observer knows which:
  sites that one page seen by itself may be of: %.1f
  sites that all pages of a week (%.0f buckets) may be of: %.0f`,
		visited, size, 1<<bits, 100*popular, people, 100*again, loads, pages.Apart, pages.Buckets, pages.Together)
	// The document says that each of these attacks works. If one did not, it would be wrong.
	if popular < 0.25 || again < 0.9 || pages.Apart > 3 || pages.Together > 3000 {
		t.Error("docs/privacy.md says that buckets hide less than this")
	}
}
