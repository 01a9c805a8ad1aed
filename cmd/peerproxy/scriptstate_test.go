package main

import (
	"net/http/httptest"
	"os/exec"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// process is a node that a script has started.
type process struct {
	cmd   *exec.Cmd
	ended chan error // holds one value once it has ended
}

// perScript keeps what the commands of one script share, by name.
type perScript[T any] struct{ values sync.Map }

type scriptKey struct {
	script *testscript.TestScript
	name   string
}

func (p *perScript[T]) set(ts *testscript.TestScript, name string, v T) {
	p.values.Store(scriptKey{ts, name}, v)
}

func (p *perScript[T]) get(ts *testscript.TestScript, name string) T {
	v, ok := p.values.Load(scriptKey{ts, name})
	if !ok {
		ts.Fatalf("%s was not started", name)
	}
	return v.(T)
}

var (
	running perScript[*process]
	origins perScript[*httptest.Server]
)
