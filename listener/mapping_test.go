package listener

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"github.com/peerproxy/peerproxy/listener/portmap"
)

// logBuffer collects what is logged at Info and above.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) lines() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Split(strings.TrimSpace(b.text.String()), "\n")
}

func (b *logBuffer) logger() *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }

func TestPortIsMappedWhileOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		m := &fakeMapper{}
		l, _ := openInMemory(t.Context(), Config{Mapper: m, Lease: 20 * time.Minute, Logger: log.logger()})
		synctest.Wait()
		if external, ok := l.External(); !ok || external.String() != "11.0.0.100:5000" {
			t.Errorf("external %v, %v", external, ok)
		}
		if got, want := l.Mapping(), "mapped by UPnP-IGD: 11.0.0.100:5000, for 20m0s"; got != want {
			t.Errorf("mapping %q, want %q", got, want)
		}
		want := portmap.Request{
			Protocol: portmap.TCP, InternalAddr: netip.MustParseAddr("127.0.0.1"), InternalPort: 4711, ExternalPort: 4711,
			Lease: 20 * time.Minute, Description: "WebSocket listener",
		}
		time.Sleep(time.Hour)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if m.requests[0] != want || len(m.requests) < 6 || m.mapped != len(m.requests)-1 {
			t.Errorf("requests %+v, %d not removed", m.requests, m.mapped)
		}
		if external, ok := l.External(); ok {
			t.Errorf("external %v after Close", external)
		}
		checkLog(t, log.lines(), "port mapped")
	})
}

func TestWithoutGatewayItGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		m := &fakeMapper{err: portmap.ErrNoGateway}
		l, _ := openInMemory(t.Context(), Config{Mapper: m, Logger: log.logger()})
		time.Sleep(24 * time.Hour)
		if l.State() != Listening || l.Mapping() != "not mapped: no gateway answered" {
			t.Errorf("state %v, mapping %q", l.State(), l.Mapping())
		}
		if _, ok := l.External(); ok || len(m.requests) < 10 {
			t.Errorf("external %v, %d attempts", ok, len(m.requests))
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		checkLog(t, log.lines(), "not mapped")
	})
}

// checkLog wants one line, which says what it should and names no address.
func checkLog(t *testing.T, lines []string, want string) {
	t.Helper()
	if len(lines) != 1 || !strings.Contains(lines[0], want) || strings.Contains(lines[0], "11.0.0.100") || strings.Contains(lines[0], "127.0.0.1") {
		t.Errorf("log %q", lines)
	}
}

func TestMappingNeverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, socket := openInMemory(t.Context(), Config{Mapper: &fakeMapper{hang: true}})
		if l.State() != Listening {
			t.Errorf("state %v", l.State())
		}
		dialer := websocket.Dialer{NetDialContext: func(context.Context, string, string) (net.Conn, error) {
			return socket.connect("192.0.2.1"), nil
		}}
		client, _, err := dialer.DialContext(t.Context(), "ws://here/", nil)
		if err != nil {
			t.Fatal(err)
		}
		go io.Copy(io.Discard, client.NetConn())
		synctest.Wait()
		if l.Mapping() != "asking for a gateway" {
			t.Errorf("mapping %q", l.Mapping())
		}
		began := time.Now()
		if err := l.Close(); err != nil || time.Since(began) != 0 {
			t.Errorf("Close took %v: %v", time.Since(began), err)
		}
	})
}

func TestMappingThatStaysIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		l, _ := openInMemory(t.Context(), Config{Mapper: &fakeMapper{hangUnmap: true}, Logger: log.logger()})
		synctest.Wait()
		began := time.Now()
		if err := l.Close(); err != nil || time.Since(began) >= closeTime {
			t.Errorf("Close took %v: %v", time.Since(began), err)
		}
		if lines := log.lines(); len(lines) != 2 || !strings.Contains(lines[1], "left to its lease") {
			t.Errorf("log %q", lines)
		}
	})
}

func TestDeadGateway(t *testing.T) {
	notified := make(chan Status, 16)
	mapper, err := portmap.NewUPnP(portmap.Config{Location: "http://127.0.0.1:1/rootDesc.xml"})
	if err != nil {
		t.Fatal(err)
	}
	l := open(t, Config{Mapper: mapper, Notify: func(s Status) { notified <- s }})
	for s := range notified {
		if s.Mapping.State == portmap.Unmapped {
			break
		}
	}
	if got, want := l.Mapping(), "not mapped: bad reply from gateway"; got != want {
		t.Errorf("mapping %q, want %q", got, want)
	}
}
