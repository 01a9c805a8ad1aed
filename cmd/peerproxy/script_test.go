package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	bolt "go.etcd.io/bbolt"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"peerproxy": main})
}

// TestScripts runs the program as a user does. The scripts are in testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("..", "..", "testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            time.Now().Add(5 * time.Minute), // a command that hangs is shown with its stacks; programs with the race detector start slowly
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
			env.Setenv("XDG_DATA_HOME", filepath.Join(env.WorkDir, "data"))
			// A node for tests: nothing of it leaves loopback.
			env.Setenv("LOCAL", "--no-bootstrap --map off --listen 127.0.0.1:0 --dht 127.0.0.1:0")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    cmdExits,
			"serve":    cmdServe,
			"halt":     cmdHalt,
			"origin":   cmdOrigin,
			"browse":   cmdBrowse,
			"takeport": cmdTakePort,
			"dbset":    cmdDBSet,
			"eventual": cmdEventual,
		},
	})
}

// The command stop of testscript ends a script as passed: what is below it would never be run.
func TestScriptsRunToTheirEnd(t *testing.T) {
	scripts, err := filepath.Glob(filepath.Join("..", "..", "testdata", "script", "*.txtar"))
	if err != nil || len(scripts) == 0 {
		t.Fatal(scripts, err)
	}
	stops := regexp.MustCompile(`(?m)^(\[[^]]*\] )?stop\b`)
	for _, path := range scripts {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if stops.Match(text) {
			t.Errorf("%s stops before its end; a node is ended by halt", filepath.Base(path))
		}
	}
}

// exits CODE COMMAND ARG... runs a command that must end with the code.
func cmdExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := runCode(ts, args[1:]); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func runCode(ts *testscript.TestScript, args []string) int {
	err := ts.Exec(args[0], args[1:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}

// serve NAME ARG... starts a node with data directory NAME, and sets NAME_proxy,
// NAME_peer, NAME_dht, NAME_control and NAME_key from its ready file.
func cmdServe(ts *testscript.TestScript, _ bool, args []string) {
	name := args[0]
	ready, log := ts.MkAbs(name+".ready"), ts.MkAbs(name+".log")
	_ = os.Remove(ready)
	flags := append([]string{"serve", "--data", ts.MkAbs(name), "--proxy", "127.0.0.1:0", "--ready-file", ready}, strings.Fields(ts.Getenv("LOCAL"))...)
	stderr, err := os.Create(log)
	ts.Check(err)
	cmd := exec.Command("peerproxy", append(flags, args[1:]...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), stderr, stderr
	cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"), "XDG_CONFIG_HOME="+ts.Getenv("XDG_CONFIG_HOME"))
	ts.Check(cmd.Start())
	ts.Check(stderr.Close())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ts.Defer(func() {
		_ = cmd.Process.Kill() // it may have ended already
		<-ended
	})
	running.set(ts, name, &process{cmd: cmd, ended: ended})
	deadline := time.After(20 * time.Second)
	for tick := time.Tick(10 * time.Millisecond); ; {
		if text, err := os.ReadFile(ready); err == nil {
			var values map[string]string
			ts.Check(json.Unmarshal(text, &values))
			for key, value := range values {
				ts.Setenv(name+"_"+key, value)
			}
			return
		}
		select {
		case err := <-ended:
			ended <- err
			ts.Fatalf("node %s ended: %v\n%s", name, err, ts.ReadFile(log))
		case <-deadline:
			ts.Fatalf("node %s is not up\n%s", name, ts.ReadFile(log))
		case <-tick:
		}
	}
}

// halt NAME [kill] ends a node by an interrupt and waits; it must end well and within
// the promised time. With kill, it is given no chance.
func cmdHalt(ts *testscript.TestScript, _ bool, args []string) {
	p := running.get(ts, args[0])
	if len(args) > 1 {
		ts.Check(p.cmd.Process.Kill())
		p.ended <- <-p.ended
		return
	}
	ts.Check(p.cmd.Process.Signal(os.Interrupt))
	select {
	case err := <-p.ended:
		p.ended <- err
		if err != nil {
			ts.Fatalf("node %s ended with %v", args[0], err)
		}
	case <-time.After(5 * time.Second):
		ts.Fatalf("node %s does not stop within 5 s", args[0])
	}
}

// origin NAME DIR serves a directory and sets NAME to its address. "origin NAME" stops it.
func cmdOrigin(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 1 {
		origins.get(ts, args[0]).Close()
		return
	}
	files := http.FileServer(http.Dir(ts.MkAbs(args[1])))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=3600")
		files.ServeHTTP(w, r)
	}))
	ts.Defer(s.Close)
	origins.set(ts, args[0], s)
	ts.Setenv(args[0], strings.TrimPrefix(s.URL, "http://"))
}

// browse PROXY URL prints status, fields and content of a URL as a browser gets it.
func cmdBrowse(ts *testscript.TestScript, neg bool, args []string) {
	proxy := &url.URL{Scheme: "http", Host: args[0]}
	client := &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyURL(proxy), DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       30 * time.Second,
	}
	resp, err := client.Get(args[1])
	ts.Check(err)
	defer func() { _ = resp.Body.Close() }()
	ts.Check(resp.Write(ts.Stdout()))
	if failed := resp.StatusCode >= 400; failed != neg {
		ts.Fatalf("status %s", resp.Status)
	}
}

// takeport NAME occupies a TCP port and sets NAME to its address.
func cmdTakePort(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	ts.Setenv(args[0], l.Addr().String())
}

// dbset FILE BUCKET KEY HEX puts a value into a database file.
func cmdDBSet(ts *testscript.TestScript, _ bool, args []string) {
	db, err := bolt.Open(ts.MkAbs(args[0]), 0o600, &bolt.Options{Timeout: time.Second})
	ts.Check(err)
	var value []byte
	_, err = fmt.Sscanf(args[3], "%x", &value)
	ts.Check(err)
	ts.Check(db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists([]byte(args[1]))
		if err != nil {
			return err
		}
		return b.Put([]byte(args[2]), value)
	}))
	ts.Check(db.Close())
}

// eventual TEXT COMMAND ARG... repeats a command until its output contains TEXT.
func cmdEventual(ts *testscript.TestScript, _ bool, args []string) {
	deadline := time.Now().Add(20 * time.Second)
	for time.Now().Before(deadline) {
		cmd := exec.Command(args[1], args[2:]...)
		cmd.Dir = ts.MkAbs(".")
		out, _ := cmd.CombinedOutput()
		if strings.Contains(string(out), args[0]) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	ts.Fatalf("%q did not come about", args[0])
}
