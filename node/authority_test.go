package node

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/peerproxy/peerproxy/ca"
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
