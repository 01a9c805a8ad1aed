package demo

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// The demonstration itself, with a smaller large file: it returns an error if one
// byte of one file is wrong, and the table says that nothing came from the origin.
func TestRun(t *testing.T) {
	var out bytes.Buffer
	if err := Run(t.Context(), Config{Out: &out, LargeFile: 3 << 20}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	rows := 0
	for line := range strings.Lines(out.String()) {
		if fields := strings.Fields(line); strings.HasPrefix(line, "/") {
			rows++
			if len(fields) != 7 || fields[2] != "origin" || fields[4] != "peer" || fields[6] != "yes" {
				t.Errorf("row %q", line)
			}
		}
	}
	if rows < 30 || rows > 60 {
		t.Errorf("%d files", rows)
	}
}

func TestReportFindsWhatDiffers(t *testing.T) {
	const file = siteURL + "page"
	right := sha256.Sum256([]byte("right"))
	good := visit{URL: file, Status: http.StatusOK, SHA256: right}
	for name, test := range map[string]struct {
		before, after visit
		differs       bool
	}{
		"the same":        {good, good, false},
		"other bytes":     {good, visit{URL: file, Status: http.StatusOK, SHA256: sha256.Sum256([]byte("wrong"))}, true},
		"an error":        {good, visit{URL: file, Status: http.StatusBadGateway, SHA256: right}, true},
		"not there":       {good, visit{}, true},
		"wrong at first":  {visit{URL: file, Status: http.StatusOK}, good, true},
		"never there":     {visit{}, visit{}, true},
		"nothing fetched": {visit{}, good, true},
	} {
		d := &demo{Config{Out: io.Discard}}
		err := d.report(map[string][32]byte{file: right}, map[string]visit{file: test.before}, map[string]visit{file: test.after})
		if errors.Is(err, ErrDiffers) != test.differs {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLinksIn(t *testing.T) {
	for _, test := range []struct {
		contentType, text string
		want              []string
	}{
		{"text/html; charset=utf-8", `<a href="a.html">x</a><img src='b.png'><p data-source="c.json">href="no"</p>`, []string{"a.html", "b.png", "c.json"}},
		{"text/css", `@import url("a.css"); @import 'b.css'; p { background: url(c.png) } q { background: url( 'd.png' ) }`, []string{"a.css", "b.css", "c.png", "d.png"}},
		{"application/manifest+json", `{"icons":[{"src":"a.png"},{"src":"b.png"}]}`, []string{"a.png", "b.png"}},
		{"image/png", `<a href="no">`, nil},
	} {
		if got := linksIn(test.contentType, []byte(test.text)); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.contentType, got, test.want)
		}
	}
}

func TestLargeContentIsTheSameEachTime(t *testing.T) {
	a, errA := io.ReadAll(largeContent(100_000))
	b, errB := io.ReadAll(largeContent(100_000))
	if errA != nil || errB != nil || !bytes.Equal(a, b) || len(a) != 100_000 {
		t.Errorf("%d and %d bytes, %v %v", len(a), len(b), errA, errB)
	}
}
