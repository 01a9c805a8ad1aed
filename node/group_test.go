package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestOpenGroup(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "on", "the", "way")
	if HasGroup(dir) {
		t.Error("a group before there is a directory")
	}
	first, err := OpenGroup(dir)
	if err != nil || first == (GroupSecret{}) || !HasGroup(dir) {
		t.Fatalf("%v, %v", first, err)
	}
	if again, err := OpenGroup(dir); err != nil || again != first {
		t.Fatalf("another secret the second time (%v)", err)
	}
	info, err := os.Stat(groupFile(dir))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v (%v), want 0600", info.Mode(), err)
	}
	if other, err := OpenGroup(t.TempDir()); err != nil || first == other {
		t.Errorf("two groups share a secret (%v)", err)
	}
	if err := os.WriteFile(groupFile(dir), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenGroup(dir); err == nil {
		t.Error("a damaged secret is accepted")
	}
	if _, _, err := JoinGroup(dir, first, true); err == nil {
		t.Error("a damaged secret is written over")
	}
	if _, _, err := RotateGroup(dir); err == nil {
		t.Error("a damaged secret is rotated away")
	}
}

// TestOpenGroupAtOnce: of several that make the secret, one wins, and all have the same.
func TestOpenGroupAtOnce(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	var secrets [16]GroupSecret
	for i := range secrets {
		group.Go(func() {
			var err error
			if secrets[i], err = OpenGroup(dir); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for _, s := range secrets {
		if s != secrets[0] || s == (GroupSecret{}) {
			t.Fatal("not all have the same secret")
		}
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("%d files are left, want one", len(files))
	}
}

func TestJoinGroup(t *testing.T) {
	dir, ours, theirs := t.TempDir(), newGroupSecret(), newGroupSecret()
	steps := []struct {
		name    string
		secret  GroupSecret
		replace bool
		changed bool
		backup  bool
		err     error
	}{
		{"the first", ours, false, true, false, nil},
		{"the same again", ours, false, false, false, nil},
		{"the same again, replacing", ours, true, false, false, nil},
		{"another", theirs, false, false, false, ErrOtherGroup},
		{"another, replacing", theirs, true, true, true, nil},
		{"back within the second", ours, true, true, true, nil},
	}
	backups := map[string]bool{}
	for _, step := range steps {
		before, _ := readGroup(dir)
		other, err := InOtherGroup(dir, step.secret)
		if err != nil || other != (step.err != nil || step.backup) {
			t.Errorf("%s: in another group: %v, %v", step.name, other, err)
		}
		changed, backup, err := JoinGroup(dir, step.secret, step.replace)
		if changed != step.changed || (backup != "") != step.backup || !errors.Is(err, step.err) {
			t.Errorf("%s: %v, %q, %v", step.name, changed, backup, err)
		}
		if backup != "" {
			text, err := os.ReadFile(backup)
			if info, _ := os.Stat(backup); err != nil || string(text) != string(before.text()) || info.Mode().Perm() != 0o600 || backups[backup] {
				t.Errorf("%s: the old secret is not kept in %s: %v", step.name, backup, err)
			}
			backups[backup] = true
		}
	}
	if now, err := OpenGroup(dir); err != nil || now != ours {
		t.Errorf("in the end: %v", err)
	}
}

func TestRotateGroup(t *testing.T) {
	dir := t.TempDir()
	first, backup, err := RotateGroup(dir)
	if err != nil || backup != "" || first == (GroupSecret{}) {
		t.Fatalf("without a group: %q, %v", backup, err)
	}
	second, backup, err := RotateGroup(dir)
	if text, _ := os.ReadFile(backup); err != nil || second == first || strings.TrimSpace(string(text))+"\n" != string(first.text()) {
		t.Fatalf("with one: %q, %v", backup, err)
	}
	if now, err := OpenGroup(dir); err != nil || now != second {
		t.Errorf("the new secret is not in force: %v", err)
	}
}
