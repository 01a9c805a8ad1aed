package peerproxy_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	namedTest   = regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Za-z0-9_]+)(?:/[^`]*)?`")
	definedTest = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)[A-Za-z0-9_]+)\(`)
)

// Documents name the tests that show what they promise: these exist.
func TestDocumentsNameRealTests(t *testing.T) {
	defined := map[string]bool{}
	named := map[string][]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != "." && strings.HasPrefix(d.Name(), ".") {
				return filepath.SkipDir
			}
			return nil
		}
		pattern, isTest := namedTest, strings.HasSuffix(path, "_test.go")
		switch {
		case isTest:
			pattern = definedTest
		case !strings.HasSuffix(path, ".md"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range pattern.FindAllStringSubmatch(string(text), -1) {
			if isTest {
				defined[m[1]] = true
			} else {
				named[m[1]] = append(named[m[1]], path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(named) == 0 {
		t.Error("no document names a test")
	}
	for name, paths := range named {
		if !defined[name] {
			t.Errorf("%s: there is no test %s", strings.Join(paths, ", "), name)
		}
	}
}

// The threat model's promises are each shown by a test.
func TestEveryPromiseNamesATest(t *testing.T) {
	text, err := os.ReadFile("docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	_, promises, found := strings.Cut(string(text), "\n## What is promised\n")
	promises, _, ended := strings.Cut(promises, "\n## What is not promised\n")
	if !found || !ended {
		t.Fatal("the threat model has no list of promises")
	}
	count := 0
	for line := range strings.SplitSeq(promises, "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| promise") {
			continue
		}
		count++
		if !namedTest.MatchString(line) {
			t.Errorf("no test is named for the promise: %s", line)
		}
	}
	if count < 10 {
		t.Errorf("only %d promises", count)
	}
}
