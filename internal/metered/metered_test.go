package metered

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godbus/dbus/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// An answer is believed for a minute, also that nobody knows.
func TestRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, metered, err := 0, true, error(nil)
		n := &Network{Ask: func(context.Context) (bool, error) { asked++; return metered, err }}
		for i, step := range []struct {
			wait    time.Duration
			metered bool
			err     error
			want    bool
			asked   int
		}{
			{0, true, nil, true, 1},
			{59 * time.Second, false, nil, true, 1},
			{time.Second, false, nil, false, 2},
			{time.Minute, true, errors.New("no bus"), false, 3},
			{time.Second, true, nil, false, 3},
			{time.Minute, true, nil, true, 4},
		} {
			time.Sleep(step.wait)
			metered, err = step.metered, step.err
			if got := n.Metered(t.Context()); got != step.want || asked != step.asked {
				t.Errorf("step %d: %v after %d questions", i, got, asked)
			}
		}
	})
}

// Who does not answer costs a second, once.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &Network{Ask: func(ctx context.Context) (bool, error) { <-ctx.Done(); return true, ctx.Err() }}
		for _, want := range []time.Duration{time.Second, 0} {
			start := time.Now()
			if n.Metered(t.Context()) || time.Since(start) != want {
				t.Errorf("metered, or after %v", time.Since(start))
			}
		}
	})
}

func TestNetworkManager(t *testing.T) {
	for name, c := range map[string]struct {
		answer any // nil: there is no such service
		want   bool
		fails  bool
	}{
		"unknown": {uint32(0), false, false}, "yes": {uint32(1), true, false}, "no": {uint32(2), false, false},
		"guessed: yes": {uint32(3), true, false}, "guessed: no": {uint32(4), false, false},
		"of a later version": {uint32(9), false, false}, "of another type": {"yes", false, true}, "no such service": {nil, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			startBus(t, func(conn net.Conn) { serveBus(conn, c.answer) })
			got, err := NetworkManager(t.Context())
			if got != c.want || (err != nil) != c.fails {
				t.Errorf("metered %v, %v", got, err)
			}
		})
	}
}

// Machines without a system bus are not metered, and that takes no time.
func TestNoBus(t *testing.T) {
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "none"))
	start := time.Now()
	if new(Network).Metered(t.Context()) || time.Since(start) > askTime/2 {
		t.Errorf("metered, or after %v", time.Since(start))
	}
}

// A bus that does not speak is given up when the context ends.
func TestSilentBus(t *testing.T) {
	startBus(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := NetworkManager(ctx); err == nil || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(start))
	}
}

// startBus serves one connection to what is the system bus during the test.
func startBus(t *testing.T, serve func(net.Conn)) {
	path := filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		serve(conn)
		_ = conn.Close()
	})
	t.Cleanup(func() {
		_ = l.Close()
		served.Wait()
	})
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+path)
}

// serveBus is a message bus as far as it is needed: authentication, Hello, and the one property.
func serveBus(conn net.Conn, answer any) {
	in := bufio.NewReader(conn)
	for line := ""; !strings.HasPrefix(line, "BEGIN"); {
		var err error
		if line, err = in.ReadString('\n'); err != nil {
			return
		}
		switch line = strings.TrimLeft(line, "\x00"); {
		case line == "AUTH\r\n":
			_, _ = io.WriteString(conn, "REJECTED EXTERNAL\r\n")
		case strings.HasPrefix(line, "AUTH EXTERNAL"):
			_, _ = io.WriteString(conn, "DATA\r\n")
		case strings.HasPrefix(line, "DATA"):
			_, _ = io.WriteString(conn, "OK 0123456789abcdef0123456789abcdef\r\n")
		case strings.HasPrefix(line, "NEGOTIATE"):
			_, _ = io.WriteString(conn, "ERROR\r\n")
		}
	}
	for {
		m, err := dbus.DecodeMessage(in)
		if err != nil {
			return
		}
		reply := &dbus.Message{Type: dbus.TypeMethodReply, Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldReplySerial: dbus.MakeVariant(m.Serial()), dbus.FieldSender: dbus.MakeVariant("org.freedesktop.DBus"),
		}}
		member := m.Headers[dbus.FieldMember].Value()
		switch {
		case member == "Hello":
			reply.Body = []any{":1.1"}
		case member == "Get" && answer != nil && m.Body[0] == "org.freedesktop.NetworkManager" && m.Body[1] == "Metered":
			reply.Body = []any{dbus.MakeVariant(answer)}
		default:
			reply.Type = dbus.TypeError
			reply.Headers[dbus.FieldErrorName] = dbus.MakeVariant("org.freedesktop.DBus.Error.ServiceUnknown")
			reply.Body = []any{"no such service"}
		}
		reply.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(reply.Body...))
		if err := reply.EncodeTo(conn, binary.LittleEndian); err != nil {
			return
		}
	}
}
