package cache

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// crashFileVariable holds, in the child process of TestKilled, the path of its file.
const crashFileVariable = "PEERPROXY_TEST_CRASH_FILE"

// Whenever the process is killed: what was acknowledged is there, the rest is there
// as a whole or not at all, and nothing is left over.
func TestKilled(t *testing.T) {
	t.Parallel()
	path := tempFile(t)
	acknowledged := make(map[string]bool)
	rounds := 4
	if testing.Short() || raceEnabled {
		rounds = 2
	}
	for round := range rounds {
		for _, line := range runUntilKilled(t, path, time.Duration(30+50*round)*time.Millisecond) {
			verb, name, _ := strings.Cut(line, " ")
			if acknowledged[name] = verb == "stored"; verb == "deleting" {
				delete(acknowledged, name) // may be there or not, until the answer
			}
		}
		s := mustOpen(t, path, Config{Quota: 256 << 20})
		wantPending(t, s, 0)
		verify(t, s)
		for name, stored := range acknowledged {
			if stored {
				wantBody(t, s, name, crashBody(name))
			}
		}
		for st, err := range s.All() {
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimPrefix(st.Exchange.URL.RequestURI(), "/")
			if got, err := readBody(s, st); err != nil || !bytes.Equal(got, crashBody(name)) {
				t.Errorf("%s: %v", name, err)
			}
			if stored, known := acknowledged[name]; known && !stored {
				t.Errorf("%s was deleted and is there", name)
			}
		}
		mustClose(t, s)
	}
	t.Logf("%d acknowledged", len(acknowledged))
	if len(acknowledged) == 0 {
		t.Error("the child did nothing")
	}
}

// crashBody is the content that belongs to a name: of very different sizes.
func crashBody(name string) []byte {
	var seed uint64
	fmt.Sscanf(name, "page/%d", &seed)
	return content(seed, int(seed*seed*7919%(1<<(10+seed%12))))
}

// runUntilKilled runs TestCrashChild in a process of its own, kills it some time after
// its first acknowledgement, and returns what it acknowledged.
func runUntilKilled(t *testing.T, path string, after time.Duration) (lines []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestCrashChild$")
	cmd.Env = append(os.Environ(), crashFileVariable+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	sc := bufio.NewScanner(out)
	for sc.Scan() {
		if len(lines) == 0 {
			time.AfterFunc(after, func() { cmd.Process.Kill() })
		}
		if strings.Contains(sc.Text(), "page/") {
			lines = append(lines, sc.Text())
		}
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the child ended by itself")
	}
	return lines
}

// TestCrashChild is not a test, but the process that TestKilled kills.
func TestCrashChild(t *testing.T) {
	path := os.Getenv(crashFileVariable)
	if path == "" {
		t.Skip("run by TestKilled")
	}
	s := mustOpen(t, path, Config{Quota: 256 << 20})
	var next atomic.Int64
	next.Store(s.state.responses * 3 / 2)
	var out sync.Mutex
	tell := func(verb, name string) {
		out.Lock()
		defer out.Unlock()
		os.Stdout.WriteString(verb + " " + name + "\n") // a pipe: whole lines
	}
	var running sync.WaitGroup
	for range 6 {
		running.Go(func() {
			for time.Since(testStart) < 20*time.Second {
				name := pathOf(int(next.Add(1)))
				body := crashBody(name)
				if err := put(s, response(t, name, body), body); err != nil {
					t.Error(err)
					return
				}
				tell("stored", name)
				if len(body)%5 == 0 {
					tell("deleting", name)
					if err := s.Delete(context.Background(), idOf(t, name)); err != nil {
						t.Error(err)
						return
					}
					tell("deleted", name)
				}
			}
		})
	}
	running.Wait()
}

// testStart bounds the life of a child that nobody kills.
var testStart = time.Now()

// After a loss of power any of the pages of the last transaction may have reached the
// disk, but its header has not: that is written after all others have been synced.
func TestPowerLoss(t *testing.T) {
	t.Parallel()
	path, copied := tempFile(t), tempFile(t)
	s := mustOpen(t, path, Config{Quota: 16 << 20})
	r := rand.New(rand.NewPCG(3, 4))
	before := snapshot(t, s, path)
	contents := make(map[string]uint64)
	for i := range 25 {
		name, seed := pathOf(r.IntN(12)), uint64(i)
		w, err := s.Create() // one that never comes to its end
		if err != nil {
			t.Fatal(err)
		}
		w.Write(content(seed+1000, 100_000))
		age := later(time.Duration(i) * time.Hour)
		mustPut(t, s, name, content(seed, r.IntN(1<<(8+r.IntN(9)))), age)

		data := torn(r, before, snapshot(t, s, path))
		if err := os.WriteFile(copied, data, 0o600); err != nil {
			t.Fatal(err)
		}
		c := mustOpen(t, copied, Config{Quota: 16 << 20})
		wantPending(t, c, 0)
		verify(t, c)
		for name, seed := range contents {
			_, got, err := get(t, c, name)
			if err != nil || !bytes.Equal(got, content(seed, len(got))) {
				t.Fatalf("round %d: %s: %v", i, name, err)
			}
		}
		mustClose(t, c)
		contents[name] = seed
		if i%2 == 0 {
			w.Abort()
		} else {
			defer w.Abort()
		}
		waitIdle(t, s)
		before = snapshot(t, s, path)
	}
}

// snapshot is the file between two transactions.
func snapshot(t *testing.T, s *Store, path string) (data []byte) {
	t.Helper()
	hold(t, s, func() { data = readFile(t, path) })
	return data
}

// torn is the file before a transaction, with some of the pages that it wrote.
func torn(r *rand.Rand, before, after []byte) []byte {
	b := bytes.Clone(after)
	for at := 0; at < len(before); at += 4096 {
		if at < 2*4096 || r.IntN(3) == 0 {
			copy(b[at:at+4096], before[at:])
		}
	}
	for at := len(before); at < len(after); at += 4096 {
		if r.IntN(3) == 0 {
			clear(b[at : at+4096])
		}
	}
	return b
}
