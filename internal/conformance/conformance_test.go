package conformance

import (
	"net/http"
	"regexp"
	"slices"
	"testing"
)

// Every story has a name of its own within its group, a section, and steps that can be judged.
func TestStories(t *testing.T) {
	section := regexp.MustCompile(`^\d{4} [1-9]\d?(\.\d+)*$`)
	ways := []How{Cached, Validated, Meanwhile, Forwarded, Completed, Stale, Timeout}
	total := 0
	for _, group := range Groups() {
		seen := map[string]bool{}
		for _, s := range group.Stories {
			total++
			title := group.Name + ": " + s.Title()
			if s.Name == "" || !section.MatchString(s.Section) || len(s.Steps) == 0 {
				t.Errorf("%s: incomplete", title)
			}
			if seen[s.Title()] {
				t.Errorf("%s: told twice", title)
			}
			seen[s.Title()] = true
			for i, step := range s.Steps {
				if !slices.Contains(ways, step.How) || step.After < 0 {
					t.Errorf("%s: step %d can't be judged", title, i)
				}
				if step.Method == http.MethodHead && step.WantBody != "" {
					t.Errorf("%s: step %d wants a body of HEAD", title, i)
				}
			}
		}
	}
	if total < 1000 {
		t.Errorf("only %d stories", total)
	}
}

func TestCheck(t *testing.T) {
	sent := []http.Header{{}}
	first := ok("first", "A", "1")
	for _, c := range []struct {
		name string
		step Step
		o    Outcome
		want int // complaints
	}{
		{"as wanted", Step{How: Forwarded, Reply: first}, Outcome{How: Forwarded, Status: 200, Body: "first", Sent: sent}, 0},
		{"another way", Step{How: Cached}, Outcome{How: Forwarded, Status: 200, Sent: sent}, 1},
		{"another status than the origin's", Step{How: Forwarded, Reply: first}, Outcome{How: Forwarded, Status: 206, Body: "first", Sent: sent}, 1},
		{"another body than the origin's", Step{How: Forwarded, Reply: first}, Outcome{How: Forwarded, Status: 200, Body: "f", Sent: sent}, 1},
		{"HEAD has no body", Step{Method: "HEAD", How: Forwarded, Reply: first}, Outcome{How: Forwarded, Status: 200, Sent: sent}, 0},
		{"not asked", Step{How: Forwarded, Reply: first}, Outcome{How: Forwarded, Status: 200, Body: "first"}, 1},
		{"asked again", Step{How: Forwarded, Reply: status(304), Again: []Reply{first}}, Outcome{How: Forwarded, Status: 200, Body: "first", Sent: append(sent, sent...)}, 0},
		{"not asked again", Step{How: Forwarded, Reply: status(304), Again: []Reply{first}}, Outcome{How: Forwarded, Status: 200, Body: "first", Sent: sent}, 1},
		{"asked though cached", Step{How: Cached}, Outcome{How: Cached, Status: 200, Sent: sent}, 1},
		{"the origin hangs up, twice", Step{How: Forwarded}, Outcome{How: Forwarded, Status: 502, Body: "why", Sent: append(sent, sent...)}, 0},
		{"the origin hangs up, told as 200", Step{How: Forwarded}, Outcome{How: Forwarded, Status: 200, Sent: sent}, 1},
		{"timeout", Step{How: Timeout}, Outcome{How: Timeout, Status: 504}, 0},
		{"broken off", Step{How: Forwarded, Reply: ok("first", "Content-Length", "10")}, Outcome{How: Forwarded, Body: "fir", Broken: true, Sent: sent}, 0},
		{"broken off, told as whole", Step{How: Forwarded, Reply: ok("first", "Content-Length", "10")}, Outcome{How: Forwarded, Status: 200, Body: "first", Sent: sent}, 1},
		{"whole, told as broken off", Step{How: Forwarded, Reply: first}, Outcome{How: Forwarded, Status: 200, Body: "first", Broken: true, Sent: sent}, 1},
		{"fields", Step{How: Cached, Want: map[string]string{"A": "1|2", "B": "", "C": "3"}}, Outcome{How: Cached, Header: http.Header{"A": {"1", "2"}, "B": {"4"}}}, 2},
		{"fields that were sent", Step{How: Forwarded, Reply: first, Sent: map[string]string{"A": ""}}, Outcome{How: Forwarded, Status: 200, Body: "first", Sent: []http.Header{{"A": {"1"}}}}, 1},
		{"no parts", Step{How: Cached, WantParts: []Part{{"bytes 0-1/9", "01"}}}, Outcome{How: Cached, Body: "01"}, 1},
	} {
		if got := c.step.Check(c.o); len(got) != c.want {
			t.Errorf("%s: %q, want %d complaints", c.name, got, c.want)
		}
	}
}

func TestReadParts(t *testing.T) {
	const body = "--x\r\nContent-Range: bytes 0-1/9\r\n\r\n01\r\n--x\r\nContent-Range: bytes 5-6/9\r\n\r\n56\r\n--x--\r\n"
	parts, err := ReadParts("multipart/byteranges; boundary=x", body)
	if want := []Part{{"bytes 0-1/9", "01"}, {"bytes 5-6/9", "56"}}; err != nil || !slices.Equal(parts, want) {
		t.Errorf("%v, %v; want %v", parts, err, want)
	}
	for _, kind := range []string{"", "text/plain", "multipart/byteranges; boundary=y"} {
		if parts, err := ReadParts(kind, body); err == nil {
			t.Errorf("%q: %v", kind, parts)
		}
	}
}
