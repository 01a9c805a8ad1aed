package node

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/ca"
	"github.com/peerproxy/peerproxy/intercept"
)

// A running node notices that a certificate authority was made, replaced or removed.
func TestAuthorityIsFollowed(t *testing.T) {
	dir := t.TempDir()
	now, changes := time.Now(), 0
	a := &authority{dir: dir, now: func() time.Time { return now }, changed: func() { changes++ }}
	if _, err := a.get(); !errors.Is(err, ca.ErrNone) || a.permits("example.com") {
		t.Fatal(err)
	}
	made, err := ca.Create(dir, ca.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if a.permits("example.com") {
		t.Error("looks at each request")
	}
	now = now.Add(lookForCA)
	if root, err := a.get(); err != nil || !root.Certificate().Equal(made.Certificate()) || !a.permits("example.com") || changes != 0 {
		t.Fatal(err, changes)
	}
	now = now.Add(lookForCA)
	if again, err := a.get(); err != nil || again != a.root || changes != 0 {
		t.Error(err, changes)
	}
	if made, err = ca.Create(dir, ca.Options{Only: []string{"example.com"}, Replace: true}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(lookForCA)
	if !a.permits("www.example.com") || a.permits("example.org") || changes != 1 {
		t.Error("does not follow the new one", changes)
	}
	if leaf, err := a.issue("www.example.com"); err != nil || leaf.Leaf.CheckSignatureFrom(made.Certificate()) != nil {
		t.Error(err)
	}
	if err := os.Remove(filepath.Join(dir, ca.CertificateFile)); err != nil {
		t.Fatal(err)
	}
	now = now.Add(lookForCA)
	if a.permits("www.example.com") || changes != 2 {
		t.Error("does not notice that it is gone", changes)
	}
}

// That an authority has expired is told apart from that there is none: other things help.
func TestExpiredAuthorityIsTold(t *testing.T) {
	made, err := ca.Create(t.TempDir(), ca.Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	expired := made.WithClock(func() time.Time { return now.AddDate(3, 0, 0) })
	a := &authority{now: func() time.Time { return now }, looked: now, root: expired}
	n := &Node{authority: a, interceptor: intercept.New(intercept.Config{Issue: a.issue, Permits: a.permits})}
	if h := n.HTTPS(); h.On || h.NoCA || !h.Expired || h.Why != ca.ErrExpired.Error() {
		t.Errorf("%+v", h)
	}
	if a.permits("example.com") {
		t.Error("is used all the same")
	}
}
