package control

import (
	"errors"
	"strings"
	"testing"
)

func TestReloadTrust(t *testing.T) {
	answer, fault := TrustReloaded{Trusted: 3, Revoked: 1}, error(nil)
	client, stop := Local(Config{ReloadTrust: func() (TrustReloaded, error) { return answer, fault }})
	defer stop()
	if got, err := client.ReloadTrust(t.Context()); err != nil || got != answer {
		t.Errorf("got %+v, %v", got, err)
	}
	fault = errors.New("the old keyring stays in force")
	if _, err := client.ReloadTrust(t.Context()); err == nil || !strings.Contains(err.Error(), fault.Error()) {
		t.Errorf("got %v", err)
	}
	old, stopOld := Local(Config{})
	defer stopOld()
	if _, err := old.ReloadTrust(t.Context()); err == nil || !strings.Contains(err.Error(), "restart it") {
		t.Errorf("a node that can't: %v", err)
	}
}
