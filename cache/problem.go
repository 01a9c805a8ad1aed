package cache

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/peerproxy/peerproxy/resource"
)

// Problem is one thing that Verify found to be wrong.
type Problem struct {
	ID   resource.ID   // resource that is affected, zero if that is not known
	Root resource.Root // body that is affected, zero if that is not known
	Err  error         // what is wrong

	// URLs are those of the responses that are affected, as far as that is known: at
	// most MaxProblemURLs. MoreURLs is how many there are beyond.
	URLs     []string
	MoreURLs int
	// Removable says that deleting what is stored for all these URLs puts it right.
	Removable bool
}

// MaxProblemURLs bounds Problem.URLs.
const MaxProblemURLs = 8

// String is one line of text.
func (p Problem) String() string {
	var b strings.Builder
	switch {
	case len(p.URLs) > 0:
		b.WriteString(strings.Join(p.URLs, ", "))
		if p.MoreURLs > 0 {
			fmt.Fprintf(&b, " and %d more", p.MoreURLs)
		}
		b.WriteString(": ")
	case p.ID != resource.ID{}:
		fmt.Fprintf(&b, "response %s: ", p.ID)
	}
	if p.Root != (resource.Root{}) {
		fmt.Fprintf(&b, "body %s: ", p.Root)
	}
	fmt.Fprint(&b, p.Err)
	if p.Removable && len(p.URLs) > 0 {
		b.WriteString(" (`peerproxy cache rm URL` removes it)")
	}
	return b.String()
}

var errOtherBytes = errors.New("has other bytes")

// urlOf is the URL of a response, even if something else about it is wrong.
func urlOf(e entry) []string {
	rec, err := parseRecord(e.value)
	if err != nil {
		return nil
	}
	ex := new(resource.Exchange)
	if ex.UnmarshalBinary(rec.exchange) != nil || ex.ID() != e.key.id() {
		return nil
	}
	return []string{ex.URL.String()}
}

// maxUntold is how many problems are kept until they are told.
const maxUntold = 1024

// tell gives all problems that are not told yet to found. If only the body is known,
// it looks through all responses for those that have it: the way back is not stored.
func (v *verifier) tell(ctx context.Context) {
	told := v.untold
	v.untold = nil
	if v.found == nil {
		return
	}
	byRoot := make(map[resource.Root][]*Problem)
	for i := range told {
		if p := &told[i]; p.Root != (resource.Root{}) && len(p.URLs) == 0 {
			byRoot[p.Root] = append(byRoot[p.Root], p)
		}
	}
	if len(byRoot) > 0 {
		v.findURLs(ctx, byRoot)
	}
	for _, p := range told {
		v.found(p)
	}
}

// findURLs goes as far as it can: it is to help with problems that are certain.
func (v *verifier) findURLs(ctx context.Context, byRoot map[resource.Root][]*Problem) {
	last := make(map[resource.Root]resource.ID)
	for e, err := range v.s.entries() {
		if err != nil || ctx.Err() != nil {
			return
		}
		rec, err := parseRecord(e.value)
		if err != nil || byRoot[rec.root] == nil {
			continue
		}
		if last[rec.root] == e.key.id() {
			continue // another variant of it: these are neighbours
		}
		last[rec.root] = e.key.id()
		for _, p := range byRoot[rec.root] {
			p.addURLs(urlOf(e))
		}
	}
}

func (p *Problem) addURLs(urls []string) {
	for _, u := range urls {
		if len(p.URLs) < MaxProblemURLs {
			p.URLs = append(p.URLs, u)
		} else {
			p.MoreURLs++
		}
	}
}
