package peer

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"
)

// BenchmarkPrivateOrAbsent asks in turn for what a node holds and does not share, and for what it does
// not hold, and reports the ratio of the medians of the times to the answer. That the
// answers are the same, byte for byte, is TestPrivateLooksLikeAbsent.
func BenchmarkPrivateOrAbsent(b *testing.B) {
	w := newWorld(b)
	defer w.end()
	n := w.node()
	const private, absent = "https://example.org/private", "https://example.org/absent"
	n.hold(makeItem(b, n.identity, private, []byte("private")))
	for i := range 1000 { // a catalog of usual size
		n.catalog.Add(makeItem(b, n.identity, fmt.Sprintf("https://example.org/%d", i), nil).exchange.ID())
	}
	var stream io.Writer
	var answers *bufio.Reader
	connect := func() { // anew now and then: a session of nothing but short answers is taken for a flood
		s, err := w.fake().session(n.addr).OpenStream(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		stream, answers = s, bufio.NewReader(s)
	}
	ask := func(request string) time.Duration {
		start := time.Now()
		if _, err := io.WriteString(stream, request); err != nil {
			b.Fatal(err)
		}
		resp, err := http.ReadResponse(answers, nil)
		if err != nil || resp.StatusCode != http.StatusNotFound {
			b.Fatalf("%v, %v", resp, err)
		}
		return time.Since(start)
	}
	requests := [2]string{request("GET", pathOf(private)), request("GET", pathOf(absent))}
	var times [2][]time.Duration
	for i := 0; b.Loop(); i++ {
		if i%1000 == 0 {
			connect()
		}
		for j := range requests {
			which := (i + j) % 2 // each is first in every other round
			times[which] = append(times[which], ask(requests[which]))
		}
	}
	median := func(list []time.Duration) float64 {
		slices.Sort(list)
		return float64(list[len(list)/2])
	}
	held, not := median(times[0]), median(times[1])
	b.ReportMetric(held/1e3, "private-µs")
	b.ReportMetric(not/1e3, "absent-µs")
	b.ReportMetric(held/not, "private/absent")
}
