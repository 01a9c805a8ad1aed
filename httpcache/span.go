package httpcache

import (
	"math"
	"slices"
)

// Span is a run of Length bytes of a representation, from position Offset on.
type Span struct{ Offset, Length int64 }

// End is the position after the last byte.
func (s Span) End() int64 { return s.Offset + s.Length }

// Valid reports whether the span has at least one byte, and none before the first position
// or beyond the last that an int64 can number.
func (s Span) Valid() bool {
	return s.Offset >= 0 && s.Length > 0 && s.Offset <= math.MaxInt64-s.Length
}

// Contains reports whether all bytes of t are in s.
func (s Span) Contains(t Span) bool { return t.Offset >= s.Offset && t.End() <= s.End() }

// Spans is a set of positions, such as the bytes of a representation that are at hand. The
// zero Spans is empty. It needs memory for each run of positions, not for each position. It
// may be read by several goroutines, but not while one changes it.
type Spans struct {
	runs []Span // ascending, with a gap between any two
}

// Add puts the positions of s into the set. A span that is not [Span.Valid] adds nothing.
func (set *Spans) Add(s Span) {
	if !s.Valid() {
		return
	}
	from := set.find(s.Offset)
	if from > 0 && set.runs[from-1].End() == s.Offset {
		from--
	}
	to, end := from, s.End()
	for to < len(set.runs) && set.runs[to].Offset <= end {
		end = max(end, set.runs[to].End())
		s.Offset = min(s.Offset, set.runs[to].Offset)
		to++
	}
	set.runs = slices.Replace(set.runs, from, to, Span{s.Offset, end - s.Offset})
}

// Remove takes the positions of s out of the set.
func (set *Spans) Remove(s Span) {
	if !s.Valid() {
		return
	}
	var kept []Span
	from := set.find(s.Offset)
	to := from
	for ; to < len(set.runs) && set.runs[to].Offset < s.End(); to++ {
		run := set.runs[to]
		if before := s.Offset - run.Offset; before > 0 {
			kept = append(kept, Span{run.Offset, before})
		}
		if after := run.End() - s.End(); after > 0 {
			kept = append(kept, Span{s.End(), after})
		}
	}
	set.runs = slices.Replace(set.runs, from, to, kept...)
}

// find is the index of the first run that ends after position at.
func (set *Spans) find(at int64) int {
	i, _ := slices.BinarySearchFunc(set.runs, at, func(run Span, at int64) int {
		if run.End() <= at {
			return -1
		}
		return 1
	})
	return i
}

// Contains reports whether all positions of s are in the set. A span that is not [Span.Valid]
// never is.
func (set *Spans) Contains(s Span) bool {
	i := set.find(s.Offset)
	return s.Valid() && i < len(set.runs) && set.runs[i].Contains(s)
}

// Missing are the positions of s that are not in the set, as spans in ascending order.
func (set *Spans) Missing(s Span) []Span {
	if !s.Valid() {
		return nil
	}
	missing := Spans{runs: []Span{s}}
	for _, run := range set.runs[set.find(s.Offset):] {
		if run.Offset >= s.End() {
			break
		}
		missing.Remove(run)
	}
	return missing.runs
}

// Runs are the spans of the set in ascending order, with a gap between any two. The caller may
// change the result.
func (set *Spans) Runs() []Span { return slices.Clone(set.runs) }

// Len is the number of positions in the set.
func (set *Spans) Len() int64 {
	n := int64(0)
	for _, run := range set.runs {
		n += run.Length
	}
	return n
}
