package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/ca"
	"github.com/peerproxy/peerproxy/ca/truststore"
)

// debian is a root directory with the system's store as Debian has it, and its
// command.
func debian(t *testing.T) (m truststore.Machine, anchors string) {
	t.Helper()
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("certificates are installed by hand here")
	}
	m = truststore.Machine{Mark: ca.CommonName, Home: t.TempDir(), Root: t.TempDir()}
	anchors = filepath.Join(m.Root, "usr/local/share/ca-certificates")
	bundle := filepath.Join(m.Root, "etc/ssl/certs/ca-certificates.crt")
	bin := t.TempDir()
	for _, dir := range []string{anchors, filepath.Dir(bundle)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	script := "#!/bin/sh\ncat '" + anchors + "'/*.crt > '" + bundle + "' 2> /dev/null || :\n"
	if err := os.WriteFile(filepath.Join(bin, "update-ca-certificates"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	return m, anchors
}

// TestCASystem tells the commands for the system's store, which scripts can't: they would
// change the machine that they run on.
func TestCASystem(t *testing.T) {
	m, anchors := debian(t)
	var out bytes.Buffer
	a := &app{ctx: t.Context(), out: &out, err: &out, common: common{Data: t.TempDir()}}
	says := func(err error, want string) {
		t.Helper()
		if err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%v\n%swant %q", err, &out, want)
		}
		out.Reset()
	}
	made, err := ca.Create(a.common.Data, ca.Options{})
	if err != nil {
		t.Fatal(err)
	}
	install := &caInstallCmd{systemFlag: systemFlag{System: true}}
	says(install.into(a, m), "/ca-certificates): trusts it now\n")
	says(install.into(a, m), "trusts it already")
	says((&caStatusCmd{}).of(a, m), "yes      system (as Debian)")
	if files, err := os.ReadDir(anchors); err != nil || len(files) != 1 {
		t.Errorf("files: %v, %v", files, err)
	}
	if _, err := ca.Create(a.common.Data, ca.Options{Replace: true}); err != nil {
		t.Fatal(err)
	}
	says(install.into(a, m), "trusts it now, removed the one before, "+made.Certificate().Subject.CommonName)
	says((&caUninstallCmd{}).from(a, m), "removed "+ca.CommonName)
	says((&caUninstallCmd{}).from(a, m), "had none")
	if files, err := os.ReadDir(anchors); err != nil || len(files) != 0 {
		t.Errorf("files left: %v, %v", files, err)
	}
}

func TestCAInstallRefuses(t *testing.T) {
	m, anchors := debian(t)
	var out bytes.Buffer
	a := &app{ctx: t.Context(), out: &out, err: &out, common: common{Data: t.TempDir()}}
	if _, err := ca.Create(a.common.Data, ca.Options{
		Lifetime: time.Hour, Now: func() time.Time { return time.Now().Add(-2 * time.Hour) },
	}); err != nil {
		t.Fatal(err)
	}
	install := &caInstallCmd{systemFlag: systemFlag{System: true}}
	if err := install.into(a, m); err == nil || !strings.Contains(err.Error(), "not valid at this time") {
		t.Errorf("an expired root: %v", err)
	}
	if err := (&caShowCmd{}).Run(a); err != nil || !strings.Contains(out.String(), "has expired") {
		t.Errorf("%v\n%s", err, &out)
	}
	if err := os.RemoveAll(anchors); err != nil {
		t.Fatal(err)
	}
	if _, err := ca.Create(a.common.Data, ca.Options{Replace: true}); err != nil {
		t.Fatal(err)
	}
	if err := install.into(a, m); err == nil || !strings.Contains(err.Error(), "ca export") {
		t.Errorf("without a store: %v", err)
	}
	if os.Getuid() == 0 {
		return // root may write everywhere
	}
	if err := os.MkdirAll(anchors, 0o500); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if err := install.into(a, m); err == nil || !strings.Contains(out.String(), "sudo peerproxy --data "+a.common.Data+" ca install --system") {
		t.Errorf("without permission: %v\n%s", err, &out)
	}
}

func TestDaysLeft(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for left, want := range map[time.Duration]int{
		0: 0, time.Hour: 0, 24 * time.Hour: 1, 47 * time.Hour: 1, -time.Second: -1, -24 * time.Hour: -1, -25 * time.Hour: -2,
	} {
		if got := daysLeft(now.Add(left), now); got != want {
			t.Errorf("%v left: %d days, want %d", left, got, want)
		}
	}
}
