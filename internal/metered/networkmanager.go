package metered

import (
	"context"
	"fmt"

	"github.com/godbus/dbus/v5"
)

// The values of NMMetered, of which 0 is "unknown", 2 "no" and 4 "guessed: no".
const (
	meteredYes      = 1
	meteredGuessYes = 3
)

// NetworkManager asks the service of that name on the system bus. It fails where there is no such
// bus or service, at once or when ctx ends.
func NetworkManager(ctx context.Context) (bool, error) {
	conn, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return false, fmt.Errorf("metered: system bus: %w", err)
	}
	defer func() { _ = conn.Close() }() // nothing is lost by that
	var value dbus.Variant
	call := conn.Object("org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager").CallWithContext(
		ctx, "org.freedesktop.DBus.Properties.Get", dbus.FlagNoAutoStart, "org.freedesktop.NetworkManager", "Metered")
	if err := call.Store(&value); err != nil {
		return false, fmt.Errorf("metered: ask NetworkManager: %w", err)
	}
	state, ok := value.Value().(uint32)
	if !ok {
		return false, fmt.Errorf("metered: NetworkManager answers with a %T", value.Value())
	}
	return state == meteredYes || state == meteredGuessYes, nil
}
