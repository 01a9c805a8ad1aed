package peerproxy_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/peerproxy/peerproxy/"

// allowed is the table of ARCHITECTURE.md: which packages of this module a package may
// import. A package that stands not here is not allowed to be.
var allowed = map[string][]string{
	"resource":         {},
	"httpcache":        {"resource"},
	"cache":            {"resource"},
	"trust":            {"resource"},
	"document":         {},
	"dht":              {},
	"listener":         {"listener/portmap"},
	"listener/portmap": {},
	"peer":             {"resource", "trust"},
	"proxy":            {"resource", "httpcache", "trust", "document", "integrity"},
	"control":          {"resource", "httpcache", "cache"},
	"ca":               {},
	"ca/truststore":    {},
	"integrity":        {},
	"intercept":        {},
	"node":             {"resource", "httpcache", "cache", "trust", "dht", "listener", "listener/portmap", "peer", "proxy", "control", "intercept", "ca", "internal/metered"},
	"cmd/peerproxy":    {"node", "control", "cache", "ca", "ca/truststore", "resource", "trust", "internal/demo"},
	"internal/addr":    {},
	// All of it is tests.
	"internal/browserlab": {},
	// Only tests import it.
	"internal/conformance": {},
	"internal/demo":        {"node", "testdata"},
	"internal/http1":       {},
	"internal/wholefile":   {},
	// Only tests import it.
	"internal/observer": {"dht"},
	"testdata":          {},
	"internal/metered":  {},
}

// leaves know nothing of this project, and anyone may use them.
var leaves = []string{"internal/addr", "internal/http1", "internal/wholefile"}

// owners lists the packages that alone may import a dependency.
var owners = map[string][]string{
	"go.etcd.io/bbolt":                 {"cache"},
	"github.com/maypok86/otter/v2":     {"cache"},
	"github.com/andybalholm/brotli":    {"document"},
	"github.com/klauspost/compress":    {"document"},
	"golang.org/x/net/html":            {"document", "internal/demo"},
	"github.com/anacrolix/dht/v2":      {"dht"},
	"github.com/godbus/dbus/v5":        {"internal/metered"},
	"github.com/huin/goupnp":           {"listener/portmap"},
	"github.com/gorilla/websocket":     {"listener", "peer"},
	"github.com/libp2p/go-yamux/v5":    {"peer"},
	"github.com/dunglas/httpsfv":       {"trust", "proxy", "httpcache", "cmd/peerproxy"},
	"lukechampine.com/blake3":          {"resource"},
	"golang.org/x/net/publicsuffix":    {"resource"},
	"github.com/alecthomas/kong":       {"cmd/peerproxy"},
	"github.com/pelletier/go-toml/v2":  {"cmd/peerproxy", "trust"},
	"github.com/rogpeppe/go-internal":  {"trust"}, // lockedfile; testscript in tests
	"rsc.io/qr":                        {"cmd/peerproxy"},
	"github.com/piglig/go-qr":          {}, // it reads what rsc.io/qr has written
	"pgregory.net/rapid":               {},
	"go.uber.org/goleak":               {},
	"github.com/anacrolix/torrent":     {"dht"},
	"github.com/anacrolix/missinggo":   {"dht"},
	"github.com/libp2p/go-buffer-pool": {"peer"},
}

// TestImports reads the sources rather than ask the go command, so that the test's
// result is not cached across a change of them.
func TestImports(t *testing.T) {
	for file, imports := range sources(t) {
		pkg := path.Dir(file)
		own, known := allowed[pkg]
		if !known {
			t.Errorf("%s: package %s is not in the table of packages", file, pkg)
			continue
		}
		for _, imported := range imports {
			if name, ours := strings.CutPrefix(imported, module); ours {
				if !slices.Contains(own, name) && !slices.Contains(leaves, name) {
					t.Errorf("%s: package %s may not import %s", file, pkg, name)
				}
				continue
			}
			for dependency, users := range owners {
				if imported != dependency && !strings.HasPrefix(imported, dependency+"/") {
					continue
				}
				if !slices.Contains(users, pkg) {
					t.Errorf("%s: %s belongs to %v alone", file, dependency, users)
				}
			}
		}
	}
}

// TestPackageComments wants a doc.go in every package, and one package comment.
func TestPackageComments(t *testing.T) {
	for pkg := range allowed {
		commented := 0
		files, err := filepath.Glob(filepath.Join(filepath.FromSlash(pkg), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if parsed.Doc == nil {
				continue
			}
			commented++
			if filepath.Base(file) != "doc.go" {
				t.Errorf("the comment of package %s stands in %s, not in its doc.go", pkg, file)
			}
		}
		if len(files) > 0 && commented != 1 {
			t.Errorf("package %s has %d package comments, not one", pkg, commented)
		}
	}
}

// sources returns the imports of every file that is no test.
func sources(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && name != "." {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || path.Dir(name) == "." {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		found[name] = []string{}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			found[name] = append(found[name], imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 10 {
		t.Fatalf("only %d sources found: the test looks in the wrong place", len(found))
	}
	return found
}
