package portmap

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var request = Request{Protocol: TCP, InternalPort: 4711, Lease: time.Hour, Description: "test"}

func TestMapAndUnmapAtEveryKindOfGateway(t *testing.T) {
	for _, file := range []string{"igd1.xml", "igd2.xml", "ppp.xml", "two-lines.xml"} {
		t.Run(file, func(t *testing.T) {
			f := newFakeIGD(t, file)
			u := f.mapper(t)
			m, err := u.Map(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			want := Mapping{
				Protocol: TCP, Internal: netip.MustParseAddrPort("127.0.0.1:4711"), External: netip.MustParseAddrPort("11.0.0.100:4711"),
				Lease: time.Hour, Method: MethodUPnP, Gateway: loopback, Location: f.location(),
			}
			if m != want {
				t.Errorf("mapping %+v, want %+v", m, want)
			}
			if e, _ := f.entry("TCP 4711"); e != (igdEntry{"127.0.0.1", "4711", "3600", "test"}) {
				t.Errorf("gateway has %+v", e)
			}
			if err := u.Unmap(t.Context(), m); err != nil {
				t.Error(err)
			}
			if _, ok := f.entry("TCP 4711"); ok {
				t.Error("mapping is still there")
			}
			if err := u.Unmap(t.Context(), m); err != nil {
				t.Errorf("removing what is gone: %v", err)
			}
		})
	}
}

func TestConcessions(t *testing.T) {
	other := igdEntry{client: "127.0.0.9", port: "1", lease: "0"}
	tests := []struct {
		name   string
		setUp  func(*fakeIGD)
		req    func(*Request)
		adds   int
		code   int // of the error; 0 = success
		verify func(Mapping) bool
	}{
		{name: "725 only permanent leases", setUp: func(f *fakeIGD) { f.permanent = true }, adds: 2,
			verify: func(m Mapping) bool { return m.Lease == 0 && m.External.Port() == 4711 }},
		{name: "402 meaning 725", setUp: func(f *fakeIGD) { f.faults["AddPortMapping"] = []int{402, 0} }, adds: 2,
			verify: func(m Mapping) bool { return m.Lease == 0 }},
		{name: "402 meaning it", setUp: func(f *fakeIGD) { f.faults["AddPortMapping"] = []int{402} }, adds: 2, code: 402},
		{name: "718 another machine has the port", setUp: func(f *fakeIGD) { f.entries["TCP 4711"] = other }, adds: 2,
			verify: func(m Mapping) bool { return m.External.Port() >= firstPort && m.External.Port() != 4711 }},
		{name: "718 and 725", setUp: func(f *fakeIGD) { f.entries["TCP 4711"] = other; f.permanent = true }, adds: 3,
			verify: func(m Mapping) bool { return m.External.Port() != 4711 && m.Lease == 0 }},
		{name: "718 for ever", setUp: func(f *fakeIGD) { f.faults["AddPortMapping"] = []int{718} }, adds: 1 + maxPortTries, code: 718},
		{name: "724 ports must be equal", setUp: func(f *fakeIGD) { f.samePort = true }, adds: 2,
			req:    func(r *Request) { r.ExternalPort = 9000 },
			verify: func(m Mapping) bool { return m.External.Port() == 4711 }},
		{name: "718 and 724", setUp: func(f *fakeIGD) { f.samePort = true; f.entries["TCP 4711"] = other }, adds: 3, code: 718},
		{name: "606 at a privileged port", setUp: func(f *fakeIGD) { f.faults["AddPortMapping"] = []int{606, 0} }, adds: 2,
			req:    func(r *Request) { r.ExternalPort = 443 },
			verify: func(m Mapping) bool { return m.External.Port() >= firstPort }},
		{name: "606 not authorized", setUp: func(f *fakeIGD) { f.faults["AddPortMapping"] = []int{606} }, adds: 1, code: 606},
		{name: "501 action failed", setUp: func(f *fakeIGD) { f.faults["AddPortMapping"] = []int{501} }, adds: 1, code: 501},
		{name: "unheard-of number", setUp: func(f *fakeIGD) { f.faults["AddPortMapping"] = []int{31337} }, adds: 1, code: 31337},
		{name: "reading back is not supported", setUp: func(f *fakeIGD) { f.faults["GetSpecificPortMappingEntry"] = []int{401} }, adds: 1,
			verify: func(m Mapping) bool { return m.Lease == time.Hour }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFakeIGD(t, "igd2.xml")
			test.setUp(f)
			req := request
			if test.req != nil {
				test.req(&req)
			}
			m, err := f.mapper(t).Map(t.Context(), req)
			if got := f.count("AddPortMapping"); got != test.adds {
				t.Errorf("asked %d times, want %d", got, test.adds)
			}
			if test.code != 0 {
				var fault *FaultError
				if !errors.As(err, &fault) || fault.Code != test.code || !errors.Is(err, ErrRefused) {
					t.Errorf("error %v, want fault %d", err, test.code)
				}
				return
			}
			if err != nil || !test.verify(m) {
				t.Errorf("got %+v, %v", m, err)
			}
		})
	}
}

func TestExternalAddress(t *testing.T) {
	tests := []struct {
		external string
		err      error
		public   bool
	}{
		{external: "11.0.0.100", public: true},
		{external: " 11.0.0.100\n", public: true},
		{external: "192.168.1.20"},
		{external: "100.64.3.4"},
		{external: "", err: ErrNoExternalAddress},
		{external: "0.0.0.0", err: ErrNoExternalAddress},
		{external: "127.0.0.1", err: ErrBadReply},
		{external: "239.255.255.250", err: ErrBadReply},
		{external: "2001:db8::1", err: ErrBadReply},
		{external: "gateway.example", err: ErrBadReply},
	}
	for _, test := range tests {
		t.Run(test.external, func(t *testing.T) {
			f := newFakeIGD(t, "igd1.xml")
			f.external = test.external
			m, err := f.mapper(t).Map(t.Context(), request)
			if !errors.Is(err, test.err) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if err == nil && m.Public() != test.public {
				t.Errorf("Public() = %v of %v", m.Public(), m.External)
			}
			if err != nil && f.count("AddPortMapping") != 0 {
				t.Error("asked for a mapping that leads nowhere")
			}
		})
	}
}

func TestGatewaysThatLie(t *testing.T) {
	t.Run("yes without a mapping", func(t *testing.T) {
		f := newFakeIGD(t, "igd1.xml")
		f.forgetful = true
		if _, err := f.mapper(t).Map(t.Context(), request); !errors.Is(err, ErrBadReply) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("yes to another machine's port", func(t *testing.T) {
		f := newFakeIGD(t, "igd1.xml")
		f.forgetful = true
		f.entries["TCP 4711"] = igdEntry{client: "127.0.0.1", port: "22", lease: "0"}
		if _, err := f.mapper(t).Map(t.Context(), request); !errors.Is(err, ErrBadReply) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("control on other hosts", func(t *testing.T) {
		f := newFakeIGD(t, "foreign-control.xml")
		if _, err := f.mapper(t).Map(t.Context(), request); !errors.Is(err, ErrBadReply) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("redirect to another host", func(t *testing.T) {
		f := newFakeIGD(t, "igd1.xml")
		f.intercept = func(w http.ResponseWriter, r *http.Request, action string) bool {
			http.Redirect(w, r, "http://192.0.2.66/", http.StatusFound)
			return true
		}
		if _, err := f.mapper(t).Map(t.Context(), request); !errors.Is(err, ErrBadReply) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("shorter lease than asked for", func(t *testing.T) {
		f := newFakeIGD(t, "igd1.xml")
		f.intercept = func(w http.ResponseWriter, r *http.Request, action string) bool {
			f.mu.Lock()
			defer f.mu.Unlock()
			if e, ok := f.entries["TCP 4711"]; ok {
				e.lease = "600"
				f.entries["TCP 4711"] = e
			}
			return false
		}
		if m, err := f.mapper(t).Map(t.Context(), request); err != nil || m.Lease != 10*time.Minute {
			t.Errorf("lease %v, error %v", m.Lease, err)
		}
	})
}

func TestHostileReplies(t *testing.T) {
	flood := bytes.Repeat([]byte("<device>"), 64<<10)
	tests := []struct {
		name string
		body []byte
	}{
		{"empty", nil},
		{"garbage", []byte("\x00\xff\x1b[2J not xml at all")},
		{"unclosed", []byte("<root><device>")},
		{"endless nesting", flood},
		{"entity bomb", []byte(`<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><root>&b;</root>`)},
		{"huge", bytes.Repeat([]byte(" "), 8<<20)},
	}
	for _, test := range tests {
		for _, target := range []string{"GET", "GetExternalIPAddress", "AddPortMapping"} {
			t.Run(test.name+"/"+target, func(t *testing.T) {
				f := newFakeIGD(t, "igd1.xml")
				f.intercept = func(w http.ResponseWriter, r *http.Request, action string) bool {
					if action == target {
						w.Write(test.body)
					}
					return action == target
				}
				_, err := f.mapper(t).Map(t.Context(), request)
				if !errors.Is(err, ErrBadReply) {
					t.Fatalf("error %.300v, want ErrBadReply", err)
				}
				if len(err.Error()) > 512 || strings.ContainsAny(err.Error(), "\x00\x1b") {
					t.Errorf("the stranger's text got into the error: %.200q", err)
				}
			})
		}
	}
}

func TestSlowGatewayIsLeftWhenContextEnds(t *testing.T) {
	f := newFakeIGD(t, "igd1.xml")
	f.intercept = func(_ http.ResponseWriter, r *http.Request, _ string) bool {
		<-r.Context().Done()
		return true
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := f.mapper(t).Map(ctx, request); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

// A mapping that the gateway makes while nobody waits for it any more would
// otherwise stay until its lease ends.
func TestInterruptedMapIsTakenBack(t *testing.T) {
	f := newFakeIGD(t, "igd1.xml")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.intercept = func(w http.ResponseWriter, r *http.Request, action string) bool {
		if action != "AddPortMapping" {
			return false
		}
		f.mu.Lock()
		f.entries["TCP 4711"] = igdEntry{"127.0.0.1", "4711", "3600", "test"}
		f.mu.Unlock()
		cancel()
		<-r.Context().Done()
		return true
	}
	if _, err := f.mapper(t).Map(ctx, request); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if e, ok := f.entry("TCP 4711"); ok {
		t.Errorf("left behind: %+v", e)
	}
}

func TestKnownGatewayIsAskedDirectly(t *testing.T) {
	f := newFakeIGD(t, "igd1.xml")
	u := searching(t, loopbackNetwork(ssdpResponder(t, ssdpReply(f.location()))))
	for range 3 {
		if _, err := u.Map(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	if n := f.count("GET"); n != 1 {
		t.Errorf("description was read %d times", n)
	}
	f.mu.Lock()
	f.external = "11.0.0.200"
	f.mu.Unlock()
	m, err := u.Map(t.Context(), request)
	if err != nil || m.External.Addr().String() != "11.0.0.200" {
		t.Errorf("after the address changed: %v, %v", m.External, err)
	}
}

func TestUnmapLeavesOtherMachinesAlone(t *testing.T) {
	f := newFakeIGD(t, "igd1.xml")
	u := f.mapper(t)
	m, err := u.Map(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	f.entries["TCP 4711"] = igdEntry{client: "127.0.0.9", port: "4711", lease: "0"}
	f.mu.Unlock()
	if err := u.Unmap(t.Context(), m); err != nil {
		t.Error(err)
	}
	if _, ok := f.entry("TCP 4711"); !ok {
		t.Error("removed another machine's mapping")
	}
}

// A later process can clean up with nothing but the stored Mapping.
func TestUnmapByAnotherProcess(t *testing.T) {
	f := newFakeIGD(t, "two-lines.xml")
	m, err := f.mapper(t).Map(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if err := searching(t).Unmap(t.Context(), m); err != nil {
		t.Error(err)
	}
	if _, ok := f.entry("TCP 4711"); ok {
		t.Error("mapping is still there")
	}
}

func TestUnmapAtAGatewayThatMoved(t *testing.T) {
	f := newFakeIGD(t, "igd1.xml")
	m, err := f.mapper(t).Map(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	m.Location = "http://127.0.0.1:1/rootDesc.xml" // the port that it had before it restarted
	u := searching(t, loopbackNetwork(ssdpResponder(t, ssdpReply(f.location()))))
	if err := u.Unmap(t.Context(), m); err != nil {
		t.Error(err)
	}
	if _, ok := f.entry("TCP 4711"); ok {
		t.Error("mapping is still there")
	}
	if err := searching(t).Unmap(t.Context(), m); !errors.Is(err, ErrBadReply) && !errors.Is(err, ErrNoGateway) {
		t.Errorf("no gateway at all: %v", err)
	}
}

func TestOnlyTheBoundAddressIsMapped(t *testing.T) {
	f := newFakeIGD(t, "igd1.xml")
	req := request
	req.InternalAddr = netip.MustParseAddr("192.168.77.10")
	if _, err := f.mapper(t).Map(t.Context(), req); !errors.Is(err, ErrNoGateway) {
		t.Errorf("error %v", err)
	}
	if f.count("GET") != 0 {
		t.Error("asked a gateway that can't serve the address")
	}
	req.InternalAddr = loopback
	if _, err := f.mapper(t).Map(t.Context(), req); err != nil {
		t.Error(err)
	}
}

func TestRequestsThatMakeNoSense(t *testing.T) {
	for name, change := range map[string]func(*Request){
		"protocol":       func(r *Request) { r.Protocol = 0 },
		"port":           func(r *Request) { r.InternalPort = 0 },
		"negative lease": func(r *Request) { r.Lease = -1 },
	} {
		req := request
		change(&req)
		if _, err := searching(t).Map(t.Context(), req); !errors.Is(err, ErrBadRequest) {
			t.Errorf("%s: error %v", name, err)
		}
		if err := Keep(t.Context(), searching(t), req, nil); !errors.Is(err, ErrBadRequest) {
			t.Errorf("%s: Keep: %v", name, err)
		}
	}
	for _, location := range []string{"192.168.1.1", "https://192.168.1.1/", "http://router.example/", "http://0.0.0.0/", "http://a:b@192.168.1.1/"} {
		if _, err := NewUPnP(Config{Location: location}); err == nil {
			t.Errorf("location %q was accepted", location)
		}
	}
}

func TestClientTalksToTheGatewayAlone(t *testing.T) {
	f := newFakeIGD(t, "igd1.xml")
	client := newHTTPClient(netip.MustParseAddr("127.0.0.2"), loopback)
	if _, err := client.Get(f.location()); !errors.Is(err, errForeignHost) {
		t.Errorf("error %v", err)
	}
	if client.Transport.(limitedTransport).base.(*http.Transport).Proxy != nil {
		t.Error("an HTTP proxy could be used")
	}
}
