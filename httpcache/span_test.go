package httpcache

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The model of a set of positions is one bit for each.
func TestSpansAgainstBitmap(t *testing.T) {
	const size = 64
	span := rapid.Custom(func(t *rapid.T) Span {
		return Span{rapid.Int64Range(-2, size-1).Draw(t, "offset"), rapid.Int64Range(-2, size/2).Draw(t, "length")}
	})
	rapid.Check(t, func(t *rapid.T) {
		var set Spans
		var model [2 * size]bool
		mark := func(s Span, to bool) {
			for i := s.Offset; s.Valid() && i < s.End(); i++ {
				model[i] = to
			}
		}
		for range rapid.IntRange(0, 20).Draw(t, "steps") {
			s := span.Draw(t, "span")
			if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
				set.Remove(s)
				mark(s, false)
			} else {
				set.Add(s)
				mark(s, true)
			}
		}
		checkRuns(t, set.Runs(), func(i int64) bool { return model[i] }, Span{0, 2 * size})
		n := int64(0)
		for _, on := range model {
			if on {
				n++
			}
		}
		if set.Len() != n {
			t.Fatalf("%d positions, want %d", set.Len(), n)
		}
		asked := span.Draw(t, "asked")
		if !asked.Valid() {
			return
		}
		missing := set.Missing(asked)
		checkRuns(t, missing, func(i int64) bool { return !model[i] }, asked)
		if set.Contains(asked) != (len(missing) == 0) {
			t.Fatalf("contains %v: %v, missing %v", asked, set.Contains(asked), missing)
		}
	})
}

// checkRuns compares spans with the positions that they should have within a span.
func checkRuns(t *rapid.T, runs []Span, in func(int64) bool, within Span) {
	end := int64(-1)
	got := map[int64]bool{}
	for _, run := range runs {
		if !run.Valid() || run.Offset <= end || !within.Contains(run) {
			t.Fatalf("bad runs %v", runs)
		}
		for end = run.Offset; end < run.End(); end++ {
			got[end] = true
		}
	}
	for i := within.Offset; i < within.End(); i++ {
		if got[i] != in(i) {
			t.Fatalf("position %d: %v in %v", i, got[i], runs)
		}
	}
}

func TestSpansAtTheEnds(t *testing.T) {
	var set Spans
	last := Span{math.MaxInt64 - 1, 1}
	for _, s := range []Span{{-1, 2}, {0, 0}, {math.MaxInt64, 1}, {1, math.MaxInt64}, last} {
		set.Add(s)
	}
	if got := set.Runs(); !slices.Equal(got, []Span{last}) {
		t.Errorf("got %v", got)
	}
	if set.Contains(Span{math.MaxInt64 - 1, 2}) || set.Missing(Span{5, 0}) != nil {
		t.Error("spans that are none count")
	}
	if got := set.Missing(Span{0, math.MaxInt64}); !slices.Equal(got, []Span{{0, math.MaxInt64 - 1}}) {
		t.Errorf("missing %v", got)
	}
}
